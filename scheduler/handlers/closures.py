"""What the scheduler does on hearing that a ticket was closed or reopened: the ledger's decisions."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial

from scheduler import store
from scheduler.addressee import renumbered, turns_of
from scheduler.audience import Customer
from scheduler.closure import (
    COMPLAINT,
    Closure,
    Key,
    People,
    closing_of,
    decided,
    gather,
    merge,
    occasion_of,
    successions,
)
from scheduler.dossier import Change, Dossier
from scheduler.handlers.surveys import due_row, load, save
from scheduler.ledger import Entry, enter, enter_again
from scheduler.policy import TICKET, Closing, Rule, decide, rules_of
from scheduler.store import customers
from scheduler.survey import ended
from services import metrics
from services.contracts.customers import Occasion
from services.contracts.tickets import TicketClosed, TicketReopened
from services.database import Transaction
from services.errors import Unavailable
from services.house import House
from services.identifiers import uuid7


async def take_closings(house: House, transaction: Transaction, events: Sequence[TicketClosed]) -> None:
    """Decides on closures that are new, and anew where a repeated closing tells more; echoes every one."""
    for entry in await consider(transaction, gather(closing_of(event) for event in events)):
        transaction.say(decided(entry.after))


async def take_occasions(house: House, transaction: Transaction, events: Sequence[Occasion]) -> None:
    """Decides on occasions as on closings, once for each person who is asked about one; echoes every occasion."""
    complaints: dict[str, date] = {}
    for event in events:
        if event.kind == COMPLAINT and event.facts.customer:
            complaints[event.facts.customer] = max(event.at.date(), complaints.get(event.facts.customer, date.min))
    if complaints:
        await customers.upsert_complaints(transaction, complaints)
    entries = await consider(transaction, gather(occasion_of(event) for event in events))
    first = {entry.after.key[:2]: entry for entry in sorted(entries, key=lambda each: each.after.key, reverse=True)}
    for entry in first.values():
        transaction.say(decided(entry.after))


async def consider(transaction: Transaction, heard: Mapping[Key, Closing]) -> list[Entry]:
    """Enters into the ledger what was heard: decides on what is new, and anew where it tells more.

    Raises `Unavailable` before the first policy is installed: then nothing is decided.
    """
    rules = await rules_in_force(transaction)
    if not rules and not await store.list_policies(transaction):
        raise Unavailable("no policy is installed yet")
    known = await store.find_closures(transaction, {key[:2] for key in heard})
    register = await find_register(transaction, heard.values())
    told = _told(rules, heard, known, register)
    reopened = successions({**{key: each.closing for key, each in known.items() if each.closing}, **told}.values())
    await reopen(transaction, {key: at for key, at in reopened.items() if key in known})
    changed = {key for key, closing in told.items() if key in known and closing != known[key].closing}
    running = await _running(transaction, changed)
    asked = [told[key] for key in told if key not in known or key in changed]
    people = await find_people(transaction, rules, asked, register)
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
    return entries


def _told(
    rules: Sequence[Rule], heard: Mapping[Key, Closing], known: Mapping[Key, Closure], register: Mapping[str, Customer]
) -> dict[Key, Closing]:
    """What was heard together with what is known, addressed to those who are asked about it."""
    here: dict[tuple[str, ...], list[Closing]] = {}
    for key, each in known.items():
        if each.closing is not None:
            here.setdefault(key[:2], []).append(each.closing)
    told: dict[Key, Closing] = {}
    for key, closing in heard.items():
        before = known.get(key)
        event = merge(before.closing if before is not None else None, closing)
        turns = turns_of(rules, event, register.get(event.facts.customer or ""))
        if event.on != TICKET:
            turns = renumbered(turns, here.get(key[:2], ()))
        told |= {Key(*turn[:3]): turn for turn in turns}
    return told


async def find_register(transaction: Transaction, closings: Iterable[Closing]) -> dict[str, Customer]:
    """The customers of closings, as far as the register knows them."""
    named = {closing.facts.customer for closing in closings if closing.facts.customer}
    return await customers.find_customers(transaction, named) if named else {}


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
        await store.insert_dues(transaction, [due_row(each.survey) for each in surveys if each.survey.next_at])
    await save(transaction, [entry.change for entry in entries if entry.change is not None])
    _count(
        transaction, Counter((each.outcome, each.reason) for entry in entries if (each := entry.verdict) is not None)
    )


def _count(transaction: Transaction, decisions: Counter[tuple[str, str]]) -> None:
    for (outcome, reason), times in decisions.items():
        transaction.after_commit(partial(metrics.DECISIONS.labels(outcome, reason).inc, times))


async def _running(transaction: Transaction, closures: Iterable[Key]) -> dict[Key, Dossier]:
    """The open surveys of closures."""
    keys = list(closures)
    if not keys:
        return {}
    dossiers = await load(transaction, await store.find_surveys_of_closures(transaction, keys))
    return {Key(*each.closing[:3]): each for each in dossiers if each.survey.is_open}


async def find_people(
    transaction: Transaction,
    rules: Sequence[Rule],
    closings: Sequence[Closing],
    register: Mapping[str, Customer] | None = None,
) -> People:
    """The people of closings, with their customers.

    Where somebody's limit counts, no other worker plans for them until the commit.
    """
    people = {closing.contact.person for closing in closings if closing.contact is not None}
    periods = [rule.limit.period for rule in rules if rule.limit is not None]
    if not people or not periods:
        return People(await store.find_opted_out(transaction, people) if people else (), {}, register)
    await store.insert_people(transaction, people)
    opted_out = await store.lock_people(transaction, people)
    asked = await store.find_asked(transaction, people, transaction.now - max(periods))
    return People(opted_out, asked, register)


async def rules_in_force(transaction: Transaction) -> list[Rule]:
    """The rules that apply now."""
    rows = await store.find_policies_in_force(transaction)
    return [rule for row in rows for rule in rules_of(row["policy"], row["version"], row["document"])]


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
