"""Occasions other than closed tickets, as they are known and were said."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from ingest.occasion import OccasionKey, Told
from ingest.store.columns import columns
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("ingest")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Told).decode


class OccasionRow(NamedTuple):
    """An occasion as it is said now, at a time of our clock.

    `registered` is whom the register has to know, where the report does not tell how to reach him.
    """

    source: str
    kind: str
    id: str
    told: Told
    at: datetime
    registered: str | None
    with_contact: bool


async def lock_occasions(transaction: Transaction, keys: Iterable[OccasionKey]) -> dict[OccasionKey, Told]:
    """What is known of those occasions that are, which nobody else changes until the transaction ends."""
    return _told(await transaction.fetch(SQL["lock_occasions"], *columns(sorted(keys), 3)))


async def find_occasions(transaction: Transaction, keys: Iterable[OccasionKey]) -> dict[OccasionKey, Told]:
    """What is known of those occasions that are."""
    return _told(await transaction.fetch(SQL["find_occasions"], *columns(sorted(keys), 3)))


async def copy_occasions(transaction: Transaction, rows: Sequence[OccasionRow]) -> None:
    """Stores occasions that are not known; an echo is awaited for each. Fails where another transaction stored one at
    the same moment: the frame then tries again, and they are known."""
    if rows:
        await transaction.copy("ingest.occasion", OccasionRow._fields, _written(rows))


async def update_occasions(transaction: Transaction, rows: Sequence[OccasionRow]) -> None:
    """Replaces locked occasions by what is said now; an echo is awaited for each."""
    if rows:
        await transaction.execute(SQL["update_occasions"], *columns(_written(rows), len(OccasionRow._fields)))


async def mark_occasions_heard(transaction: Transaction, echoes: Iterable[tuple[str, str, str, bool]]) -> None:
    """Notes the scheduler's echoes: source, kind, id, and whether it knew a contact when it decided."""
    await transaction.execute(SQL["mark_occasions_heard"], *columns(sorted(echoes), 4))


async def claim_unheard_occasions(transaction: Transaction, patience: timedelta, most: int) -> list[OccasionKey]:
    """Up to `most` occasions without an echo for `patience`, noted as said once more."""
    return _keys(await transaction.fetch(SQL["claim_unheard_occasions"], patience, most))


async def find_registered_occasions(
    transaction: Transaction, source: str, id: str, since: datetime
) -> list[OccasionKey]:
    """The occasions since then that depend on the register for a person."""
    return _keys(await transaction.fetch(SQL["find_registered_occasions"], source, id, since))


async def find_missed_occasions(transaction: Transaction, patience: timedelta, most: int) -> list[OccasionKey]:
    """Up to `most` occasions said without a contact that the register got `patience` to an hour more ago."""
    return _keys(await transaction.fetch(SQL["find_missed_occasions"], patience, most))


def _written(rows: Sequence[OccasionRow]) -> list[tuple[object, ...]]:
    ordered = sorted(rows, key=lambda row: row[:3])
    return [(*row[:3], _encode(row.told).decode(), *row[4:]) for row in ordered]


def _told(rows: Iterable[Record]) -> dict[OccasionKey, Told]:
    return {(row["source"], row["kind"], row["id"]): _decode(row["told"]) for row in rows}


def _keys(rows: Iterable[Record]) -> list[OccasionKey]:
    return [(row["source"], row["kind"], row["id"]) for row in rows]
