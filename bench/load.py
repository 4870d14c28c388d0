"""A small HTTP/1.1 load generator on plain asyncio protocols, so that it costs less than what it loads."""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

Request = bytes
"""A whole request as it goes over the wire."""


class Load(NamedTuple):
    """What a run came to: requests a second, latencies in milliseconds, and the answers that were not expected."""

    rate: float
    p50: float
    p99: float
    unexpected: int


def request(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Request:
    """A request's bytes."""
    head = {"host": "127.0.0.1", "content-length": str(len(body)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class _Connection(asyncio.Protocol):
    """One keep-alive connection that has at most one request under way."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if separator and len(rest) >= _length(head) and self._answer and not self._answer.done():
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    async def ask(self, content: Request) -> int:
        """Sends a request and returns the status of its answer."""
        self._buffer.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(content)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


def _length(head: bytearray) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def saturate(port: int, requests: Iterator[Request], expected: int, *, connections: int, seconds: float) -> Load:
    """As many requests as `connections` callers get answered, each asking again at once."""
    latencies: list[float] = []
    wrong = 0
    until = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal wrong
        connection = await _connect(port)
        while (began := time.perf_counter()) < until and (content := next(requests, None)) is not None:
            wrong += await connection.ask(content) != expected
            latencies.append(time.perf_counter() - began)
        connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(connections)))
    return _load(latencies, time.perf_counter() - began, wrong)


async def pace(port: int, requests: Iterator[Request], expected: int, *, rate: int, seconds: float) -> Load:
    """Requests at a fixed rate whatever the answers do; latencies count from when each was due, waiting included."""
    connections = asyncio.Queue[_Connection]()
    for _ in range(64):
        connections.put_nowait(await _connect(port))
    latencies: list[float] = []
    wrong = 0

    async def one(due: float, content: Request) -> None:
        nonlocal wrong
        connection = await connections.get()
        wrong += await connection.ask(content) != expected
        latencies.append(time.perf_counter() - due)
        connections.put_nowait(connection)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(due, next(requests)))
    elapsed = time.perf_counter() - began
    while not connections.empty():
        connections.get_nowait().close()
    return _load(latencies, elapsed, wrong)


async def _connect(port: int) -> _Connection:
    _, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port)
    return connection


def _load(latencies: list[float], elapsed: float, wrong: int) -> Load:
    cuts = statistics.quantiles(latencies, n=100)
    return Load(len(latencies) / elapsed, cuts[49] * 1000, cuts[98] * 1000, wrong)


def repeat(make: Callable[[int], Request]) -> Iterator[Request]:
    """Requests numbered from 0, without end."""
    number = 0
    while True:
        yield make(number)
        number += 1
