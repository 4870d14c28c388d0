import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from services import idempotency
from services.auth import Role
from services.database import Transaction
from services.errors import Problem, Unavailable
from services.house import House
from services.idempotency import KEY_MOST, SQL
from services.room import Room
from services.web import TransactionOf
from tests.services.browsing import browsing
from tests.services.waiting import until

NOTE = "insert into scheduler.heard values ('write', $1, 1) on conflict (kind, subject) do update set times = 2"
KEYS = "select count(*) from services.idempotency where status is {} null"


class Door:
    """A room that counts what it does, and does it only when its gate is open."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails: Exception | None = None
        router = APIRouter()
        router.add_api_route("/v1/things/{name}", self.write, methods=["POST", "PUT"], status_code=201)
        router.add_api_route("/v1/things/{name}", self.read, methods=["GET"])
        router.add_api_route("/hooks/{name}", self.read, methods=["POST"])
        self.room = Room(name="scheduler", routers=[router])

    async def write(self, name: str, transaction: Annotated[Transaction, TransactionOf("scheduler")]) -> Response:
        self.done[name] += 1
        await self.gate.wait()
        await transaction.execute(NOTE, name)
        if self.fails:
            raise self.fails
        headers = {"etag": f'"{self.done[name]}"', "location": f"/v1/things/{name}", "x-other": "?"}
        return JSONResponse({"number": self.done[name], "name": "名"}, 201, headers)

    async def read(self, name: str) -> int:
        self.done[name] += 1
        return self.done[name]


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def client(house: House, door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(house, door.room) as client:
        yield client


async def post(
    client: httpx.AsyncClient, key: str, path: str = "/v1/things/a", content: bytes = b"1"
) -> httpx.Response:
    return await client.post(path, content=content, headers={"idempotency-key": key})


async def kept(house: House, answered: str = "not") -> int:
    async with house.database.reading() as transaction:
        return int(await transaction.fetchval(KEYS.format(answered)))


async def test_the_same_again_is_answered_and_not_done(client: httpx.AsyncClient, door: Door) -> None:
    first, again = await post(client, "k"), await post(client, "k")
    assert (first.status_code, first.json()) == (201, {"number": 1, "name": "名"})
    assert (again.status_code, again.content) == (201, first.content)
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert door.done == {"a": 1}


async def test_without_a_key_and_on_other_addresses_everything_is_done(client: httpx.AsyncClient, door: Door) -> None:
    for _ in range(2):
        await client.post("/v1/things/a")
        await client.get("/v1/things/b", headers={"idempotency-key": "k"})
        await client.post("/hooks/c", headers={"idempotency-key": "k"})
    assert door.done == {"a": 2, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/v1/things/a", b"2"),
        ("POST", "/v1/things/b", b"1"),
        ("POST", "/v1/things/a?x=1", b"1"),
        ("PUT", "/v1/things/a", b"1"),
    ],
)
async def test_a_key_stands_for_one_request(
    client: httpx.AsyncClient, door: Door, method: str, path: str, content: bytes
) -> None:
    await post(client, "k")
    other = await client.request(method, path, content=content, headers={"idempotency-key": "k"})
    assert (other.status_code, other.json()["type"]) == (422, "urn:huifang:problem:idempotency-key")
    assert door.done == {"a": 1}


@pytest.mark.parametrize("key", ["", "k" * (KEY_MOST + 1)])
async def test_a_key_has_a_length(client: httpx.AsyncClient, door: Door, key: str) -> None:
    assert (await post(client, key)).status_code == 422
    assert not door.done
    assert (await post(client, "k" * KEY_MOST)).status_code == 201


async def test_keys_are_each_caller_s_own(house: House, door: Door) -> None:
    for _ in range(2):
        async with browsing(house, door.room, role=Role.integration) as client:
            assert (await post(client, "k")).status_code == 201
    assert door.done == {"a": 2}


async def test_of_many_at_the_same_time_one_is_done(client: httpx.AsyncClient, door: Door, house: House) -> None:
    door.gate.clear()
    first = asyncio.create_task(post(client, "k"))
    await until(lambda: door.done)
    for refused in await asyncio.gather(*(post(client, "k") for _ in range(20))):
        assert (refused.status_code, refused.headers["retry-after"]) == (409, "1")
    door.gate.set()
    assert (await first).status_code == 201
    assert {each.status_code for each in await asyncio.gather(*(post(client, "k") for _ in range(20)))} == {201}
    assert door.done == {"a": 1}
    assert (await kept(house), await kept(house, "")) == (1, 0)


async def test_a_race_from_the_start_is_won_once(client: httpx.AsyncClient, door: Door) -> None:
    statuses = Counter(each.status_code for each in await asyncio.gather(*(post(client, "k") for _ in range(20))))
    assert set(statuses) <= {201, 409, 503}
    assert (await post(client, "k")).status_code == 201
    assert door.done == {"a": 1}


@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("gone"), 503), (ValueError("bug"), 500), (Problem(409, "taken", "It is taken."), 409)],
)
async def test_refusals_are_remembered_and_failures_are_not(
    client: httpx.AsyncClient, door: Door, house: House, error: Exception, status: int
) -> None:
    door.fails = error
    assert (await post(client, "k")).status_code == status
    door.fails = None
    assert (await post(client, "k")).status_code == (409 if status == 409 else 201)
    assert await kept(house, "") == 0


async def test_a_caller_who_leaves_frees_his_key(client: httpx.AsyncClient, door: Door, house: House) -> None:
    door.gate.clear()
    leaving = asyncio.create_task(post(client, "k"))
    await until(lambda: door.done)
    assert await kept(house, "") == 1
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    assert await kept(house, "") == 0
    door.gate.set()
    assert (await post(client, "k")).status_code == 201


async def test_a_key_whose_holder_died_is_free_after_a_while(
    client: httpx.AsyncClient, door: Door, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency.Idempotency, "_finish", lambda *_: asyncio.sleep(0))  # as if it died right here
    assert (await post(client, "k")).status_code == 201
    assert (await post(client, "k")).status_code == 409
    assert (await post(client, "k", content=b"2")).status_code == 422
    monkeypatch.undo()
    monkeypatch.setattr(idempotency, "HOLD_SECONDS", 0.0)
    assert (await post(client, "k")).status_code == 201
    assert (await post(client, "k")).headers["idempotency-replayed"] == "true"
    assert door.done == {"a": 2}


async def test_without_the_database_nothing_is_done(client: httpx.AsyncClient, door: Door, house: House) -> None:
    await post(client, "before")
    await house.database.close()
    answer = await post(client, "k")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert door.done == {"a": 1}


async def test_an_answer_that_cannot_be_kept_is_given_all_the_same(
    client: httpx.AsyncClient, door: Door, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.gate.clear()
    going = asyncio.create_task(post(client, "k"))
    await until(lambda: door.done)
    with monkeypatch.context() as outage:
        outage.setattr(house.database, "transaction", _gone)
        door.gate.set()
        assert (await going).status_code == 201
    assert (await post(client, "k")).status_code == 409
    assert door.done == {"a": 1}


def _gone(_: str) -> None:
    raise Unavailable("PostgreSQL does not answer")


async def test_answers_are_forgotten_after_a_day(client: httpx.AsyncClient, door: Door, house: House) -> None:
    await post(client, "old")
    await post(client, "new")
    async with house.database.transaction("services") as transaction:
        aged = "update services.idempotency set created_at = created_at - interval '25 hours' where key = 'old'"
        await transaction.execute(aged)
        await transaction.execute(SQL["forget_idempotent_answers"])
    assert await kept(house) == 1
    assert (await post(client, "new")).headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in (await post(client, "old")).headers
