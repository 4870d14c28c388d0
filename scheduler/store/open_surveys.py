"""The surveys that are open, in the order in which they come up."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.database import Transaction
from services.statements import Statements

SQL = Statements("scheduler")


class Place(NamedTuple):
    """A place in the queue of what comes up."""

    due_at: datetime
    survey: UUID
    step: int


async def list_queue(transaction: Transaction, behind: Place, most: int) -> list[tuple[Place, bool]]:
    """What comes up behind a place, each with whether its survey is open and something was said of it."""
    rows = await transaction.fetch(SQL["list_queue"], *behind, most)
    return [(Place(row["due_at"], row["survey"], row["step"]), row["is_told"]) for row in rows]
