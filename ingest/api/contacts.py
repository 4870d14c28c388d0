"""`/v1/contacts`: the register of people whom an ITSM names by an id alone."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ingest import store
from ingest.contact import LONGEST_MAIL, LONGEST_NAME, refused
from ingest.handlers import blind, say_customers, say_for, seal_person
from ingest.payload import SOURCE_NAME
from ingest.store import Key, Registered
from services.auth import Role, requires
from services.contracts.tickets import Channel, Requester
from services.database import Transaction
from services.errors import Problem
from services.house import House
from services.web import HouseOf, TransactionOf

_REMEDIES = {
    "name": "has no visible character",
    "email": "not an e-mail address that mail can be sent to; a domain outside ASCII is given in its xn-- form",
    "phone": "not a telephone number of a person; give it like +8613800138000",
    "locale": "not a language tag like zh-CN",
    "timezone": "not an IANA time zone like Asia/Shanghai",
}

router = APIRouter(prefix="/v1", dependencies=[Depends(requires(Role.integration))])
InTransaction = Annotated[Transaction, TransactionOf("ingest")]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


Word = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Words = Annotated[tuple[Word, ...], Field(max_length=100), AfterValidator(_distinct)]


class ContactForm(BaseModel):
    """How to reach a person whom the ITSM names by an id. `timezone` is an IANA name, `locale` like zh-CN.

    `customer` is the customer of the register to whom he belongs, `roles` what he is there, `projects` for which of the
    projects (none: for all), and `consent` the channels by which he agreed to be asked (none: not at all, unless it is
    on a ticket of his own).
    """

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, max_length=LONGEST_NAME)
    email: str | None = Field(default=None, max_length=LONGEST_MAIL)
    phone: str | None = Field(default=None, max_length=40)
    locale: str | None = Field(default=None, max_length=35)
    timezone: str | None = Field(default=None, max_length=64)
    customer: str | None = Field(default=None, max_length=LONGEST_NAME)
    staff: bool = False
    roles: Words = ()
    projects: Words = ()
    consent: Annotated[tuple[Channel, ...], Field(max_length=4), AfterValidator(_distinct)] = ()


class ContactShown(ContactForm):
    """The same as it was understood, and by which channels the person can be reached."""

    channels: tuple[Channel, ...]


SourceName = Annotated[str, Path(pattern=SOURCE_NAME)]
PersonName = Annotated[str, Path(min_length=1, max_length=LONGEST_NAME, description="As the ITSM names him.")]
IfMatch = Annotated[str | None, Header(description="The ETag of the entry that this one replaces.")]


@router.get("/contacts/{source}/{person}")
async def get_contact(
    source: SourceName, person: PersonName, response: Response, house: HouseOf, transaction: InTransaction
) -> ContactShown:
    """The register's entry for a person."""
    entry = await _entry(transaction, (source, blind(house, source, person)))
    shown = await _show(house, transaction, entry) if entry else None
    if entry is None or shown is None:
        raise Problem(404, "no-contact", "The register has no entry for this person.")
    response.headers["etag"] = _etag(entry.version)
    return shown


@router.put("/contacts/{source}/{person}", responses={201: {"description": "Entered", "model": ContactShown}})
async def put_contact(
    source: SourceName,
    person: PersonName,
    form: ContactForm,
    response: Response,
    house: HouseOf,
    transaction: InTransaction,
    if_match: IfMatch = None,
) -> ContactShown:
    """Enters a person into the register, or replaces his entry; tickets that waited for it are decided anew.

    Roles, projects and consent that are not named stay as they are while he is with the same customer, so that an ITSM
    that knows nothing of them takes no consent away.
    """
    key = (source, blind(house, source, person))
    requester = Requester(id=key[1], **form.model_dump(exclude={"roles", "projects", "consent"}))
    _check(requester, house)
    contact = await seal_person(house, transaction, source, requester)
    if not contact.sealed:
        raise Problem(409, "erased", "This person was erased; nothing about him is stored again.")
    before = await _entry(transaction, key)
    new = Registered(contact, requester.customer, 0, form.roles, form.projects, form.consent)
    if before and before.customer == new.customer:
        kept = {"roles", "projects", "consent"} - form.model_fields_set
        new = new._replace(**{name: getattr(before, name) for name in kept})
    shown = await _show(house, transaction, new)
    is_same = before is not None and if_match is None and shown == await _show(house, transaction, before)
    version = before.version if before and is_same else await _write(transaction, key, new, before, if_match)
    if version is None or shown is None:
        raise Problem(412, "changed", "The entry has changed meanwhile; read it again and send its ETag.")
    await say_for(transaction, *key)
    if not is_same:
        await say_customers(transaction, {each.customer for each in (before, new) if each and each.customer})
    response.headers["etag"] = _etag(version)
    response.status_code = 200 if before else 201
    return shown


def _check(requester: Requester, house: House) -> None:
    names = refused(requester, house.settings.phone_region)
    if names:
        errors = [{"where": f"body.{name}", "what": _REMEDIES[name], "kind": "unusable"} for name in names]
        raise Problem(422, "invalid", "The entry could not be used.", errors=errors)


async def _entry(transaction: Transaction, key: Key) -> Registered | None:
    return (await store.find_contacts(transaction, [key])).get(key)


async def _write(
    transaction: Transaction, key: Key, new: Registered, before: Registered | None, if_match: str | None
) -> int | None:
    if before is None and if_match is not None:
        return None
    if before is not None:
        if if_match is None:
            raise Problem(428, "if-match", "There is an entry already; send its ETag as If-Match to replace it.")
        if if_match not in ("*", _etag(before.version)):
            return None
        new = new._replace(version=before.version)
    return (await store.save_contacts(transaction, {key: new})).get(key)


async def _show(house: House, transaction: Transaction, entry: Registered) -> ContactShown | None:
    """The entry in clear, for those who may read the register; None where the person was erased."""
    (person,) = await house.seal.open_contacts(transaction, [entry.contact])
    if person is None:
        return None
    return ContactShown(
        name=person.name,
        email=person.email,
        phone=person.phone,
        locale=person.locale,
        timezone=person.timezone,
        customer=entry.customer,
        staff=person.staff,
        roles=entry.roles,
        projects=entry.projects,
        consent=entry.consent,
        channels=entry.contact.channels,
    )


def _etag(version: int) -> str:
    return f'"{version}"'
