"""`/hooks/{source}`: signed webhooks."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from ingest import store
from ingest.handlers import promise, read_payload
from ingest.mapping import Reading, UnmappableError
from ingest.payload import PayloadError, is_delivery_id, is_json, parse
from ingest.signature import SignatureError, Verified, answer_challenge, challenges, verify
from ingest.store import Receipt, Source
from services import metrics
from services.contracts.tickets import TicketReported
from services.database import Transaction
from services.errors import Problem
from services.gather import Gather
from services.house import House
from services.web import HotRoute

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


def _unauthorized() -> Problem:
    return Problem(401, "signature", "The request is not signed by a known source.")


def _answer(status: int, body: str) -> Response:
    return Response(body, status, media_type="application/json")


def _count(source: Source, outcome: str) -> None:
    metrics.WEBHOOKS.labels(source.name, outcome).inc()
