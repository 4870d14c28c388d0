"""What customers said in a talk, typed by who talked with them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from scoring import store
from scoring.handlers import Policies, Reception
from scoring.response import NO, YES
from scoring.submission import Submission, Verdict
from services import metrics
from services.auth import Role, requires
from services.contracts.questionnaire import Identifier
from services.contracts.responses import Validity
from services.database import Transaction
from services.errors import Problem
from services.seal import token_hash
from services.web import HouseOf, TransactionOf

router = APIRouter(prefix="/v1", tags=["scoring"])

ScoringTransaction = Annotated[Transaction, TransactionOf("scoring")]
TYPISTS = (Role.agent, Role.manager, Role.quality)

Said = bool | int | Annotated[str, Field(max_length=20_000)] | Annotated[list[str], Field(max_length=100)]


class Entry(BaseModel):
    """What a customer said, by item: a scale's value or "X", true or false, an option's id or several, or text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    survey: Annotated[UUID, Field(strict=False)]
    channel: Literal["telephone", "visit"]
    answers: Annotated[dict[Identifier, Said], Field(max_length=300)]


class Entered(BaseModel):
    """The response that was kept, without what it is worth: the rated see figures of groups only."""

    id: UUID
    validity: Validity
    flags: tuple[str, ...]


@router.post("/responses", status_code=201, dependencies=[Depends(requires(*TYPISTS))])
async def enter_response(house: HouseOf, transaction: ScoringTransaction, entry: Entry) -> Entered:
    """Keeps what a customer said by telephone or on a visit, flagged `agent-entered` unless the policy accepts it.

    It counts as a first answer only. 404: no such survey. 409 `answered`: there is an answer, which stays; `closed`: it
    is over. 422 `answers`: `faults` tells by item what is wrong. 503: its policy is still on its way.
    """
    token = token_hash(house.seal.link_token("survey", entry.survey))
    policies = Policies()
    await _must_be_asked(transaction, policies, token, entry.answers)
    submission = Submission(
        token_hash=token,
        secret="",
        fields=list(_fields(entry.answers)),
        foreign=False,
        scanner=False,
        address=None,
        origin=None,
        channel=entry.channel,
    )
    [(page, verdict)] = await Reception(policies).take(transaction, [submission])
    if page is None:
        raise Problem(404, "not-found", "There is no such survey.")
    if verdict is None:
        raise Problem(503, "policy", "The survey's policy has not been heard yet. Try again in a moment.")
    kept = verdict.version
    if kept is None:
        raise _refusal(verdict)
    name, channel, validity = page.name, kept.channel, kept.validity
    transaction.after_commit(lambda: metrics.RESPONSES.labels(name, channel, validity).inc())
    return Entered(id=kept.response, validity=kept.validity, flags=kept.flags)


async def _must_be_asked(transaction: Transaction, policies: Policies, token: bytes, answers: Collection[str]) -> None:
    """Refuses answers to what the questionnaire does not ask: nothing that was said gets lost unseen."""
    pages = await store.find_pages(transaction, [token])
    await policies.learn(transaction, pages.values())
    page = pages.get(token)
    policy = policies.of(page) if page else None
    if page and policy:
        known = {item.id for item in policy.questionnaires[page.questionnaire].items}
        if unknown := sorted(set(answers) - known):
            faults = dict.fromkeys(unknown, "unknown")
            raise Problem(422, "answers", "The questionnaire does not ask all of that.", faults=faults)


def _fields(answers: Mapping[str, Said]) -> Iterator[tuple[str, str]]:
    """The answers as the page's form would send them."""
    for item, said in answers.items():
        if isinstance(said, bool):
            yield item, YES if said else NO
        elif isinstance(said, list):
            yield from ((item, option) for option in said)
        else:
            yield item, str(said)


def _refusal(verdict: Verdict) -> Problem:
    if verdict.fate == "faulty" and verdict.reading:
        return Problem(422, "answers", "Some answers are missing or impossible.", faults=verdict.reading.faults)
    if verdict.fate == "closed":
        return Problem(409, "closed", "The survey is over.")
    return Problem(409, "answered", "The customer has answered already; his answer stays.")
