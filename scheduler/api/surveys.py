"""REST: surveys and their moves."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from scheduler import store
from scheduler.api.doors import Cursor, Limit, Readers, SchedulerTransaction, must_be_in_order
from scheduler.survey import State
from services.database import Record
from services.errors import Problem
from services.web import Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/v1", tags=["scheduler"])


class MoveItem(BaseModel):
    """One move of a survey; the first comes from nowhere."""

    survey: UUID
    at: datetime
    from_: State | None = Field(serialization_alias="from")
    to: State
    cause: str
    actor: str
    note: str | None = None


class SurveyItem(BaseModel):
    """A survey. `steps` tells what was last known of each of its steps; null: not said yet."""

    id: UUID
    source: str
    ticket: str
    closure: int
    name: str
    policy: str
    version: int
    state: State
    planned_at: datetime
    promised_by: datetime
    expires_at: datetime
    contacted_at: datetime | None
    ended_at: datetime | None
    steps: list[str | None]
    next_step: int | None
    next_at: datetime | None


class SurveyStory(SurveyItem):
    """A survey with its moves."""

    history: list[MoveItem]


def history_of(survey: Record, moves: Iterable[Record]) -> list[MoveItem]:
    """The moves of a survey, its beginning included, out of those of its ticket."""
    born = MoveItem(
        survey=survey["id"], at=survey["planned_at"], from_=None, to="planned", cause="decided", actor="scheduler"
    )
    return [born, *(_move(row) for row in moves if row["survey"] == survey["id"])]


def _move(row: Record) -> MoveItem:
    return MoveItem(**{**row, "from_": row["from_state"], "to": row["to_state"]})


@router.get("/surveys", dependencies=[Readers])
async def list_surveys(
    transaction: SchedulerTransaction,
    state: State | None = None,
    from_: Annotated[AwareDatetime | None, Query(alias="from", description="Planned at or after.")] = None,
    to: Annotated[AwareDatetime | None, Query(description="Planned before.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[SurveyItem]:
    """Surveys, the latest first."""
    must_be_in_order(from_, to)
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    rows = await store.list_surveys(transaction, store.SurveyQuery(after, state, from_, to), limit + 1)
    items = [SurveyItem(**row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].id) if len(rows) > limit else None)


@router.get("/surveys/{survey}", dependencies=[Readers])
async def read_survey(survey: UUID, transaction: SchedulerTransaction) -> SurveyStory:
    """One survey with its moves."""
    row = await store.find_survey(transaction, survey)
    if row is None:
        raise Problem(404, "unknown", "There is no such survey.")
    return SurveyStory(**row, history=history_of(row, await store.list_moves(transaction, survey)))
