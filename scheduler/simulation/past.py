"""What is known of the past, as the scheduler would have heard it: tickets, occasions and customers from files.

People appear by numbers in the order in which they come up, so that nothing that is played or exported names anybody.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, tzinfo
from itertools import count
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from scheduler.audience import Customer
from scheduler.policy import TICKET, Closing
from scheduler.simulation.world import Event
from services.contracts.customer_file import ListedCustomer, read_customers
from services.contracts.customers import CustomerContact, CustomerFacts
from services.contracts.sheet import Finding
from services.contracts.ticket_file import Closing as FiledClosing
from services.contracts.ticket_file import TicketFile, read_tickets
from services.contracts.tickets import Channel, Contact, Requester

SOURCE = "csv"
ANY: tuple[Channel, ...] = ("email", "sms", "call")
"""By what somebody is taken to be reachable of whom the files tell only who he is."""


class Past(NamedTuple):
    """Events and the register at the beginning. Of `assumed` people the files tell no address."""

    events: tuple[Event, ...] = ()
    customers: Mapping[str, Customer] = {}
    assumed: int = 0
    derived: bool = False


class Acquaintances:
    """Who is who: the same person by his id, his address or his number, with all that is known of him."""

    def __init__(self) -> None:
        self._known: dict[str, Contact] = {}
        self._numbers = count(1)
        self._assumed: set[UUID] = set()

    def meet(self, person: Requester) -> Contact | None:
        """The person as he may be reached; None where nothing tells who he is."""
        names = [name for name in (_fold("id", person.id), _fold("@", person.email), _fold("+", person.phone)) if name]
        if not names:
            return None
        known = next((self._known[name] for name in names if name in self._known), None)
        contact = self._completed(known, person)
        if known is None and not contact.channels:
            self._assumed.add(contact.person)
            contact = replace(contact, channels=ANY)
        for name in names:
            self._known[name] = contact
        return contact

    @property
    def assumed(self) -> int:
        """Of how many nothing but who they are is known."""
        return len(self._assumed)

    def _completed(self, known: Contact | None, told: Requester) -> Contact:
        mail: tuple[Channel, ...] = ("email",) if told.email else ()
        phone: tuple[Channel, ...] = ("sms", "call") if told.phone else ()
        here = (*mail, *phone)
        if known is None:
            person = UUID(int=next(self._numbers))
            return Contact(
                person=person, channels=here, sealed=b"", locale=told.locale, timezone=told.timezone, staff=told.staff
            )
        return replace(known, channels=tuple(dict.fromkeys((*known.channels, *here))))


def _fold(kind: str, value: str | None) -> str | None:
    return f"{kind}{value.strip().casefold()}" if value else None


class PastError(ValueError):
    """Files that cannot be read; one finding a line: `file:line:column: what. remedy`."""


class File(NamedTuple):
    """A file of the past: its name for findings, and its bytes."""

    name: str
    data: bytes


def read_past(tickets: File | None, customers: File | None, zone: tzinfo) -> Past:
    """The past of files; `zone` is what their times are meant in. Raises `PastError` with every finding."""
    people = Acquaintances()
    register, wrong = _read_register(customers, people) if customers is not None else ({}, [])
    read = read_tickets(tickets.data, zone) if tickets is not None else TicketFile()
    if tickets is not None:
        wrong += [_placed(tickets.name, each) for each in read.findings]
    if wrong:
        raise PastError("\n".join(wrong))
    events = tuple(Event(_closing(each, people), each.reopened_at) for each in read.closings)
    if customers is None:
        return Past(events, derived(events, zone), people.assumed, derived=True)
    return Past(events, register, people.assumed)


def _placed(name: str, finding: Finding) -> str:
    place = f"{name}:{finding.line}" + (f":{finding.column}" if finding.column else "")
    return f"{place}: {finding.what}. {finding.remedy}"


def _read_register(file: File, people: Acquaintances) -> tuple[dict[str, Customer], list[str]]:
    read = read_customers(file.data)
    register = {each.customer: _registered(each, people) for each in read.customers}
    return register, [_placed(file.name, each) for each in read.findings]


def _registered(each: ListedCustomer, people: Acquaintances) -> Customer:
    contacts = []
    for person in each.people:
        contact = people.meet(person.requester)
        if contact is not None:
            contacts.append(
                CustomerContact(contact=contact, roles=person.roles, projects=person.projects, consent=person.consent)
            )
    return Customer(each.customer, each.facts, tuple(contacts))


def _closing(each: FiledClosing, people: Acquaintances) -> Closing:
    ticket = each.ticket if each.on == TICKET else f"{each.on}/{each.ticket}"
    contact = people.meet(each.requester) if each.requester is not None else None
    return Closing(SOURCE, ticket, each.closure, each.closed_at, each.facts, contact, each.on)


def recalled(events: Iterable[Event], customers: Iterable[Customer]) -> Past:
    """The past as the scheduler itself has heard it."""
    return Past(tuple(events), {each.id: each for each in customers})


def derived(events: Iterable[Event], zone: tzinfo) -> dict[str, Customer]:
    """The customers whom tickets name, where there is no register: active from their first to their last ticket."""
    days: defaultdict[str, list[date]] = defaultdict(list)
    people: defaultdict[str, dict[UUID, Contact]] = defaultdict(dict)
    for closing, _ in events:
        name = closing.facts.customer
        if name is not None:
            days[name].append(closing.closed_at.astimezone(zone).date())
            if closing.contact is not None:
                people[name][closing.contact.person] = closing.contact
    return {name: _customer(name, every, people[name].values()) for name, every in sorted(days.items())}


def _customer(name: str, days: list[date], people: Iterable[Contact]) -> Customer:
    contacts = tuple(CustomerContact(contact=each, consent=(*each.channels, "visit")) for each in people)
    return Customer(name, CustomerFacts(active_since=min(days), last_active=max(days)), contacts)
