"""Who is meant: customers and contacts of the register by a policy's filters, as units that can be drawn."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from scheduler.sample import draw
from services.contracts.customers import CustomerContact, CustomerFacts
from services.contracts.language.samples import StratumField
from services.contracts.language.timing import Back
from services.contracts.policy import Ask, ContactFilter, CustomerFilter
from services.contracts.tickets import Channel, Contact

UNKNOWN = "-"
"""The stratum of units whose field is not known."""

Segments = Mapping[str, CustomerFilter]
Stratum = tuple[str, ...]


class Customer(NamedTuple):
    """A customer of the register, with what the scheduler knows beside it: his last complaint, and his own grading."""

    id: str
    facts: CustomerFacts
    contacts: tuple[CustomerContact, ...] = ()
    complained: date | None = None
    grade: str | None = None


class Unit(NamedTuple):
    """What is drawn and asked as one: a customer, or one of its projects, with the people who would be asked.

    `key` is the customer, or customer and project with a zero byte between them.
    """

    key: str
    customer: str
    project: str | None
    organisation: str
    stratum: Stratum
    people: tuple[UUID, ...]


def key_of(customer: str, project: str | None) -> str:
    """The key of the unit that is a customer, or one of its projects."""
    return customer if project is None else f"{customer}\0{project}"


class Frame(NamedTuple):
    """All who are meant: units that can be asked, and those of whom nobody can be reached."""

    units: tuple[Unit, ...]
    unreachable: tuple[Unit, ...]


def since(back: Back, today: date) -> date:
    """The day from which something counts: this year's first, or so long before today."""
    if back.span is None:
        return today.replace(month=1, day=1)
    if back.span.plain is not None:
        return today - back.span.plain
    months = back.span.amount * (12 if back.span.unit == "years" else 1)
    count = today.year * 12 + today.month - 1 - months
    first = date(count // 12, count % 12 + 1, 1)
    last = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    return first.replace(day=min(today.day, last))


def means(wanted: CustomerFilter, customer: Customer, today: date, segments: Segments) -> bool:
    """Whether a filter means a customer on that day. In the definition of a segment, `segment` asks the register."""
    named = all(_one_of(values, _field(name, customer, today, segments)) for name, values in _named(wanted))
    return (
        named
        and _in_time(wanted, customer, today)
        and not (wanted.not_ is not None and means(wanted.not_, customer, today, segments))
    )


_WORDS = ("kind", "customer", "tier", "size", "trade", "region", "segment", "grade", "project", "served_by")


def _named(wanted: CustomerFilter) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in _WORDS:
        if (values := getattr(wanted, name)) is not None:
            yield name, values


def _field(name: str, customer: Customer, today: date, segments: Segments) -> tuple[str, ...]:
    facts = customer.facts
    match name:
        case "customer":
            return (customer.id,)
        case "grade":
            value = customer.grade or facts.grade
        case "project":
            return tuple(project.id for project in facts.projects)
        case "segment":
            return segments_of(customer, today, segments)
        case _:
            value = getattr(facts, name)
    return () if value is None else (value,)


def _one_of(values: Iterable[str], known: Iterable[str]) -> bool:
    return not {value.casefold() for value in values}.isdisjoint(each.casefold() for each in known)


def _in_time(wanted: CustomerFilter, customer: Customer, today: date) -> bool:
    facts = customer.facts
    recent = (
        (wanted.active_within, facts.last_active),
        (wanted.new_within, facts.active_since),
        (wanted.complained_within, customer.complained),
    )
    if any(back is not None and (day is None or day < since(back, today)) for back, day in recent):
        return False
    long = wanted.customer_for
    return long is None or (facts.active_since is not None and facts.active_since <= since(long, today))


def segments_of(customer: Customer, today: date, segments: Segments) -> tuple[str, ...]:
    """The segments of a customer: those of the policy that mean him, in its order, then those of the register."""
    own = (name for name, wanted in segments.items() if means(wanted, customer, today, {}))
    return tuple(dict.fromkeys((*own, *customer.facts.segments)))


def reachable(contact: CustomerContact, channels: Set[Channel]) -> bool:
    """Whether a person can be asked by one of these channels: he has it and consented to it. A visit needs none."""
    known = {*contact.contact.channels, "visit"}
    return any(channel in channels and channel in known for channel in contact.consent)


def contact_of(contact: CustomerContact) -> Contact:
    """The person as he may be asked: by what he can be reached by and consented to."""
    known = {*contact.contact.channels, "visit"}
    return replace(contact.contact, channels=tuple(channel for channel in contact.consent if channel in known))


def means_person(wanted: ContactFilter, contact: CustomerContact, project: str | None = None) -> bool:
    """Whether a filter means a person, within a project where one is named."""
    locale = (contact.contact.locale or "")[:2]
    named = (
        (wanted.role, contact.roles),
        (wanted.locale, (locale,)),
        (wanted.consent, contact.consent),
    )
    return (
        all(values is None or _one_of(values, known) for values, known in named)
        and (project is None or not contact.projects or project in contact.projects)
        and not (wanted.not_ is not None and means_person(wanted.not_, contact, project))
    )


def frame(
    ask: Ask,
    customers: Iterable[Customer],
    today: date,
    segments: Segments,
    strata: Sequence[StratumField],
    channels: Set[Channel],
) -> Frame:
    """Everybody whom a survey by the calendar means on that day; `channels` are those of its steps."""
    units: list[Unit] = []
    for customer in customers:
        if means(ask.customers, customer, today, segments):
            units += _units(ask, customer, today, segments, strata, channels)
    units.sort()
    return Frame(tuple(unit for unit in units if unit.people), tuple(unit for unit in units if not unit.people))


def _units(
    ask: Ask,
    customer: Customer,
    today: date,
    segments: Segments,
    strata: Sequence[StratumField],
    channels: Set[Channel],
) -> Iterator[Unit]:
    projects = [project.id for project in customer.facts.projects] if ask.per == "project" else [None]
    for project in projects:
        people = sorted(
            contact.contact.person
            for contact in customer.contacts
            if not contact.contact.staff
            and reachable(contact, channels)
            and means_person(ask.contacts or ContactFilter(), contact, project)
        )
        stratum = tuple(_layer(field, customer, project, today, segments) for field in strata)
        yield Unit(
            key_of(customer.id, project),
            customer.id,
            project,
            customer.facts.served_by or UNKNOWN,
            stratum,
            tuple(people),
        )


def _layer(field: StratumField, customer: Customer, project: str | None, today: date, segments: Segments) -> str:
    if field == "project" and project is not None:
        return project
    return next(iter(_field(field, customer, today, segments)), UNKNOWN)


def people_asked(unit: Unit, most: int | None, seed: str) -> tuple[UUID, ...]:
    """Whom of a unit's people is asked: all, or the `most` with the lowest draws."""
    if most is None or len(unit.people) <= most:
        return unit.people
    return tuple(sorted(sorted(unit.people, key=lambda person: (draw(seed, unit.key, str(person)), person))[:most]))
