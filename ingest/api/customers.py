"""`/v1/customers`: the register of customers, without anything personal."""

from datetime import date
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ingest import store
from ingest.handlers import say_customers
from ingest.store import Customer, Key, Registered
from services.auth import Role, requires
from services.contracts.customer_cells import FIGURE_NAME, LONGEST, is_address
from services.contracts.customers import CustomerFacts, CustomerKind, Project
from services.contracts.tickets import Channel
from services.database import Transaction
from services.errors import Problem
from services.web import PAGE_MOST, HouseOf, Page, TransactionOf, decode_cursor, encode_cursor

router = APIRouter(prefix="/v1/customers", tags=["customers"])
MayRead = Depends(requires(Role.quality, Role.manager, Role.auditor, Role.integration))
MayWrite = Depends(requires(Role.integration))
InTransaction = Annotated[Transaction, TransactionOf("ingest")]

Word = Annotated[str, Field(min_length=1, max_length=LONGEST)]


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a name has no control characters")
    return name


CustomerName = Annotated[
    str, Path(min_length=1, max_length=LONGEST, description="As the ITSM names him."), AfterValidator(_printable)
]
IfMatch = Annotated[str | None, Header(description="The ETag of the entry that this one replaces.")]
FigureName = Annotated[str, Field(pattern=f"^{FIGURE_NAME.pattern}$")]


class ProjectForm(BaseModel):
    """A project for a customer."""

    model_config = ConfigDict(extra="forbid")

    id: Word
    manager: Word | None = None
    started: date | None = None
    accepted: date | None = None


class CustomerForm(BaseModel):
    """What a policy may ask about a customer; a consumer's name stands with his contact.

    `grade` and `segments` are what the register tells, `figures` are numbers for the policy's grading, `served_by`
    names the organisation that serves him, where several do, `owner` who answers for him.
    """

    model_config = ConfigDict(extra="forbid")

    kind: CustomerKind = "organisation"
    name: Word | None = None
    tier: Word | None = None
    size: Word | None = None
    trade: Word | None = None
    region: Word | None = None
    grade: Word | None = None
    segments: Annotated[tuple[Word, ...], Field(max_length=100)] = ()
    active_since: date | None = None
    last_active: date | None = None
    served_by: Word | None = None
    owner: Word | None = None
    projects: Annotated[tuple[ProjectForm, ...], Field(max_length=1_000)] = ()
    figures: Annotated[dict[FigureName, FiniteFloat], Field(max_length=100)] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind == "consumer" and self.name is not None:
            raise ValueError("a consumer's name is personal: enter it with his contact, under /v1/contacts")
        if len({each.id for each in self.projects}) < len(self.projects):
            raise ValueError("a project stands twice; name each once")
        if self.active_since and self.last_active and self.last_active < self.active_since:
            raise ValueError("last_active is before active_since; correct one of them")
        return self

    def facts(self) -> CustomerFacts:
        """The same as policies know it."""
        told: dict[str, Any] = self.model_dump(exclude={"name", "projects"})
        return CustomerFacts(projects=tuple(Project(**each.model_dump()) for each in self.projects), **told)


class PersonShown(BaseModel):
    """A person of the customer, by reference: `/v1/contacts/{source}/{person}` tells more to whoever may know it."""

    source: str
    person: str
    roles: tuple[str, ...]
    projects: tuple[str, ...]
    consent: tuple[Channel, ...]
    channels: tuple[Channel, ...]


class CustomerShown(CustomerForm):
    """A customer of the register. `ended`: he is one no longer."""

    customer: str
    ended: bool


class CustomerWithPeople(CustomerShown):
    """A customer and his people."""

    contacts: tuple[PersonShown, ...] = ()


class Filters(BaseModel):
    """Which customers: those to whom all of it applies, letter by letter."""

    model_config = ConfigDict(extra="forbid")

    kind: CustomerKind | None = None
    tier: Word | None = None
    size: Word | None = None
    trade: Word | None = None
    region: Word | None = None
    grade: Word | None = None
    segment: Word | None = None
    served_by: Word | None = None
    owner: Word | None = None
    project: Word | None = None
    ended: bool = False
    limit: int = Field(default=50, ge=1, le=PAGE_MOST)
    cursor: str | None = Field(default=None, max_length=1_000)

    def like(self) -> dict[str, Any]:
        """Facts that contain this are meant."""
        scalars = ("kind", "tier", "size", "trade", "region", "grade", "served_by", "owner")
        told = {name: value for name in scalars if (value := getattr(self, name)) is not None}
        if self.segment:
            told["segments"] = [self.segment]
        if self.project:
            told["projects"] = [{"id": self.project}]
        return told


@router.get("", dependencies=[MayRead])
async def list_customers(filters: Annotated[Filters, Query()], house: HouseOf) -> Page[CustomerShown]:
    """The customers of the register, in the order of their ids."""
    after = decode_cursor(filters.cursor, tuple[str])[0] if filters.cursor else ""
    async with house.database.reading() as transaction:
        found = await store.list_customers(transaction, filters.like(), after, filters.ended, filters.limit + 1)
    shown = found[: filters.limit]
    cursor = encode_cursor(shown[-1].customer) if len(found) > filters.limit else None
    return Page(items=[CustomerShown(**_shown(each)) for each in shown], next=cursor)


@router.get("/{customer:path}", dependencies=[MayRead])
async def get_customer(customer: CustomerName, response: Response, house: HouseOf) -> CustomerWithPeople:
    """A customer, with his people by reference."""
    async with house.database.reading() as transaction:
        found = (await store.find_customers(transaction, [customer])).get(customer)
        if found is None:
            raise _unknown()
        response.headers["etag"] = _etag(found.version)
        return await _with_people(transaction, found)


@router.put(
    "/{customer:path}",
    dependencies=[MayWrite],
    responses={201: {"description": "Entered", "model": CustomerWithPeople}},
)
async def put_customer(
    customer: CustomerName,
    form: CustomerForm,
    response: Response,
    transaction: InTransaction,
    if_match: IfMatch = None,
) -> CustomerWithPeople:
    """Enters a customer into the register, or replaces what is told of him; his people stay."""
    if form.kind == "consumer" and is_address(customer):
        raise Problem(422, "invalid", "A consumer's address or number is personal: give a number of your systems.")
    before = (await store.lock_customers(transaction, [customer])).get(customer)
    version = before.version if before else 0
    new = Customer(customer, form.name, form.facts(), False, version, transaction.now)
    is_same = before is not None and if_match is None and before[:4] == new[:4]
    if not is_same:
        version = await _save(transaction, new, before, if_match)
    response.headers["etag"] = _etag(version)
    response.status_code = 200 if before else 201
    return await _with_people(transaction, new)


@router.delete("/{customer:path}", status_code=204, dependencies=[MayWrite])
async def end_customer(customer: CustomerName, transaction: InTransaction, if_match: IfMatch = None) -> None:
    """Ends a customer: he and his people are not asked by the calendar any more. Putting him again revives him."""
    before = (await store.lock_customers(transaction, [customer])).get(customer)
    if before is None:
        raise _unknown()
    if not before.ended:
        await _save(transaction, before._replace(ended=True), before, if_match)


async def _save(transaction: Transaction, new: Customer, before: Customer | None, if_match: str | None) -> int:
    """Stores and says a customer, and returns his version. Raises `Problem` where `if_match` does not fit."""
    if before is not None and if_match is None:
        raise Problem(428, "if-match", "There is an entry already; send its ETag as If-Match to replace or end it.")
    fits = if_match is None if before is None else if_match in ("*", _etag(before.version))
    saved = await store.save_customers(transaction, [new]) if fits else {}
    if new.customer not in saved:
        raise Problem(412, "changed", "The entry has changed meanwhile; read it again and send its ETag.")
    await say_customers(transaction, [new.customer])
    return saved[new.customer]


async def _with_people(transaction: Transaction, customer: Customer) -> CustomerWithPeople:
    people = (await store.find_people(transaction, [customer.customer])).get(customer.customer, ())
    return CustomerWithPeople(**_shown(customer), contacts=tuple(_person(key, entry) for key, entry in people))


def _person(key: Key, entry: Registered) -> PersonShown:
    return PersonShown(
        source=key[0],
        person=key[1],
        roles=entry.roles,
        projects=entry.projects,
        consent=entry.consent,
        channels=entry.contact.channels,
    )


def _shown(customer: Customer) -> dict[str, Any]:
    facts = customer.facts
    told = {name: getattr(facts, name) for name in CustomerFacts.__struct_fields__ if name != "projects"}
    projects = [
        ProjectForm(id=each.id, manager=each.manager, started=each.started, accepted=each.accepted)
        for each in facts.projects
    ]
    return {
        "customer": customer.customer,
        "name": customer.name,
        "ended": customer.ended,
        "projects": projects,
        **told,
    }


def _etag(version: int) -> str:
    return f'"{version}"'


def _unknown() -> Problem:
    return Problem(404, "no-customer", "The register has no such customer.")
