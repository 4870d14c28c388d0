"""Three months of made-up tickets: people who report often and seldom, in several zones, and tickets that come back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from scheduler.policy import Closing
from scheduler.sample import draw
from scheduler.simulation.world import Event
from services.contracts.tickets import Channel, TicketFacts
from tests.scheduler.desk import person

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", None)
CHANNELS: tuple[tuple[Channel, ...], ...] = (("sms", "email", "call"), ("email",), ("call",), ("sms", "call"), ())
PEOPLE = 60


def events(number: int, seed: str = "cast") -> list[Event]:
    """So many closings, in the order of their times."""
    return sorted((event for ticket in range(number) for event in _ticket(seed, ticket, number)), key=_closed_at)[
        :number
    ]


def _closed_at(event: Event) -> datetime:
    return event.closing.closed_at


def _ticket(seed: str, ticket: int, number: int) -> Iterator[Event]:
    """One ticket; every sixth is reopened and closed again, some of those once more."""
    at = MONDAY + timedelta(seconds=int(draw(seed, ticket, "at") * number * 20_000), milliseconds=ticket % 900 + 1)
    times = [at]
    while draw(seed, ticket, len(times), "back") < 1 / 6:
        times.append(times[-1] + timedelta(hours=1 + 60 * draw(seed, ticket, len(times), "for")))
    for closure, (closed_at, next_at) in enumerate(pairwise([*times, None]), 1):
        reopened_at = closed_at + (next_at - closed_at) * 0.7 if closed_at and next_at else None
        yield Event(_closing(seed, ticket, closure, closed_at or at), reopened_at)


def _closing(seed: str, ticket: int, closure: int, closed_at: datetime) -> Closing:
    who = int(draw(seed, ticket, "who") ** 2 * PEOPLE)
    contact = person(who + 1, channels=CHANNELS[who % len(CHANNELS)], timezone=ZONES[who % len(ZONES)])
    return Closing("jira", f"IT-{ticket}", closure, closed_at, TicketFacts(category=f"c{ticket % 3}"), contact)
