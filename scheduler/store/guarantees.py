"""The statements of `guarantees.sql`: cases of a rule within a time."""

from datetime import datetime

from scheduler.closure import Key
from scheduler.guarantee import Group
from services.database import Transaction
from services.statements import Statements

SQL = Statements("scheduler")


async def count_cases(transaction: Transaction, rule: str, name: str, start: datetime, end: datetime) -> list[Group]:
    """The cases of a rule in [start, end), by what is known of the survey `name` about them."""
    rows = await transaction.fetch(SQL["count_cases"], rule, name, start, end)
    return [Group(row["state"], tuple(row["steps"] or ()), row["cases"]) for row in rows]


async def find_unasked(transaction: Transaction, rule: str, start: datetime, end: datetime, most: int) -> list[Key]:
    """Cases of a rule in [start, end) that were not drawn, the lowest draws first."""
    rows = await transaction.fetch(SQL["find_unasked"], rule, start, end, most)
    return [Key(row["source"], row["ticket"], row["closure"]) for row in rows]
