"""`huifang up`: everything on this machine, in one process, in order."""

import asyncio
import os
import socket
import sys
from collections import ChainMap
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog

from services import logs, metrics, run
from services.auth import Keys, Role, install_key, revoke_key
from services.contracts.topics import topics
from services.embedded import mailbox, sms_sink, store
from services.embedded.broker import open_broker
from services.embedded.business_clock import keep_clock, open_clock
from services.embedded.folder import Folder, open_folder
from services.embedded.postgres import open_postgres
from services.embedded.sample import SAMPLE_SPEED, play_sample
from services.embedded.welcome import Greeter, greeter
from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.kafka import DEAD
from services.migrate import ROOMS, migrate
from services.process import Process
from services.seal import KeyRing, Seal
from services.settings import Settings, read_settings
from services.version import VERSION

log = structlog.get_logger(__name__)

HOST = "127.0.0.1"
PARTITIONS = 4
ADMINISTRATOR = "embedded administrator"
PACKAGES = (*ROOMS, "services.embedded")
LOOK_SECONDS = 0.5


async def up(*, port: int, data: Path | None, sample: bool, speed: float | None) -> None:
    """Runs until SIGINT or SIGTERM.

    Raises `ConfigurationError` (`FolderTaken` where another process has the folder) or `Unavailable`.
    """
    stopping = run.stop_on_signal()
    speed = speed or (SAMPLE_SPEED if sample else None)
    with open_folder(data) as folder:
        _check_port(port)
        async with _house(folder, port, speed, sample=sample) as (house, process):
            greet = greeter(os.environ, sys.stdout)
            greet.welcome(house.settings.public_url, folder.path, house.clock, sample=sample)
            run.settle_memory()
            works = [play_sample(folder, _address(port), house.clock)] if sample else []
            async with _beside(_greet_first_survey(house, greet), *works):
                await run.until_stopped(stopping, process)
            # Whatever hangs below must not keep the process: everything durable is in the database.
            asyncio.get_running_loop().call_later(house.settings.shutdown_seconds, os._exit, 1)


@asynccontextmanager
async def _house(
    folder: Folder, port: int, speed: float | None, *, sample: bool
) -> AsyncIterator[tuple[House, Process]]:
    """The whole house with its mailbox, serving."""
    with socket.create_server((HOST, 0)) as mails:
        async with _servers(folder) as servers, AsyncExitStack() as stack:
            settings = embedded_settings(folder, port, mails, servers)
            logs.configure(settings.log_level, settings.log_form)
            await migrate(settings.database_url.get_secret_value(), PACKAGES)
            # Business time begins when somebody is there to use it, and is kept until nobody is: what the house does
            # while it stops lies before what the next start does.
            clock = open_clock(folder.clock, speed=speed, sample=sample)
            await stack.enter_async_context(_beside(keep_clock(folder.clock, clock, speed or 1.0)))
            house = await stack.enter_async_context(run.open_house(settings, clock))
            room = await stack.enter_async_context(mailbox.open_mailbox(house, mails))
            await _install_keys(house, folder)
            metrics.BUILD.info({"version": VERSION})
            rooms = run.running(house, run.ALL, port, public=mailbox.PUBLIC, further=[room])
            yield house, await stack.enter_async_context(rooms)


@asynccontextmanager
async def _servers(folder: Folder) -> AsyncIterator[dict[str, str]]:
    """PostgreSQL and the broker, as settings; the environment may name others, and then ours are not started."""
    async with AsyncExitStack() as stack:
        servers = {}
        if not _is_set("HUIFANG_DATABASE_URL"):
            servers["HUIFANG_DATABASE_URL"] = await stack.enter_async_context(open_postgres(folder.postgres))
        if not _is_set("HUIFANG_KAFKA"):
            partitions = dict.fromkeys(topics(), PARTITIONS) | {topic + DEAD: 1 for topic in topics()}
            servers["HUIFANG_KAFKA"] = stack.enter_context(open_broker(partitions))
        yield servers


def embedded_settings(folder: Folder, port: int, mails: socket.socket, servers: Mapping[str, str]) -> Settings:
    """What the environment says, and ours where it says nothing. Messages go to the mailbox whatever it says."""
    defaults = {
        "HUIFANG_KEYRING": folder.keyring,
        "HUIFANG_PUBLIC_URL": _address(port),
        "HUIFANG_LOG_LEVEL": "WARNING",
        "HUIFANG_LOG_FORM": "console" if sys.stderr.isatty() else "json",
        # The broker forgets everything with every end, and an hour may pass in a second.
        "HUIFANG_SWEEP_PATIENCE": "00:00:05",
        **servers,
    }
    seal = Seal(KeyRing(os.environ.get("HUIFANG_KEYRING", folder.keyring)))
    return read_settings(
        ChainMap(dict(os.environ), defaults),
        host=HOST,
        port=port,
        smtp_url=f"smtp://{HOST}:{mails.getsockname()[1]}?tls=none",
        sms_provider="http",
        sms_url=_address(port) + sms_sink.gateway_path(seal),
        sms_secret=sms_sink.gateway_secret(seal),
    )


async def _install_keys(house: House, folder: Folder) -> None:
    """Makes the folder's admin key valid and gives the sources the folder's secrets, where that is not so already."""
    if await Keys(house.database).caller(folder.admin_key) is None:
        async with house.database.transaction("services") as transaction:
            with suppress(ConfigurationError):
                await revoke_key(transaction, ADMINISTRATOR)
            await install_key(transaction, ADMINISTRATOR, Role.administrator, folder.admin_key)
    async with house.database.transaction("ingest") as transaction:
        await import_module("ingest.commands").ensure_sources(house, transaction, folder.source_secrets)


async def _greet_first_survey(house: House, greet: Greeter) -> None:
    """Says where the first survey waits as soon as there is one."""
    while True:
        with suppress(Unavailable):
            async with house.database.reading() as transaction:
                link = await store.find_survey_link(transaction)
            if link is not None:
                greet.survey(link)
                return
        await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def _beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does works beside the block, and ends them with it; one that fails is logged and ends alone."""
    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(_note_failure)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _note_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("embedded_part_failed", exc_info=error)


def _check_port(port: int) -> None:
    """Tells early, before anything is started, that the port is taken."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise ConfigurationError(f"port {port}: {error.strerror}; choose another one with --port") from error


def _address(port: int) -> str:
    return f"http://{HOST}:{port}"


def _is_set(variable: str) -> bool:
    return variable in os.environ or f"{variable}_FILE" in os.environ
