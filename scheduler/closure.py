"""A closure as the scheduler knows it, with the decision on it: the ledger's entry."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec.structs import replace

from scheduler.audience import Customer
from scheduler.policy import TICKET, Closing, Decision, Outcome, Person
from services.contracts.customers import Occasion, OccasionDecided
from services.contracts.tickets import Contact, TicketClosed, TicketDecided

MACHINE = "scheduler"
"""Who decides and moves things where no person did."""
COMPLAINT = "complaint handled"
"""The kind of occasion by which it is known that a customer complained."""


class Key(NamedTuple):
    """The natural key of a closure."""

    source: str
    ticket: str
    closure: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as the ledger keeps it. `turn` counts the decisions on one closure from 1."""

    turn: int
    outcome: Outcome
    reason: str
    rule: str | None
    draw: float | None
    policy: str | None
    version: int | None
    actor: str
    note: str | None
    decided_at: datetime


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a closure; only its reopening where `closing` is None."""

    key: Key
    closing: Closing | None = None
    reopened_at: datetime | None = None
    verdict: Verdict | None = None


class People:
    """Those whom a batch of closings is about: their refusals, when they were and are to be asked, their customers."""

    def __init__(
        self,
        opted_out: Collection[UUID],
        asked: dict[UUID, dict[Key, datetime]],
        customers: Mapping[str, Customer] | None = None,
    ) -> None:
        self._opted_out = opted_out
        self._asked = asked
        self._customers = customers or {}

    def customer(self, closing: Closing) -> Customer | None:
        """The customer of a closing, where the register knows him."""
        return self._customers.get(closing.facts.customer or "")

    def person(self, closing: Closing) -> Person:
        """The person of a closing; what he is asked about it already does not count against it."""
        customer = self.customer(closing)
        if closing.contact is None:
            return Person(customer=customer)
        person, key = closing.contact.person, Key(*closing[:3])
        asked = self._asked.get(person)
        times = tuple(at for about, at in asked.items() if about != key) if asked else ()
        return Person(person in self._opted_out, times, customer)

    def ask(self, contact: Contact, key: Key, at: datetime | None) -> None:
        """Notes when the person is to be asked about a closure; None: not at all."""
        asked = self._asked.setdefault(contact.person, {})
        asked.pop(key, None)
        if at is not None:
            asked[key] = at


def closing_of(event: TicketClosed) -> Closing:
    """The closing that an event tells of."""
    return Closing(event.source, event.ticket, event.closure, event.closed_at, event.facts, event.contact)


def occasion_of(event: Occasion) -> Closing:
    """The closing as which an occasion is kept."""
    facts = replace(event.facts, type=event.kind)
    return Closing(event.source, f"{event.kind}/{event.id}", 1, event.at, facts, event.contact, event.kind)


def merge(known: Closing | None, heard: Closing) -> Closing:
    """A closing as it is after it was told again: the earliest time, the last contact, the last facts."""
    if known is None:
        return heard
    closed_at = min(known.closed_at, heard.closed_at)
    return heard._replace(closed_at=closed_at, contact=heard.contact or known.contact)


def gather(told: Iterable[Closing]) -> dict[Key, Closing]:
    """The closings that a batch tells of, each once."""
    closings: dict[Key, Closing] = {}
    for closing in told:
        key = Key(*closing[:3])
        closings[key] = merge(closings.get(key), closing)
    return closings


def successions(closings: Iterable[Closing]) -> dict[Key, datetime]:
    """Closures of tickets that a later one shows to be reopened, with the latest time when that can have been.

    Told so early, a closure that did not last is never surveyed, whether its reopening is heard of or not.
    """
    reopened: dict[Key, datetime] = {}
    before: Closing | None = None
    for closing in sorted((each for each in closings if each.on == TICKET), key=lambda each: each[:3]):
        if before is not None and (before.source, before.ticket) == (closing.source, closing.ticket):
            reopened[Key(*before[:3])] = closing.closed_at
        before = closing
    return reopened


def verdict_of(decision: Decision, turn: int, now: datetime, actor: str = MACHINE, note: str | None = None) -> Verdict:
    """The ledger's entry of a decision."""
    rule = decision.rule
    return Verdict(
        turn=turn,
        outcome=decision.outcome,
        reason=decision.reason,
        rule=rule.title if rule else None,
        draw=decision.draw,
        policy=rule.policy if rule else None,
        version=rule.version if rule else None,
        actor=actor,
        note=note,
        decided_at=now,
    )


def decided(closure: Closure) -> TicketDecided | OccasionDecided:
    """The echo of a ticket or an occasion: how it was decided. Raises `ValueError` for one that is not."""
    verdict, closing = closure.verdict, closure.closing
    if verdict is None or closing is None:
        raise ValueError(f"{closure.key} is not decided")
    if closing.on == TICKET:
        return TicketDecided(
            source=closing.source,
            ticket=closing.ticket,
            closure=closing.closure,
            outcome=verdict.outcome,
            reason=verdict.reason,
            decided_at=verdict.decided_at,
            with_contact=closing.contact is not None,
        )
    return OccasionDecided(
        source=closing.source,
        kind=closing.on,
        id=closing.ticket.removeprefix(f"{closing.on}/"),
        outcome=verdict.outcome,
        reason=verdict.reason,
        decided_at=verdict.decided_at,
        with_contact=closing.contact is not None,
    )


def skipped_by_hand(verdict: Verdict, now: datetime, actor: str, note: str) -> Verdict:
    """The decision that somebody took over a machine's."""
    return replace(
        verdict,
        turn=verdict.turn + 1,
        outcome="skip",
        reason="by_hand",
        actor=actor,
        note=note,
        decided_at=now,
    )
