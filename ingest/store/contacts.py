"""The register: how to reach the persons whom an ITSM names by an id."""

from collections.abc import Iterable
from typing import NamedTuple

from ingest.store.columns import Key, columns
from services.contracts.tickets import Contact
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("ingest")


class Registered(NamedTuple):
    """An entry of the register."""

    contact: Contact
    customer: str | None
    version: int


async def find_contacts(
    transaction: Transaction, people: Iterable[tuple[str, str | None]]
) -> dict[tuple[str, str | None], Registered]:
    """The register's entries for persons: source and id."""
    asked = list(people)
    rows = await transaction.fetch(SQL["find_contacts"], *columns(asked, 2)) if asked else []
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
