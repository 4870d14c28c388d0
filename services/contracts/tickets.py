"""What rooms say about tickets."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from services.contracts.envelope import Event

Channel = Literal["email", "sms", "call", "visit"]


class TicketFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a policy may ask about a ticket, frozen at its closing. No personal data of the customer."""

    type: str = "incident"
    closed_by: Literal["agent", "customer", "auto", "merged", "spam", "bot"] = "agent"
    category: str | None = None
    priority: str | None = None
    customer: str | None = None
    group: str | None = None
    agent: str | None = None
    project: str | None = None
    region: str | None = None
    tags: tuple[str, ...] = ()


class Requester(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The person who was served, in clear: only on `itsm.tickets` and at the door; sealed from there on.

    `id` is the person as the ITSM names him; the register (`/v1/contacts/{source}/{person}`) completes what is missing.
    """

    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    timezone: str | None = None
    customer: str | None = None
    staff: bool = False


class Contact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The same person with everything personal sealed; `person` is a keyed hash, the same across sources.

    `channels` tells by which he could be reached, in no order. Only the notifier opens `sealed`.
    """

    person: UUID
    channels: tuple[Channel, ...]
    sealed: bytes
    locale: str | None = None
    timezone: str | None = None
    staff: bool = False


class TicketReported(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An ITSM told the state of a ticket: the canonical event of `itsm.tickets`.

    `at` is when the ticket entered that state, by the ITSM's own clock. Either `requester` (from outside, in clear)
    or `contact` (from our own door, sealed) names the person; `requester_id` stays for the register.
    """

    TYPE = "huifang.ticket.reported.v1"

    source: str
    ticket: str
    state: Literal["open", "closed"]
    at: datetime
    facts: TicketFacts = TicketFacts()
    requester: Requester | None = None
    requester_id: str | None = None
    contact: Contact | None = None

    @property
    def subject(self) -> str:
        return f"{self.source}/{self.ticket}"


class TicketPayload(Event, frozen=True, kw_only=True):
    """An ITSM's own JSON on `itsm.tickets`, undecoded: the header `source` names the mapping that understands it."""

    TYPE = "huifang.ticket.payload.v1"

    source: str
    body: bytes

    @property
    def subject(self) -> str:
        return self.source


class TicketClosed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A closure, whole: said again with a later `contact` or an earlier `closed_at`, it replaces what was said before.

    `closure` counts a ticket's closings from 1, in the order of their times. `contact` is None while nobody is known.
    """

    TYPE = "huifang.ticket.closed.v1"

    source: str
    ticket: str
    closure: int
    closed_at: datetime
    facts: TicketFacts
    contact: Contact | None = None

    @property
    def subject(self) -> str:
        return f"{self.source}/{self.ticket}"


class TicketReopened(Event, frozen=True, kw_only=True):
    """The closure did not last."""

    TYPE = "huifang.ticket.reopened.v1"

    source: str
    ticket: str
    closure: int
    reopened_at: datetime

    @property
    def subject(self) -> str:
        return f"{self.source}/{self.ticket}"


class TicketDecided(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The scheduler's decision on a closure: the echo by which ingest knows that `TicketClosed` was heard."""

    TYPE = "huifang.ticket.decided.v1"

    source: str
    ticket: str
    closure: int
    outcome: Literal["survey", "skip"]
    reason: str
    decided_at: datetime
    with_contact: bool

    @property
    def subject(self) -> str:
        return f"{self.source}/{self.ticket}"
