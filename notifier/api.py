"""The notifier's REST: the delivery log, the call list, and the door for providers' receipts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from notifier import store
from notifier.call import MOST_ATTEMPTS, CallWord, call_outcome
from notifier.channels import Channels, SmsChannel
from notifier.channels.receipts import Forged, ReceiptCall, Unreadable
from notifier.delivery import Receipt, State
from notifier.handlers import apply_receipts, report_call
from services.auth import CallerOf, Role, requires
from services.contracts.deliveries import OptedOut
from services.contracts.tickets import Contact
from services.database import Record, Transaction
from services.errors import Problem
from services.web import PAGE_MOST, HouseOf, Page, TransactionOf, decode_cursor, encode_cursor

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["notifier"])

CLAIM = timedelta(minutes=15)

NotifierTransaction = Annotated[Transaction, TransactionOf("notifier")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST, description="Items on a page.")]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]


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


class CallItem(BaseModel):
    """One customer to call, without name and number: whoever claims the call gets those."""

    id: UUID
    survey: UUID
    name: str
    questionnaire: str
    source: str | None
    ticket: str | None
    closed_at: datetime | None
    locale: str | None
    timezone: str | None
    due_at: datetime
    promised_by: datetime
    expires_at: datetime
    next_at: datetime
    attempts: int
    claimed_by: str | None


class ClaimedCall(BaseModel):
    """Whom to call, for the agent who claimed it, until `claimed_until` (by the database's clock)."""

    id: UUID
    survey: UUID
    person_name: str | None
    phone: str
    locale: str | None
    timezone: str | None
    source: str | None
    ticket: str | None
    questionnaire: str
    policy: str
    version: int
    claimed_until: datetime


class CallAttempt(BaseModel):
    """What came of a call. `call_back` needs the time that the customer named."""

    model_config = ConfigDict(extra="forbid")

    outcome: CallWord
    call_back_at: AwareDatetime | None = None


class AttemptedCall(BaseModel):
    """The call after the attempt: `outcome` is null while it stays on the list, to be called again at `next_at`."""

    attempts: int
    outcome: Literal["refused", "wrong_number", "no_answer"] | None
    next_at: datetime | None


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


@router.get("/calls", dependencies=[Depends(requires(Role.agent, Role.quality, Role.manager))], summary="The call list")
async def list_calls(house: HouseOf, limit: Limit = 50, cursor: Cursor = None) -> Page[CallItem]:
    """Open calls by the deadline of their promise; what was answered, declined or ended meanwhile is not on it."""
    after = decode_cursor(cursor, tuple[datetime, UUID]) if cursor else None
    async with house.database.reading() as transaction:
        rows = await store.list_calls(transaction, after=after, most=limit + 1)
    items = [CallItem(**row) for row in rows[:limit]]
    following = encode_cursor(items[-1].promised_by, items[-1].id) if len(rows) > limit else None
    return Page(items=items, next=following)


@router.post("/calls/{call}/claim", dependencies=[Depends(requires(Role.agent))], summary="Take a call")
async def claim_call(call: UUID, caller: CallerOf, transaction: NotifierTransaction, house: HouseOf) -> ClaimedCall:
    """Gives the agent name and number for a quarter of an hour; claiming again renews it. 409 where another has it."""
    row = await store.claim_call(transaction, call, caller.name, CLAIM.total_seconds())
    if row is None:
        raise await _not_there(
            transaction, call, "taken", "Another agent has this call, or there is no need for it now."
        )
    contact = Contact(person=row["person"], channels=(), sealed=row["sealed"])
    [person] = await house.seal.open_contacts(transaction, [contact])
    if person is None or person.phone is None:
        raise Problem(410, "gone", "This person was erased or has no number.")
    log.info("call_claimed", call=str(call), agent=caller.name)
    columns = {name: row[name] for name in ClaimedCall.model_fields if name not in ("person_name", "phone")}
    return ClaimedCall(**columns, person_name=person.name, phone=person.phone)


@router.post("/calls/{call}/attempt", dependencies=[Depends(requires(Role.agent))], summary="Say what came of a call")
async def attempt_call(
    call: UUID, attempt: CallAttempt, caller: CallerOf, transaction: NotifierTransaction
) -> AttemptedCall:
    """Keeps the attempt and gives the claim back. A refusal counts as the customer's: he is not asked this time."""
    if (attempt.call_back_at is not None) != (attempt.outcome == "call_back"):
        raise Problem(422, "invalid", "`call_back_at` belongs to the outcome call_back, which needs it.")
    outcome = call_outcome(attempt.outcome, transaction.now, attempt.call_back_at)
    row = await store.attempt_call(transaction, call, caller.name, outcome, MOST_ATTEMPTS)
    if row is None:
        raise await _not_there(transaction, call, "not-claimed", "Claim the call first; a claim ends after a while.")
    if row["outcome"] == "refused":
        await _decline(transaction, row)
    if row["outcome"]:
        report_call(transaction, row["survey"], row["step"], row["outcome"], transaction.now)
    return AttemptedCall(
        attempts=row["attempts"], outcome=row["outcome"], next_at=None if row["outcome"] else outcome.next_at
    )


async def _decline(transaction: Transaction, row: Record) -> None:
    if await store.insert_opt_out(transaction, row["person"], "survey", row["survey"]):
        transaction.say(
            OptedOut(person=row["person"], survey=row["survey"], scope="survey", opted_out_at=transaction.now)
        )


async def _not_there(transaction: Transaction, call: UUID, slug: str, detail: str) -> Problem:
    if await store.call_exists(transaction, call):
        return Problem(409, slug, detail)
    return Problem(404, "unknown", "There is no such call.")


def receipts_router(channels: Channels) -> APIRouter:
    """The door for receipts of the installation's SMS provider; everybody else finds nothing there."""
    receipts = APIRouter(tags=["notifier"])

    async def genuine(provider: str, request: Request, house: HouseOf) -> Sequence[Receipt]:
        if channels.sms is None or channels.sms.provider != provider:
            raise Problem(404, "unknown", "There is no such provider here.")
        return _genuine(channels.sms, await _call(request, house.settings.public_url))

    @receipts.post("/hooks/receipts/{provider}", summary="A provider tells what became of a message")
    async def receive(
        provider: str, told: Annotated[Sequence[Receipt], Depends(genuine)], transaction: NotifierTransaction
    ) -> Response:
        """Signed by the provider's own scheme. The same receipt twice, late or in any order does no harm."""
        await apply_receipts(transaction, provider, told)
        return JSONResponse(dict(channels.sms.acknowledgement) if channels.sms else {})

    return receipts


async def _call(request: Request, public_url: str) -> ReceiptCall:
    """The request as the provider made it, by the public address."""
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{public_url.rstrip('/')}{request.url.path}{query}"
    return ReceiptCall(url, dict(request.query_params), dict(request.headers), await request.body())


def _genuine(sms: SmsChannel, call: ReceiptCall) -> Sequence[Receipt]:
    try:
        return sms.receipts(call)
    except Forged:
        log.warning("receipt_forged", provider=sms.provider)
        raise Problem(401, "signature", "The signature does not fit.") from None
    except Unreadable:
        raise Problem(400, "unreadable", "The body is not what this provider documents.") from None
