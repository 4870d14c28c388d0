"""What was answered, each answer with all its versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from scoring import store
from scoring.api.window import Since, Until, check_window
from scoring.store import Kept, Listing
from services.auth import CallerOf, Role, requires
from services.contracts.responses import ResponseChannel, Validity
from services.errors import Problem
from services.web import PAGE_MOST, HouseOf, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/v1", tags=["scoring"])

READERS = (Role.quality, Role.manager, Role.auditor, Role.integration)
SEE_COMMENTS = frozenset((Role.administrator, Role.quality, Role.manager))


class AnswerVersion(BaseModel):
    """One version of an answer. `answers` are the closed items; `comments` what was written, for who may read it."""

    version: int
    answered_at: datetime
    answers: dict[str, int | bool | str | tuple[str, ...]]
    comments: dict[str, str] | None
    score: float | None
    satisfied: bool | None
    flags: tuple[str, ...]


class ResponseOut(AnswerVersion):
    """A response as it stands, with every version of it; `first_answered_at` is when the customer first answered.

    `items` are those that were asked (none: all of the questionnaire's); `again` counts how often the customer was
    asked again because of an answer.
    """

    id: UUID
    survey: UUID
    name: str
    channel: ResponseChannel
    validity: Validity
    policy: str
    policy_version: int
    questionnaire: str
    items: tuple[str, ...]
    again: int
    source: str | None
    ticket: str | None
    closure: int | None
    agent: str | None
    group: str | None
    customer: str | None
    category: str | None
    first_answered_at: datetime
    versions: list[AnswerVersion]


@router.get("/responses", dependencies=[Depends(requires(*READERS))])
async def list_responses(
    house: HouseOf,
    caller: CallerOf,
    survey: Annotated[str | None, Query(description="A survey's name in the policy, or one survey's id.")] = None,
    source: str | None = None,
    ticket: str | None = None,
    since: Since = None,
    until: Until = None,
    validity: Validity | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MOST)] = 50,
) -> Page[ResponseOut]:
    """Responses, latest first. What customers wrote is shown to quality control and managers only."""
    check_window(since, until)
    one = _id_of(survey)
    before = decode_cursor(cursor, tuple[datetime, UUID]) if cursor else None
    wanted = Listing(None if one else survey, one, source, ticket, since, until, validity, before, limit + 1)
    async with house.database.reading() as transaction:
        rows = await store.list_responses(transaction, wanted)
        versions = await store.find_versions(transaction, [row["survey"] for row in rows[:limit]])
    last = rows[limit - 1] if len(rows) > limit else None
    following = encode_cursor(last["answered_at"].isoformat(), str(last["response"])) if last else None
    return Page(items=_responses(versions, caller.role), next=following)


@router.get("/responses/{response}", dependencies=[Depends(requires(*READERS))])
async def show_response(house: HouseOf, caller: CallerOf, response: UUID) -> ResponseOut:
    """One response with all its versions."""
    async with house.database.reading() as transaction:
        survey = await store.find_survey_of_response(transaction, response)
        versions = await store.find_versions(transaction, [survey]) if survey else []
    if not versions:
        raise Problem(404, "not-found", "There is no such response.")
    return _responses(versions, caller.role)[0]


def _id_of(survey: str | None) -> UUID | None:
    try:
        return UUID(survey) if survey else None
    except ValueError:
        return None


def _responses(versions: Sequence[Kept], role: Role) -> list[ResponseOut]:
    surveys: dict[UUID, list[Kept]] = {}
    for kept in versions:
        surveys.setdefault(kept.page.survey, []).append(kept)
    return [_response(each, role) for each in surveys.values()]


def _response(versions: Sequence[Kept], role: Role) -> ResponseOut:
    page, latest, validity = versions[-1]
    told = [_told(each, role) for each in versions]
    return ResponseOut(
        **told[-1].model_dump(),
        id=latest.response,
        survey=page.survey,
        name=page.name,
        channel=latest.channel,
        validity=validity,
        policy=page.policy,
        policy_version=page.policy_version,
        questionnaire=page.questionnaire,
        items=page.items,
        again=page.again,
        source=page.source,
        ticket=page.ticket,
        closure=page.closure,
        agent=page.facts.agent,
        group=page.facts.group,
        customer=page.facts.customer,
        category=page.facts.category,
        first_answered_at=versions[0].version.answered_at,
        versions=told,
    )


def _told(kept: Kept, role: Role) -> AnswerVersion:
    version = kept.version
    return AnswerVersion(
        version=version.version,
        answered_at=version.answered_at,
        answers=version.answers,
        comments=version.texts if role in SEE_COMMENTS else None,
        score=version.score,
        satisfied=version.satisfied,
        flags=version.flags,
    )
