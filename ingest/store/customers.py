"""The register of customers."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from ingest.store.columns import columns
from services.contracts.customers import CustomerFacts
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("ingest")

_decode_facts = msgspec.json.Decoder(CustomerFacts).decode


class Customer(NamedTuple):
    """A customer of the register; `version` 0 is one that is not stored yet. `name` is None for a consumer."""

    customer: str
    name: str | None
    facts: CustomerFacts
    ended: bool
    version: int
    changed_at: datetime


async def find_customers(transaction: Transaction, customers: Iterable[str]) -> dict[str, Customer]:
    """Those customers that there are, ended ones too."""
    rows = await transaction.fetch(SQL["find_customers"], list(customers))
    return {row["customer"]: _customer(row) for row in rows}


async def lock_customers(transaction: Transaction, customers: Iterable[str]) -> dict[str, Customer]:
    """The same; nobody else changes them until the transaction ends."""
    rows = await transaction.fetch(SQL["lock_customers"], list(customers))
    return {row["customer"]: _customer(row) for row in rows}


async def list_customers(
    transaction: Transaction, like: Mapping[str, Any], after: str, ended: bool, most: int
) -> list[Customer]:
    """Up to `most` customers after that id whose facts contain `like`."""
    rows = await transaction.fetch(SQL["list_customers"], json.dumps(like), after, ended, most)
    return [_customer(row) for row in rows]


async def save_customers(transaction: Transaction, customers: Iterable[Customer]) -> dict[str, int]:
    """Stores customers whose `version` is what is stored, and returns their next ones; others are left out."""
    rows = [
        (each.customer, _facts(each.facts), each.name, each.ended, each.version)
        for each in sorted(customers, key=lambda each: each.customer)
    ]
    saved = await transaction.fetch(SQL["save_customers"], *columns(rows, 5), transaction.now) if rows else []
    return {row["customer"]: row["version"] for row in saved}


async def touch_customers(transaction: Transaction, customers: Iterable[str]) -> list[Customer]:
    """Those customers that there are, noted as changed now and said; an echo is awaited for each."""
    rows = await transaction.fetch(SQL["touch_customers"], list(customers), transaction.now)
    return [_customer(row) for row in rows]


async def mark_customers_heard(transaction: Transaction, echoes: Iterable[tuple[str, datetime]]) -> None:
    """Notes the scheduler's echoes: the customer, and as of when it knows him."""
    await transaction.execute(SQL["mark_customers_heard"], *columns(sorted(echoes), 2))


async def claim_unheard_customers(transaction: Transaction, patience: timedelta, most: int) -> list[Customer]:
    """Up to `most` customers without an echo for `patience`, noted as said once more."""
    return [_customer(row) for row in await transaction.fetch(SQL["claim_unheard_customers"], patience, most)]


async def find_miscounted_customers(transaction: Transaction, patience: timedelta, most: int) -> list[str]:
    """Up to `most` customers said `patience` to an hour more ago with another number of people than they have."""
    rows = await transaction.fetch(SQL["find_miscounted_customers"], patience, most)
    return [row["customer"] for row in rows]


def _facts(facts: CustomerFacts) -> str:
    """As JSON that names the kind always, so that customers can be found by it."""
    return json.dumps({**msgspec.to_builtins(facts), "kind": facts.kind}, ensure_ascii=False)


def _customer(row: Record) -> Customer:
    facts = _decode_facts(row["facts"])
    return Customer(row["customer"], row["name"], facts, row["ended"], row["version"], row["changed_at"])
