"""`Idempotency-Key`: a write that is sent again gets the first answer, and does nothing."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.database import Database, Record
from services.errors import Problem, Unavailable
from services.problems import respond
from services.statements import Statements

log = structlog.get_logger(__name__)

SQL = Statements("services")
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEPT_HEADERS = frozenset({b"etag", b"location", b"link"})
KEY_MOST = 128
HOLD_SECONDS = 60.0
SLUG = "idempotency-key"


class Claim(NamedTuple):
    """Whose key it is, and which request it stands for."""

    caller: str
    key: str
    request_hash: bytes


class Idempotency:
    """Remembers, for a day, the answers to writes below `/v1/` that carry a key; failures (5xx) are not kept.

    It keeps a client from doing a thing twice, also at the same time. After a crash between effect and memory the key
    is free again in a minute: then it is the natural keys that keep the effect single.
    """

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app = app
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes first tries on and answers repeated ones from memory."""
        key = Headers(scope=scope).get("idempotency-key") if scope["type"] == "http" else None
        if key is None or scope["method"] not in WRITES or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        if not 0 < len(key) <= KEY_MOST:
            problem = Problem(422, SLUG, f"`Idempotency-Key` may have 1 to {KEY_MOST} characters.")
            await respond(problem, scope, receive, send)
            return
        body = await _read(receive)
        told = f"{scope['method']} {scope['path']}?".encode() + scope["query_string"] + b"\n"
        claim = Claim(scope["state"]["caller"].name, key, hashlib.sha256(told + body).digest())
        try:
            known = await self._hold(claim)
        except Unavailable:
            problem = Problem(503, "unavailable", "The service cannot do this right now; try again shortly.")
            await respond(problem, scope, receive, send)
            return
        if known is None:
            await self._first(scope, body, send, claim)
        else:
            await _repeat(known, claim, scope, receive, send)

    async def _hold(self, claim: Claim) -> Record | None:
        """Takes the key (None), or tells what there is under it. Raises `Unavailable`."""
        async with self._database.transaction("services") as transaction:
            if await transaction.fetchval(SQL["hold_idempotency_key"], *claim, HOLD_SECONDS):
                return None
            known = await transaction.fetchrow(SQL["find_idempotent_answer"], claim.caller, claim.key)
            if known is None:
                raise Unavailable("whoever held the key has given it up at this very moment")
            return known

    async def _first(self, scope: Scope, body: bytes, send: Send, claim: Claim) -> None:
        messages: list[Message] = []
        pending = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return pending.pop() if pending else {"type": "http.disconnect"}

        async def kept(message: Message) -> None:
            messages.append(message)

        try:
            await self._app(scope, replayed, kept)
        except BaseException:
            await self._finish(claim, ())
            raise
        await self._finish(claim, messages)
        for message in messages:
            await send(message)

    async def _finish(self, claim: Claim, messages: Sequence[Message]) -> None:
        with suppress(Unavailable):
            async with self._database.transaction("services") as transaction:
                if messages and messages[0]["status"] < 500:
                    answer = b"".join(message.get("body", b"") for message in messages)
                    status, content_type, headers = _head(messages[0])
                    values = (claim.caller, claim.key, status, content_type, headers, answer)
                    await transaction.execute(SQL["keep_idempotent_answer"], *values)
                else:
                    await transaction.execute(SQL["free_idempotency_key"], claim.caller, claim.key)
            return
        # What was done is done, and the caller shall hear of it; his key is free again when its hold has run out.
        log.warning("answer_not_kept", caller=claim.caller)


async def _repeat(known: Record, claim: Claim, scope: Scope, receive: Receive, send: Send) -> None:
    if known["request_hash"] != claim.request_hash:
        problem = Problem(422, SLUG, "This `Idempotency-Key` belongs to another request; take a new one.")
        await respond(problem, scope, receive, send)
    elif known["status"] is None:
        problem = Problem(409, SLUG, "The first request with this `Idempotency-Key` is still under way; ask again.")
        await respond(problem, scope, receive, send, {"retry-after": "1"})
    else:
        pairs = zip(known["headers"][::2], known["headers"][1::2], strict=True)
        headers = {**dict(pairs), "content-type": known["content_type"], "idempotency-replayed": "true"}
        await Response(known["body"], known["status"], headers)(scope, receive, send)


def _head(start: Message) -> tuple[int, str, list[str]]:
    kept = [text.decode("latin-1") for pair in start["headers"] if pair[0].lower() in KEPT_HEADERS for text in pair]
    content_type: bytes = dict(start["headers"]).get(b"content-type", b"")
    return start["status"], content_type.decode("latin-1"), kept


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(parts)
