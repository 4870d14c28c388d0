"""One process: some rooms, or all of them, started in order and stopped in order."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, cast

import asyncpg
import structlog
import uvloop

from services import logs, metrics
from services.clock import Clock, SystemClock
from services.database import Database, reaching
from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.migrate import pending
from services.process import Process as Process
from services.room import OpenRoom, Room
from services.seal import KeyRing, Seal
from services.settings import Settings, read_settings
from services.version import VERSION

log = structlog.get_logger(__name__)

PORTS: Mapping[str, int] = {"ingest": 8001, "scheduler": 8002, "notifier": 8003, "scoring": 8004}
"""Every room, with the port where it listens when it runs alone."""
ALL = tuple(PORTS)
PORT_OF_ALL = 8000

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


def _opener(name: str) -> OpenRoom:
    return cast(OpenRoom, import_module(f"{name}.app").open_room)


async def _check_schema(url: str) -> None:
    with reaching():
        connection = await asyncpg.connect(url, timeout=5, command_timeout=10)
    try:
        todo = await pending(connection)
    finally:
        await connection.close(timeout=5)
    if todo:
        names = ", ".join(f"{each.room}/{each.name}" for each in todo)
        raise ConfigurationError(f"the database lacks {names}; run `huifang migrate` first")
