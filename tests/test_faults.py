import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest

from tests.faults import FaultProxy
from tests.postgres import PostgreSQL

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
OpenLine = Callable[[], Awaitable[Streams]]


@pytest.fixture
async def echo() -> AsyncIterator[tuple[str, int]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                writer.write(piece)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()


@pytest.fixture
async def proxy(echo: tuple[str, int]) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(echo) as proxy:
        yield proxy


@pytest.fixture
async def open_line(proxy: FaultProxy) -> AsyncIterator[OpenLine]:
    writers = []

    async def open_line() -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writers.append(writer)
        return reader, writer

    yield open_line
    for writer in writers:
        writer.transport.abort()


async def test_an_honest_line_carries_everything_and_its_end(open_line: OpenLine) -> None:
    reader, writer = await open_line()
    writer.write(b"x" * 300_000)
    writer.write_eof()
    async with asyncio.timeout(10):
        assert len(await reader.read()) == 300_000


async def test_latency_holds_each_piece_in_both_directions(proxy: FaultProxy, open_line: OpenLine) -> None:
    line = await open_line()
    proxy.set(latency=0.1)
    began = time.monotonic()
    assert await _ask(line, b"ping") == b"ping"
    assert time.monotonic() - began >= 0.2


async def test_a_black_hole_is_mute_until_it_heals(proxy: FaultProxy, open_line: OpenLine) -> None:
    line = await open_line()
    proxy.set(black_hole=True)
    late = await open_line()
    for each in (line, late):
        with pytest.raises(TimeoutError):
            await _ask(each, b"ping", 0.2)
    proxy.heal()
    async with asyncio.timeout(10):
        assert await line[0].readexactly(4) == b"ping"
        assert await late[0].readexactly(4) == b"ping"


async def test_a_reset_breaks_lines_and_a_refusal_new_ones(proxy: FaultProxy, open_line: OpenLine) -> None:
    line = await open_line()
    assert await _ask(line, b"ping") == b"ping"
    assert proxy.lines == 1
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await line[0].readexactly(1)
    proxy.set(refuse=True)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await _ask(await open_line(), b"ping")


async def test_a_cut_comes_after_so_many_bytes(proxy: FaultProxy, open_line: OpenLine) -> None:
    line = await open_line()
    proxy.set(cut_after=8)
    assert await _ask(line, b"ping") == b"ping"
    with pytest.raises(ConnectionResetError):
        await _ask(line, b"ping")


async def test_slices_arrive_one_by_one_and_a_limit_slows(proxy: FaultProxy, open_line: OpenLine) -> None:
    line = await open_line()
    proxy.set(slice=3, limit=1000)
    began = time.monotonic()
    assert await _ask(line, b"a" * 100) == b"a" * 100
    assert time.monotonic() - began >= 0.1


async def test_postgresql_on_its_socket_can_be_put_behind_it(postgres: PostgreSQL) -> None:
    async with FaultProxy(f"{postgres.folder}/.s.PGSQL.5432") as proxy:
        connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres", ssl=False)
        assert await connection.fetchval("select 1") == 1
        proxy.set(black_hole=True)
        with pytest.raises(TimeoutError):
            await connection.fetchval("select 2", timeout=0.3)
        proxy.heal()
        connection.terminate()


async def _ask(line: Streams, message: bytes, patience: float = 10) -> bytes:
    reader, writer = line
    async with asyncio.timeout(patience):
        writer.write(message)
        await writer.drain()
        return await reader.readexactly(len(message))
