"""Reports become moves, moves become closures, closures are said."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from ingest import store
from ingest.contact import is_reachable
from ingest.handlers.people import join_register, seal, wants_register
from ingest.mapping import Reading, UnmappableError
from ingest.payload import PayloadError, parse
from ingest.store import ClosureKey, ClosureRow, Key, Registered, Source
from ingest.ticket import REFUSALS, Closure, Move, Refusal, fold, judge, merge
from services import metrics
from services.contracts.tickets import (
    TicketClosed,
    TicketDecided,
    TicketPayload,
    TicketReopened,
    TicketReported,
)
from services.database import Transaction
from services.house import House

SWEEP_MOST = 500


class Change(NamedTuple):
    """A closure that has to be said; whether nobody knew of it before is noted."""

    key: Key
    closure: Closure
    new: bool = False


async def hear_reports(house: House, transaction: Transaction, events: Sequence[TicketReported]) -> None:
    """Records what was reported, in the canonical form."""
    believed = []
    for event in events:
        refusal = refuse_ticket(house, event)
        if refusal:
            transaction.put_aside(event, refusal, REFUSALS[refusal])
        else:
            believed.append(event)
    await record(house, transaction, believed)


async def hear_payloads(house: House, transaction: Transaction, events: Sequence[TicketPayload]) -> None:
    """Records what was reported in an ITSM's own JSON, by the mapping of the source that the record named."""
    sources = {source.name: source for source in await store.list_sources(transaction, house.seal)}
    reports: list[TicketReported] = []
    for event in events:
        source = sources.get(event.source)
        if source is None:
            transaction.put_aside(event, "unknown_source", f"no source {event.source!r}")
            continue
        try:
            reports += read_payload(house, source, parse(event.body)).reports
        except (PayloadError, UnmappableError) as error:
            transaction.put_aside(event, "unmappable", str(error))
    await record(house, transaction, reports)


async def hear_decisions(house: House, transaction: Transaction, events: Sequence[TicketDecided]) -> None:
    """Notes that the scheduler has heard of closures."""
    await store.mark_heard(transaction, {(e.source, e.ticket, e.closure, e.with_contact) for e in events})


async def sweep_closures(house: House, transaction: Transaction, patience: timedelta) -> int:
    """Says again the closures that the scheduler has not decided, with what the register knows by now."""
    unheard = await store.claim_unheard_closures(transaction, patience, SWEEP_MOST)
    changes = await _closures(transaction, unheard)
    await say(transaction, changes)
    return len(changes)


def refuse_ticket(house: House, report: TicketReported) -> Refusal | None:
    """Why a report cannot be believed, or None."""
    return judge(report.source, report.ticket, report.at, house.clock.now(), house.clock.place)


def read_payload(house: House, source: Source, payload: object) -> Reading:
    """What a payload reports, judged. Raises `UnmappableError`."""
    mapping = store.load_mappings(house.settings.mappings).get(source.mapping)
    if mapping is None:
        raise UnmappableError("source", f"its mapping {source.mapping!r} is not installed")
    reading = mapping.read(payload, source.name, source.timezone)
    for report in reading.reports:
        refusal = refuse_ticket(house, report)
        if refusal:
            raise UnmappableError("ticket" if refusal == "name" else "at", REFUSALS[refusal])
    return reading


async def say_closures(transaction: Transaction, wanted: Iterable[ClosureKey]) -> int:
    """Says closures again with what the register knows by now, and returns how many; an echo is awaited for each."""
    changes = await _closures(transaction, wanted)
    await store.save_closures(transaction, await say(transaction, changes))
    return len(changes)


async def record(house: House, transaction: Transaction, reports: Sequence[TicketReported]) -> None:
    """Adds what was reported to its tickets' moves, and says what follows for their closures.

    Idempotent, and indifferent to order: closures are a function of the set of moves, and only changes are said.
    """
    if not reports:
        return
    told: dict[Key, list[TicketReported]] = {}
    for report in reports:
        told.setdefault((report.source, report.ticket), []).append(report)
    known = await store.lock_tickets(transaction, told)
    fresh = [report for key, every in told.items() for report in _unknown(every, known.get(key, ()))]
    moves = await _moves(house, transaction, fresh)
    after = {key: merge(known.get(key, ()), each) for key, each in moves.items()}
    await store.copy_tickets(transaction, {key: after[key] for key in after if key not in known})
    await store.update_tickets(transaction, {key: after[key] for key in after if key in known})
    changes = [change for key in after for change in _changes(key, known.get(key), after[key])]
    await _count(transaction, [change for change in changes if change.new])
    rows = await say(transaction, changes)
    await store.copy_closures(transaction, [row for row in rows if row[:2] not in known])
    await store.save_closures(transaction, [row for row in rows if row[:2] in known])


async def say(transaction: Transaction, changes: Sequence[Change]) -> list[ClosureRow]:
    """Says closures as they are now, each with whoever can be reached; returns what is to be kept of that."""
    asked = {(change.key[0], change.closure.requester_id) for change in changes if wants_register(change.closure)}
    register = await store.find_contacts(transaction, asked)
    rows = []
    for key, closure, _ in changes:
        source, ticket = key
        number, reopened_at = closure.number, closure.reopened_at
        closed = _closed(key, closure, register.get((source, closure.requester_id)))
        # Also where it only ended: the echo, by which the sweep knows that both were heard, is that of a closing.
        transaction.say(closed)
        if reopened_at:
            transaction.say(TicketReopened(source=source, ticket=ticket, closure=number, reopened_at=reopened_at))
        registered = None if is_reachable(closure.contact) else closure.requester_id
        with_contact = is_reachable(closed.contact)
        rows.append(ClosureRow(source, ticket, number, closure.closed_at, reopened_at, registered, with_contact))
    return rows


def _unknown(reports: Iterable[TicketReported], moves: Iterable[Move]) -> list[TicketReported]:
    known = {move.key for move in moves}
    fresh = []
    for report in reports:
        key = (report.at, report.state)
        if key not in known:
            known.add(key)
            fresh.append(report)
    return fresh


async def _moves(house: House, transaction: Transaction, reports: Sequence[TicketReported]) -> dict[Key, list[Move]]:
    moves: dict[Key, list[Move]] = {}
    for report in await seal(house, transaction, reports):
        placed_at = house.clock.place(report.at)
        closed = report.state == "closed"
        move = Move(
            at=report.at,
            state=report.state,
            placed_at=None if placed_at == report.at else placed_at,
            facts=report.facts if closed else None,
            contact=report.contact if closed else None,
            requester_id=report.requester_id,
            staff=report.requester is not None and report.requester.staff,
        )
        moves.setdefault((report.source, report.ticket), []).append(move)
    return moves


def _changes(key: Key, known: Sequence[Move] | None, moves: Sequence[Move]) -> list[Change]:
    before, after = fold(known) if known else (), fold(moves)
    # A ticket never has fewer closures than it had.
    changed = [Change(key, new) for old, new in zip(before, after, strict=False) if new != old]
    return changed + [Change(key, closure, new=True) for closure in after[len(before) :]]


async def _closures(transaction: Transaction, wanted: Iterable[ClosureKey]) -> list[Change]:
    numbers = set(wanted)
    known = await store.lock_tickets(transaction, {(source, ticket) for source, ticket, _ in numbers})
    return [
        Change(key, closure)
        for key, moves in known.items()
        for closure in fold(moves)
        if (*key, closure.number) in numbers
    ]


async def _count(transaction: Transaction, new: Sequence[Change]) -> None:
    """Counts new closures. Sources come from outside, labels must not: whoever is no source is `other`."""
    if new:
        names = await store.source_names(transaction)
        for source, closures in Counter(change.key[0] for change in new).items():
            counter = metrics.TICKETS_CLOSED.labels(source if source in names else "other")
            transaction.after_commit(partial(counter.inc, closures))


def _closed(key: Key, closure: Closure, entry: Registered | None) -> TicketClosed:
    facts, contact = join_register(closure, entry)
    return TicketClosed(
        source=key[0],
        ticket=key[1],
        closure=closure.number,
        closed_at=closure.closed_at,
        facts=facts,
        contact=contact,
    )
