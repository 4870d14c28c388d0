"""A customer register as a table: every row is a customer, a customer with one of his people, or with one project.

What is told of a customer, a person or a project stands on one of his rows or, in the same words, on several.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from services.contracts.customer_cells import (
    CUSTOMER,
    FIGURE,
    FIGURE_NAME,
    FIGURE_PREFIX,
    KNOWN,
    PERSON,
    PROJECT,
    REACHED_BY,
    CellError,
    is_address,
    read_cell,
)
from services.contracts.customers import CustomerFacts, Project
from services.contracts.sheet import Columns, Finding, Row, Sheet, SheetError, open_sheet
from services.contracts.tickets import Channel, Requester

MOST_ROWS = 200_000
"""Of one file, the header aside."""
MOST_NOTES = 1_000


class ListedPerson(NamedTuple):
    """A person of a customer, in clear. `source` is the system that knows him by his id; None for the register itself.

    `projects` narrows the roles to these; empty means everywhere. `consent` are the channels that he agreed to.
    """

    source: str | None
    requester: Requester
    roles: tuple[str, ...]
    projects: tuple[str, ...]
    consent: tuple[Channel, ...]
    line: int

    @property
    def id(self) -> str:
        """Whatever tells him from others."""
        who = self.requester
        return who.id or who.email or who.phone or ""


class ListedCustomer(NamedTuple):
    """A customer with his people, and the line on which he stands first. `name` is None for a consumer."""

    customer: str
    name: str | None
    facts: CustomerFacts
    people: tuple[ListedPerson, ...]
    line: int


class CustomerFile(NamedTuple):
    """What stands in a file, and everything that is wrong with it.

    `notes` are cells that were changed or passed over without harm. `unknown` are the headers of which nothing was
    read, `given` the headers of the others, by column: what has no column is not told, what has an empty cell is told
    as nothing.
    """

    customers: tuple[ListedCustomer, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    given: Mapping[str, str] = MappingProxyType({})
    rows: int = 0
    charset: str = ""
    delimiter: str = ""


def read_customers(data: bytes) -> CustomerFile:
    """The customers in a file. Whatever is wrong is a finding; nothing is raised."""
    try:
        sheet = open_sheet(data)
        columns = _locate(sheet)
    except SheetError as error:
        return CustomerFile(findings=(error.finding,))
    reading = _Reading(columns)
    for row in sheet.rows(columns):
        reading.take(row)
        if reading.rows > MOST_ROWS:
            reading.refuse(row.line, None, f"more than {MOST_ROWS} rows", "Import it in several files")
            break
    customers = tuple(reading.customers())
    findings = tuple(sorted(reading.findings, key=lambda finding: finding.line))
    return CustomerFile(
        customers,
        findings,
        tuple(reading.notes),
        columns.unknown,
        columns.headers,
        reading.rows,
        sheet.charset,
        sheet.delimiter,
    )


def _locate(sheet: Sheet) -> Columns:
    known: dict[str, Iterable[str]] = {**KNOWN}
    for header in sheet.header:
        figure = FIGURE.fullmatch(header)
        if figure:
            if not FIGURE_NAME.fullmatch(figure[1]):
                remedy = "Name it as the policy's grading does, like figure:revenue"
                raise SheetError(Finding(1, header, "no name of a figure: small letters, digits, - and _", remedy))
            name = f"{FIGURE_PREFIX}{figure[1]}"
            known[name] = {*known.get(name, ()), header}
    columns = sheet.locate(known, ("customer",))
    if REACHED_BY & columns.places.keys() and "consent" not in columns.places:
        remedy = "Add it with the channels that each person agreed to: email, sms, call, visit; empty means none"
        raise SheetError(Finding(1, "consent", "there are people, but no such column", remedy))
    return columns


class _Told:
    """What the rows tell of one thing, by column, and the line on which it stands first."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.values: dict[str, Any] = {}

    def add(self, values: Mapping[str, Any]) -> list[str]:
        """The columns in which the row contradicts those above; the rest is added."""
        contradicted = [column for column, value in values.items() if self.values.get(column, value) != value]
        self.values |= {column: value for column, value in values.items() if column not in self.values}
        return contradicted


class _Person(_Told):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.projects: dict[str, None] = {}
        self.is_everywhere = False


_PersonKey = tuple[str | None, str]


class _Customer(_Told):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.projects: dict[str, _Told] = {}
        self.people: dict[_PersonKey, _Person] = {}
        self.rows: dict[tuple[_PersonKey | None, str | None], int] = {}
        self.is_faulty = False
        """A cell was refused: what else seems to be missing may be a consequence."""


class _Reading:
    """Takes row after row, and keeps what they tell and what is wrong with them."""

    def __init__(self, columns: Columns) -> None:
        self.rows = 0
        self.findings: list[Finding] = []
        self.notes: list[Finding] = []
        self._headers = columns.headers
        self._drafts: dict[str, _Customer] = {}
        self._belongs: dict[_PersonKey, tuple[str, int]] = {}

    def refuse(self, line: int, column: str | None, what: str, remedy: str) -> None:
        header = self._headers.get(column, column) if column else None
        self.findings.append(Finding(line, header, what, remedy))

    def take(self, row: Row | Finding) -> None:
        self.rows += 1
        if isinstance(row, Finding):
            self.findings.append(row)
            return
        before = len(self.findings)
        values = self._values(row)
        customer = values.pop("customer", None)
        if customer is None:
            if not row.cells["customer"]:
                self.refuse(row.line, "customer", "empty", "Give the customer's number on every row")
            return
        draft = self._drafts.setdefault(customer, _Customer(row.line))
        draft.is_faulty |= len(self.findings) > before
        self._agree(row.line, draft, {name: value for name, value in values.items() if _is_customers(name)})
        project = self._take_project(row.line, draft, {name: values[name] for name in PROJECT if name in values})
        person = self._take_person(row.line, draft, customer, {name: values[name] for name in PERSON if name in values})
        if person and project:
            draft.people[person].projects[project] = None
        elif person:
            draft.people[person].is_everywhere = True
        first = draft.rows.setdefault((person, project), row.line)
        if first != row.line:
            what = f"the same customer, person and project as on line {first}"
            self.refuse(row.line, "customer", what, "Remove one of the two rows")

    def customers(self) -> Iterator[ListedCustomer]:
        """The customers as all rows together tell them; what does not fit together is refused."""
        for name, draft in self._drafts.items():
            is_consumer = draft.values.get("kind") == "consumer"
            if is_consumer:
                self._move_name(name, draft)
            self._check_days(draft, "active_since", "last_active")
            for project in draft.projects.values():
                self._check_days(project, "project_started", "project_accepted")
            people = tuple(_listed(key, person) for key, person in draft.people.items())
            yield ListedCustomer(name, draft.values.get("customer_name"), _facts(draft), people, draft.line)

    def _values(self, row: Row) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for column, cell in row.cells.items():
            if not cell:
                continue
            try:
                values[column] = value = read_cell(column, cell)
            except CellError as error:
                self.refuse(row.line, column, error.what, error.remedy)
                continue
            if "'" in (value[0] if isinstance(value, str) else "") and value != cell and len(self.notes) < MOST_NOTES:
                note = "it would be a formula in a spreadsheet, and is kept with an apostrophe in front"
                self.notes.append(Finding(row.line, self._headers[column], note, "Correct it if it is a mistake"))
        return values

    def _take_project(self, line: int, draft: _Customer, values: dict[str, Any]) -> str | None:
        project: str | None = values.pop("project", None)
        if project is not None:
            self._agree(line, draft.projects.setdefault(project, _Told(line)), values)
        elif values and not draft.is_faulty:
            self.refuse(line, "project", "empty, though the row tells of a project", "Give the project's number")
        return project

    def _take_person(self, line: int, draft: _Customer, customer: str, values: dict[str, Any]) -> _PersonKey | None:
        name = values.get("person") or values.get("email") or values.get("phone")
        if name is None:
            if values.keys() - {"source"} and not draft.is_faulty:
                remedy = "Give the person's number, e-mail address or telephone number"
                self.refuse(line, "person", "nobody is named, though the row tells of a person", remedy)
            return None
        key = (values.get("source"), name)
        owner, first = self._belongs.setdefault(key, (customer, line))
        if owner != customer:
            what = f"this person belongs to another customer on line {first}"
            self.refuse(line, "person", what, "Leave him with one of them, or give him a number for each")
        self._agree(line, draft.people.setdefault(key, _Person(line)), values)
        return key

    def _agree(self, line: int, told: _Told, values: Mapping[str, Any]) -> None:
        for column in told.add(values):
            what = f"something else than on the rows above (from line {told.line} on)"
            self.refuse(line, column, what, "Correct one of them, or leave the cell empty on all rows but one")

    def _move_name(self, customer: str, draft: _Customer) -> None:
        """A consumer's name is personal: it goes where his address is sealed, and nowhere else."""
        if is_address(customer):
            remedy = "Give a number by which your systems know the customer"
            self.refuse(draft.line, "customer", "a consumer's address or telephone number is no number of his", remedy)
        name = draft.values.pop("customer_name", None)
        if name is None:
            return
        if not draft.people and not draft.is_faulty:
            remedy = "Give his e-mail address or telephone number, too, or leave the name out"
            self.refuse(draft.line, "customer_name", "a consumer's name is kept only with his address", remedy)
        for person in list(draft.people.values())[:1]:
            person.values.setdefault("person_name", name)

    def _check_days(self, told: _Told, since: str, until: str) -> None:
        first, last = told.values.get(since), told.values.get(until)
        if first and last and last < first:
            self.refuse(told.line, until, f"before {self._headers[since]}", "Correct one of the two days")


def _is_customers(column: str) -> bool:
    return column in CUSTOMER or column.startswith(FIGURE_PREFIX)


def _facts(draft: _Customer) -> CustomerFacts:
    names = ("kind", "tier", "size", "trade", "region", "grade", "segments", "active_since", "last_active")
    told = {name: draft.values[name] for name in (*names, "served_by", "owner") if name in draft.values}
    figures = {
        column.removeprefix(FIGURE_PREFIX): value
        for column, value in draft.values.items()
        if column.startswith(FIGURE_PREFIX)
    }
    projects = tuple(
        Project(
            id=name,
            manager=project.values.get("project_manager"),
            started=project.values.get("project_started"),
            accepted=project.values.get("project_accepted"),
        )
        for name, project in draft.projects.items()
    )
    return CustomerFacts(projects=projects, figures=figures, **told)


def _listed(key: _PersonKey, person: _Person) -> ListedPerson:
    values = person.values
    requester = Requester(
        id=values.get("person"),
        name=values.get("person_name"),
        email=values.get("email"),
        phone=values.get("phone"),
        locale=values.get("locale"),
        timezone=values.get("timezone"),
    )
    projects = () if person.is_everywhere else tuple(person.projects)
    return ListedPerson(key[0], requester, values.get("roles", ()), projects, values.get("consent", ()), person.line)
