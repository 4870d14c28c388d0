"""What the scheduler does on hearing events and on the clock, and what it says."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from scheduler import store
from scheduler.calendar import zone_of
from scheduler.closure import Key, People, decided, gather, merge, successions
from scheduler.dossier import Change, Dossier, due, endings_of, moves_of
from scheduler.ledger import Entry, enter, enter_again
from scheduler.policy import Closing, Rule, decide, rules_of
from scheduler.survey import Survey, come_up, ended, reported, unanswered_steps
from services import metrics
from services.contracts.deliveries import DeliveryReported, OptedOut
from services.contracts.envelope import Event
from services.contracts.responses import Response, ResponseCorrected, ResponseGiven
from services.contracts.tickets import TicketClosed, TicketReopened
from services.database import Record, Transaction
from services.errors import Unavailable
from services.house import House
from services.identifiers import uuid7
from services.room import Handler
from services.tick import Sweep, Tick

log = structlog.get_logger(__name__)

MOST = 1_000
COME_UP_SECONDS = 0.5
SWEEP_SECONDS = 30.0
MEASURE_SECONDS = 15.0
SELF = "self"


async def take_closings(house: House, transaction: Transaction, events: Sequence[TicketClosed]) -> None:
    """Decides on closures that are new, and anew where a repeated closing tells more; echoes every one."""
    heard = gather(events)
    known = await store.find_closures(transaction, {key[:2] for key in heard})
    told = {key: merge(known[key].closing if key in known else None, closing) for key, closing in heard.items()}
    reopened = successions({**{key: each.closing for key, each in known.items() if each.closing}, **told}.values())
    await reopen(transaction, {key: at for key, at in reopened.items() if key in known})
    rules = await rules_in_force(transaction)
    changed = {key for key, closing in told.items() if key in known and closing != known[key].closing}
    running = await _running(transaction, changed)
    people = await find_people(transaction, rules, [told[key] for key in told if key not in known or key in changed])
    entries = []
    for key, closing in told.items():
        before = known.get(key)
        if before is not None and before.closing is not None:
            entry = enter_again(
                rules, closing, people, uuid7(), transaction.now, before=before, running=running.get(key)
            )
        else:
            ends = (reopened.get(key), before.reopened_at if before is not None else None)
            entry = enter(
                decide(rules, closing, people.person(closing), transaction.now),
                closing,
                people,
                uuid7(),
                transaction.now,
                before=before,
                reopened_at=min((at for at in ends if at is not None), default=None),
            )
        entries.append(entry)
    await record(transaction, entries)
    for entry in entries:
        transaction.say(decided(entry.after))


async def record(transaction: Transaction, entries: Sequence[Entry]) -> None:
    """Stores entries of the ledger with their surveys. Raises `Unavailable` where another worker stored one first."""
    new = [entry.after for entry in entries if entry.before is None]
    if new and await store.insert_closures(transaction, new) < len(new):
        raise Unavailable("another worker has stored some of the closures meanwhile")
    again = [entry for entry in entries if entry.before is not None and entry.before != entry.after]
    if again:
        former = [(entry.after.key, entry.former) for entry in again if entry.former is not None]
        await store.insert_former_decisions(transaction, former)
        await store.update_closures(transaction, [entry.after for entry in again])
    surveys = [entry.survey for entry in entries if entry.survey is not None]
    if surveys:
        await store.insert_surveys(transaction, surveys)
        await store.insert_dues(transaction, [_due_row(each.survey) for each in surveys if each.survey.next_at])
    await save(transaction, [entry.change for entry in entries if entry.change is not None])
    _count(Counter((each.outcome, each.reason) for entry in entries if (each := entry.verdict) is not None))


def _count(decisions: Counter[tuple[str, str]]) -> None:
    for (outcome, reason), times in decisions.items():
        metrics.DECISIONS.labels(outcome, reason).inc(times)


async def _running(transaction: Transaction, closures: Iterable[Key]) -> dict[Key, Dossier]:
    """The open surveys of closures."""
    keys = list(closures)
    if not keys:
        return {}
    dossiers = await load(transaction, await store.find_surveys_of_closures(transaction, keys))
    return {Key(*each.closing[:3]): each for each in dossiers if each.survey.is_open}


async def find_people(transaction: Transaction, rules: Sequence[Rule], closings: Sequence[Closing]) -> People:
    """The people of closings. Where somebody's limit counts, no other worker plans for them until the commit."""
    people = {closing.contact.person for closing in closings if closing.contact is not None}
    periods = [rule.limit.period for rule in rules if rule.limit is not None]
    if not people or not periods:
        return People(await store.find_opted_out(transaction, people) if people else (), {})
    await store.insert_people(transaction, people)
    opted_out = await store.lock_people(transaction, people)
    return People(opted_out, await store.find_asked(transaction, people, transaction.now - max(periods)))


async def rules_in_force(transaction: Transaction) -> list[Rule]:
    """The rules that apply now. Raises `Unavailable` before the first policy is installed: then nothing is decided."""
    rows = await store.find_policies_in_force(transaction)
    if not rows and not await store.list_policies(transaction):
        raise Unavailable("no policy is installed yet")
    return [rule for row in rows for rule in rules_of(row["policy"], row["version"], row["document"])]


async def load(transaction: Transaction, surveys: Iterable[UUID]) -> list[Dossier]:
    """Surveys with what they are about, kept from other workers until the commit."""
    rows = await store.lock_surveys(transaction, surveys)
    versions = {(row["policy"], row["version"]) for row in rows}
    documents = await store.find_policies(transaction, versions) if versions else {}
    rules = {
        (*version, rule.name): rule for version, document in documents.items() for rule in rules_of(*version, document)
    }
    return [_dossier(row, rules[row["policy"], row["version"], row["name"]]) for row in rows]


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
    dues = [_due_row(change.after) for change in real if change.comes_up]
    if dues:
        await store.insert_dues(transaction, dues)
    for ending in endings_of(real):
        transaction.say(ending)
    for change in real:
        if change.is_new_contact and change.after.contacted_at is not None:
            waited = change.after.contacted_at - change.dossier.closing.closed_at
            metrics.FIRST_CONTACT.observe(max(0.0, waited.total_seconds()))


def _due_row(survey: Survey) -> tuple[datetime, UUID, int]:
    if survey.next_at is None or survey.next_step is None:
        raise ValueError(f"nothing comes up for survey {survey.id}")
    return survey.next_at, survey.id, survey.next_step


async def reopen(transaction: Transaction, reopenings: Mapping[Key, datetime]) -> None:
    """Notes that closures did not last, and ends their surveys; those that were answered stay so."""
    if not reopenings:
        return
    await store.upsert_reopenings(transaction, reopenings)
    dossiers = await load(transaction, await store.find_surveys_of_closures(transaction, reopenings))
    ends = [(each, reopenings[Key(*each.closing[:3])]) for each in dossiers]
    await save(transaction, [Change(each, ended(each.survey, "cancelled", at), "reopened") for each, at in ends])


async def take_reopenings(house: House, transaction: Transaction, events: Sequence[TicketReopened]) -> None:
    """A closure did not last."""
    reopenings: dict[Key, datetime] = {}
    for event in events:
        key = Key(event.source, event.ticket, event.closure)
        reopenings[key] = min(reopenings.get(key, event.reopened_at), event.reopened_at)
    await reopen(transaction, reopenings)


async def take_reports(house: House, transaction: Transaction, events: Sequence[DeliveryReported]) -> None:
    """A message went out, failed, or stands on the call list."""

    dossiers = {each.survey.id: each for each in await _known(transaction, {event.survey for event in events})}
    after = {survey: each.survey for survey, each in dossiers.items()}
    for event in events:
        if event.survey in after:
            rule, survey = dossiers[event.survey].rule, after[event.survey]
            at = event.reported_at
            after[event.survey] = reported(rule, survey, event.step, event.outcome, at, transaction.now)
    await save(transaction, [Change(each, after[survey], "delivery", "notifier") for survey, each in dossiers.items()])


async def take_responses(house: House, transaction: Transaction, events: Sequence[Response]) -> None:
    """The customer answered, himself or through an agent."""
    first: dict[UUID, Response] = {}
    for event in events:
        if event.survey not in first or event.answered_at < first[event.survey].answered_at:
            first[event.survey] = event
    changes = []
    for dossier in await _known(transaction, first):
        event = first[dossier.survey.id]
        actor = "customer" if event.channel == SELF else "agent"
        changes.append(Change(dossier, ended(dossier.survey, "answered", event.answered_at), "response", actor))
    await save(transaction, changes)


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
    for dossier in await _known(transaction, {*ends, *theirs}):
        at = ends.get(dossier.survey.id) or never.get(dossier.contact.person) or transaction.now
        changes.append(Change(dossier, ended(dossier.survey, "declined", at), "opted_out", "customer"))
    await save(transaction, changes)
    if never:
        await store.upsert_opt_outs(transaction, never)


async def _known(transaction: Transaction, surveys: Iterable[UUID]) -> list[Dossier]:
    """The surveys of these ids; an event about another (of a database that was replaced) is noted and left."""
    ids = set(surveys)
    dossiers = await load(transaction, ids)
    if len(dossiers) < len(ids):
        log.warning("surveys_unknown", surveys=len(ids) - len(dossiers))
    return dossiers


HANDLERS: Mapping[type[Event], Handler] = {
    TicketClosed: take_closings,
    TicketReopened: take_reopenings,
    DeliveryReported: take_reports,
    OptedOut: take_refusals,
    ResponseGiven: take_responses,
    ResponseCorrected: take_responses,
}


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
            metrics.SURVEYS_DUE.labels(dossier.rule.name, turn.step.kind).inc()
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


TICKS = (
    Tick(name="bring_up", every=COME_UP_SECONDS, run=bring_up),
    Tick(name="measure", every=MEASURE_SECONDS, run=measure),
    Sweep(name="say_due_again", every=SWEEP_SECONDS, say_again=say_due_again),
)
