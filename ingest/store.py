"""What ingest keeps, statement by statement, and the mappings that it finds in its folder."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from ingest.mapping import ItsmMapping, MappingError, parse_mapping
from ingest.ticket import Move
from services.contracts.tickets import Contact, TicketReported
from services.database import Record, Transaction
from services.errors import ConfigurationError
from services.seal import Seal
from services.statements import Statements

SQL = Statements("ingest")

Key = tuple[str, str]
"""A ticket, or a person: the source, and the name there."""

ClosureKey = tuple[str, str, int]
"""A closure: source, ticket and number."""

Receipt = tuple[str, str, bytes]
"""A delivery: source, id, hash of the body."""

_encode = msgspec.json.Encoder().encode
_decode_moves = msgspec.json.Decoder(list[Move]).decode
_decode_report = msgspec.json.Decoder(TicketReported).decode


class Source(NamedTuple):
    """An ITSM that may report, with the secrets that are valid now."""

    name: str
    mapping: str
    scheme: str
    timezone: ZoneInfo
    enabled: bool
    secrets: tuple[str, ...]


class Registered(NamedTuple):
    """An entry of the register."""

    contact: Contact
    customer: str | None
    version: int


class ClosureRow(NamedTuple):
    """A closure as it is said now. `registered` is whom the register has to know, where the ticket does not tell."""

    source: str
    ticket: str
    closure: int
    closed_at: datetime
    reopened_at: datetime | None
    registered: str | None
    with_contact: bool


@cache
def load_mappings(folder: Path | None) -> Mapping[str, ItsmMapping]:
    """The mappings that come with the product, and those in `folder`, which win where the names are the same.

    Raises `ConfigurationError`.
    """
    found = [each for each in files("ingest").joinpath("mappings").iterdir() if each.name.endswith(".yaml")]
    texts = {each.name: each.read_text(encoding="utf-8") for each in found}
    try:
        own = sorted(folder.glob("*.yaml")) if folder else []
        texts.update({each.name: each.read_text(encoding="utf-8") for each in own})
        return {name.removesuffix(".yaml"): parse_mapping(text, name) for name, text in texts.items()}
    except (OSError, UnicodeDecodeError, MappingError) as error:
        raise ConfigurationError(f"mapping {error}") from error


async def list_sources(transaction: Transaction, seal: Seal) -> list[Source]:
    """Every source, disabled ones too."""
    return [
        Source(
            row["name"],
            row["mapping"],
            row["scheme"],
            ZoneInfo(row["timezone"]),
            row["enabled"],
            tuple(seal.open_secret(_purpose(row["name"]), sealed).decode() for sealed in row["secrets"]),
        )
        for row in await transaction.fetch(SQL["list_sources"])
    ]


async def source_names(transaction: Transaction) -> set[str]:
    """The names of all sources."""
    return {row["name"] for row in await transaction.fetch(SQL["source_names"])}


async def insert_source(transaction: Transaction, name: str, mapping: str, scheme: str, timezone: str) -> bool:
    """A new source, without a secret yet; False where the name is taken."""
    return await transaction.fetchval(SQL["insert_source"], name, mapping, scheme, timezone) is not None


async def enable_source(transaction: Transaction, name: str, enabled: bool) -> None:
    """Opens or closes a source."""
    await transaction.execute(SQL["enable_source"], name, enabled)


async def replace_secret(transaction: Transaction, seal: Seal, source: str, secret: str, overlap: timedelta) -> None:
    """Gives a source a new secret; the one it had is valid for `overlap` yet."""
    await transaction.execute(SQL["retire_secrets"], source, overlap)
    await transaction.execute(SQL["insert_secret"], source, seal.seal_secret(_purpose(source), secret.encode()))


async def insert_receipts(transaction: Transaction, receipts: Sequence[Receipt]) -> set[Receipt]:
    """Notes deliveries, and returns those that are new."""
    rows = await transaction.fetch(SQL["insert_receipts"], *_columns(receipts, 3))
    return {(row["source"], row["delivery"], row["body_hash"]) for row in rows}


async def find_receipts(transaction: Transaction, deliveries: Sequence[Key]) -> dict[Key, bytes]:
    """The hashes of the bodies that came with deliveries (source and id) the first time."""
    rows = await transaction.fetch(SQL["find_receipts"], *_columns(deliveries, 2)) if deliveries else []
    return {(row["source"], row["delivery"]): row["body_hash"] for row in rows}


async def forget_receipts(transaction: Transaction, most: int) -> int:
    """Drops up to `most` receipts that are older than eight days, and returns how many."""
    return int((await transaction.execute(SQL["forget_receipts"], most)).rpartition(" ")[2])


async def promise_reports(transaction: Transaction, reports: Sequence[tuple[UUID, TicketReported]]) -> None:
    """Keeps what was promised to its sender, until it is known to be recorded."""
    rows = [(number, _encode(report).decode()) for number, report in reports]
    if rows:
        await transaction.copy("ingest.report", ("id", "event"), rows)


async def claim_overdue_reports(
    transaction: Transaction, patience: timedelta, most: int
) -> list[tuple[UUID, TicketReported]]:
    """Up to `most` promised reports of which nothing was heard for `patience`."""
    rows = await transaction.fetch(SQL["claim_overdue_reports"], patience, most)
    return [(row["id"], _decode_report(row["event"])) for row in rows]


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
    return _moves(await transaction.fetch(SQL["lock_tickets"], *_columns(sorted(keys), 2)))


async def find_tickets(transaction: Transaction, keys: Iterable[Key]) -> dict[Key, list[Move]]:
    """The moves of those tickets that are known."""
    return _moves(await transaction.fetch(SQL["find_tickets"], *_columns(sorted(keys), 2)))


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
        await transaction.execute(SQL["save_closures"], *_columns(sorted(closures), len(ClosureRow._fields)))


async def mark_heard(transaction: Transaction, echoes: Iterable[tuple[str, str, int, bool]]) -> None:
    """Notes the scheduler's echoes: source, ticket, closure, and whether it knew a contact when it decided."""
    await transaction.execute(SQL["mark_heard"], *_columns(sorted(echoes), 4))


async def claim_unheard_closures(transaction: Transaction, patience: timedelta, most: int) -> list[ClosureKey]:
    """Up to `most` closures without an echo for `patience`, noted as said once more."""
    return _closure_keys(await transaction.fetch(SQL["claim_unheard_closures"], patience, most))


async def find_registered_closures(transaction: Transaction, source: str, id: str, since: datetime) -> list[ClosureKey]:
    """The closures since then, not reopened, that depend on the register for a person."""
    return _closure_keys(await transaction.fetch(SQL["find_registered_closures"], source, id, since))


async def find_missed_contacts(transaction: Transaction, patience: timedelta, most: int) -> list[ClosureKey]:
    """Up to `most` closures said without a contact that the register got `patience` to an hour more ago."""
    return _closure_keys(await transaction.fetch(SQL["find_missed_contacts"], patience, most))


async def find_contacts(
    transaction: Transaction, people: Iterable[tuple[str, str | None]]
) -> dict[tuple[str, str | None], Registered]:
    """The register's entries for persons: source and id."""
    asked = list(people)
    rows = await transaction.fetch(SQL["find_contacts"], *_columns(asked, 2)) if asked else []
    return {(row["source"], row["id"]): _registered(row) for row in rows}


async def insert_contact(transaction: Transaction, key: Key, contact: Contact, customer: str | None) -> int | None:
    """A new entry of the register, and its version; None where there is an entry already."""
    return _version(await transaction.fetchval(SQL["insert_contact"], *key, *_contact(contact), customer))


async def update_contact(
    transaction: Transaction, key: Key, contact: Contact, customer: str | None, version: int
) -> int | None:
    """The entry's next version; None where it is no longer at `version`."""
    values = (*_contact(contact), customer, version)
    return _version(await transaction.fetchval(SQL["update_contact"], *key, *values))


def _purpose(source: str) -> str:
    return f"source {source}"


def _columns(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as arrays, for unnest."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _ticket_columns(tickets: Mapping[Key, list[Move]]) -> list[list[object]]:
    return _columns([(*key, _encode(tickets[key]).decode()) for key in sorted(tickets)], 3)


def _moves(rows: Iterable[Record]) -> dict[Key, list[Move]]:
    return {(row["source"], row["ticket"]): _decode_moves(row["moves"]) for row in rows}


def _closure_keys(rows: Iterable[Record]) -> list[ClosureKey]:
    return [(row["source"], row["ticket"], row["closure"]) for row in rows]


def _contact(contact: Contact) -> tuple[object, ...]:
    return contact.person, contact.channels, contact.sealed, contact.locale, contact.timezone, contact.staff


def _registered(row: Record) -> Registered:
    contact = Contact(
        person=row["person"],
        channels=tuple(row["channels"]),
        sealed=row["sealed"],
        locale=row["locale"],
        timezone=row["timezone"],
        staff=row["staff"],
    )
    return Registered(contact, row["customer"], row["version"])


def _version(value: object) -> int | None:
    return value if isinstance(value, int) else None
