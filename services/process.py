"""The parts of a running process, started in order and stopped in order."""

import asyncio
import socket
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog
import uvicorn

from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.kafka import Producer, ensure_topics
from services.listen import Listener
from services.outbox import Relay
from services.pulse import Pulse
from services.punctual import Punctual
from services.room import Room
from services.statements import Statements
from services.tick import Ticker
from services.web import application

log = structlog.get_logger(__name__)

SQL = Statements("services")
MEASURE_SECONDS = 5.0
TIDY_EVERY = 720
RETRY_SECONDS = 2.0
ENOUGH_SECONDS = 5.0


class Process:
    """The running rooms of one process, and what they share: producer, web server, pulse."""

    def __init__(self, house: House, rooms: Sequence[Room], port: int, public: Sequence[str] = ()) -> None:
        self._house = house
        self.pulse = Pulse()
        self._producer = Producer(house.settings)
        self._relays = [Relay(house, room.name, self._producer, self.pulse) for room in rooms]
        self._listeners = [
            Listener(house, room.name, room.handlers, self._producer, self.pulse) for room in rooms if room.handlers
        ]
        self._tickers = {room.name: Ticker(house, room.name, self.pulse) for room in rooms}
        self._rooms = rooms
        self._port = port
        self._server = _Server(
            uvicorn.Config(
                application(house, rooms, self.pulse, public),
                lifespan="off",
                http=Punctual,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(house.settings.trusted_proxies),
                forwarded_allow_ips=house.settings.trusted_proxies,
                timeout_graceful_shutdown=int(ENOUGH_SECONDS),
            )
        )
        self._working: list[asyncio.Task[None]] = []
        self._relaying: list[asyncio.Task[None]] = []
        self._topics_there = asyncio.Event()
        self._stopping = asyncio.Event()
        self.failed = asyncio.Event()

    async def start(self) -> None:
        """Begins to serve, hear, relay and tick; whoever calls the port now is answered. Kafka may be gone meanwhile.

        Raises `ConfigurationError` where the port is taken.
        """
        listening = _listen(self._house.settings.host, self._port)
        self._working = [
            self._task(self._server.serve([listening])),
            self._task(self._ensure_topics()),
            self._task(self._measure()),
            *(self._task(self._with_topics(listener)) for listener in self._listeners),
            *(self._task(self._tickers[room.name].run(tick)) for room in self._rooms for tick in room.ticks),
        ]
        self._relaying = [self._task(self._with_topics(relay)) for relay in self._relays]

    async def stop(self) -> None:
        """Stops in order: requests, ticks and batches come to their end; what they said goes out; then the clients."""
        patience = self._house.settings.shutdown_seconds / 3
        self._stopping.set()
        self._topics_there.set()
        self._server.should_exit = True
        for ticker in self._tickers.values():
            ticker.stop()
        for listener in self._listeners:
            listener.stop()
        await _end(self._working, patience)
        for relay in self._relays:
            relay.stop()
        await _end(self._relaying, patience)
        await self._producer.close()

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error or (task.cancelled() and not self._stopping.is_set()):
            log.critical("part_of_process_failed", exc_info=error)
            self.failed.set()

    async def _ensure_topics(self) -> None:
        while not self._stopping.is_set():
            try:
                await ensure_topics(self._house.settings)
            except Unavailable as error:
                self.pulse.trouble("topics", str(error))
                await self._wait(RETRY_SECONDS)
            else:
                self.pulse.trouble("topics", None)
                self._topics_there.set()
                return

    async def _with_topics(self, part: Listener | Relay) -> None:
        # Asked for a topic that is missing, many brokers make one, with one partition.
        await self._topics_there.wait()
        await part.run()

    async def _measure(self) -> None:
        rounds = 0
        while not self._stopping.is_set():
            try:
                for relay in self._relays:
                    await relay.measure()
                if rounds % TIDY_EVERY == 0:
                    await self._tidy()
            except Unavailable as error:
                log.warning("not_measured", error=str(error))
            rounds += 1
            await self._wait(MEASURE_SECONDS)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _tidy(self) -> None:
        async with self._house.database.transaction("services") as transaction:
            await transaction.execute(SQL["forget_idempotent_answers"])
            await transaction.execute(SQL["forget_heartbeats"])


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: the process stops its parts in its own order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from error


async def _end(tasks: Sequence[asyncio.Task[None]], patience: float) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=patience)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=ENOUGH_SECONDS)
