"""`Idempotency-Key`: a write that is sent again gets the first answer, and does nothing."""

import hashlib

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.database import Database, Record
from services.errors import Problem, Unavailable
from services.problems import respond
from services.statements import Statements

SQL = Statements("services")
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEY_MOST = 128


class Idempotency:
    """Remembers, for a day, the answers to writes below `/v1/` that carry a key; refused tries (5xx) are not kept.

    It keeps a client from doing a thing twice; a crash between effect and memory is the natural keys' concern.
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
            problem = Problem(422, "idempotency-key", f"`Idempotency-Key` may have 1 to {KEY_MOST} characters.")
            await respond(problem, scope, receive, send)
            return
        body = await _read(receive)
        told = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}\n".encode()
        hashed = hashlib.sha256(told + body).digest()
        caller = scope["state"]["caller"].name
        try:
            known = await self._find(caller, key)
            if known is None:
                await self._first(scope, body, send, caller, key, hashed)
            else:
                await _repeat(known, hashed, scope, receive, send)
        except Unavailable as error:
            await respond(Problem(503, "unavailable", str(error)), scope, receive, send)

    async def _find(self, caller: str, key: str) -> Record | None:
        async with self._database.reading() as transaction:
            return await transaction.fetchrow(SQL["find_idempotent_answer"], caller, key)

    async def _first(self, scope: Scope, body: bytes, send: Send, caller: str, key: str, hashed: bytes) -> None:
        messages: list[Message] = []
        pending = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return pending.pop() if pending else {"type": "http.disconnect"}

        async def kept(message: Message) -> None:
            messages.append(message)

        await self._app(scope, replayed, kept)
        status = messages[0]["status"]
        if status < 500:
            headers = dict(messages[0]["headers"])
            content = headers.get(b"content-type", b"").decode()
            answer = b"".join(message.get("body", b"") for message in messages)
            async with self._database.transaction("services") as transaction:
                await transaction.execute(SQL["insert_idempotent_answer"], caller, key, hashed, status, content, answer)
        for message in messages:
            await send(message)


async def _repeat(known: Record, hashed: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    if known["request_hash"] != hashed:
        problem = Problem(422, "idempotency-key", "This `Idempotency-Key` belongs to another request; take a new one.")
        await respond(problem, scope, receive, send)
        return
    headers = {"content-type": known["content_type"], "idempotency-replayed": "true"}
    await Response(known["body"], known["status"], headers)(scope, receive, send)


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(parts)
