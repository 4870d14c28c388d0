"""The delivery log."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from notifier import store
from notifier.api.doors import Cursor, Limit
from notifier.delivery import State
from services.auth import Role, requires
from services.web import HouseOf, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/v1", tags=["notifier"])


class DeliveryItem(BaseModel):
    """One step of a survey on one channel, without the address. `unresolved`: uncertain for more than a day."""

    id: UUID
    survey: UUID
    step: int
    kind: Literal["first", "reminder"]
    channel: Literal["email", "sms"]
    provider: str | None
    policy: str
    version: int
    questionnaire: str
    person: UUID
    state: State
    detail: str | None
    due_at: datetime
    moved_at: datetime
    next_at: datetime | None
    expires_at: datetime
    attempts: int
    message_id: str | None
    reference: str | None
    unresolved: bool


class AttemptItem(BaseModel):
    """One attempt; `ending` is null while it is under way."""

    provider: str
    started_at: datetime
    ended_at: datetime | None
    ending: Literal["accepted", "temporary", "permanent", "uncertain", "unstarted"] | None
    detail: str | None


@router.get(
    "/deliveries",
    dependencies=[Depends(requires(Role.quality, Role.manager, Role.auditor))],
    summary="The delivery log, newest first",
)
async def list_deliveries(
    house: HouseOf,
    survey: UUID | None = None,
    person: UUID | None = None,
    state: State | None = None,
    channel: Literal["email", "sms"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeliveryItem]:
    """Every message that was planned, sent, or not, and why; filtered by survey, person, state and channel."""
    before = decode_cursor(cursor, tuple[UUID])[0] if cursor else None
    async with house.database.reading() as transaction:
        rows = await store.list_deliveries(
            transaction, survey=survey, person=person, state=state, channel=channel, before=before, most=limit + 1
        )
    items = [DeliveryItem(**row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].id) if len(rows) > limit else None)


@router.get(
    "/deliveries/{delivery}/attempts",
    dependencies=[Depends(requires(Role.quality, Role.manager, Role.auditor))],
    summary="Every attempt of a delivery",
)
async def list_attempts(delivery: UUID, house: HouseOf) -> list[AttemptItem]:
    """The attempts in order; each was recorded before its socket opened."""
    async with house.database.reading() as transaction:
        return [AttemptItem(**row) for row in await store.list_attempts(transaction, delivery)]
