"""Nobody passes the door in clear: people are sealed, and their ids are blinded where they tell more than an id."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from msgspec.structs import replace

from ingest.cloudevent import Reported
from ingest.contact import complete, is_complete, needs_veil, usable, without_sms
from ingest.store import Registered
from services.contracts.customers import OccasionReported
from services.contracts.tickets import Contact, Requester, TicketFacts, TicketReported
from services.database import Transaction
from services.house import House
from services.seal import Personal

Report = TypeVar("Report", TicketReported, OccasionReported, Reported)


class Served(Protocol):
    """A closure or occasion, as far as it tells who was served."""

    @property
    def facts(self) -> TicketFacts: ...
    @property
    def contact(self) -> Contact | None: ...
    @property
    def requester_id(self) -> str | None: ...
    @property
    def staff(self) -> bool: ...


async def seal(house: House, transaction: Transaction, reports: Sequence[Report]) -> list[Report]:
    """The reports with nobody in clear: whoever can be reached, or was meant to be, is sealed."""
    people = [
        _personal(house, report.source, report.requester, report.requester_id)
        if report.requester and not report.contact and _is_to_be_asked(report)
        else None
        for report in reports
    ]
    known = [person for person in people if person]
    contacts = iter(await house.seal.seal_contacts(transaction, known))
    return [
        _veiled(house, report, without_sms(next(contacts), person.phone) if person else report.contact)
        for report, person in zip(reports, people, strict=True)
    ]


async def seal_person(house: House, transaction: Transaction, source: str, requester: Requester) -> Contact:
    """An entry of the register, sealed. An erased person's is empty."""
    (contact,) = await seal_people(house, transaction, [(source, requester)])
    return contact


async def seal_people(house: House, transaction: Transaction, people: Sequence[tuple[str, Requester]]) -> list[Contact]:
    """Entries of the register, sealed; `people` are sources and persons."""
    told = [_entry(house, source, requester) for source, requester in people]
    contacts = await house.seal.seal_contacts(transaction, told)
    return [without_sms(contact, each.phone) for contact, each in zip(contacts, told, strict=True)]


def blind(house: House, source: str, id: str) -> str:
    """A person's id as it may be stored and said: an address or number in its place is replaced by its keyed hash."""
    return str(house.seal.person_of(None, None, source, id)) if needs_veil(id) else id


def wants_register(served: Served) -> bool:
    """Whether the register might add to what is told of the person."""
    return served.requester_id is not None and not (is_complete(served.contact) and served.facts.customer)


def join_register(served: Served, entry: Registered | None) -> tuple[TicketFacts, Contact | None]:
    """The facts and the person, with what the register's entry adds."""
    facts = served.facts
    if entry and entry.customer and not facts.customer:
        facts = replace(facts, customer=entry.customer)
    return facts, complete(served.contact, entry.contact if entry else None, served.staff)


def _is_to_be_asked(report: Reported) -> bool:
    return isinstance(report, OccasionReported) or report.state == "closed"


def _personal(house: House, source: str, requester: Requester, requester_id: str | None) -> Personal | None:
    """Who is to be sealed: nobody where only an id names him. An address that is no use still tells who it is."""
    told = requester.email or requester.phone
    if not told:
        return None
    return _entry(house, source, replace(requester, id=requester.id or requester_id or told))


def _entry(house: House, source: str, requester: Requester) -> Personal:
    person = usable(requester, house.settings.phone_region)
    return Personal(
        person=house.seal.person_of(person.email, person.phone, source, requester.id),
        name=person.name,
        email=person.email,
        phone=person.phone,
        locale=person.locale,
        timezone=person.timezone,
        staff=requester.staff,
    )


def _veiled(house: House, report: Report, contact: Contact | None) -> Report:
    requester, requester_id, facts = report.requester, report.requester_id, report.facts
    if requester is None and requester_id is None:
        return report
    if requester:
        requester_id = requester_id or requester.id
        if requester.customer and not facts.customer:
            facts = replace(facts, customer=requester.customer)
    return replace(
        report,
        facts=facts,
        contact=contact,
        requester=Requester(staff=True) if requester and requester.staff else None,
        requester_id=blind(house, report.source, requester_id) if requester_id else None,
    )
