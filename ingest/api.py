"""The doors: signed webhooks, events in the canonical form, and the register of people."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Depends, Header, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute

from ingest import store
from ingest.cloudevent import CloudEventsError, read_events
from ingest.contact import LONGEST_MAIL, LONGEST_NAME, refused
from ingest.handlers import blind, promise, read_payload, refuse, say_for, seal_person
from ingest.mapping import Reading, UnmappableError
from ingest.payload import SOURCE_NAME, PayloadError, is_delivery_id, is_json, parse
from ingest.signature import SignatureError, Verified, answer_challenge, challenges, verify
from ingest.store import Key, Receipt, Registered, Source
from ingest.ticket import REFUSALS
from services import metrics
from services.auth import Role, requires
from services.contracts.tickets import Channel, Requester, TicketReported
from services.database import Transaction
from services.errors import Problem
from services.gather import Gather
from services.house import House
from services.web import HotRoute, HouseOf, TransactionOf

log = structlog.get_logger(__name__)

_SOURCE_PARAMETER = {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}
_PROBLEM = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}
_OPERATIONS: Mapping[str, Mapping[str, Any]] = {
    "post": {
        "summary": "Take an ITSM's webhook",
        "description": "The source's mapping understands the body; its scheme says how the request is signed.",
        "tags": ["hooks"],
        "security": [],
        "parameters": [_SOURCE_PARAMETER],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "200": {"description": "Known already: the same delivery came before"},
            "202": {"description": "Stored durably (`accepted`), or nothing that matters (`ignored`)"},
            "400": {"description": "No strict JSON, or no usable delivery id", **_PROBLEM},
            "401": {"description": "Not signed by a known source, or too long ago", **_PROBLEM},
            "409": {"description": "Another body came with this delivery id", **_PROBLEM},
            "413": {"description": "More than 256 KiB", **_PROBLEM},
            "415": {"description": "Not application/json in UTF-8, or compressed", **_PROBLEM},
            "422": {"description": "A ticket, state or time is missing or cannot be believed", **_PROBLEM},
        },
    },
    "get": {
        "summary": "Answer an ITSM's challenge (GLPI)",
        "tags": ["hooks"],
        "security": [],
        "parameters": [
            _SOURCE_PARAMETER,
            {"name": "crc_token", "in": "query", "required": True, "schema": {"type": "string"}},
        ],
        "responses": {
            "200": {"description": "The proof", "content": {"text/plain": {"schema": {"type": "string"}}}},
            "401": {"description": "Not the challenge of a known source", **_PROBLEM},
            "405": {"description": "No challenge", **_PROBLEM},
        },
    },
}
_REMEDIES = {
    "name": "has no visible character",
    "email": "not an e-mail address that mail can be sent to; a domain outside ASCII is given in its xn-- form",
    "phone": "not a telephone number of a person; give it like +8613800138000",
    "locale": "not a language tag like zh-CN",
    "timezone": "not an IANA time zone like Asia/Shanghai",
}
_EVENT = {"type": "object", "required": ["specversion", "id", "source", "type", "data"]}
_EVENTS = {
    "required": True,
    "content": {
        "application/cloudevents+json": {"schema": _EVENT},
        "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _EVENT}},
        "application/json": {"schema": {"anyOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
    },
}

REMEMBER_SECONDS = 5.0
LOOK_AGAIN_SECONDS = 1.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Outcome = Literal["accepted", "duplicate", "conflict"]

# Whoever knocks at a door that does not exist is compared with this, so that it takes as long and tells as little.
NOBODY = Source("unknown", "generic", "generic", ZoneInfo("UTC"), True, (secrets.token_hex(),))


class Delivery(NamedTuple):
    """A verified webhook that reports something."""

    receipt: Receipt
    reports: Sequence[TicketReported]


class Door:
    """`/hooks/{source}`: raw bytes, signature, strict JSON, mapping, and one durable transaction before 202."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._sources: Mapping[str, Source] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._take = Gather(house.database, "ingest", self._accept)

    async def answer(self, request: Request) -> Response:
        """Takes a webhook, or answers a challenge."""
        name = request.path_params["source"]
        if request.method == "POST":
            return await self._post(name, request)
        token = request.query_params.get("crc_token")
        if request.method != "GET" or token is None:
            raise HTTPException(405, headers={"Allow": "POST"})
        return await self._challenge(name, token)

    async def _post(self, name: str, request: Request) -> Response:
        headers = request.headers
        if headers.get("content-encoding", "identity") != "identity" or not is_json(headers.get("content-type")):
            _count(NOBODY, "unsupported")
            raise Problem(415, "media-type", "The body must be application/json in UTF-8, not compressed.")
        body = await request.body()
        source, verified = await self._verify(name, headers, body)
        reading = self._read(source, verified, body)
        if reading.ignored:
            _count(source, "ignored")
            return _answer(202, f'{{"status": "ignored", "reason": "{reading.ignored}"}}')
        body_hash = hashlib.sha256(body).digest()
        told = verified.delivery or (f"event {reading.delivery}" if reading.delivery else None)
        receipt = (source.name, (told or f"body {body_hash.hex()}")[:200], body_hash)
        outcome = await self._take(Delivery(receipt, reading.reports))
        _count(source, outcome)
        if outcome == "conflict":
            log.warning("webhook_conflict", source=source.name)
            raise Problem(409, "delivery-conflict", "Another body came with this delivery id before.")
        return _answer(202 if outcome == "accepted" else 200, f'{{"status": "{outcome}"}}')

    async def _verify(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[Source, Verified]:
        for again in (False, True):
            source = await self._find(name, again)
            try:
                return source, verify(source.scheme, headers, body, source.secrets, self._outside_now())
            except SignatureError:
                continue
        _count(source, "unauthorized")
        raise _unauthorized()

    def _read(self, source: Source, verified: Verified, body: bytes) -> Reading:
        try:
            if verified.delivery is not None and not is_delivery_id(verified.delivery):
                raise PayloadError("the delivery id may have 1 to 128 visible ASCII characters and no full stop")
            return read_payload(self._house, source, parse(body))
        except PayloadError as error:
            _count(source, "malformed")
            raise Problem(400, "malformed", f"The request is malformed: {error}.") from None
        except UnmappableError as error:
            _count(source, "unmappable")
            errors = [{"where": error.field, "what": error.detail, "kind": "unmappable"}]
            raise Problem(422, "unmappable", "The payload cannot be used.", errors=errors) from None

    async def _challenge(self, name: str, token: str) -> Response:
        source = await self._find(name, again=False)
        try:
            if not challenges(source.scheme):
                raise SignatureError
            return PlainTextResponse(answer_challenge(token, source.secrets))
        except SignatureError:
            raise _unauthorized() from None

    async def _find(self, name: str, again: bool) -> Source:
        """The source as it was a few seconds ago at most; `again` looks more closely, as for a brand-new secret."""
        oldest = LOOK_AGAIN_SECONDS if again else REMEMBER_SECONDS
        if time.monotonic() - self._read_at > oldest:
            async with self._reading:
                if time.monotonic() - self._read_at > oldest:
                    async with self._house.database.reading() as transaction:
                        sources = await store.list_sources(transaction, self._house.seal)
                    self._sources = {source.name: source for source in sources if source.enabled and source.secrets}
                    self._read_at = time.monotonic()
        return self._sources.get(name, NOBODY)

    def _outside_now(self) -> datetime:
        """The time by which senders' clocks go, also where business time runs faster."""
        clock = self._house.clock
        return EPOCH + (clock.now() - clock.place(EPOCH))

    async def _accept(self, transaction: Transaction, deliveries: Sequence[Delivery]) -> list[Outcome]:
        receipts = sorted({each.receipt for each in deliveries})
        new = await store.insert_receipts(transaction, receipts)
        first = {(source, delivery): body_hash for source, delivery, body_hash in new}
        known = sorted({receipt[:2] for receipt in receipts} - first.keys())
        first |= await store.find_receipts(transaction, known)
        outcomes: list[Outcome] = []
        accepted: list[TicketReported] = []
        for each in deliveries:
            if each.receipt in new:
                new.remove(each.receipt)
                accepted += each.reports
                outcomes.append("accepted")
            else:
                outcomes.append("duplicate" if first.get(each.receipt[:2]) == each.receipt[2] else "conflict")
        await promise(self._house, transaction, accepted)
        return outcomes


def hooks(house: House) -> list[BaseRoute]:
    """The hot routes: plain Starlette, documented all the same."""
    return [HotRoute("/hooks/{source}", Door(house).answer, ("GET", "POST"), _OPERATIONS)]


router = APIRouter(prefix="/v1", dependencies=[Depends(requires(Role.integration))])
InTransaction = Annotated[Transaction, TransactionOf("ingest")]


class Accepted(BaseModel):
    """How many events were stored durably."""

    status: Literal["accepted"] = "accepted"
    accepted: int


async def read_reports(request: Request, house: HouseOf) -> list[TicketReported]:
    """The body of `/v1/events`; a dependency, so that it has arrived before a transaction is opened."""
    if not is_json(request.headers.get("content-type"), "cloudevents+json", "cloudevents-batch+json"):
        raise Problem(415, "media-type", "Send application/cloudevents+json, …-batch+json or application/json.")
    try:
        reports = read_events(parse(await request.body()))
    except PayloadError as error:
        raise Problem(400, "malformed", f"The request is malformed: {error}.") from None
    except CloudEventsError as error:
        raise _refused_events([(fault.place, fault.what) for fault in error.faults]) from None
    faults = [(place, REFUSALS[word]) for place, report in enumerate(reports) if (word := refuse(house, report))]
    if faults:
        raise _refused_events(faults)
    return reports


@router.post("/events", status_code=202, openapi_extra={"requestBody": _EVENTS})
async def post_events(
    reports: Annotated[list[TicketReported], Depends(read_reports)], house: HouseOf, transaction: InTransaction
) -> Accepted:
    """Takes ticket events in the canonical form: one CloudEvent or an array of them; all of them or none."""
    await promise(house, transaction, reports)
    return Accepted(accepted=len(reports))


class ContactForm(BaseModel):
    """How to reach a person whom the ITSM names by an id. `timezone` is an IANA name, `locale` like zh-CN."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, max_length=LONGEST_NAME)
    email: str | None = Field(default=None, max_length=LONGEST_MAIL)
    phone: str | None = Field(default=None, max_length=40)
    locale: str | None = Field(default=None, max_length=35)
    timezone: str | None = Field(default=None, max_length=64)
    customer: str | None = Field(default=None, max_length=LONGEST_NAME)
    staff: bool = False


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
    """Enters a person into the register, or replaces his entry; tickets that waited for it are decided anew."""
    key = (source, blind(house, source, person))
    requester = Requester(id=key[1], **form.model_dump())
    _check(requester, house)
    contact = await seal_person(house, transaction, source, requester)
    if not contact.sealed:
        raise Problem(409, "erased", "This person was erased; nothing about him is stored again.")
    before = await _entry(transaction, key)
    new = Registered(contact, requester.customer, 0)
    shown = await _show(house, transaction, new)
    if before and if_match is None and shown == await _show(house, transaction, before):
        version: int | None = before.version
    else:
        version = await _write(transaction, key, new, before, if_match)
    if version is None or shown is None:
        raise Problem(412, "changed", "The entry has changed meanwhile; read it again and send its ETag.")
    await say_for(transaction, *key)
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
    if before is None:
        return None if if_match else await store.insert_contact(transaction, key, new.contact, new.customer)
    if if_match is None:
        raise Problem(428, "if-match", "There is an entry already; send its ETag as If-Match to replace it.")
    if if_match not in ("*", _etag(before.version)):
        return None
    return await store.update_contact(transaction, key, new.contact, new.customer, before.version)


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
        channels=entry.contact.channels,
    )


def _etag(version: int) -> str:
    return f'"{version}"'


def _unauthorized() -> Problem:
    return Problem(401, "signature", "The request is not signed by a known source.")


def _refused_events(faults: Sequence[tuple[int, str]]) -> Problem:
    errors = [{"where": f"body.{index}", "what": what, "kind": "event"} for index, what in faults]
    return Problem(422, "events", "Some events cannot be taken, so none was.", errors=errors)


def _answer(status: int, body: str) -> Response:
    return Response(body, status, media_type="application/json")


def _count(source: Source, outcome: str) -> None:
    metrics.WEBHOOKS.labels(source.name, outcome).inc()
