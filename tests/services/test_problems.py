import re
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import pytest
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.database import Transaction
from services.errors import Problem, Unavailable
from services.house import House
from services.room import Room
from services.web import HotRoute, TransactionOf
from tests.services.browsing import browsing

CANARY = "canary@example.com"
router = APIRouter()
errors: dict[str, Callable[[], Exception]] = {
    "problem": lambda: Problem(409, "taken", "It is taken.", by="somebody"),
    "unavailable": lambda: Unavailable(f"PostgreSQL failed: {CANARY}"),
    "http": lambda: HTTPException(418, "short and stout"),
    "data": lambda: asyncpg.DataError(f"invalid: {CANARY}"),
    "bug": lambda: ValueError(CANARY),
}


class Form(BaseModel):
    email: int
    score: Annotated[int, Field(le=5)]


@router.post("/v1/fail/{kind}")
async def fail(kind: str) -> None:
    raise errors[kind]()


@router.post("/v1/form")
async def form(form: Form, page: Annotated[int, Query(ge=0)] = 0) -> None:
    """Takes a form."""


@router.post("/v1/store/{value}")
async def store(value: str, transaction: Annotated[Transaction, TransactionOf("scheduler")]) -> None:
    if value == "late":
        await transaction.execute("create table scheduler.later (n int unique deferrable initially deferred)")
        await transaction.execute("insert into scheduler.later values (1), (1)")
    else:
        await transaction.execute("insert into scheduler.heard values ('x', $1, $2)", value + "\0", 2**40)


async def hot(_: Request) -> Response:
    raise Problem(422, "hot", "Too hot.")


async def half(_: Request) -> Response:
    async def body() -> Any:
        yield b"half"
        raise ValueError(CANARY)

    return StreamingResponse(body())


ROOM = Room(
    name="scheduler",
    routers=[router],
    routes=[HotRoute("/v1/hot/{id}", hot, ["POST"], {}), HotRoute("/v1/half", half, ["GET"], {})],
)


@pytest.mark.parametrize(
    ("method", "path", "status", "slug", "detail"),
    [
        ("POST", "/v1/fail/problem", 409, "taken", "It is taken."),
        ("POST", "/v1/fail/unavailable", 503, "unavailable", "try again shortly"),
        ("POST", "/v1/fail/http", 418, "i'm-a-teapot", "short and stout"),
        ("POST", "/v1/fail/data", 422, "invalid", "out of range"),
        ("POST", "/v1/fail/bug", 500, "internal", "the logs know the request id"),
        ("POST", "/v1/store/x", 422, "invalid", "out of range"),
        ("POST", "/v1/store/late", 500, "internal", "the logs know the request id"),
        ("POST", "/v1/hot/1", 422, "hot", "Too hot."),
        ("GET", "/v1/nowhere", 404, "not-found", "Not Found"),
        ("DELETE", "/v1/form", 405, "method-not-allowed", "Method Not Allowed"),
    ],
)
async def test_every_refusal_is_a_problem(
    house: House, method: str, path: str, status: int, slug: str, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with browsing(house, ROOM) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"urn:huifang:problem:{slug}", status)
    assert detail in body["detail"]
    assert UUID(body["request_id"]).version == 7
    assert body["request_id"] == answer.headers["x-request-id"]
    assert CANARY not in answer.text
    assert "Traceback" not in answer.text
    if status == 503:
        assert answer.headers["retry-after"] == "5"
    if status == 409:
        assert body["by"] == "somebody"
    if status == 500:
        assert body["request_id"] in caplog.text or any(
            getattr(record, "request_id", "") == body["request_id"] for record in caplog.records
        )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"canary@example.com"',
        b'{"email": "canary@example.com", "score": 9}',
        b"\xff",
        b'{"a":' * 5_000,
    ],
)
async def test_what_does_not_fit_is_told_without_what_it_was(house: House, content: bytes) -> None:
    async with browsing(house, ROOM) as client:
        answer = await client.post(
            "/v1/form?page=canary", content=content, headers={"content-type": "application/json"}
        )
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "canary" not in answer.text
    for error in answer.json().get("errors", []):
        assert set(error) == {"where", "what", "kind"}
        assert re.match(r"(body|query)\b", error["where"])


async def test_an_answer_that_breaks_off_does_not_pass_for_whole(house: House) -> None:
    async with browsing(house, ROOM) as client:
        with pytest.raises(ValueError, match=CANARY):
            await client.get("/v1/half")
