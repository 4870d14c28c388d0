"""The register of customers: what a file of theirs adds to what is known already."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec.structs import replace

from ingest.contact import REMEDIES, read_email, read_phone, refused
from ingest.payload import is_source_name
from services.contracts.customer_cells import FIGURE_PREFIX
from services.contracts.customer_file import CustomerFile, ListedCustomer, ListedPerson
from services.contracts.customers import CustomerFacts, Project
from services.contracts.sheet import Finding
from services.contracts.tickets import Channel, Requester

REGISTER = "register"
"""The source of people whom no ITSM names."""

_FACTS = (
    "kind", "tier", "size", "trade", "region", "grade", "segments", "active_since", "last_active", "served_by", "owner",
)  # fmt: skip
_PROJECT = {"manager": "project_manager", "started": "project_started", "accepted": "project_accepted"}
_PERSON = {"name": "person_name", "email": "email", "phone": "phone", "locale": "locale", "timezone": "timezone"}


class Standing(NamedTuple):
    """What a person is at his customer's, for which projects (none: all), and how he agreed to be asked."""

    customer: str | None = None
    roles: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    consent: tuple[Channel, ...] = ()


@dataclass
class Tally:
    """Of how many a file tells something new."""

    new: int = 0
    changed: int = 0
    same: int = 0

    def count(self, known: bool, differs: bool) -> None:
        """Counts one more."""
        if not known:
            self.new += 1
        elif differs:
            self.changed += 1
        else:
            self.same += 1


@dataclass
class Imported:
    """What a file did to the register, or would do: all of it, or nothing where there are `findings`."""

    file: CustomerFile
    findings: list[Finding]
    notes: list[Finding]
    customers: Tally = field(default_factory=Tally)
    people: Tally = field(default_factory=Tally)

    def summary(self) -> dict[str, Any]:
        """The same in plain values, as REST and the command show it."""
        return {
            "charset": self.file.charset,
            "delimiter": self.file.delimiter,
            "rows": self.file.rows,
            "customers": vars(self.customers),
            "people": vars(self.people),
            "unread_columns": list(self.file.unknown),
            "notes": [each._asdict() for each in self.notes],
            "refused": [each._asdict() for each in self.findings],
        }


def examine(file: CustomerFile, region: str) -> list[Finding]:
    """Everything that is wrong with a file; `region` is the country of telephone numbers without a country code."""
    first: dict[tuple[str | None, str], int] = {}
    found = list(file.findings)
    for customer in file.customers:
        for person in customer.people:
            found += _faults(person, file.given, region)
            line = first.setdefault((person.source, name_of(person, region)), person.line)
            if line != person.line:
                what = f"the same person as on line {line}, in other words"
                found.append(
                    Finding(person.line, None, what, "Write his address or number alike, or give him a number")
                )
    return sorted(found, key=lambda finding: finding.line)


def name_of(person: ListedPerson, region: str) -> str:
    """By what the register knows a person: his id, else his address in the one form that it has."""
    who = person.requester
    if who.id:
        return who.id
    email = read_email(who.email) if who.email else None
    phone = read_phone(who.phone, region) if who.phone else None
    return (email.lower() if email else None) or phone or person.id


def facts_after(listed: ListedCustomer, known: CustomerFacts | None, given: Mapping[str, str]) -> CustomerFacts:
    """The facts of a customer as a file leaves them: what has a column is told, all else stays.

    Projects of which the file does not speak stay, too.
    """
    if known is None:
        return listed.facts
    told = {name: getattr(listed.facts, name) for name in _FACTS if name in given}
    figures = {name: value for name, value in known.figures.items() if f"{FIGURE_PREFIX}{name}" not in given}
    projects = {each.id: each for each in known.projects}
    for project in listed.facts.projects:
        projects[project.id] = _project_after(project, projects.get(project.id), given)
    return replace(known, figures=figures | listed.facts.figures, projects=tuple(projects.values()), **told)


def name_after(listed: ListedCustomer, known: str | None, facts: CustomerFacts, given: Mapping[str, str]) -> str | None:
    """The name of a customer as a file leaves it; a consumer's is not kept here."""
    name = listed.name if "customer_name" in given else known
    return name if facts.kind == "organisation" else None


def person_after(person: ListedPerson, known: Requester | None, given: Mapping[str, str]) -> Requester:
    """A person as a file leaves him, in clear."""
    if known is None:
        return person.requester
    told = {name: getattr(person.requester, name) for name, column in _PERSON.items() if column in given}
    return replace(known, **told)


def standing_after(customer: str, person: ListedPerson, known: Standing | None, given: Mapping[str, str]) -> Standing:
    """What a person is at his customer's as a file leaves it. With another customer he begins anew."""
    before = known if known and known.customer == customer else Standing()
    return Standing(
        customer,
        person.roles if "roles" in given else before.roles,
        person.projects if "project" in given else before.projects,
        person.consent if "consent" in given else before.consent,
    )


def _project_after(told: Project, known: Project | None, given: Mapping[str, str]) -> Project:
    if known is None:
        return told
    return replace(known, **{name: getattr(told, name) for name, column in _PROJECT.items() if column in given})


def _faults(person: ListedPerson, given: Mapping[str, str], region: str) -> Iterator[Finding]:
    if person.source and not is_source_name(person.source):
        remedy = "Name the system as `huifang source list` does, or leave it empty"
        yield Finding(person.line, given["source"], "no name of a source", remedy)
    for name in refused(person.requester, region):
        column = given.get(_PERSON[name]) or given.get("customer_name")
        yield Finding(person.line, column, "it cannot be used", REMEDIES[name])
