"""What becomes of surveys on hearing and by the clock: messages went out, customers answered, a step is due."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from scheduler import store
from scheduler.calendar import zone_of
from scheduler.dossier import Change, Dossier, due, endings_of, moves_of
from scheduler.policy import Rule, rules_of
from scheduler.survey import Survey, come_up, ended, reported, unanswered_steps
from services import metrics
from services.contracts.deliveries import DeliveryReported, OptedOut
from services.database import Record, Transaction
from services.house import House

log = structlog.get_logger(__name__)

MOST = 1_000


async def load(transaction: Transaction, surveys: Iterable[UUID]) -> list[Dossier]:
    """Surveys with what they are about, kept from other workers until the commit."""
    rows = await store.lock_surveys(transaction, surveys)
    rules = await pinned_rules(transaction, rows)
    return [_dossier(row, rules[row["policy"], row["version"], row["name"]]) for row in rows]


async def pinned_rules(transaction: Transaction, rows: Iterable[Record]) -> dict[tuple[str, int, str], Rule]:
    """The rules of the versions that rows name as `policy` and `version`, by policy, version and survey."""
    versions = {(row["policy"], row["version"]) for row in rows}
    documents = await store.find_policies(transaction, versions) if versions else {}
    return {
        (*version, rule.name): rule for version, document in documents.items() for rule in rules_of(*version, document)
    }


def _dossier(row: Record, rule: Rule) -> Dossier:
    closing = store.read_closing(row)
    if closing.contact is None:
        raise ValueError(f"survey {row['id']} has nobody to ask")
    survey = Survey(
        id=row["id"],
        state=row["state"],
        channels=closing.contact.channels,
        zone=zone_of(closing.contact.timezone),
        promised_by=row["promised_by"],
        expires_at=row["expires_at"],
        asked_at=row["asked_at"],
        contacted_at=row["contacted_at"],
        ended_at=row["ended_at"],
        steps=tuple(row["steps"]),
        reported=tuple(row["reported"]),
        next_step=row["next_step"],
        next_at=row["next_at"],
        items=tuple(row["items"]),
        owner=row["owner"],
        respondent=store.read_respondent(row),
    )
    return Dossier(survey=survey, closing=closing, contact=closing.contact, rule=rule)


async def save(transaction: Transaction, changes: Iterable[Change]) -> None:
    """Stores what surveys have become, with their moves and what comes next, and says which are over."""
    real = [change for change in changes if change.after != change.dossier.survey]
    if not real:
        return
    await store.save_surveys(transaction, real)
    moves = moves_of(real, transaction.now)
    if moves:
        await store.insert_moves(transaction, moves)
    dues = [due_row(change.after) for change in real if change.comes_up]
    if dues:
        await store.insert_dues(transaction, dues)
    for ending in endings_of(real):
        transaction.say(ending)
    for change in real:
        if change.is_new_contact and change.after.contacted_at is not None:
            waited = change.after.contacted_at - change.dossier.closing.closed_at
            transaction.after_commit(partial(metrics.FIRST_CONTACT.observe, max(0.0, waited.total_seconds())))


def due_row(survey: Survey) -> tuple[datetime, UUID, int]:
    """The row that queues what comes next for a survey. Raises `ValueError` where nothing does."""
    if survey.next_at is None or survey.next_step is None:
        raise ValueError(f"nothing comes up for survey {survey.id}")
    return survey.next_at, survey.id, survey.next_step


async def take_reports(house: House, transaction: Transaction, events: Sequence[DeliveryReported]) -> None:
    """A message went out, failed, or stands on the call list."""

    dossiers = {each.survey.id: each for each in await known(transaction, {event.survey for event in events})}
    after = {survey: each.survey for survey, each in dossiers.items()}
    for event in events:
        if event.survey in after:
            rule, survey = dossiers[event.survey].rule, after[event.survey]
            at = event.reported_at
            after[event.survey] = reported(rule, survey, event.step, event.outcome, at, transaction.now)
    await save(transaction, [Change(each, after[survey], "delivery", "notifier") for survey, each in dossiers.items()])


async def take_refusals(house: House, transaction: Transaction, events: Sequence[OptedOut]) -> None:
    """Somebody will not be asked: not this time, or never again on any channel."""
    ends: dict[UUID, datetime] = {}
    never: dict[UUID, datetime] = {}
    for event in events:
        at = event.opted_out_at
        if event.survey is not None:
            ends[event.survey] = min(ends.get(event.survey, at), at)
        if event.scope == "all":
            never[event.person] = min(never.get(event.person, at), at)
    theirs = await store.find_open_surveys_of_people(transaction, never) if never else []
    changes = []
    for dossier in await known(transaction, {*ends, *theirs}):
        at = ends.get(dossier.survey.id) or never.get(dossier.contact.person) or transaction.now
        changes.append(Change(dossier, ended(dossier.survey, "declined", at), "opted_out", "customer"))
    await save(transaction, changes)
    if never:
        await store.upsert_opt_outs(transaction, never)


async def known(transaction: Transaction, surveys: Iterable[UUID]) -> list[Dossier]:
    """The surveys of these ids; an event about another (of a database that was replaced) is noted and left."""
    ids = set(surveys)
    dossiers = await load(transaction, ids)
    if len(dossiers) < len(ids):
        log.warning("surveys_unknown", surveys=len(ids) - len(dossiers))
    return dossiers


async def bring_up(house: House, transaction: Transaction) -> int:
    """Checks the surveys that are due again, says their steps, and ends those whose time is over."""
    dues = await store.claim_dues(transaction, MOST)
    if not dues:
        return 0
    dossiers = await load(transaction, dues)
    opted_out = await store.find_opted_out(transaction, {each.contact.person for each in dossiers})
    over_limit = await _over_limit(transaction, dossiers)
    changes = []
    for dossier in dossiers:
        survey = dossier.survey
        if survey.next_step is None or survey.next_step not in dues[survey.id]:
            continue
        turn = come_up(
            dossier.rule,
            survey,
            survey.next_step,
            transaction.now,
            opted_out=dossier.contact.person in opted_out,
            over_limit=survey.id in over_limit,
        )
        changes.append(Change(dossier, turn.survey, turn.cause))
        if turn.step is not None:
            transaction.say(due(dossier, turn.step, survey.next_at or transaction.now))
            transaction.after_commit(metrics.SURVEYS_DUE.labels(dossier.rule.name, turn.step.kind).inc)
    await save(transaction, changes)
    return sum(len(steps) for steps in dues.values())


async def _over_limit(transaction: Transaction, dossiers: Sequence[Dossier]) -> set[UUID]:
    """Surveys whose first contact would now be one too many, because others came later than they were planned."""
    first = [each for each in dossiers if each.rule.limit is not None and each.survey.is_untold]
    if not first:
        return set()
    await store.lock_people(transaction, {each.contact.person for each in first})
    since = {each.survey.id: transaction.now - each.rule.limit.period for each in first if each.rule.limit}
    told = await store.find_told(transaction, [(s.survey.id, s.contact.person, since[s.survey.id]) for s in first])
    now_told: Counter[UUID] = Counter()
    over = set()
    for each in first:
        person = each.contact.person
        if each.rule.limit and told.get(each.survey.id, 0) + now_told[person] >= each.rule.limit.most:
            over.add(each.survey.id)
        else:
            now_told[person] += 1
    return over


async def say_due_again(house: House, transaction: Transaction, patience: timedelta) -> int:
    """Says steps again of which the notifier has told nothing; what it knows already, it only reports again."""
    said = 0
    for dossier in await load(transaction, await store.claim_silent(transaction, patience, MOST)):
        if not dossier.survey.is_open or dossier.rule.almanac.is_quiet(transaction.now, dossier.survey.zone):
            continue
        for step in unanswered_steps(dossier.rule, dossier.survey):
            transaction.say(due(dossier, step, transaction.now))
            said += 1
    return said


async def measure(house: House, transaction: Transaction) -> int:
    """Sets the gauges of the promise."""
    at_risk, overdue = await store.count_promises(transaction)
    metrics.SURVEYS_AT_RISK.set(at_risk)
    metrics.SURVEYS_OVERDUE.set(overdue)
    return 0
