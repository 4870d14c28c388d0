"""The statements of `customers.sql`: the register as the scheduler knows it, complaints and grades."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from scheduler.audience import Customer
from scheduler.grading import Graded
from scheduler.store.columns import columns
from services.contracts.customers import CustomerChanged, CustomerContact, CustomerFacts
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("scheduler")

_BETWEEN = "\x01"
"""Stands between the parts of a list: rows of arrays cannot be passed column by column."""

_write = msgspec.json.Encoder().encode
_read_facts = msgspec.json.Decoder(CustomerFacts).decode
_read_contacts = msgspec.json.Decoder(tuple[CustomerContact, ...]).decode


async def upsert_customers(transaction: Transaction, customers: Iterable[CustomerChanged]) -> None:
    """Keeps customers as they were told last."""
    rows = [
        (each.customer, each.changed_at, each.name, _text(each.facts), _text(each.contacts), each.ended)
        for each in customers
    ]
    await transaction.execute(SQL["upsert_customers"], *columns(rows, 6))


async def find_customers(transaction: Transaction, customers: Iterable[str]) -> dict[str, Customer]:
    """Customers of the register by their ids."""
    rows = await transaction.fetch(SQL["find_customers"], list(customers))
    return {row["customer"]: _customer(row) for row in rows}


async def list_customers(transaction: Transaction) -> list[Customer]:
    """The whole register, by id."""
    return [_customer(row) for row in await transaction.fetch(SQL["list_customers"])]


async def find_last_change(transaction: Transaction) -> datetime | None:
    """When the register last changed; None while it is empty."""
    last: datetime | None = await transaction.fetchval(SQL["find_last_change"])
    return last


async def upsert_complaints(transaction: Transaction, complaints: Mapping[str, date]) -> None:
    """Notes the days (UTC) on which customers complained."""
    await transaction.execute(SQL["upsert_complaints"], *columns(complaints.items(), 2))


async def is_graded(transaction: Transaction, policy: str, year: int) -> bool:
    """Whether the policy has graded its customers for the year."""
    return bool(await transaction.fetchval(SQL["is_graded"], policy, year))


async def insert_grades(transaction: Transaction, policy: str, year: int, grades: Sequence[Graded]) -> None:
    """Keeps the grades of a year."""
    rows = [
        (
            each.customer,
            each.rank,
            each.points,
            _text(each.earned),
            _BETWEEN.join(each.missing),
            each.grade,
            each.tied,
        )
        for each in grades
    ]
    await transaction.execute(SQL["insert_grades"], policy, year, transaction.now, *columns(rows, 7))


async def list_grades(transaction: Transaction, policy: str, year: int, after: int, most: int) -> list[Record]:
    """A page of a year's grades, best first, below the rank `after`."""
    return await transaction.fetch(SQL["list_grades"], policy, year, after, most)


def _customer(row: Record) -> Customer:
    return Customer(
        id=row["customer"],
        facts=_read_facts(row["facts"]),
        contacts=_read_contacts(row["contacts"]),
        complained=row["complained"],
        grade=row["grade"],
    )


def _text(value: object) -> str:
    return _write(value).decode()
