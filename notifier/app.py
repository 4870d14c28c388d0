"""The notifier, wired: its errands to strangers, and the room.

A claim records the attempt before any socket opens. Whoever dies in between leaves `sending`, and when the lease has
run out that becomes `uncertain`: the message may have left. A worker that wakes up too late finds another fence and
changes nothing.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal
from uuid import UUID

import structlog

from notifier import api, pages, store
from notifier.assignment import Assignment, Candidate, Shape, assign, judge
from notifier.channels import Channels, SmsChannel, open_channels
from notifier.delivery import ASK_AFTER, ASK_AGAIN, Outcome, Receipt, Settlement, settle
from notifier.handlers import HANDLERS, TICKS, apply_receipts, count, report, told
from notifier.message import Mail, PreparedMail, PreparedText, Text, message_id, usable_address, usable_phone
from notifier.store import Settled
from notifier.wording import compose_letter, compose_texts
from services.contracts.policy import Policy, read_policy
from services.contracts.tickets import Contact
from services.database import Record, Transaction
from services.house import House
from services.room import Room
from services.seal import Personal
from services.tick import Errand

log = structlog.get_logger(__name__)

SEND_EVERY_SECONDS = 0.5
ASK_EVERY_SECONDS = 5.0
LEASE_SECONDS = 25.0
SEND_SECONDS = 20.0
"""Shorter than the lease by what settling may take: a send that is still under way then gives up."""

ROUNDS = 20
REMEMBER_MOST = 500
WIDTH_WITHOUT_PROVIDER = 100


class Sending:
    """Sends the due deliveries of one channel."""

    def __init__(self, channels: Channels, channel: Literal["email", "sms"]) -> None:
        self._channels = channels
        self._channel = channel
        self._provider = channels.mail if channel == "email" else channels.sms
        self._policies: dict[tuple[str, int], Policy] = {}
        self._prepared: dict[Shape, PreparedMail | PreparedText] = {}

    def errand(self) -> Errand[Assignment, Outcome]:
        """The errand for the frame: so many at once that no connection to the provider waits for the database."""
        return Errand(
            name=f"send_{self._channel}",
            every=SEND_EVERY_SECONDS,
            claim=self.claim,
            perform=self.perform,
            settle=self.settle,
            width=self._provider.connections * 4 if self._provider else WIDTH_WITHOUT_PROVIDER,
        )

    async def claim(self, house: House, transaction: Transaction, most: int) -> Sequence[Assignment]:
        """Takes due deliveries; those that must not be sent are ended or put off on the way."""
        for _ in range(ROUNDS):
            rows = await store.claim_deliveries(transaction, self._channel, most, LEASE_SECONDS)
            assignments = await self._assign(house, transaction, rows) if rows else []
            if assignments or len(rows) < most:
                return assignments
        return []

    async def perform(self, assignment: Assignment) -> Outcome:
        """Hands one message over."""
        try:
            message = assignment.message()
        except ValueError as error:
            # The error may quote the person, so only its kind is logged.
            log.error("message_not_written", delivery=str(assignment.delivery), error=type(error).__name__)
            return Outcome("permanent", "cannot be written")
        try:
            if isinstance(message, Mail) and self._channels.mail:
                return await self._channels.mail.send(message, assignment.deadline)
            if isinstance(message, Text) and self._channels.sms:
                return await self._channels.sms.send(message, assignment.deadline)
        except Exception as error:
            log.error("send_broke", delivery=str(assignment.delivery), error=type(error).__name__)
            return Outcome("uncertain", f"broke: {type(error).__name__}")
        return Outcome("unstarted", "no provider")

    async def settle(self, house: House, transaction: Transaction, done: Sequence[tuple[Assignment, Outcome]]) -> None:
        """Records outcomes, and says those that end or change what was known."""
        settled = [self._settled(assignment, outcome, transaction) for assignment, outcome in done]
        dead = [(assignment.address_hash, outcome.detail) for assignment, outcome in done if outcome.address_dead]
        if dead:
            await store.insert_dead_addresses(transaction, dead)
        moved = [row for row in await store.settle_attempts(transaction, settled) if row["moved"]]
        count(transaction, moved)
        report(transaction, moved)
        references = [each.outcome.reference for each in settled if each.outcome.reference]
        if references and self._channel == "sms" and self._provider:
            provider = self._provider.provider
            early = await store.find_receipts(transaction, [(provider, reference) for reference in references])
            await apply_receipts(transaction, provider, told(early))

    def _settled(self, assignment: Assignment, outcome: Outcome, transaction: Transaction) -> Settled:
        settlement = settle(
            outcome,
            attempts=assignment.attempt,
            now=transaction.now,
            until=assignment.expires_at,
            jitter=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        asks = self._channel == "sms" and settlement.state == "uncertain"
        ask_at = transaction.now + ASK_AFTER if asks else None
        return Settled(assignment.delivery, assignment.fence, outcome, settlement, ask_at)

    async def _assign(self, house: House, transaction: Transaction, rows: Sequence[Record]) -> list[Assignment]:
        candidates = await self._candidates(house, transaction, rows)
        hashes = [each.address_hash for each in candidates if each.address_hash]
        dead = await store.find_dead_addresses(transaction, hashes)
        released: list[tuple[UUID, Settlement]] = []
        assignments: list[Assignment] = []
        deadline = asyncio.get_running_loop().time() + SEND_SECONDS
        public_url = house.settings.public_url.rstrip("/")
        for each in candidates:
            verdict = judge(
                each, now=transaction.now, dead=each.address_hash in dead, provider=self._provider is not None
            )
            if verdict:
                released.append((each.delivery, verdict))
                continue
            page, opt_out = (house.seal.link_token(purpose, each.survey) for purpose in ("survey", "opt-out"))
            links = f"{public_url}/s/{page}", f"{public_url}/u/{opt_out}"
            prepared = self._prepare(each)
            assignments.append(assign(each, prepared, links=links, at=transaction.now, deadline=deadline))
        await self._record(transaction, assignments, released)
        return assignments

    async def _record(
        self,
        transaction: Transaction,
        assignments: Sequence[Assignment],
        released: Sequence[tuple[UUID, Settlement]],
    ) -> None:
        if released:
            rows = await store.release_deliveries(transaction, released)
            count(transaction, rows)
            report(transaction, rows)
        if assignments and self._provider:
            provider, by_mail = self._provider.provider, self._channel == "email"
            begun = [
                (
                    each.delivery,
                    provider,
                    message_id(each.survey, each.step, self._channels.sender) if by_mail else None,
                )
                for each in assignments
            ]
            await store.begin_attempts(transaction, begun)

    async def _candidates(self, house: House, transaction: Transaction, rows: Sequence[Record]) -> list[Candidate]:
        contacts = [Contact(person=row["person"], channels=(), sealed=row["sealed"]) for row in rows]
        people = await house.seal.open_contacts(transaction, contacts)
        await self._learn_policies(transaction, rows)
        return [self._candidate(house, row, person) for row, person in zip(rows, people, strict=True)]

    def _candidate(self, house: House, row: Record, person: Personal | None) -> Candidate:
        email = usable_address(person.email) if person and self._channel == "email" else None
        phone = usable_phone(person.phone) if person and self._channel == "sms" else None
        address = email or phone
        return Candidate(
            delivery=row["id"],
            fence=row["fence"],
            survey=row["survey"],
            step=row["step"],
            attempt=row["attempts"] + 1,
            kind=row["kind"],
            about=row["name"],
            questionnaire=row["questionnaire"],
            items=row["items"],
            ticket=row["ticket"],
            expires_at=row["expires_at"],
            ended=row["ended"],
            opted_out=row["opted_out"],
            erased=person is None,
            name=(person.name or "") if person else "",
            address=address,
            address_hash=house.seal.person_of(email, phone, "", None) if address else None,
            locale=row["locale"],
            timezone=row["timezone"],
            version=row["version"],
            policy=self._policies.get((row["policy"], row["version"])),
        )

    async def _learn_policies(self, transaction: Transaction, rows: Sequence[Record]) -> None:
        keys = {(row["policy"], row["version"]) for row in rows}
        unknown = keys - self._policies.keys()
        if unknown:
            if len(self._policies) + len(unknown) > REMEMBER_MOST:
                self._policies.clear()
                unknown = keys
            documents = await store.find_policies(transaction, list(unknown))
            for key, document in documents.items():
                try:
                    self._policies[key] = read_policy(document)
                except ValueError:
                    log.error("policy_unreadable", policy=key[0], version=key[1])

    def _prepare(self, candidate: Candidate) -> PreparedMail | PreparedText:
        policy = candidate.policy
        if policy is None:
            raise ValueError("a candidate without policy")
        shape = candidate.shape(policy)
        if shape not in self._prepared:
            if len(self._prepared) >= REMEMBER_MOST:
                self._prepared.clear()
            kind, locale, matter = shape.kind, shape.locale, shape.matter
            if self._channel == "email":
                letter = compose_letter(policy, shape.questionnaire, kind, locale, matter=matter, whole=shape.whole)
                self._prepared[shape] = pages.prepare_mail(letter, self._channels.sender)
            else:
                self._prepared[shape] = PreparedText(compose_texts(policy, kind, locale, matter=matter))
        return self._prepared[shape]


class Asking:
    """Asks an SMS provider what became of a send whose end was ambiguous."""

    def __init__(self, sms: SmsChannel) -> None:
        self._sms = sms

    def errand(self) -> Errand[UUID, Receipt | None]:
        """The errand for the frame."""
        return Errand(
            name="ask_sms",
            every=ASK_EVERY_SECONDS,
            claim=self.claim,
            perform=self.perform,
            settle=self.settle,
            width=self._sms.connections,
        )

    async def claim(self, house: House, transaction: Transaction, most: int) -> Sequence[UUID]:
        """Takes uncertain deliveries whose time to be asked about has come."""
        rows = await store.claim_questions(transaction, self._sms.provider, most, transaction.now + ASK_AGAIN)
        return [row["id"] for row in rows]

    async def perform(self, delivery: UUID) -> Receipt | None:
        """Asks about one."""
        return await self._sms.ask(str(delivery))

    async def settle(self, house: House, transaction: Transaction, done: Sequence[tuple[UUID, Receipt | None]]) -> None:
        """Records what the provider told; what he never had is planned again."""
        await apply_receipts(transaction, self._sms.provider, [receipt for _, receipt in done if receipt])


@asynccontextmanager
async def open_room(house: House) -> AsyncIterator[Room]:
    """The room, for as long as its connections to mail server and SMS provider are open."""
    async with open_channels(house.settings) as channels:
        errands = [Sending(channels, "email").errand(), Sending(channels, "sms").errand()]
        asking = [Asking(channels.sms).errand()] if channels.sms else []
        yield Room(
            name="notifier",
            handlers=HANDLERS,
            ticks=(*TICKS, *errands, *asking),
            routers=(*api.routers(channels), pages.router),
        )
