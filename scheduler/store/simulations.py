"""The statements of `simulations.sql`: the past as the ledger has it."""

from datetime import datetime

from scheduler import store
from scheduler.policy import Closing
from services.database import Transaction
from services.statements import Statements

SQL = Statements("scheduler")


async def find_past(
    transaction: Transaction, start: datetime | None, end: datetime | None, most: int
) -> list[tuple[Closing, datetime | None]]:
    """At most so many closings of tickets and occasions in [start, end), each with its reopening."""
    rows = await transaction.fetch(SQL["find_past"], start, end, most)
    return [(store.read_closing(row), row["reopened_at"]) for row in rows]
