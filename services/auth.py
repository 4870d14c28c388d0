"""Who calls: bearer keys with roles, hashed at rest. Every path needs one but the few that the world must reach."""

import base64
import binascii
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Annotated, NamedTuple

import structlog
from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.database import Database, Transaction
from services.errors import ConfigurationError, Problem, Unavailable
from services.problems import request_id_of, respond
from services.seal import token_hash
from services.statements import Statements

log = structlog.get_logger(__name__)

SQL = Statements("services")
KEY_BYTES = 32
REMEMBER_SECONDS = 5.0
REMEMBER_MOST = 1_000
PUBLIC = ("/hooks/", "/s/", "/u/", "/livez", "/readyz", "/metrics")
"""Path prefixes without a key: signed hooks, customers' unguessable links, probes and metrics."""


class Role(StrEnum):
    """What a key may do; the administrator may do everything."""

    administrator = "administrator"
    quality = "quality"
    manager = "manager"
    agent = "agent"
    auditor = "auditor"
    integration = "integration"


class Caller(NamedTuple):
    """The holder of a key."""

    name: str
    role: Role


class Keys:
    """Looks bearer keys up. What was found is remembered for a few seconds, so a revoked key ends within them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, tuple[float, Caller | None]] = {}

    async def caller(self, key: str) -> Caller | None:
        """Who holds the key; None for nobody. Raises `Unavailable`."""
        hashed = token_hash(key)
        seen = self._known.get(hashed)
        if seen and time.monotonic() - seen[0] < REMEMBER_SECONDS:
            return seen[1]
        async with self._database.reading() as transaction:
            row = await transaction.fetchrow(SQL["find_api_key"], hashed)
        caller = Caller(row["name"], Role(row["role"])) if row else None
        if len(self._known) >= REMEMBER_MOST:
            self._known.clear()
        self._known[hashed] = (time.monotonic(), caller)
        return caller


async def create_key(transaction: Transaction, name: str, role: Role) -> str:
    """Makes a key and returns it, for the only time. Raises `ConfigurationError` where the name is taken."""
    key = "hf_" + secrets.token_urlsafe(KEY_BYTES)
    await install_key(transaction, name, role, key)
    return key


async def install_key(transaction: Transaction, name: str, role: Role, key: str) -> None:
    """Makes a given key valid. Raises `ConfigurationError` where the name is taken."""
    if await transaction.fetchval(SQL["insert_api_key"], token_hash(key), name, role.value) is None:
        raise ConfigurationError(f"a key named {name!r} exists already; revoke it first or choose another name")


async def revoke_key(transaction: Transaction, name: str) -> None:
    """Ends a key. Raises `ConfigurationError` where there is none of that name."""
    if await transaction.fetchval(SQL["revoke_api_key"], name) is None:
        raise ConfigurationError(f"there is no valid key named {name!r}")


class Lock:
    """The ASGI layer that lets nobody in without a key, except on public paths."""

    def __init__(self, app: ASGIApp, keys: Keys, public: Sequence[str]) -> None:
        self._app = app
        self._keys = keys
        self._public = tuple(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with `scope["state"]["caller"]`, or answers 401 (503 where no key can be looked up)."""
        if scope["type"] != "http" or self._is_public(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = await self._caller(headers.get("authorization", ""), scope["method"])
        except Unavailable as error:
            problem = Problem(503, "unavailable", str(error))
            await respond(problem, scope, receive, send)
            return
        if caller is None:
            log.info("key_refused", method=scope["method"], request_id=request_id_of(scope))
            problem = Problem(401, "no-key", "This address needs a valid key: `Authorization: Bearer <key>`.")
            await respond(problem, scope, receive, send, {"www-authenticate": _challenge(headers)})
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _is_public(self, path: str) -> bool:
        return any(path.startswith(prefix) if prefix.endswith("/") else path == prefix for prefix in self._public)

    async def _caller(self, authorization: str, method: str) -> Caller | None:
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return await self._keys.caller(credentials.strip())
        if scheme.lower() == "basic" and method in ("GET", "HEAD"):
            # So that a browser can show the pages: any user name, the key as the password. Reading only, since a
            # browser sends it along with forged requests, too.
            try:
                _, _, key = base64.b64decode(credentials, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return await self._keys.caller(key)
        return None


def _challenge(headers: Headers) -> str:
    wants_page = "text/html" in headers.get("accept", "")
    return 'Basic realm="Huifang: the key as password", charset="UTF-8"' if wants_page else 'Bearer realm="Huifang"'


def caller_of(request: Request) -> Caller:
    """The holder of the key that the request carries."""
    caller: Caller = request.state.caller
    return caller


CallerOf = Annotated[Caller, Depends(caller_of)]


def requires(*roles: Role) -> Callable[[Request], Awaitable[None]]:
    """A dependency that refuses everybody but these roles and the administrator."""

    async def check(request: Request) -> None:
        caller = caller_of(request)
        if caller.role is not Role.administrator and caller.role not in roles:
            log.info("role_refused", caller=caller.name, role=caller.role, request_id=request_id_of(request.scope))
            allowed = ", ".join(sorted({Role.administrator, *roles}))
            raise Problem(403, "role", f"The key {caller.name!r} is {caller.role}; this needs: {allowed}.")

    return check
