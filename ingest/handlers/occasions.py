"""Occasions other than closed tickets: what is told of them is joined, and what is new is said."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from ingest import store
from ingest.contact import is_reachable
from ingest.handlers.people import join_register, seal, wants_register
from ingest.occasion import REFUSALS, OccasionKey, Refusal, Told, judge, merge, normal, read
from ingest.store import OccasionRow
from services.contracts.customers import Occasion, OccasionDecided, OccasionReported
from services.database import Transaction
from services.house import House

SWEEP_MOST = 500


async def hear_occasions(house: House, transaction: Transaction, events: Sequence[OccasionReported]) -> None:
    """Records what was reported."""
    believed = []
    for event in events:
        refusal = refuse_occasion(house, event)
        if refusal:
            transaction.put_aside(event, refusal, REFUSALS[refusal])
        else:
            believed.append(normal(event))
    await _record(house, transaction, believed)


async def hear_occasion_decisions(house: House, transaction: Transaction, events: Sequence[OccasionDecided]) -> None:
    """Notes that the scheduler has heard of occasions."""
    await store.mark_occasions_heard(transaction, {(e.source, e.kind, e.id, e.with_contact) for e in events})


async def sweep_occasions(house: House, transaction: Transaction, patience: timedelta) -> int:
    """Says again the occasions that the scheduler has not decided, with what the register knows by now."""
    unheard = await store.claim_unheard_occasions(transaction, patience, SWEEP_MOST)
    await _say(transaction, await store.lock_occasions(transaction, unheard))
    return len(unheard)


async def say_occasions(transaction: Transaction, wanted: Iterable[OccasionKey]) -> int:
    """Says occasions again with what the register knows by now, and returns how many; an echo is awaited for each."""
    rows = await _say(transaction, await store.lock_occasions(transaction, wanted))
    await store.update_occasions(transaction, rows)
    return len(rows)


def refuse_occasion(house: House, report: OccasionReported) -> Refusal | None:
    """Why a report cannot be believed, or None."""
    return judge(report, house.clock.now(), house.clock.place)


async def _record(house: House, transaction: Transaction, reports: Sequence[OccasionReported]) -> None:
    """Joins what was reported to what is known. Idempotent, and indifferent to order: only changes are said."""
    if not reports:
        return
    known = await store.lock_occasions(transaction, {(each.source, each.kind, each.id) for each in reports})
    after = dict(known)
    for report in await seal(house, transaction, reports):
        key, told = (report.source, report.kind, report.id), read(report, house.clock.place)
        after[key] = merge(after.get(key, told), told)
    rows = await _say(transaction, {key: told for key, told in after.items() if told != known.get(key)})
    await store.copy_occasions(transaction, [row for row in rows if row[:3] not in known])
    await store.update_occasions(transaction, [row for row in rows if row[:3] in known])


async def _say(transaction: Transaction, occasions: Mapping[OccasionKey, Told]) -> list[OccasionRow]:
    """Says occasions as they are now, each with whoever can be reached; returns what is to be kept of that."""
    asked = {(key[0], told.requester_id) for key, told in occasions.items() if wants_register(told)}
    register = await store.find_contacts(transaction, asked)
    rows = []
    for key, told in occasions.items():
        source, kind, number = key
        facts, contact = join_register(told, register.get((source, told.requester_id)))
        transaction.say(Occasion(source=source, kind=kind, id=number, at=told.time, facts=facts, contact=contact))
        registered = None if is_reachable(told.contact) else told.requester_id
        rows.append(OccasionRow(source, kind, number, told, told.time, registered, is_reachable(contact)))
    return rows
