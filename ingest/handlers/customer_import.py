"""A file of customers is taken into the register, piece by piece in one transaction."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from ingest import store
from ingest.contact import usable
from ingest.customer import (
    Imported,
    Standing,
    examine,
    facts_after,
    name_after,
    name_of,
    person_after,
    standing_after,
)
from ingest.handlers.customers import say_customers
from ingest.handlers.people import blind, seal_people
from ingest.store import Customer, Key, Registered
from services.contracts.customer_file import CustomerFile, ListedCustomer, ListedPerson
from services.contracts.sheet import Finding
from services.contracts.tickets import Requester
from services.database import Transaction
from services.errors import Unavailable
from services.house import House
from services.seal import Personal

Item = TypeVar("Item")

PIECE = 200
"""So many customers are taken in at a time."""


class _Entry(NamedTuple):
    """A person as he stands in the file, and as he is to stand in the register."""

    key: Key
    person: ListedPerson
    requester: Requester
    standing: Standing
    before: Registered | None


async def import_customers(
    house: House,
    transaction: Transaction,
    file: CustomerFile,
    source: str,
    dry_run: bool,
    progress: Callable[[int], None],
) -> Imported:
    """Takes a file in, or nothing of it; only looks what it would change where that is a `dry_run`.

    `source` is that of the people whose row names none. `progress` is told how many customers have been done. Tickets
    that waited for one of the people are said again by the sweep of the register.
    Raises `Unavailable` where somebody else changes the same entries at this moment.
    """
    # A large file takes seconds: others are served meanwhile.
    findings = await asyncio.to_thread(examine, file, house.settings.phone_region)
    imported = Imported(file, findings, list(file.notes))
    if imported.findings:
        return imported
    changed: set[str] = set()
    for piece in _pieces(file.customers):
        changed |= await _take_people(house, transaction, imported, piece, source, dry_run)
        changed |= await _take_customers(transaction, imported, piece, dry_run)
        progress(len(piece))
    if not dry_run:
        for names in _pieces(sorted(changed)):
            await say_customers(transaction, names)
    return imported


async def _take_customers(
    transaction: Transaction, imported: Imported, piece: Sequence[ListedCustomer], dry_run: bool
) -> set[str]:
    find = store.find_customers if dry_run else store.lock_customers
    known = await find(transaction, [each.customer for each in piece])
    changed = []
    for listed in piece:
        before = known.get(listed.customer)
        after = _after(listed, before, imported, transaction)
        imported.customers.count(before is not None, after != before)
        if after != before:
            changed.append(after)
    if not dry_run and len(await store.save_customers(transaction, changed)) < len(changed):
        raise _changed_meanwhile()
    return {each.customer for each in changed}


async def _take_people(
    house: House,
    transaction: Transaction,
    imported: Imported,
    piece: Sequence[ListedCustomer],
    source: str,
    dry_run: bool,
) -> set[str]:
    """Returns the customers to whom the people belong who are new or changed, or belonged before."""
    changed = await _changed_people(house, transaction, imported, piece, source)
    if dry_run:
        return set()
    contacts = await seal_people(house, transaction, [(each.key[0], each.requester) for each in changed])
    entries: dict[Key, Registered] = {}
    touched: set[str | None] = set()
    for entry, contact in zip(changed, contacts, strict=True):
        if not contact.sealed:
            imported.notes.append(_erased(entry.person))
            continue
        before, standing = entry.before, entry.standing
        version = before.version if before else 0
        roles, projects, consent = standing[1:]
        entries[entry.key] = Registered(contact, standing.customer, version, roles, projects, consent)
        touched |= {standing.customer, before.customer if before else None}
    if len(await store.save_contacts(transaction, entries)) < len(entries):
        raise _changed_meanwhile()
    return {each for each in touched if each}


async def _changed_people(
    house: House, transaction: Transaction, imported: Imported, piece: Sequence[ListedCustomer], source: str
) -> list[_Entry]:
    region, given = house.settings.phone_region, imported.file.given
    listed = {_key(house, each, source): (customer.customer, each) for customer in piece for each in customer.people}
    known = await store.find_contacts(transaction, listed)
    opened = await house.seal.open_contacts(transaction, [entry.contact for entry in known.values()])
    clear = {key: _requester(personal) for key, personal in zip(known, opened, strict=True)}
    changed = []
    for key, (customer, person) in listed.items():
        before, was = known.get(key), clear.get(key)
        if before and was is None:
            imported.notes.append(_erased(person))
            continue
        stood = Standing(before.customer, before.roles, before.projects, before.consent) if before else None
        requester = person_after(person, was, given)
        standing = standing_after(customer, person, stood, given)
        differs = was is None or standing != stood or usable(requester, region) != usable(was, region)
        imported.people.count(before is not None, differs)
        if differs:
            changed.append(_Entry(key, person, replace(requester, id=key[1]), standing, before))
    return changed


def _after(listed: ListedCustomer, before: Customer | None, imported: Imported, transaction: Transaction) -> Customer:
    given = imported.file.given
    facts = facts_after(listed, before.facts if before else None, given)
    name = name_after(listed, before.name if before else None, facts, given)
    version, changed_at = (before.version, before.changed_at) if before else (0, transaction.now)
    return Customer(listed.customer, name, facts, False, version, changed_at)


def _key(house: House, person: ListedPerson, source: str) -> Key:
    named_by = person.source or source
    return named_by, blind(house, named_by, name_of(person, house.settings.phone_region))


def _requester(personal: Personal | None) -> Requester | None:
    """A person as he is known; None for whoever was erased."""
    if personal is None:
        return None
    return Requester(
        name=personal.name,
        email=personal.email,
        phone=personal.phone,
        locale=personal.locale,
        timezone=personal.timezone,
        staff=personal.staff,
    )


def _erased(person: ListedPerson) -> Finding:
    return Finding(person.line, None, "this person was erased; nothing about him is stored again", "Leave him out")


def _changed_meanwhile() -> Unavailable:
    return Unavailable("somebody else is changing the same entries of the register; nothing was imported, try again")


def _pieces(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[start : start + PIECE] for start in range(0, len(items), PIECE))
