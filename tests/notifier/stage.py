"""The room on a stage: events go in as the listener hands them over, errands run by rounds, what is said comes out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import httpx
from pydantic import SecretStr

from notifier import store
from notifier.app import open_room
from services.auth import Role, create_key
from services.clock import DrivenClock
from services.contracts.deliveries import DeliveryReported
from services.contracts.envelope import Decoder, Event
from services.contracts.policy import Policy
from services.contracts.surveys import PolicyApproved, SurveyDue, SurveyEnded
from services.contracts.tickets import Channel, Contact
from services.contracts.topics import EVENTS
from services.database import Record, Transaction
from services.house import House
from services.identifiers import uuid7
from services.pulse import Pulse
from services.room import Room
from services.seal import Personal
from services.tick import Errand, Tick
from services.web import application
from tests.notifier.rules import policy
from tests.notifier.servers import Gateway, MailServer

GATEWAY_SECRET = "a secret of the gateway, long enough"
SAID = "select position, value from notifier.outbox where position > $1 order by position"
FINGERPRINT = "select xmin::text, * from notifier.delivery order by id"


@dataclass
class Stage:
    """The room and what it stands on."""

    house: House
    room: Room
    heard_until: int = 0

    @property
    def clock(self) -> DrivenClock:
        return cast("DrivenClock", self.house.clock)

    async def hear(self, *events: Event) -> None:
        """Handles events in one transaction, by type, as the listener does."""

        async def work(transaction: Transaction) -> None:
            for kind, handler in self.room.handlers.items():
                if ours := [event for event in events if type(event) is kind]:
                    await handler(self.house, transaction, ours)

        await self.house.database.run("notifier", work)

    async def said(self) -> list[Event]:
        """What was said since it was asked last."""
        decoder = Decoder(EVENTS)
        async with self.house.database.reading() as transaction:
            rows = await transaction.fetch(SAID, self.heard_until)
        self.heard_until = rows[-1]["position"] if rows else self.heard_until
        return [decoder.decode(row["value"])[1] for row in rows]

    async def reported(self) -> list[tuple[str, str | None]]:
        """Outcomes and details of deliveries that were said since it was asked last."""
        return [(each.outcome, each.detail) for each in await self.said() if isinstance(each, DeliveryReported)]

    def errand(self, name: str) -> Errand[Any, Any]:
        """An errand by its name."""
        return next(each for each in self.room.ticks if isinstance(each, Errand) and each.name == name)

    async def claim(self, name: str, most: int = 1000) -> Sequence[Any]:
        """One claim."""
        errand = self.errand(name)
        return await self.house.database.run("notifier", lambda tx: errand.claim(self.house, tx, most))

    async def settle(self, name: str, done: Sequence[tuple[Any, Any]]) -> None:
        """One settlement."""
        errand = self.errand(name)
        await self.house.database.run("notifier", lambda tx: errand.settle(self.house, tx, done))

    async def send(self, name: str = "send_email") -> int:
        """Runs an errand until nothing is due, and returns how much it did."""
        errand, sent = self.errand(name), 0
        while claims := await self.claim(name):
            outcomes = await asyncio.gather(*(errand.perform(claim) for claim in claims))
            await self.settle(name, list(zip(claims, outcomes, strict=True)))
            sent += len(claims)
        return sent

    async def tick(self, name: str) -> int:
        """One round of a tick."""
        tick = next(each for each in self.room.ticks if isinstance(each, Tick) and each.name == name)
        return await self.house.database.run("notifier", lambda tx: tick.run(self.house, tx))

    async def deliveries(self, **filters: Any) -> list[Record]:
        """The delivery log, oldest first."""
        wanted = {"survey": None, "person": None, "state": None, "channel": None, "before": None, **filters}
        async with self.house.database.reading() as transaction:
            return list(reversed(await store.list_deliveries(transaction, most=5000, **wanted)))

    async def delivery(self) -> Record:
        """The only delivery."""
        [row] = await self.deliveries()
        return row

    async def calls(self) -> list[Record]:
        """The call list."""
        async with self.house.database.reading() as transaction:
            return await store.list_calls(transaction, after=None, most=1000)

    async def attempts(self, delivery: UUID) -> list[Record]:
        """Its attempts."""
        async with self.house.database.reading() as transaction:
            return await store.list_attempts(transaction, delivery)

    async def fingerprint(self) -> list[Record]:
        """Every delivery with its row version: equal ones prove that nothing was written."""
        async with self.house.database.reading() as transaction:
            return await transaction.fetch(FINGERPRINT)

    async def contact(self, email: str | None = None, phone: str | None = None, **more: Any) -> Contact:
        """A sealed contact."""
        person = self.house.seal.person_of(email, phone, "test", None)
        personal = Personal(person=person, email=email, phone=phone, **{"name": "李雷", "locale": "zh-CN", **more})

        async def seal(transaction: Transaction) -> Contact:
            [contact] = await self.house.seal.seal_contacts(transaction, [personal])
            return contact

        return await self.house.database.run("notifier", seal)

    async def due(
        self, channel: Channel = "email", contact: Contact | None = None, survey: UUID | None = None, **more: Any
    ) -> SurveyDue:
        """A step of a survey, not yet heard."""
        now = self.clock.now()
        fields = {
            "step": 0,
            "kind": channel if channel in ("call", "visit") else "first",
            "name": "incident",
            "policy": "desk",
            "version": 1,
            "questionnaire": "incident",
            "due_at": now,
            "promised_by": now + timedelta(days=2),
            "expires_at": now + timedelta(days=7),
            "ticket": "INC001",
            "source": "generic",
            **more,
        }
        contact = contact or await self.contact("li@example.com", "+8613800138000")
        return SurveyDue(survey=survey or uuid7(), channel=channel, contact=contact, **fields)

    def ended(self, survey: UUID) -> SurveyEnded:
        """The end of a survey."""
        return SurveyEnded(survey=survey, state="answered", cause="response", ended_at=self.clock.now())

    async def key(self, role: Role, name: str | None = None) -> str:
        """A bearer key."""
        return await self.house.database.run("services", lambda tx: create_key(tx, name or role.value, role))

    @asynccontextmanager
    async def client(self, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the room's REST and pages."""
        app = application(self.house, [self.room], Pulse())
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app)
        base = self.house.settings.public_url
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
            yield client


def approved(rules: Policy | None = None, version: int = 1) -> PolicyApproved:
    """The approval of a policy."""
    rules = rules or policy()
    return PolicyApproved(
        policy=rules.policy,
        version=version,
        effective_from=datetime(2026, 1, 1, tzinfo=UTC),
        document=rules.document(),
    )


@asynccontextmanager
async def open_stage(house: House, server: MailServer, sms: Gateway) -> AsyncIterator[Stage]:
    """The room with its policy, between a mail server and a gateway of the generic protocol."""
    settings = house.settings.model_copy(
        update={
            "smtp_url": SecretStr(f"smtp://127.0.0.1:{server.port}?tls=none"),
            "mail_from": "care@example.com",
            "sms_provider": "http",
            "sms_url": sms.url,
            "sms_secret": SecretStr(GATEWAY_SECRET),
            "public_url": "https://hf.example.cn",
        }
    )
    house = replace(house, settings=settings)
    async with open_room(house) as room:
        stage = Stage(house, room)
        await stage.hear(approved())
        yield stage
