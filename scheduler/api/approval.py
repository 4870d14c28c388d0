"""REST: proposing a version of a policy, reviewing and approving it, or turning it down."""

import asyncio
from datetime import UTC, datetime
from email.message import Message
from typing import Annotated, Any, NamedTuple

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from scheduler.api.doors import SchedulerTransaction
from scheduler.api.policies import RevisionItem, etag_of, refused, revision_item
from scheduler.handlers.policies import new_version, propose, remarks_on, take_step
from scheduler.revision import LARGEST, Refusal, Revision, Step
from scheduler.store import NewVersion
from services.auth import CallerOf, Role, requires
from services.contracts.policy import PolicyError, parse_policy
from services.database import Transaction
from services.errors import Problem

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["scheduler"])

Proposers = Depends(requires(Role.quality, Role.manager))
Approvers = Depends(requires(Role.manager))

NAME = "policy.yaml"
_YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)


def _near(at: datetime) -> datetime:
    if not _EARLIEST <= at < _LATEST:
        raise ValueError("a time between the years 1970 and 2999 is wanted")
    return at


Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Moment = Annotated[AwareDatetime, AfterValidator(_near)]


class ProposalBody(BaseModel):
    """A policy as it shall be; without `effective_from` it takes effect on the day that the file names."""

    model_config = ConfigDict(extra="forbid")

    text: str
    effective_from: Moment | None = None
    note: Note | None = None


class StepBody(BaseModel):
    """What the person who takes the step writes to it."""

    model_config = ConfigDict(extra="forbid")

    note: Note


class RemarkItem(BaseModel):
    """Something about the wording that a person should look at."""

    at: str
    rule: str
    found: str
    advice: str
    advice_zh: str


class ProposalItem(RevisionItem):
    """A proposal, with remarks on its wording; they hinder nothing."""

    remarks: list[RemarkItem]


class Proposal(NamedTuple):
    """A proposal that was read and is well formed."""

    new: NewVersion
    note: str | None
    remarks: list[dict[str, str]]


async def proposal_of(
    request: Request,
    effective_from: Annotated[Moment | None, Query(description="With YAML: when it shall take effect.")] = None,
    note: Annotated[Note | None, Query(description="With YAML: what to tell the reviewer.")] = None,
) -> Proposal:
    """The proposal in a request's body. Raises `Problem` with everything that is wrong with it."""
    body = await _body(request, effective_from, note)
    if len(body.text) > LARGEST:
        raise Problem(413, "too-large", f"A policy may have at most {LARGEST} characters.")
    # Reading a policy takes a while: in a thread of its own it keeps nobody waiting.
    return await asyncio.to_thread(_read, body)


def _read(body: ProposalBody) -> Proposal:
    try:
        policy = parse_policy(body.text, NAME)
    except PolicyError as error:
        findings = [{**each.place._asdict(), "message": each.message, "remedy": each.remedy} for each in error.findings]
        raise Problem(422, "policy", f"The policy has {len(findings)} mistakes.", findings=findings) from None
    return Proposal(new_version(body.text, policy, body.effective_from), body.note, remarks_on(policy))


async def _body(request: Request, effective_from: datetime | None, note: str | None) -> ProposalBody:
    told = Message()
    told["content-type"] = request.headers.get("content-type", "")
    kind, charset = told.get_content_type(), told.get_content_charset("utf-8")
    if kind not in ("application/json", *_YAML) or charset not in ("utf-8", "us-ascii"):
        raise Problem(415, "media-type", "Send the policy as application/yaml, or as application/json, in UTF-8.")
    content = await request.body()
    try:
        if kind == "application/json":
            return ProposalBody.model_validate_json(content)
        return ProposalBody(text=content.decode("utf-8-sig"), effective_from=effective_from, note=note)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None
    except UnicodeDecodeError as error:
        raise Problem(422, "invalid", f"The body is not UTF-8 from byte {error.start} on.") from None


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string", "description": "The policy file."}},
            "application/json": {"schema": ProposalBody.model_json_schema()},
        },
    }
}


@router.post("/policies", status_code=201, dependencies=[Proposers], openapi_extra=_BODY)
async def propose_policy(
    proposal: Annotated[Proposal, Depends(proposal_of)],
    caller: CallerOf,
    transaction: SchedulerTransaction,
    response: Response,
) -> ProposalItem:
    """Proposes the next version of a policy. What is wrong with it is told with line, column and remedy (422).

    It takes effect only after two further people have reviewed and approved it. A file that is the version in force,
    or one that is to come or on its way, is refused.
    """
    try:
        revision = await propose(transaction, proposal.new, caller.name, proposal.note, "rest")
    except Refusal as refusal:
        raise refused(refusal) from None
    log.info("policy_proposed", policy=revision.policy, version=revision.version, actor=caller.name)
    response.headers["location"] = f"/v1/policies/{revision.policy}/{revision.version}"
    remarks = [RemarkItem(**each) for each in proposal.remarks]
    return ProposalItem(**dict(revision_item(revision, response)), remarks=remarks)


def seen_by(if_match: Annotated[str | None, Header()] = None) -> str:
    """The state of the version that the caller has seen. Raises `Problem` 428 where he does not tell it."""
    if if_match is None:
        raise Problem(428, "if-match", "Send the ETag of the version that you have read as `If-Match`.")
    return if_match


class Wish(NamedTuple):
    """A step that somebody wants to take."""

    policy: str
    version: int
    note: str
    seen: str
    actor: str


def wish_of(
    policy: str, version: int, body: StepBody, caller: CallerOf, seen: Annotated[str, Depends(seen_by)]
) -> Wish:
    """What the request wants."""
    return Wish(policy, version, body.note, seen, caller.name)


WishOf = Annotated[Wish, Depends(wish_of)]


@router.post("/policies/{policy}/{version}/review", dependencies=[Proposers])
async def review_policy(wish: WishOf, transaction: SchedulerTransaction, response: Response) -> RevisionItem:
    """Confirms that a proposal is right. Who proposed it cannot review it."""
    return revision_item(await _taken(transaction, wish, "reviewed"), response)


@router.post("/policies/{policy}/{version}/approve", dependencies=[Approvers])
async def approve_policy(wish: WishOf, transaction: SchedulerTransaction, response: Response) -> RevisionItem:
    """Puts a reviewed version in force at its time, or now where that has passed. Who proposed or reviewed it cannot.

    Surveys that are under way keep the version that caused them.
    """
    return revision_item(await _taken(transaction, wish, "approved"), response)


@router.post("/policies/{policy}/{version}/reject", dependencies=[Proposers])
async def reject_policy(wish: WishOf, transaction: SchedulerTransaction, response: Response) -> RevisionItem:
    """Turns a version down that is not approved yet. Who proposed it withdraws it instead."""
    return revision_item(await _taken(transaction, wish, "rejected"), response)


@router.post("/policies/{policy}/{version}/withdraw", dependencies=[Proposers])
async def withdraw_policy(wish: WishOf, transaction: SchedulerTransaction, response: Response) -> RevisionItem:
    """Takes a proposal of one's own back that is not approved yet."""
    return revision_item(await _taken(transaction, wish, "withdrawn"), response)


async def _taken(transaction: Transaction, wish: Wish, step: Step) -> Revision:
    tags = {each.strip() for each in wish.seen.split(",")}

    def seen(revision: Revision) -> bool:
        return "*" in tags or etag_of(revision) in tags

    try:
        after = await take_step(transaction, wish.policy, wish.version, step, wish.actor, wish.note, "rest", seen)
    except Refusal as refusal:
        log.info("policy_step_refused", version=wish.version, step=step, actor=wish.actor, kind=refusal.kind)
        raise refused(refusal) from None
    log.info("policy_step_taken", policy=after.policy, version=after.version, step=step, actor=wish.actor)
    return after
