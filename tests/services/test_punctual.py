import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from services import punctual, run, web
from services.house import House
from tests.processes import free_port
from tests.services.test_web import ROOM

HEAD = b"POST /hooks/jira HTTP/1.1\r\nhost: huifang\r\ncontent-length: 5\r\n"


@pytest.fixture
async def port(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Where a room is served by a server that loses its patience soon."""
    monkeypatch.setattr(punctual, "HEAD_SECONDS", 0.6)
    monkeypatch.setattr(web, "BODY_SECONDS", 0.6)
    port = free_port()
    async with run.running(house, (), port, further=(ROOM,)):
        yield port


async def drip(port: int, content: bytes, rest: bytes = b"") -> bytes:
    """Sends bytes, one every 0.1 s, until the server has had enough; returns what it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(content)
        began = time.monotonic()
        said = asyncio.create_task(reader.read())
        for each in rest:
            await asyncio.wait([said], timeout=0.1)
            if said.done():
                break
            writer.write(bytes([each]))
        answer = await asyncio.wait_for(said, 10)
        assert time.monotonic() - began < 5
        return answer
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("content", "rest"), [(b"", b""), (b"P", b"OST /" + b"a" * 100), (HEAD, b""), (HEAD, b"x-slow: " + b"a" * 100)]
)
async def test_a_head_that_does_not_come_is_cut_off(port: int, content: bytes, rest: bytes) -> None:
    assert await drip(port, content, rest) == b""


async def test_a_second_head_on_a_connection_is_no_more_patiently_waited_for(port: int) -> None:
    answer = await drip(port, HEAD + b"\r\nhello" + HEAD, b"x-slow: " + b"a" * 100)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_body_that_does_not_come_is_refused(port: int) -> None:
    answer = await drip(port, HEAD.replace(b": 5", b": 500") + b"\r\n", b"a" * 100)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"urn:huifang:problem:request-timeout" in answer


async def test_two_hundred_slow_ones_keep_nobody_else_waiting(port: int) -> None:
    slow = [asyncio.create_task(drip(port, HEAD, b"x: " + b"a" * 50)) for _ in range(200)]
    async with httpx.AsyncClient(trust_env=False) as client:
        began = time.monotonic()
        for _ in range(20):
            assert (await client.post(f"http://127.0.0.1:{port}/hooks/jira", content=b"hello")).text == "5"
        assert (time.monotonic() - began) / 20 < 0.5
    assert set(await asyncio.gather(*slow)) == {b""}


async def test_connections_are_kept_for_who_is_in_time(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=1)) as client:
        for pause in (0.0, 0.9, 0.9):
            await asyncio.sleep(pause)
            assert (await client.post(f"http://127.0.0.1:{port}/hooks/jira", content=b"hello")).text == "5"
