"""One process: some rooms, or all of them, started in order and stopped in order."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from importlib import import_module
from typing import Any, cast

import asyncpg
import structlog
import uvicorn
import uvloop

from services import logs, metrics
from services.clock import Clock, SystemClock
from services.database import Database
from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.kafka import Producer, ensure_topics
from services.listen import Listener
from services.migrate import pending
from services.outbox import Relay
from services.pulse import Pulse
from services.room import OpenRoom, Room
from services.seal import KeyRing, Seal
from services.settings import Settings, read_settings
from services.statements import Statements
from services.tick import Ticker
from services.version import VERSION
from services.web import application

log = structlog.get_logger(__name__)

SQL = Statements("services")
PORTS: Mapping[str, int] = {"ingest": 8001, "scheduler": 8002, "notifier": 8003, "scoring": 8004}
"""Every room, with the port where it listens when it runs alone."""
ALL = tuple(PORTS)
PORT_OF_ALL = 8000

MEASURE_SECONDS = 5.0
TIDY_EVERY = 720
RETRY_SECONDS = 2.0
ENOUGH_SECONDS = 5.0
EXIT_CONFIGURATION = 78
EXIT_UNAVAILABLE = 69


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock) -> AsyncIterator[House]:
    """The house on its database. Raises `Unavailable` or `ConfigurationError` (the schema is not the code's)."""
    url = settings.database_url.get_secret_value()
    seal = Seal(KeyRing(settings.keyring.get_secret_value()))
    database = await Database.open(url, clock, settings.database_connections)
    try:
        await _check_schema(url)
        yield House(settings, clock, database, seal)
    finally:
        await database.close()


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
        self._server = _Server(
            uvicorn.Config(
                application(house, rooms, self.pulse, public),
                host=house.settings.host,
                port=port,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(house.settings.trusted_proxies),
                forwarded_allow_ips=house.settings.trusted_proxies,
                timeout_graceful_shutdown=int(ENOUGH_SECONDS),
            )
        )
        self._serving: asyncio.Task[None] | None = None
        self._working: list[asyncio.Task[None]] = []
        self._relaying: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self.failed = asyncio.Event()

    async def start(self) -> None:
        """Begins to serve, hear, relay and tick; returns when the port answers. Kafka may be gone meanwhile."""
        self._serving = self._task(self._server.serve())
        while not self._server.started:
            if self._serving.done():
                raise ConfigurationError(f"cannot listen on {self._server.config.host}:{self._server.config.port}")
            await asyncio.sleep(0.01)
        self._working = [
            self._task(self._ensure_topics()),
            self._task(self._measure()),
            *(self._task(listener.run()) for listener in self._listeners),
            *(self._task(self._tickers[room.name].run(tick)) for room in self._rooms for tick in room.ticks),
        ]
        self._relaying = [self._task(relay.run()) for relay in self._relays]

    async def stop(self) -> None:
        """Stops in order: requests, ticks and batches come to their end; what they said goes out; then the clients."""
        patience = self._house.settings.shutdown_seconds / 3
        self._stopping.set()
        self._server.should_exit = True
        if self._serving:
            await asyncio.wait([self._serving])
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
        if not task.cancelled() and (error := task.exception()):
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
                return

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


@asynccontextmanager
async def running(
    house: House, names: Sequence[str], port: int, *, public: Sequence[str] = (), further: Sequence[Room] = ()
) -> AsyncIterator[Process]:
    """The named rooms (and `further` ones) of a house, serving for as long as the block lasts."""
    async with AsyncExitStack() as resources:
        rooms = [await resources.enter_async_context(_opener(name)(house)) for name in names]
        process = Process(house, [*rooms, *further], port, public)
        try:
            await process.start()
            yield process
        finally:
            await process.stop()


async def serve(settings: Settings, names: Sequence[str]) -> None:
    """Runs rooms until SIGTERM or SIGINT. Raises `ConfigurationError` or `Unavailable` where it cannot start."""
    port = settings.port or (PORTS[names[0]] if len(names) == 1 else PORT_OF_ALL)
    stopping = stop_on_signal()
    metrics.BUILD.info({"version": VERSION})
    async with open_house(settings, SystemClock()) as house, running(house, names, port) as process:
        log.info("ready", rooms=list(names), port=port)
        settle_memory()
        await until_stopped(stopping, process)
        log.info("stopping")
        # Whatever hangs below must not keep the process: everything durable is in the database.
        asyncio.get_running_loop().call_later(settings.shutdown_seconds, os._exit, 1)


async def until_stopped(stopping: asyncio.Event, process: Process) -> None:
    """Waits for a signal, or for a part of the process to fail (which raises `Unavailable`)."""
    waiting = [asyncio.create_task(event.wait()) for event in (stopping, process.failed)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if process.failed.is_set():
        raise Unavailable("a part of the process failed; the log has the reason")


def stop_on_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def settle_memory() -> None:
    """Takes what start-up left out of the garbage collector's rounds: p99 under load falls to a third."""
    gc.collect()
    gc.freeze()


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def main(*names: str) -> None:
    """The process of some rooms: settings from the environment, exit codes as in sysexits."""
    try:
        settings = read_settings()
        logs.configure(settings.log_level, settings.log_form)
        run_loop(serve(settings, names))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_UNAVAILABLE) from None


async def _end(tasks: Sequence[asyncio.Task[None]], patience: float) -> None:
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _opener(name: str) -> OpenRoom:
    return cast(OpenRoom, import_module(f"{name}.app").open_room)


async def _check_schema(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=5, command_timeout=10)
    try:
        todo = await pending(connection)
    finally:
        await connection.close()
    if todo:
        names = ", ".join(f"{each.room}/{each.name}" for each in todo)
        raise ConfigurationError(f"the database lacks {names}; run `huifang migrate` first")


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: the process stops its parts in its own order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
