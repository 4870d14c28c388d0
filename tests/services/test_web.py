import asyncio
import math
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from services import metrics, run, web
from services.auth import Role
from services.database import Transaction
from services.errors import Problem
from services.house import House
from services.pulse import STANDSTILL_SECONDS, Pulse
from services.room import Room
from services.web import HotRoute, HouseOf, Page, TransactionOf, decode_cursor, encode_cursor
from tests.processes import free_port
from tests.services.browsing import browsing, key_of
from tests.services.toys import closed, noted

router = APIRouter()


@router.put("/v1/things/{name}")
async def put(name: str, body: dict[str, str], transaction: Annotated[Transaction, TransactionOf("ingest")]) -> str:
    await transaction.execute("insert into scheduler.heard values ('put', $1, 1)", name)
    transaction.say(closed(1))
    if body:
        raise Problem(409, "no", "No.")
    return name


@router.get("/v1/things")
async def things(house: HouseOf, cursor: str = "") -> Page[str]:
    decode_cursor(cursor, tuple[int, str])
    return Page(items=[house.settings.phone_region])


async def hook(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


ROOM = Room(name="ingest", routers=[router], routes=[HotRoute("/hooks/{source}", hook, ["POST"], {})])


async def test_a_write_is_committed_before_it_is_answered(house: House) -> None:
    async with browsing(house, ROOM) as client:
        answer = await client.put("/v1/things/a", json={})
        assert (answer.status_code, answer.json()) == (200, "a")
        assert await noted(house.database) == {"a": 1}
        assert (await client.put("/v1/things/b", json={"b": "b"})).status_code == 409
    assert await noted(house.database) == {"a": 1}
    async with house.database.reading() as transaction:
        assert await transaction.fetchval("select count(*) from ingest.outbox") == 1


async def test_every_answer_carries_an_id_of_its_own(house: House) -> None:
    async with browsing(house, ROOM) as client:
        ids = [(await client.get(path)).headers["x-request-id"] for path in ("/livez", "/livez", "/nowhere")]
    assert len({UUID(each) for each in ids}) == 3


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://hf.example.cn", "max-age=31536000; includeSubDomains"), ("http://hf.example.cn", None)],
)
async def test_browsers_are_told_to_stay_with_https(house: House, url: str, expected: str | None) -> None:
    settings = house.settings.model_copy(update={"public_url": url})
    async with browsing(House(settings, house.clock, house.database, house.seal), ROOM) as client:
        for path in ("/livez", "/v1/things", "/nowhere", "/s/x"):
            assert (await client.get(path)).headers.get("strict-transport-security") == expected


async def test_a_loop_that_stands_still_turns_liveness_red(house: House) -> None:
    pulse = Pulse()
    pulse.beat("ingest.relay")
    async with browsing(house, pulse=pulse, role=None) as client:
        assert (await client.get("/livez")).json() == {"status": "ok"}
        pulse._beats["ingest.relay"] -= STANDSTILL_SECONDS + 1
        answer = await client.get("/livez")
    assert answer.status_code == 503
    assert list(answer.json()["loops"]) == ["ingest.relay"]


async def test_readiness_is_a_write_and_names_what_waits(house: House) -> None:
    pulse = Pulse()
    pulse.trouble("topics", "Kafka is gone")
    async with browsing(house, pulse=pulse, role=None) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "waiting": {"topics": "Kafka is gone"}})
        async with house.database.reading() as transaction:
            assert await transaction.fetchval("select count(*) from services.heartbeat") == 1
        await house.database.close()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")


async def test_a_read_only_database_turns_readiness_red(house: House) -> None:
    async with browsing(house, role=None) as client:
        async with house.database.transaction("services") as transaction:
            name = await transaction.fetchval("select current_database()")
            await transaction.execute(f"alter database {name} set default_transaction_read_only = on")
            kill = (
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()"
            )
            await transaction.execute(kill, name)
        await house.database._pool.expire_connections()
        assert (await client.get("/readyz")).status_code == 503


async def test_metrics_are_counted_by_closed_sets_of_labels(house: House) -> None:
    metrics.HTTP_SECONDS.clear()
    async with browsing(house, ROOM) as client:
        for number in range(30):
            await client.put(f"/v1/things/{number}", json={})
            await client.get(f"/v1/nowhere/{number}")
            await client.post(f"/hooks/{number}", content=b"x")
            await client.request(f"ODD{number}", "/v1/things")
        text = (await client.get("/metrics")).text
    added = _labels()
    assert {route for _, route, _, _ in added} == {
        "/v1/things/{name}",
        "/hooks/{source}",
        "/v1/things",
        "/metrics",
        "unmatched",
    }
    assert {method for _, _, method, _ in added} == {"PUT", "GET", "POST", "other"}
    assert {room for room, _, _, _ in added} == {"tests", "services"}
    assert len(added) <= 7
    assert 'huifang_http_request_seconds_count{method="PUT"' in text


def _labels() -> set[tuple[str, str, str, str]]:
    family = next(each for each in REGISTRY.collect() if each.name == "huifang_http_request_seconds")
    labels = [sample.labels for sample in family.samples]
    return {(each["room"], each["route"], each["method"], each["status"]) for each in labels}


Json = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()


@given(st.lists(Json, max_size=4))
def test_a_cursor_carries_any_sort_key(key: list[object]) -> None:
    cursor = encode_cursor(*key)
    assert cursor.isascii()
    assert "=" not in cursor
    assert decode_cursor(cursor, list[object]) == key


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda bytes_: encode_cursor(bytes_.hex())))
def test_any_other_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor(cursor, tuple[int, str])
    assert (caught.value.status, caught.value.slug) == (422, "cursor")


async def test_a_cursor_of_rubbish_is_the_callers_mistake(house: House) -> None:
    nested = "W1tbW1tb" * 4_000
    async with browsing(house, ROOM) as client:
        for cursor in ("rubbish", "===", "é", "eyJhIjoxfQ", "WzEsMl0", nested):
            answer = await client.get("/v1/things", params={"cursor": cursor})
            assert answer.status_code == 422, cursor
        assert (await client.get("/v1/things", params={"cursor": encode_cursor(1, "a")})).json()["items"] == ["CN"]


@asynccontextmanager
async def served(house: House) -> AsyncIterator[tuple[int, str]]:
    """A port where the room is served by a real server, and a key."""
    port = free_port()
    async with run.running(house, (), port, further=(ROOM,)):
        yield port, await key_of(house, Role.administrator)


async def test_bodies_over_the_limit_are_refused_however_they_come(house: House) -> None:
    limit = web.BODY_LIMITS["/hooks/"]

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for _ in range(math.ceil(size / 10_000)):
            yield bytes(10_000)

    async with served(house) as (port, key), httpx.AsyncClient(trust_env=False) as client:
        hook = f"http://127.0.0.1:{port}/hooks/jira"
        assert (await client.post(hook, content=bytes(limit))).text == str(limit)
        assert (await client.post(hook, content=pieces(limit - 10_000))).status_code == 200
        for content in (bytes(limit + 1), pieces(limit + 10_000), bytes(3 * limit)):
            answer = await client.post(hook, content=content)
            assert answer.status_code == 413
            assert answer.headers["connection"] == "close"
            assert answer.json()["type"].startswith("urn:huifang:problem:")
        headers = {"authorization": f"Bearer {key}", "idempotency-key": "a"}
        answer = await client.put(f"http://127.0.0.1:{port}/v1/things/a", content=pieces(1_100_000), headers=headers)
        assert answer.status_code == 413


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"content-length: 5\r\ntransfer-encoding: chunked", b"400"),
        (b"content-length: 5\r\ncontent-length: 6", b"400"),
        (b"content-length: -5", b"400"),
        (b"content-length: 99999999999999999999999", b"4"),
        (b"content-length: 4294967296", b"413"),
    ],
)
async def test_heads_that_lie_about_the_body_are_refused(house: House, head: bytes, status: bytes) -> None:
    async with served(house) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /hooks/jira HTTP/1.1\r\nhost: huifang\r\n" + head + b"\r\n\r\nhello")
        line = await asyncio.wait_for(reader.readline(), 10)
        assert line.split()[1].startswith(status)
        await asyncio.wait_for(reader.read(), 10)
        writer.close()


async def test_a_flood_of_a_body_leaves_memory_flat(house: House) -> None:
    async def flood() -> AsyncIterator[bytes]:
        piece = bytes(1_000_000)
        for _ in range(300):
            yield piece

    async with served(house) as (port, _), httpx.AsyncClient(trust_env=False) as client:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with suppress(httpx.TransportError):  # cut off in the middle, as a rule
            answer = await client.post(f"http://127.0.0.1:{port}/hooks/jira", content=flood())
            assert answer.status_code == 413
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
