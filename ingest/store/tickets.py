"""Promised reports, what was told of tickets, and the closures that follow."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from ingest.cloudevent import TYPES, Reported
from ingest.store.columns import Key, columns
from ingest.ticket import Move
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("ingest")

ClosureKey = tuple[str, str, int]
"""A closure: source, ticket and number."""

_encode = msgspec.json.Encoder().encode
_decode_moves = msgspec.json.Decoder(list[Move]).decode
_decode_reports: Mapping[str, Callable[[str], Reported]] = {
    name: msgspec.json.Decoder(report).decode for name, report in TYPES.items()
}


class ClosureRow(NamedTuple):
    """A closure as it is said now. `registered` is whom the register has to know, where the ticket does not tell."""

    source: str
    ticket: str
    closure: int
    closed_at: datetime
    reopened_at: datetime | None
    registered: str | None
    with_contact: bool


async def promise_reports(transaction: Transaction, reports: Sequence[tuple[UUID, Reported]]) -> None:
    """Keeps what was promised to its sender, until it is known to be recorded."""
    rows = [(number, report.TYPE, _encode(report).decode()) for number, report in reports]
    if rows:
        await transaction.copy("ingest.report", ("id", "type", "event"), rows)


async def claim_overdue_reports(
    transaction: Transaction, patience: timedelta, most: int
) -> list[tuple[UUID, Reported]]:
    """Up to `most` promised reports of which nothing was heard for `patience`."""
    rows = await transaction.fetch(SQL["claim_overdue_reports"], patience, most)
    return [(row["id"], _decode_reports[row["type"]](row["event"])) for row in rows]


async def say_reports_again(transaction: Transaction, ids: Sequence[UUID]) -> None:
    """Notes that reports were said once more."""
    if ids:
        await transaction.execute(SQL["say_reports_again"], ids)


async def delete_reports(transaction: Transaction, ids: Sequence[UUID]) -> None:
    """Drops reports that are kept."""
    if ids:
        await transaction.execute(SQL["delete_reports"], ids)


async def lock_tickets(transaction: Transaction, keys: Iterable[Key]) -> dict[Key, list[Move]]:
    """The moves of those tickets that are known, which nobody else changes until the transaction ends."""
    return _moves(await transaction.fetch(SQL["lock_tickets"], *columns(sorted(keys), 2)))


async def find_tickets(transaction: Transaction, keys: Iterable[Key]) -> dict[Key, list[Move]]:
    """The moves of those tickets that are known."""
    return _moves(await transaction.fetch(SQL["find_tickets"], *columns(sorted(keys), 2)))


async def copy_tickets(transaction: Transaction, tickets: Mapping[Key, list[Move]]) -> None:
    """Stores tickets that are not known. Fails where another transaction stored one at the same moment: the frame then
    tries again, and they are known."""
    if tickets:
        rows = [(*key, _encode(moves).decode()) for key, moves in tickets.items()]
        await transaction.copy("ingest.ticket", ("source", "ticket", "moves"), rows)


async def update_tickets(transaction: Transaction, tickets: Mapping[Key, list[Move]]) -> None:
    """Replaces the moves of locked tickets."""
    if tickets:
        await transaction.execute(SQL["update_tickets"], *_ticket_columns(tickets))


async def copy_closures(transaction: Transaction, closures: Sequence[ClosureRow]) -> None:
    """Stores the closures of tickets that were not known before; an echo is awaited for each."""
    if closures:
        await transaction.copy("ingest.closure", ClosureRow._fields, closures)


async def save_closures(transaction: Transaction, closures: Sequence[ClosureRow]) -> None:
    """Stores closures as they are said now, new ones or not; an echo is awaited for each."""
    if closures:
        await transaction.execute(SQL["save_closures"], *columns(sorted(closures), len(ClosureRow._fields)))


async def mark_heard(transaction: Transaction, echoes: Iterable[tuple[str, str, int, bool]]) -> None:
    """Notes the scheduler's echoes: source, ticket, closure, and whether it knew a contact when it decided."""
    await transaction.execute(SQL["mark_heard"], *columns(sorted(echoes), 4))


async def claim_unheard_closures(transaction: Transaction, patience: timedelta, most: int) -> list[ClosureKey]:
    """Up to `most` closures without an echo for `patience`, noted as said once more."""
    return _closure_keys(await transaction.fetch(SQL["claim_unheard_closures"], patience, most))


async def find_registered_closures(transaction: Transaction, source: str, id: str, since: datetime) -> list[ClosureKey]:
    """The closures since then, not reopened, that depend on the register for a person."""
    return _closure_keys(await transaction.fetch(SQL["find_registered_closures"], source, id, since))


async def find_missed_contacts(transaction: Transaction, patience: timedelta, most: int) -> list[ClosureKey]:
    """Up to `most` closures said without a contact that the register got `patience` to an hour more ago."""
    return _closure_keys(await transaction.fetch(SQL["find_missed_contacts"], patience, most))


def _ticket_columns(tickets: Mapping[Key, list[Move]]) -> list[list[object]]:
    return columns([(*key, _encode(tickets[key]).decode()) for key in sorted(tickets)], 3)


def _moves(rows: Iterable[Record]) -> dict[Key, list[Move]]:
    return {(row["source"], row["ticket"]): _decode_moves(row["moves"]) for row in rows}


def _closure_keys(rows: Iterable[Record]) -> list[ClosureKey]:
    return [(row["source"], row["ticket"], row["closure"]) for row in rows]
