"""REST: trying a policy on past tickets before anybody approves it."""

import asyncio
from datetime import date, datetime, time, tzinfo
from time import monotonic
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from scheduler import store
from scheduler.api.doors import Readers
from scheduler.calendar import almanac
from scheduler.handlers.simulations import recall
from scheduler.revision import LARGEST
from scheduler.simulation.conduct import Conduct
from scheduler.simulation.past import File, Past, PastError, read_past
from scheduler.simulation.trial import SpanError, Trial, outcome_of, play_of, span_of
from services.contracts.policy import Policy, PolicyError, parse_policy, read_policy
from services.contracts.quantities import ShareText
from services.errors import Problem
from services.house import House
from services.web import house_of

router = APIRouter(prefix="/v1", tags=["scheduler"])

MOST_SECONDS = 60.0
"""How long one trial may take."""
_one_at_a_time = asyncio.Semaphore(1)

Day = Annotated[date, Field(ge=date(1970, 1, 2), lt=date(3000, 1, 1))]
Text = Annotated[str, StringConstraints(min_length=1)]


class TrialBody(BaseModel):
    """A policy, as its text or as a version that is stored, and the past that it is tried on.

    `tickets` and `customers` are tables as text (CSV, as for the imports). Without `tickets` the trial takes what the
    scheduler has heard between `from` and `to`, and its own register. Days are the company's, `to` is the day after the
    last. `answer_rate` is how many answer a message; the same `seed` gives the same outcome to the byte.
    """

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(min_length=1, max_length=LARGEST)] | None = None
    policy: Text | None = None
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    tickets: Text | None = None
    customers: Text | None = None
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    answer_rate: ShareText = 0.3
    seed: Annotated[str, StringConstraints(max_length=100)] = "1"


async def _policy_of(body: TrialBody, house: House) -> Policy:
    """The policy that a request means. Raises `Problem`."""
    if (body.text is None) == (body.policy is None) or (body.policy is None) != (body.version is None):
        raise Problem(422, "invalid", "Name a policy by `text`, or by `policy` and `version`.")
    if body.text is not None:
        try:
            return await asyncio.to_thread(parse_policy, body.text, "policy.yaml")
        except PolicyError as error:
            raise Problem(
                422, "policy", f"The policy has {len(error.lines)} mistakes.", findings=list(error.lines)
            ) from None
    async with house.database.reading() as transaction:
        row = await store.find_policy_version(transaction, body.policy or "", body.version or 0)
    if row is None:
        raise Problem(404, "unknown", "There is no such version of such a policy.")
    return read_policy(row["document"])


async def _past_of(body: TrialBody, house: House, zone: tzinfo) -> Past:
    """The past that a request means. Raises `Problem`."""
    if body.tickets is None:
        async with house.database.reading() as transaction:
            return await recall(transaction, _midnight(body.from_, zone), _midnight(body.to, zone))
    tickets, customers = _file("tickets", body.tickets), _file("customers", body.customers)
    try:
        return await asyncio.to_thread(read_past, tickets, customers, zone)
    except PastError as error:
        findings = str(error).splitlines()
        raise Problem(422, "tables", f"The tables have {len(findings)} mistakes.", findings=findings) from None


def _file(name: str, text: str | None) -> File | None:
    return None if text is None else File(name, text.encode())


def _midnight(day: date | None, zone: tzinfo) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), zone)


def _tried(body: TrialBody, policy: Policy, past: Past) -> bytes:
    zone, deadline = almanac(policy.calendar).zone, monotonic() + MOST_SECONDS
    try:
        span = span_of(policy, past, _midnight(body.from_, zone), _midnight(body.to, zone))
    except SpanError as error:
        raise Problem(422, "invalid", f"{error}.") from None
    play = play_of(Trial(policy, past, *span, Conduct(seed=body.seed, answers=body.answer_rate)))
    for day in play.world.play():
        if monotonic() > deadline:
            where = f"After {MOST_SECONDS:g} s the trial had come to {day}."
            raise Problem(422, "too-long", f"{where} Play less time, or use `huifang policy simulate`.")
    return msgspec.json.encode(outcome_of(play))


_ANSWER: dict[int | str, dict[str, Any]] = {200: {"description": "What would have come of it, in figures."}}


@router.post("/policies/simulate", dependencies=[Readers], responses=_ANSWER, response_class=Response)
async def simulate_policy(body: TrialBody, request: Request) -> Response:
    """Plays past tickets and the register through a policy: who would be asked, when, and with how much work.

    The same figures as `huifang policy simulate --json`. Nothing is sent, nothing is stored. One at a time.
    """
    if _one_at_a_time.locked():
        raise Problem(429, "busy", "Another trial is being played; try again when it is over.")
    async with _one_at_a_time:
        house = house_of(request)
        policy = await _policy_of(body, house)
        past = await _past_of(body, house, almanac(policy.calendar).zone)
        return Response(await asyncio.to_thread(_tried, body, policy, past), media_type="application/json")
