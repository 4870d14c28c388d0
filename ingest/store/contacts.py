"""The register: how to reach the persons whom an ITSM names by an id, and whose people they are."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from ingest.store.columns import Key, columns
from services.contracts.tickets import Channel, Contact
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("ingest")

_WIDTH = 13


class Registered(NamedTuple):
    """An entry of the register; `version` 0 is one that is not stored yet.

    `roles` and `projects` are those at the customer's (no project: at all of them), `consent` is how he may be asked.
    """

    contact: Contact
    customer: str | None
    version: int
    roles: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    consent: tuple[Channel, ...] = ()


async def find_contacts(
    transaction: Transaction, people: Iterable[tuple[str, str | None]]
) -> dict[tuple[str, str | None], Registered]:
    """The register's entries for persons: source and id."""
    asked = list(people)
    rows = await transaction.fetch(SQL["find_contacts"], *columns(asked, 2)) if asked else []
    return {(row["source"], row["id"]): _registered(row) for row in rows}


async def find_people(transaction: Transaction, customers: Iterable[str]) -> dict[str, list[tuple[Key, Registered]]]:
    """The people of customers, by customer."""
    people: dict[str, list[tuple[Key, Registered]]] = {}
    for row in await transaction.fetch(SQL["find_people"], list(customers)):
        people.setdefault(row["customer"], []).append(((row["source"], row["id"]), _registered(row)))
    return people


async def save_contacts(transaction: Transaction, entries: Mapping[Key, Registered]) -> dict[Key, int]:
    """Stores entries whose `version` is what is stored, and returns their next ones; others are left out."""
    if not entries:
        return {}
    rows = [_row(key, entries[key]) for key in sorted(entries)]
    saved = await transaction.fetch(SQL["save_contacts"], *columns(rows, _WIDTH))
    return {(row["source"], row["id"]): row["version"] for row in saved}


def _row(key: Key, entry: Registered) -> tuple[object, ...]:
    contact = entry.contact
    return (
        *key, contact.person, contact.sealed, contact.locale, contact.timezone, contact.staff, entry.customer,
        entry.version, *(_json(each) for each in (contact.channels, entry.roles, entry.projects, entry.consent)),
    )  # fmt: skip


def _json(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode()


def _registered(row: Record) -> Registered:
    contact = Contact(
        person=row["person"],
        channels=tuple(row["channels"]),
        sealed=row["sealed"],
        locale=row["locale"],
        timezone=row["timezone"],
        staff=row["staff"],
    )
    roles, projects, consent = (tuple(row[name]) for name in ("roles", "projects", "consent"))
    return Registered(contact, row["customer"], row["version"], roles, projects, consent)
