"""The scheduler at work in a test: hears events, lets time come, and tells what it said."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from scheduler import store
from scheduler.handlers import HANDLERS
from scheduler.handlers.surveys import bring_up
from scheduler.store import NewVersion
from services.clock import DrivenClock
from services.contracts.deliveries import DeliveryOutcome, DeliveryReported
from services.contracts.envelope import Event
from services.contracts.policy import Policy
from services.contracts.responses import ResponseChannel, ResponseGiven
from services.contracts.surveys import SurveyDue
from services.contracts.tickets import Contact, TicketClosed, TicketFacts, TicketReopened
from services.database import Record, Transaction
from services.house import House

OVERALL: Mapping[str, float] = {"overall": 5}
Kind = TypeVar("Kind", bound=Event)


def person(number: int, **fields: Any) -> Contact:
    """Somebody with every channel."""
    return Contact(person=UUID(int=number), sealed=b"sealed", **{"channels": ("sms", "email", "call"), **fields})


class Desk:
    """One scheduler on a test's house, on a clock that the test drives."""

    def __init__(self, house: House, clock: DrivenClock) -> None:
        self.house = house
        self.clock = clock

    async def install(self, policy: Policy) -> int | None:
        """Puts a policy in force."""
        document = policy.document()
        new = NewVersion(
            policy.policy,
            policy.title.model_dump_json(),
            document,
            document,
            hashlib.sha256(document.encode()).digest(),
            datetime(2026, 1, 1, tzinfo=UTC),
        )
        return await self.house.database.run(
            "scheduler", lambda transaction: store.insert_policy_version(transaction, new)
        )

    async def hear(self, *events: Event) -> list[Event]:
        """Hears events as one batch, type by type as the frame does, and returns what was said on it."""
        async with self.house.database.transaction("scheduler") as transaction:
            for kind, handler in HANDLERS.items():
                ours = [event for event in events if type(event) is kind]
                if ours:
                    await handler(self.house, transaction, ours)
            return list(transaction.said)

    async def come(self, to: datetime | timedelta) -> list[Event]:
        """Lets the time come, brings up what is due then, and returns what was said."""
        self.clock.set(to if isinstance(to, datetime) else self.clock.now() + to)
        said: list[Event] = []
        done = 1
        while done:
            async with self.house.database.transaction("scheduler") as transaction:
                done = await bring_up(self.house, transaction)
                said += transaction.said
        return said

    async def tick(self, run: Callable[[House, Transaction], Awaitable[int]]) -> list[Event]:
        """Lets the room do something by the clock, and returns what was said."""
        async with self.house.database.transaction("scheduler") as transaction:
            await run(self.house, transaction)
            return list(transaction.said)

    async def dues(self, to: datetime | timedelta) -> list[SurveyDue]:
        """The steps that are said by then."""
        return only(await self.come(to), SurveyDue)

    async def surveys(self, ticket: str = "IT-1") -> list[Record]:
        async with self.house.database.reading() as transaction:
            return await store.list_surveys_of_ticket(transaction, "jira", ticket)

    async def survey(self, ticket: str = "IT-1") -> Record:
        """The ticket's one survey."""
        (survey,) = await self.surveys(ticket)
        return survey

    async def moves(self, ticket: str = "IT-1") -> list[tuple[str, str, str]]:
        """What the ticket's surveys went through: (from, to, cause)."""
        async with self.house.database.reading() as transaction:
            rows = await store.list_moves_of_ticket(transaction, "jira", ticket)
        return [(row["from_state"], row["to_state"], row["cause"]) for row in rows]

    async def verdicts(self, ticket: str = "IT-1") -> list[tuple[int, str, str]]:
        """The decisions that count: (closure, outcome, reason)."""
        async with self.house.database.reading() as transaction:
            closures = await store.find_closures(transaction, [("jira", ticket)])
        found = ((each.key.closure, each.verdict) for each in closures.values())
        return [(closure, verdict.outcome, verdict.reason) for closure, verdict in found if verdict is not None]


def only(events: Sequence[Event], kind: type[Kind]) -> list[Kind]:
    """The events of one type."""
    return [event for event in events if isinstance(event, kind)]


def closed(
    closed_at: datetime, contact: Contact | None, ticket: str = "IT-1", closure: int = 1, **facts: Any
) -> TicketClosed:
    return TicketClosed(
        source="jira", ticket=ticket, closure=closure, closed_at=closed_at, facts=TicketFacts(**facts), contact=contact
    )


def reopened(reopened_at: datetime, ticket: str = "IT-1", closure: int = 1) -> TicketReopened:
    return TicketReopened(source="jira", ticket=ticket, closure=closure, reopened_at=reopened_at)


def report(due: SurveyDue, outcome: DeliveryOutcome, at: datetime) -> DeliveryReported:
    """How the notifier tells of a step."""
    return DeliveryReported(
        survey=due.survey, step=due.step, channel=due.channel, provider="test", outcome=outcome, reported_at=at
    )


def answer(
    due: SurveyDue,
    at: datetime,
    values: Mapping[str, float] = OVERALL,
    satisfied: bool = True,
    channel: ResponseChannel = "self",
) -> ResponseGiven:
    """How scoring tells of an answer."""
    return ResponseGiven(
        response=due.survey,
        survey=due.survey,
        version=1,
        channel=channel,
        answered_at=at,
        policy=due.policy,
        policy_version=due.version,
        questionnaire=due.questionnaire,
        name=due.name,
        validity="valid",
        values=dict(values),
        score=None,
        satisfied=satisfied,
        commented=False,
    )
