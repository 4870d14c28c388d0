"""What was answered, and what it comes to: REST for people and programs inside the company."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel

from scoring import store
from scoring.figure import Figure, Pattern, Unit, compute, shown
from scoring.store import Kept, Listing, Wanted
from services.auth import CallerOf, Role, requires
from services.contracts.language.scores import ScoreMethod
from services.contracts.policy import Policy, read_policy
from services.contracts.responses import ResponseChannel, Validity
from services.database import Record
from services.errors import Problem
from services.web import PAGE_MOST, HouseOf, Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/v1", tags=["scoring"])

READERS = (Role.quality, Role.manager, Role.auditor, Role.integration)
SEE_COMMENTS = frozenset((Role.administrator, Role.quality, Role.manager))
LONGEST = timedelta(days=366 * 20)

Group = Literal["agent", "group", "customer", "category", "survey", "month"]


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
    """A response as it stands, with every version of it; `first_answered_at` is when the customer first answered."""

    id: UUID
    survey: UUID
    name: str
    channel: ResponseChannel
    validity: Validity
    policy: str
    policy_version: int
    questionnaire: str
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
    since: Annotated[AwareDatetime | None, Query(alias="from", description="First answered then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="First answered before then.")] = None,
    validity: Validity | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MOST)] = 50,
) -> Page[ResponseOut]:
    """Responses, latest first. What customers wrote is shown to quality control and managers only."""
    _check_period(since, until)
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


def _check_period(since: datetime | None, until: datetime | None) -> None:
    if since and until and not timedelta(0) < until - since <= LONGEST:
        raise Problem(422, "period", "`to` must lie after `from`, by 20 years at most.")


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


class IntervalOut(BaseModel):
    """A 95 % interval, in the figure's unit."""

    low: float
    high: float


class FigureOut(BaseModel):
    """The figure of one group. A group that is too small, or would give one away, has `suppressed` and no numbers.

    `n` counts the valid responses in the figure; `suspect` those that are flagged and left out of it; void ones stand
    nowhere. `asked` counts surveys that came due in the period, `answered` those of them with an answer by now.
    """

    key: str | None
    suppressed: bool
    n: int | None
    value: float | None
    unit: Unit
    deviation: float | None
    interval: IntervalOut | None
    total: int | None
    suspect: int | None
    asked: int | None
    answered: int | None
    response_rate: float | None


class ScoresOut(BaseModel):
    """Figures by group, with the figure of all of them together."""

    method: ScoreMethod
    group: Group
    minimum_group: int
    items: list[FigureOut]
    total: FigureOut


class Counted(BaseModel):
    """What is counted of a group beside its figure."""

    suspect: int = 0
    asked: int = 0
    answered: int = 0

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(
            suspect=self.suspect + other.suspect,
            asked=self.asked + other.asked,
            answered=self.answered + other.answered,
        )


@router.get(
    "/scores", dependencies=[Depends(requires(Role.quality, Role.manager, Role.agent, Role.auditor, Role.integration))]
)
async def show_scores(
    house: HouseOf,
    group: Group = "survey",
    method: ScoreMethod = "percent",
    survey: Annotated[str | None, Query(description="A survey's name in the policy; without it, all.")] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="First answered then or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="First answered before then.")] = None,
) -> ScoresOut:
    """Figures with their 95 % intervals. Months are those of each policy's own time zone.

    Groups below the policies' minimum are not shown, nor groups from which they could be computed.
    """
    _check_period(since, until)
    wanted = Wanted(group, since, until, survey)
    async with house.database.reading() as transaction:
        rows = await store.count_patterns(transaction, wanted)
        asked = await store.count_asked(transaction, wanted)
        least = await store.find_minimum_group(transaction)
        documents = await store.find_policies(transaction, {(row["policy"], row["policy_version"]) for row in rows})
    policies = {key: read_policy(document) for key, document in documents.items()}
    # In a thread: answers to customers need not wait for statistics.
    return await asyncio.to_thread(_scores, group, method, least, rows, asked, policies)


def _scores(
    group: Group,
    method: ScoreMethod,
    least: int,
    rows: Sequence[Record],
    asked: Sequence[Record],
    policies: Mapping[store.PolicyKey, Policy],
) -> ScoresOut:
    patterns: defaultdict[str | None, list[Pattern]] = defaultdict(list)
    counted: defaultdict[str | None, Counted] = defaultdict(Counted)
    for row in rows:
        if row["validity"] == "suspect":
            counted[row["key"]] += Counted(suspect=row["times"])
        else:
            patterns[row["key"]].append(_pattern(row, policies[row["policy"], row["policy_version"]]))
    for row in asked:
        counted[row["key"]] += Counted(asked=row["asked"], answered=row["answered"])
    keys = sorted({*patterns, *counted}, key=lambda key: (key is None, key))
    figures = {key: compute(method, patterns[key]) for key in keys}
    total = compute(method, [pattern for key in keys for pattern in patterns[key]])
    visible = shown({key: figure.n or 0 for key, figure in figures.items()}, least)
    everything = sum((counted[key] for key in keys), Counted())
    return ScoresOut(
        method=method,
        group=group,
        minimum_group=least,
        items=[_figure(key, figures[key], counted[key], key in visible) for key in keys],
        total=_figure(None, total, everything, (total.n or 0) >= least),
    )


def _pattern(row: Record, policy: Policy) -> Pattern:
    return Pattern(
        asked=f"{row['policy']}/{row['questionnaire']}",
        questionnaire=policy.questionnaires[row["questionnaire"]],
        scores=policy.scores_of(row["name"]),
        satisfied=row["satisfied"],
        numbers=store.numbers_of(row),
        times=row["times"],
    )


def _figure(key: str | None, figure: Figure, counted: Counted, visible: bool) -> FigureOut:
    told = figure if visible else figure.hidden()
    rate = 100 * counted.answered / counted.asked if counted.asked else None
    return FigureOut(
        key=key,
        suppressed=not visible,
        n=told.n,
        value=told.value,
        unit=told.unit,
        deviation=told.deviation,
        interval=IntervalOut(low=told.interval.low, high=told.interval.high) if told.interval else None,
        total=told.total,
        suspect=counted.suspect if visible else None,
        asked=counted.asked if visible else None,
        answered=counted.answered if visible else None,
        response_rate=rate if visible else None,
    )
