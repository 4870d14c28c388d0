"""A stage for tests: the room with its web side, surveys that come due, and customers who answer them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from itertools import count
from uuid import UUID

import httpx
import msgspec
from fastapi import FastAPI
from prometheus_client import REGISTRY
from starlette.types import Message

from scoring.handlers import HANDLERS
from services.clock import DrivenClock
from services.contracts.envelope import Event
from services.contracts.policy import Policy
from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.surveys import PolicyApproved, Respondent, StepKind, SurveyDue, SurveyEnd, SurveyEnded
from services.contracts.tickets import Contact, TicketFacts
from services.database import Record
from services.house import House

TABLES = ("policy", "page", "survey_end", "response", "response_version", "outbox")
GOOD: dict[str, str | list[str]] = {"overall": "5", "speed": "X", "solved": "yes"}
WEEK = timedelta(days=7)
_decode_given = msgspec.json.Decoder(ResponseGiven).decode
_decode_corrected = msgspec.json.Decoder(ResponseCorrected).decode
_NONCE = re.compile(r'name="_nonce" value="([^"]*)"')


def approved(policy: Policy, version: int = 1, at: datetime | None = None) -> PolicyApproved:
    return PolicyApproved(
        policy=policy.policy,
        version=version,
        effective_from=at or datetime.fromisoformat("2026-01-01T00:00:00Z"),
        document=policy.document(),
    )


def sample(name: str, **labels: str) -> float:
    """What a metric stands at."""
    return REGISTRY.get_sample_value(name, labels) or 0


def nonce_in(page: httpx.Response) -> str:
    found = _NONCE.search(page.text)
    assert found, page.text
    return unescape(found[1])


def checked_in(page: httpx.Response) -> dict[str, list[str]]:
    """What is preselected on a page, by item."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"(?: id="[^"]*")? checked>', page.text):
        found.setdefault(name, []).append(value)
    return found


@dataclass
class Stage:
    """Everything that a test of the room needs."""

    house: House
    clock: DrivenClock
    app: FastAPI
    client: httpx.AsyncClient
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def hear(self, *events: Event) -> None:
        """Hears events in one batch, each kind by its handler."""
        async with self.house.database.transaction("scoring") as transaction:
            for kind, handler in HANDLERS.items():
                ours = [event for event in events if type(event) is kind]
                if ours:
                    await handler(self.house, transaction, ours)
            assert not transaction.aside

    def due(
        self,
        *,
        survey: UUID | None = None,
        step: int = 0,
        kind: StepKind = "first",
        policy: str = "test",
        version: int = 1,
        questionnaire: str = "incident",
        name: str = "incident",
        locale: str | None = "en",
        ticket: str | None = "OPS-1",
        open_for: timedelta = WEEK,
        items: tuple[str, ...] = (),
        again: int = 0,
        respondent: Respondent = Respondent(),  # noqa: B008 - frozen
        **facts: object,
    ) -> SurveyDue:
        """A step of a survey that comes due now."""
        survey = survey or UUID(int=next(self.numbers))
        now = self.clock.now()
        return SurveyDue(
            survey=survey,
            step=step,
            kind=kind,
            channel="email",
            name=name,
            policy=policy,
            version=version,
            questionnaire=questionnaire,
            due_at=now,
            promised_by=now + timedelta(days=2),
            expires_at=now + open_for,
            contact=Contact(person=UUID(int=survey.int + 1000), channels=("email",), sealed=b"", locale=locale),
            source="jira" if ticket else None,
            ticket=ticket,
            closure=1 if ticket else None,
            facts=msgspec.convert(facts, TicketFacts),
            items=items,
            again=again,
            respondent=respondent,
        )

    async def open(self, **more: object) -> UUID:
        """A survey whose page is open."""
        due = self.due(**more)  # type: ignore[arg-type]
        await self.hear(due)
        return due.survey

    async def end(self, survey: UUID, state: SurveyEnd) -> None:
        """The scheduler tells how a survey ended."""
        await self.hear(SurveyEnded(survey=survey, state=state, cause="test", ended_at=self.clock.now()))

    def link(self, survey: UUID) -> str:
        """The path of a survey's link."""
        return f"/s/{self.house.seal.link_token('survey', survey)}"

    async def look(self, survey: UUID, query: str = "", **headers: str) -> httpx.Response:
        """The page as a customer sees it."""
        return await self.client.get(self.link(survey) + query, headers=headers)

    async def send(
        self, survey: UUID, answers: Mapping[str, str | list[str]], nonce: str | None = None, **headers: str
    ) -> httpx.Response:
        """A customer sends the form: his own, freshly fetched, or one with the given nonce."""
        if nonce is None:
            nonce = nonce_in(await self.look(survey))
            self.clock.advance(timedelta(minutes=1))
        return await self.client.post(self.link(survey), data={**answers, "_nonce": nonce}, headers=headers)

    async def post_bare(self, survey: UUID, body: str) -> tuple[int, bytes]:
        """Sends a form past the client, which would be slower than what it calls; status and page come back."""
        waiting = [{"type": "http.request", "body": body.encode(), "more_body": False}]
        messages: list[Message] = []

        async def receive() -> Message:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)

        headers = [(b"host", b"house"), (b"content-type", b"application/x-www-form-urlencoded"), (b"user-agent", b"x")]
        path = self.link(survey)
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
        server = {"http_version": "1.1", "scheme": "http", "server": ("house", 80), "client": ("127.0.0.1", 1)}
        await self.app({**scope, **server, "headers": headers, "root_path": ""}, receive, send)
        return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])

    async def rows(self, table: str) -> list[Record]:
        """All rows of a table of the room, in any order."""
        async with self.house.database.reading() as transaction:
            return await transaction.fetch(f"select *, xmin::text from scoring.{table}")

    async def everything(self) -> list[tuple[object, ...]]:
        """All rows of all tables, with the transactions that last wrote them."""
        return [(table, *row) for table in TABLES for row in await self.rows(table)]

    async def said(self) -> Sequence[ResponseGiven | ResponseCorrected]:
        """What the room has said about answers, in order."""
        async with self.house.database.reading() as transaction:
            rows = await transaction.fetch("select value from scoring.outbox order by position")
        values = [row["value"] for row in rows]
        return [_event(value) for value in values]


def _event(value: bytes) -> ResponseGiven | ResponseCorrected:
    envelope = msgspec.json.decode(value)
    decode = _decode_given if envelope["type"] == ResponseGiven.TYPE else _decode_corrected
    return decode(msgspec.json.encode(envelope["data"]))
