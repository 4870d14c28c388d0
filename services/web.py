"""The web side of the process: one FastAPI application for its rooms, behind a few plain ASGI layers."""

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import structlog
from fastapi import Depends, FastAPI, Request, params
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import metrics, problems
from services.auth import PUBLIC, Keys, Lock
from services.database import Transaction
from services.documentation import add_documentation
from services.errors import Problem, Unavailable
from services.hosts import Hosts
from services.house import House
from services.idempotency import Idempotency
from services.identifiers import uuid7
from services.pulse import Pulse
from services.room import Room
from services.statements import Statements

log = structlog.get_logger(__name__)

SQL = Statements("services")

BODY_LIMITS = {
    "/hooks/": 256 * 1024,
    "/s/": 64 * 1024,
    "/u/": 8 * 1024,
    "/v1/customers/import": 16 * 1024 * 1024,
    "/v1/policies/simulate": 16 * 1024 * 1024,
}
BODY_LIMIT = 1024 * 1024
DRAIN_MOST = 8 * 1024 * 1024
DRAIN_SECONDS = 2.0
BODY_SECONDS = 60.0
YEAR_SECONDS = 365 * 24 * 3600
PAGE_MOST = 200

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next` is the cursor of the part after it, or null at the end."""

    items: list[Item]
    next: str | None = None


def encode_cursor(*key: object) -> str:
    """The sort key of the last item shown, as an opaque word."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: type[Item]) -> Item:
    """The sort key again, as `kinds` (a tuple type). Raises `Problem` 422 for what no list here gave out."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kinds)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise Problem(422, "cursor", "`cursor` is not one that a list here gave out; begin without it.") from None


def house_of(request: Request) -> House:
    """The house of this process."""
    house: House = request.app.state.house
    return house


HouseOf = Annotated[House, Depends(house_of)]


def TransactionOf(room: str) -> params.Depends:  # noqa: N802 - reads as the type that it stands for in an annotation
    """One transaction of the room for the request, committed before the answer leaves.

    Written `Annotated[Transaction, TransactionOf("ingest")]`.
    """

    async def transaction(request: Request) -> AsyncIterator[Transaction]:
        async with house_of(request).database.transaction(room) as opened:
            yield opened

    marker: params.Depends = Depends(transaction, scope="function")
    return marker


class HotRoute(Route):
    """A plain Starlette route, for the two or three addresses where FastAPI's price counts; documented all the same.

    `operations` maps a method in lower case to its OpenAPI operation.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        methods: Sequence[str],
        operations: Mapping[str, Mapping[str, Any]],
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods))
        self.operations = operations

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette's, and notes itself as FastAPI's routes do, for the metrics."""
        match, found = super().matches(scope)
        return match, {**found, "route": self}


class Observe:
    """The outermost layer: gives each request an id and counts it by room, route, method and status.

    `secure`: the public address is https, and browsers are told to use nothing else.
    """

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        hsts = f"max-age={YEAR_SECONDS}; includeSubDomains".encode()
        self._headers = [(b"x-content-type-options", b"nosniff")]
        self._headers += [(b"strict-transport-security", hsts)] if secure else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and the answer back with `x-request-id`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        started, status, begun = time.perf_counter(), 500, False

        async def observed(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *self._headers,
                ]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:
            log.error("request_failed", request_id=request_id, route=_route_of(scope)[1], exc_info=error)
            if begun:
                raise
            problem = Problem(500, "internal", "Something went wrong here; the logs know the request id.")
            await problems.respond(problem, scope, receive, observed)
        finally:
            room, route = _route_of(scope)
            seconds = time.perf_counter() - started
            metrics.HTTP_SECONDS.labels(room, route, _method_of(scope), str(status)).observe(seconds)


class BodyLimit:
    """Refuses bodies over the limit of their path: at once where the length is told, else as soon as it shows.

    A body that is not there within `BODY_SECONDS` is waited for no longer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with a counted body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next((most for path, most in BODY_LIMITS.items() if scope["path"].startswith(path)), BODY_LIMIT)
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not told.isdigit() or int(told) > limit:
            await _drain(receive)
            problem = Problem(413, "too-large", f"The body may have at most {limit} bytes.")
            await problems.respond(problem, scope, receive, send, {"connection": "close"})
            return
        seen, coming, deadline = 0, True, 0.0

        async def counted() -> Message:
            nonlocal seen, coming, deadline
            deadline = deadline or asyncio.get_running_loop().time() + BODY_SECONDS
            try:
                async with asyncio.timeout_at(deadline if coming else None):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The body did not come in time.", {"connection": "close"}) from None
            seen += len(message.get("body", b""))
            coming = message.get("more_body", False)
            if seen > limit:
                await _drain(receive)
                raise HTTPException(413, f"The body may have at most {limit} bytes.", {"connection": "close"})
            return message

        try:
            await self._app(scope, counted, send)
        except HTTPException as error:  # read by a layer outside of the application proper
            slug = "too-large" if error.status_code == 413 else "too-slow"
            problem = Problem(error.status_code, slug, error.detail)
            await problems.respond(problem, scope, receive, send, error.headers)


async def _drain(receive: Receive) -> None:
    """Lets a sender who is not far over the limit come to his end: one who is cut off mid-sentence sees no answer."""
    left = DRAIN_MOST
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while left > 0 and (message := await receive()).get("more_body"):
                left -= len(message.get("body", b""))


def application(house: House, rooms: Sequence[Room], pulse: Pulse, public: Sequence[str] = ()) -> FastAPI:
    """The application of these rooms. `public` names further paths without a key (embedded mode's mailbox)."""
    app = FastAPI(title="Huifang", version="1", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.house = house
    problems.install(app)
    for room in rooms:
        app.router.routes.extend(room.routes)
        for router in room.routers:
            app.include_router(router)
    _add_probes(app, house, pulse)
    if house.settings.docs:
        add_documentation(app)
    app.add_middleware(Idempotency, database=house.database)
    app.add_middleware(Lock, keys=Keys(house.database), public=(*PUBLIC, *public))
    app.add_middleware(BodyLimit)
    app.add_middleware(Hosts, settings=house.settings)
    app.add_middleware(Observe, secure=house.settings.public_url.startswith("https://"))
    return app


def _add_probes(app: FastAPI, house: House, pulse: Pulse) -> None:
    process = uuid7()

    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        """Whether every loop of the process comes round; says nothing about PostgreSQL or Kafka."""
        stopped = pulse.stopped()
        if stopped:
            return JSONResponse({"status": "stands still", "loops": stopped}, 503)
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """Whether a write works, and what waits for something."""
        try:
            async with house.database.transaction("services") as transaction:
                await transaction.execute(SQL["beat"], process)
        except Unavailable as error:
            return JSONResponse({"status": "unavailable", "database": str(error)}, 503)
        return JSONResponse({"status": "ok", "waiting": pulse.troubles})

    @app.get("/metrics", include_in_schema=False)
    async def metrics_page() -> Response:
        """Prometheus' text format."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method_of(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route_of(scope: Scope) -> tuple[str, str]:
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return "services", "unmatched"
    room: str = getattr(endpoint, "__module__", "services").partition(".")[0]
    path: str | None = getattr(scope.get("route"), "path", None)
    return room, path or str(getattr(endpoint, "__name__", "unnamed"))
