"""REST: the grades of customers."""

import json
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from scheduler.api.doors import Cursor, Limit, Readers, SchedulerTransaction
from scheduler.store import customers
from services.web import Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/v1", tags=["scheduler"])


class GradeItem(BaseModel):
    """A customer's grade for a year with its reasons: the points that each criterion earned.

    `missing` are criteria of which the register knows nothing. `tied` tells that somebody with the same points got
    another grade: a person should look at both.
    """

    customer: str
    rank: int
    points: float
    earned: dict[str, float]
    missing: list[str]
    grade: str
    tied: bool
    graded_at: datetime


@router.get("/grades", dependencies=[Readers])
async def list_grades(
    transaction: SchedulerTransaction,
    policy: Annotated[str, Query(description="The policy that grades.")],
    year: Annotated[int, Query(ge=2000, le=9999, description="The calendar year.")],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[GradeItem]:
    """The grades that a policy gave for a year, best first."""
    after = decode_cursor(cursor, tuple[int])[0] if cursor is not None else 0
    rows = await customers.list_grades(transaction, policy, year, after, limit + 1)
    items = [GradeItem(**{**row, "earned": json.loads(row["earned"])}) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].rank) if len(rows) > limit else None)
