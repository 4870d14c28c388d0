"""What rooms say about customers and about occasions, other than closed tickets, to ask them.

An organisation's name is no personal data; a consumer's is, and stands only inside his sealed contact. Staff (owners,
project managers) appear by the ids by which the company's systems name them.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from services.contracts.envelope import Event
from services.contracts.tickets import Channel, Contact, Requester, TicketFacts

CustomerKind = Literal["organisation", "consumer"]


class Project(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A project for a customer; days in the company's own time zone."""

    id: str
    manager: str | None = None
    started: date | None = None
    accepted: date | None = None


class CustomerFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a policy may ask about a customer. No personal data.

    `grade` and `segments` are what the register tells; a policy's own grading and segments come on top. `figures` are
    numbers by name for grading (revenue, years, orders). `served_by` names the organisation that serves the customer,
    where several do.
    """

    kind: CustomerKind = "organisation"
    tier: str | None = None
    size: str | None = None
    trade: str | None = None
    region: str | None = None
    grade: str | None = None
    segments: tuple[str, ...] = ()
    active_since: date | None = None
    last_active: date | None = None
    served_by: str | None = None
    owner: str | None = None
    projects: tuple[Project, ...] = ()
    figures: dict[str, float] = {}


class CustomerContact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person of a customer, sealed. `projects` narrows the roles to these projects; empty means all of them.

    `consent` are the channels by which the person agreed to be asked; none means not at all.
    """

    contact: Contact
    roles: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    consent: tuple[Channel, ...] = ()


class CustomerChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A customer of the register, whole: it replaces what was said of him before, unless that is newer.

    `name` is None for a consumer. `ended` tells that he is no customer any more; facts and contacts are empty then.
    """

    TYPE = "huifang.customer.changed.v1"

    customer: str
    changed_at: datetime
    facts: CustomerFacts = CustomerFacts()
    contacts: tuple[CustomerContact, ...] = ()
    name: str | None = None
    ended: bool = False

    @property
    def subject(self) -> str:
        return self.customer


class CustomerNoted(Event, frozen=True, kw_only=True):
    """The scheduler knows a customer as he was at `changed_at`: the echo by which ingest knows that it was heard."""

    TYPE = "huifang.customer.noted.v1"

    customer: str
    changed_at: datetime

    @property
    def subject(self) -> str:
        return self.customer


LONGEST_KIND = 100
"""Of an occasion, in characters."""

OWN_KINDS = frozenset({"ticket closed", "calendar", "again"})
"""Reasons to ask that are told otherwise, or that the service makes itself: no occasion is called so."""


def read_kind(text: str) -> str | None:
    """The kind of an occasion as it is kept and compared: lower case, single spaces; None for what is no kind."""
    kind = " ".join(text.split()).lower()
    return kind if 0 < len(kind) <= LONGEST_KIND and kind.isprintable() else None


class OccasionReported(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A company's system told of something that is a reason to ask: its natural key is (source, kind, id).

    `kind` is one of the policy's words (`project accepted`, `goods delivered`, `repair done`, `complaint handled`, …)
    or any other, for `on: occasion`. Either `requester` (from outside, in clear) or `contact` (from our own door,
    sealed) names the person served, if there is one; `requester_id` stays for the register.
    """

    TYPE = "huifang.occasion.reported.v1"

    source: str
    kind: str
    id: str
    at: datetime
    facts: TicketFacts = TicketFacts()
    requester: Requester | None = None
    requester_id: str | None = None
    contact: Contact | None = None

    @property
    def subject(self) -> str:
        return f"{self.source}/{self.kind}/{self.id}"


class Occasion(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An occasion, whole: said again with a later `contact` or an earlier `at`, it replaces what was said before.

    `facts.type` is the kind again, so that filters and everything behind them work as for tickets. `facts.customer`
    and `facts.project` lead to the register; `contact` is the person served, if known.
    """

    TYPE = "huifang.occasion.happened.v1"

    source: str
    kind: str
    id: str
    at: datetime
    facts: TicketFacts
    contact: Contact | None = None

    @property
    def subject(self) -> str:
        return f"{self.source}/{self.kind}/{self.id}"


class OccasionDecided(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The scheduler's decision on an occasion: the echo by which ingest knows that it was heard."""

    TYPE = "huifang.occasion.decided.v1"

    source: str
    kind: str
    id: str
    outcome: Literal["survey", "skip"]
    reason: str
    decided_at: datetime
    with_contact: bool

    @property
    def subject(self) -> str:
        return f"{self.source}/{self.kind}/{self.id}"
