"""The list of calls and visits."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict

from notifier import store
from notifier.api.doors import Cursor, Limit, NotifierTransaction
from notifier.call import MOST_ATTEMPTS, CallEnd, CallWord, call_outcome
from notifier.handlers import report_call
from services.auth import Caller, CallerOf, Role, requires
from services.contracts.deliveries import OptedOut
from services.contracts.language.names import Issuer
from services.contracts.tickets import Contact
from services.database import Record, Transaction
from services.errors import Problem
from services.web import HouseOf, Page, decode_cursor, encode_cursor

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["notifier"])

CLAIM = timedelta(minutes=15)
CLAIM_OF_VISIT = timedelta(days=1)
TAKERS: Mapping[Issuer, frozenset[Role]] = {
    "service desk": frozenset({Role.agent}),
    "project manager": frozenset({Role.agent, Role.manager}),
    "sales": frozenset({Role.agent, Role.manager}),
    "quality control": frozenset({Role.agent, Role.quality}),
}
"""Who takes the calls and visits of an issuer, beside the administrator: he sees name and number."""


CallKind = Literal["call", "visit"]


class CallItem(BaseModel):
    """One customer to call or visit, without name and number: whoever claims it gets those.

    `issuer` is in whose name it is due, `owner` which of them owes it, by his id. `items` are those of the
    questionnaire that are asked (none: all). A survey by the calendar has neither source nor ticket.
    """

    id: UUID
    kind: CallKind
    issuer: Issuer
    owner: str | None
    survey: UUID
    name: str
    questionnaire: str
    items: list[str]
    source: str | None
    ticket: str | None
    closed_at: datetime | None
    customer: str | None
    project: str | None
    locale: str | None
    timezone: str | None
    due_at: datetime
    promised_by: datetime
    expires_at: datetime
    next_at: datetime
    attempts: int
    claimed_by: str | None


class ClaimedCall(BaseModel):
    """Whom to call or visit, for who claimed it, until `claimed_until` (by the database's clock)."""

    id: UUID
    kind: CallKind
    survey: UUID
    person_name: str | None
    phone: str | None
    locale: str | None
    timezone: str | None
    source: str | None
    ticket: str | None
    customer: str | None
    project: str | None
    questionnaire: str
    items: list[str]
    policy: str
    version: int
    claimed_until: datetime


class CallAttempt(BaseModel):
    """What came of a call or visit. `talked`: the customer was reached; `call_back` needs the time that he named."""

    model_config = ConfigDict(extra="forbid")

    outcome: CallWord
    call_back_at: AwareDatetime | None = None


class AttemptedCall(BaseModel):
    """The call after the attempt: `outcome` is null while it stays on the list, to be called again at `next_at`."""

    attempts: int
    outcome: CallEnd | None
    next_at: datetime | None


@router.get(
    "/calls",
    dependencies=[Depends(requires(Role.agent, Role.quality, Role.manager))],
    summary="The list of calls and visits",
)
async def list_calls(
    house: HouseOf,
    kind: CallKind | None = None,
    issuer: Issuer | None = None,
    owner: Annotated[str | None, Query(max_length=200, description="Who owes it, by his id.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[CallItem]:
    """What is open, by the deadline of its promise; what was answered, declined or ended meanwhile is not on it."""
    after = decode_cursor(cursor, tuple[datetime, UUID]) if cursor else None
    async with house.database.reading() as transaction:
        rows = await store.list_calls(transaction, after=after, most=limit + 1, kind=kind, issuer=issuer, owner=owner)
    items = [CallItem(**row) for row in rows[:limit]]
    following = encode_cursor(items[-1].promised_by, items[-1].id) if len(rows) > limit else None
    return Page(items=items, next=following)


TAKES = [Depends(requires(*frozenset[Role]().union(*TAKERS.values())))]


@router.post("/calls/{call}/claim", dependencies=TAKES, summary="Take a call or visit")
async def claim_call(call: UUID, caller: CallerOf, transaction: NotifierTransaction, house: HouseOf) -> ClaimedCall:
    """Gives name and number for a quarter of an hour, for a visit a day; claiming again renews it.

    403 for who does not act for the issuer, 409 where another has it.
    """
    row = await _claimed(transaction, call, caller)
    contact = Contact(person=row["person"], channels=(), sealed=row["sealed"])
    [person] = await house.seal.open_contacts(transaction, [contact])
    if person is None or (person.phone is None and row["kind"] == "call"):
        raise Problem(410, "gone", "This person was erased or has no number.")
    log.info("call_claimed", call=str(call), agent=caller.name)
    columns = {name: row[name] for name in ClaimedCall.model_fields if name not in ("person_name", "phone")}
    return ClaimedCall(**columns, person_name=person.name, phone=person.phone)


@router.post("/calls/{call}/attempt", dependencies=TAKES, summary="Say what came of a call or visit")
async def attempt_call(
    call: UUID, attempt: CallAttempt, caller: CallerOf, transaction: NotifierTransaction
) -> AttemptedCall:
    """Keeps the attempt and gives the claim back. A refusal counts as the customer's: he is not asked this time."""
    if (attempt.call_back_at is not None) != (attempt.outcome == "call_back"):
        raise Problem(422, "invalid", "`call_back_at` belongs to the outcome call_back, which needs it.")
    outcome = call_outcome(attempt.outcome, transaction.now, attempt.call_back_at)
    row = await store.attempt_call(transaction, call, caller.name, outcome, MOST_ATTEMPTS)
    if row is None:
        if await store.find_call(transaction, call) is None:
            raise _unknown()
        raise Problem(409, "not-claimed", "Claim the call first; a claim ends after a while.")
    if row["outcome"] == "refused":
        await _decline(transaction, row)
    if row["outcome"]:
        report_call(transaction, row, transaction.now)
    return AttemptedCall(
        attempts=row["attempts"], outcome=row["outcome"], next_at=None if row["outcome"] else outcome.next_at
    )


async def _claimed(transaction: Transaction, call: UUID, caller: Caller) -> Record:
    found = await store.find_call(transaction, call)
    if found is None:
        raise _unknown()
    issuer: Issuer = found["issuer"]
    if caller.role is not Role.administrator and caller.role not in TAKERS[issuer]:
        raise Problem(403, "role", f"The key {caller.name!r} is {caller.role}; this is for the {issuer}.")
    seconds = (CLAIM_OF_VISIT if found["kind"] == "visit" else CLAIM).total_seconds()
    row = await store.claim_call(transaction, call, caller.name, seconds)
    if row is None:
        raise Problem(409, "taken", "Another agent has this call, or there is no need for it now.")
    return row


async def _decline(transaction: Transaction, row: Record) -> None:
    if await store.insert_opt_out(transaction, row["person"], "survey", row["survey"]):
        transaction.say(
            OptedOut(person=row["person"], survey=row["survey"], scope="survey", opted_out_at=transaction.now)
        )


def _unknown() -> Problem:
    return Problem(404, "unknown", "There is no such call.")
