"""REST: the ledger of a ticket or occasion, and decisions by hand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from scheduler import store
from scheduler.api.doors import Deciders, Readers, SchedulerTransaction
from scheduler.api.surveys import MoveItem, SurveyItem, history_of
from scheduler.closure import Closure, Key, Verdict, decided, skipped_by_hand
from scheduler.dossier import Change, Dossier
from scheduler.handlers.closures import find_people, find_register, record, rules_in_force
from scheduler.handlers.surveys import load
from scheduler.ledger import Entry, enter
from scheduler.policy import AGAIN, CALENDAR, Closing, Outcome, decide_by_hand
from scheduler.survey import ended
from services.auth import CallerOf
from services.contracts.tickets import TicketFacts
from services.database import Record, Transaction
from services.errors import Problem
from services.identifiers import uuid7

router = APIRouter(prefix="/v1", tags=["scheduler"])


class ClosureItem(BaseModel):
    """One closing of a ticket; `closed_at` is null while only its reopening is known."""

    closure: int
    closed_at: datetime | None
    reopened_at: datetime | None
    facts: dict[str, Any]
    with_contact: bool


class DecisionItem(BaseModel):
    """One entry of the ledger. Where a closure has several, the last is the one that counts."""

    closure: int
    outcome: Outcome
    reason: str
    rule: str | None
    draw: float | None
    at: datetime
    policy: str | None
    version: int | None
    actor: str
    note: str | None


class TicketStory(BaseModel):
    """What the scheduler knows of a ticket: its closures, every decision on them, and what became of its surveys."""

    source: str
    ticket: str
    closures: list[ClosureItem]
    decisions: list[DecisionItem]
    surveys: list[SurveyItem]
    history: list[MoveItem]


class ByHand(BaseModel):
    """What a person wants, and why; without `closure` the ticket's last one is meant."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    closure: int | None = Field(default=None, ge=1, le=1_000_000)


@router.get("/tickets/{source}/{ticket:path}", dependencies=[Readers])
async def read_ticket(source: str, ticket: str, transaction: SchedulerTransaction) -> TicketStory:
    """The ledger of a ticket. Its id may contain slashes, as it is or as `%2F`."""
    closures = list((await store.find_closures(transaction, [(source, ticket)])).values())
    if not closures:
        raise _unknown(source, ticket)
    return await _story(transaction, source, ticket, closures)


@router.post("/tickets/{source}/{ticket:path}/survey", dependencies=[Deciders])
async def survey_by_hand(
    source: str, ticket: str, wish: ByHand, caller: CallerOf, transaction: SchedulerTransaction
) -> TicketStory:
    """Surveys a closure that was skipped: by a filter, the sample, or because it came too late.

    What protects the customer stays: staff, refusals and the limit per person cannot be overruled; nor is anybody
    surveyed twice about the same closure.
    """
    closure, closing, _ = await _closure(transaction, source, ticket, wish.closure)
    if closure.reopened_at is not None:
        raise Problem(409, "reopened", "The ticket was reopened after this closing.")
    if await store.find_surveys_of_closures(transaction, [closure.key]):
        raise Problem(409, "surveyed", "There is a survey of this closure already.")
    rules = await rules_in_force(transaction)
    people = await find_people(transaction, rules, [closing], await find_register(transaction, [closing]))
    decision = decide_by_hand(rules, closing, people.person(closing), transaction.now)
    if decision.outcome == "skip":
        raise Problem(
            409, "not-askable", f"This closure cannot be surveyed: {decision.reason}.", reason=decision.reason
        )
    actor = caller.name
    entry = enter(decision, closing, people, uuid7(), transaction.now, before=closure, actor=actor, note=wish.reason)
    return await _recorded(transaction, entry)


@router.post("/tickets/{source}/{ticket:path}/skip", dependencies=[Deciders])
async def skip_by_hand(
    source: str, ticket: str, wish: ByHand, caller: CallerOf, transaction: SchedulerTransaction
) -> TicketStory:
    """Leaves a closure out: nothing (more) is sent about it, and it is not decided anew. An answer stays."""
    closure, _, verdict = await _closure(transaction, source, ticket, wish.closure)
    surveys = await load(transaction, await store.find_surveys_of_closures(transaction, [closure.key]))
    if any(each.survey.state == "answered" for each in surveys):
        raise Problem(409, "answered", "The customer has answered already; quality control can void the answer.")
    if (verdict.outcome, verdict.reason) == ("skip", "by_hand"):
        return await read_ticket(source, ticket, transaction)
    after = replace(closure, verdict=skipped_by_hand(verdict, transaction.now, caller.name, wish.reason))
    change = next((_cancelled(each, transaction.now, caller.name, wish.reason) for each in surveys), None)
    return await _recorded(transaction, Entry(closure, after, None, change))


def _cancelled(dossier: Dossier, now: datetime, actor: str, note: str) -> Change:
    return Change(dossier, ended(dossier.survey, "cancelled", now), "by_hand", actor, note)


async def _closure(
    transaction: Transaction, source: str, ticket: str, number: int | None
) -> tuple[Closure, Closing, Verdict]:
    """The closure that is meant, which is closed and decided. Raises `Problem`."""
    closures = await store.find_closures(transaction, [(source, ticket)])
    key = Key(source, ticket, number) if number is not None else max(closures, default=None)
    closure = closures.get(key) if key is not None else None
    if closure is None or closure.closing is None or closure.verdict is None:
        raise _unknown(source, ticket)
    return closure, closure.closing, closure.verdict


async def _recorded(transaction: Transaction, entry: Entry) -> TicketStory:
    await record(transaction, [entry])
    if entry.after.closing is not None and entry.after.closing.on not in (CALENDAR, AGAIN):
        transaction.say(decided(entry.after))
    source, ticket, _ = entry.after.key
    return await read_ticket(source, ticket, transaction)


async def _story(transaction: Transaction, source: str, ticket: str, closures: Sequence[Closure]) -> TicketStory:
    former = [_decision(row["closure"], row) for row in await store.list_former_decisions(transaction, source, ticket)]
    current = [_decision_of(each.key.closure, each.verdict) for each in closures if each.verdict is not None]
    surveys = await store.list_surveys_of_ticket(transaction, source, ticket)
    moves = await store.list_moves_of_ticket(transaction, source, ticket)
    return TicketStory(
        source=source,
        ticket=ticket,
        closures=[_closure_item(each) for each in closures],
        decisions=sorted([*former, *current], key=lambda each: (each.closure, each.at)),
        surveys=[SurveyItem(**row) for row in surveys],
        history=[item for survey in surveys for item in history_of(survey, moves)],
    )


def _closure_item(closure: Closure) -> ClosureItem:
    closing = closure.closing
    return ClosureItem(
        closure=closure.key.closure,
        closed_at=closing.closed_at if closing else None,
        reopened_at=closure.reopened_at,
        facts=_facts(closing.facts) if closing else {},
        with_contact=closing is not None and closing.contact is not None,
    )


def _facts(facts: TicketFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in facts.__struct_fields__ if getattr(facts, name) not in (None, ())}


def _decision(closure: int, row: Record) -> DecisionItem:
    return DecisionItem(**{**row, "closure": closure, "at": row["decided_at"]})


def _decision_of(closure: int, verdict: Verdict) -> DecisionItem:
    values = {name: getattr(verdict, name) for name in verdict.__struct_fields__}
    return DecisionItem(**{**values, "closure": closure, "at": verdict.decided_at})


def _unknown(source: str, ticket: str) -> Problem:
    return Problem(404, "unknown", f"No closing of ticket {ticket!r} of source {source!r} was heard of.")
