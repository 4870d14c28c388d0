import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path

import httpx
import pytest

from services import process, run
from services.contracts.tickets import TicketClosed
from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.migrate import migrate
from services.process import Process
from services.room import Room
from services.run import ALL, EXIT_CONFIGURATION, EXIT_UNAVAILABLE
from tests import processes
from tests.conftest import KEYRING, NOWHERE, ROOT
from tests.faults import FaultProxy
from tests.kafka.server import Kafka
from tests.postgres import PostgreSQL
from tests.processes import free_port
from tests.services.freezing import frozen
from tests.services.hearing import on
from tests.services.toys import closed, note, noted
from tests.services.waiting import until

SCHEDULER = Room(name="scheduler", handlers={TicketClosed: note})
SHUTDOWN = 6.0
SLACK = 5.0


@asynccontextmanager
async def caller(port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


async def test_what_one_room_says_another_hears(house: House, kafka: str) -> None:
    port = free_port()
    async with run.running(house, (), port, further=(SCHEDULER, Room(name="ingest"))), caller(port) as client:
        await _say(house, 1_000)
        await until(lambda: _heard(house, 1_000))
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).json()["status"] == "ok"
        assert "huifang_outbox_rows" in (await client.get("/metrics")).text
        assert (await client.get("/v1/nothing")).status_code == 401
    async with house.database.reading() as transaction:
        assert await transaction.fetchval("select count(*) from ingest.outbox") == 0


@pytest.mark.real_kafka
async def test_kafka_may_come_after_the_process(
    house: House, own_kafka: Kafka, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "RETRY_SECONDS", 0.2)
    proxy.set(refuse=True)
    port = free_port()
    through = on(house, f"127.0.0.1:{proxy.port}")
    async with run.running(through, (), port, further=(SCHEDULER, Room(name="ingest"))), caller(port) as client:
        await _say(house, 100)
        await until(lambda: _waits_for(client, "topics"), 30)
        assert (await client.get("/livez")).status_code == 200
        assert await noted(house.database) == {}
        proxy.heal()
        await until(lambda: _heard(house, 100), 60)
        assert (await client.get("/readyz")).json()["waiting"] == {}


async def test_a_part_that_fails_ends_the_process(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(process, "ensure_topics", fails)
    async with run.running(house, (), free_port(), further=(SCHEDULER,)) as running:
        with pytest.raises(Unavailable, match="a part of the process failed"):
            await asyncio.wait_for(run.until_stopped(asyncio.Event(), running), 10)


async def test_a_taken_port_is_told_before_anything_runs(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = Process(house, [SCHEDULER], port)
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}.*another port"):
            await running.start()
        await running.stop()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgreSQL]:
    """A server with the frame's schema, which these tests freeze and stop."""
    with PostgreSQL() as server:
        asyncio.run(migrate(server.url(), ["services"]))
        toy = "create table scheduler.heard (kind text, subject text, times integer, primary key (kind, subject))"
        server.execute(*(f"call services.furnish('{room}')" for room in ALL), toy)
        yield server


@contextmanager
def started(log: Path, url: str, kafka: str = NOWHERE, port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The toy process."""
    environment = {
        **os.environ,
        "HUIFANG_DATABASE_URL": url,
        "HUIFANG_KAFKA": kafka,
        "HUIFANG_KEYRING": KEYRING,
        "HUIFANG_PORT": str(port or free_port()),
        "HUIFANG_SHUTDOWN_SECONDS": str(SHUTDOWN),
    }
    command = [sys.executable, "-m", "tests.services.toy_process"]
    child = processes.start(command, log=log, environment=environment, directory=ROOT)
    try:
        yield child
    finally:
        processes.stop(child, signal.SIGKILL)


def ended(child: subprocess.Popen[bytes], patience: float = 30) -> tuple[int, float]:
    """Its exit status, and the seconds that it took."""
    began = time.monotonic()
    return child.wait(patience), time.monotonic() - began


async def ready(port: int) -> None:
    async with caller(port) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers, 30)


def test_a_process_on_a_taken_port_says_so(own_postgres: PostgreSQL, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        started(tmp_path / "log", own_postgres.url(), port=taken.getsockname()[1]) as child,
    ):
        assert ended(child)[0] == EXIT_CONFIGURATION
    assert "choose another port" in (tmp_path / "log").read_text()


def test_a_process_without_its_database_says_so(tmp_path: Path) -> None:
    with started(tmp_path / "log", "postgresql://postgres@127.0.0.1:1/x") as child:
        assert ended(child)[0] == EXIT_UNAVAILABLE
    assert "PostgreSQL does not answer" in (tmp_path / "log").read_text()


def _alive(_: PostgreSQL) -> AbstractContextManager[None]:
    return nullcontext()


@contextmanager
def _stopped(server: PostgreSQL) -> Iterator[None]:
    server.stop(signal.SIGQUIT)
    try:
        yield
    finally:
        server.start()


@pytest.mark.parametrize(
    ("sign", "fault"),
    [(signal.SIGTERM, _alive), (signal.SIGINT, _alive), (signal.SIGTERM, _stopped), (signal.SIGTERM, frozen)],
    ids=["alive", "interrupted", "killed", "frozen"],
)
async def test_a_process_ends_in_time_whatever_is_gone(
    own_postgres: PostgreSQL,
    tmp_path: Path,
    fault: Callable[[PostgreSQL], AbstractContextManager[None]],
    sign: signal.Signals,
) -> None:
    port, log = free_port(), tmp_path / "log"  # Kafka is gone in all cases
    with started(log, own_postgres.url(), port=port) as child:
        await ready(port)
        with fault(own_postgres):
            child.send_signal(sign)
            status, seconds = await asyncio.to_thread(ended, child)
    assert seconds < SHUTDOWN + SLACK
    assert status == 0 or (fault is not _alive and status == 1)


@pytest.mark.real_kafka
async def test_a_process_ends_in_time_with_kafka_in_a_black_hole(
    own_postgres: PostgreSQL, own_kafka: Kafka, proxy: FaultProxy, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    with started(log, own_postgres.url(), f"127.0.0.1:{proxy.port}", port) as child:
        await ready(port)
        await until(lambda: proxy.lines > 1)
        proxy.set(black_hole=True)
        child.send_signal(signal.SIGTERM)
        status, seconds = await asyncio.to_thread(ended, child)
    assert seconds < SHUTDOWN + SLACK
    assert status in (0, 1)


async def _say(house: House, number: int) -> None:
    async with house.database.transaction("ingest") as transaction:
        for each in range(number):
            transaction.say(closed(each))


async def _heard(house: House, number: int) -> bool:
    return await noted(house.database) == {f"jira/T-{each}": 1 for each in range(number)}


async def _waits_for(client: httpx.AsyncClient, part: str) -> bool:
    return part in (await client.get("/readyz")).json()["waiting"]
