import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import pytest

from services.clock import DrivenClock
from services.contracts.envelope import Decoder
from services.contracts.tickets import TicketClosed
from services.database import Database, Record, Transaction
from services.errors import ConfigurationError, Unavailable
from tests.faults import FaultProxy
from tests.postgres import PostgreSQL
from tests.services.freezing import frozen
from tests.services.toys import closed
from tests.services.waiting import until

INSERT = "insert into scheduler.heard values ('test', $1, 1)"
COUNT = "select count(*) from scheduler.heard"
CONNECTIONS = 4


class Boom(Exception):
    """An error of the work, not of the database."""


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgreSQL]:
    """A server that these tests freeze, kill and restart."""
    with PostgreSQL(durable=True) as server:
        server.execute("create schema scheduler", "create table scheduler.heard (kind text, subject text, times int)")
        yield server


@pytest.fixture
async def own(own_server: PostgreSQL, clock: DrivenClock) -> AsyncIterator[Database]:
    database = await Database.open(own_server.url(), clock, CONNECTIONS)
    yield database
    await database.close()


async def test_a_transaction_is_committed_with_what_it_says(database: Database, clock: DrivenClock) -> None:
    async with database.transaction("ingest") as transaction:
        assert transaction.now == clock.now()
        await transaction.execute(INSERT, "kept")
        transaction.say(closed(1))
    assert database.said_by("ingest").is_set()
    async with database.reading() as reading:
        assert await reading.fetchval(COUNT) == 1
        row = await reading.fetchrow("select topic, key, value from ingest.outbox")
    assert row is not None
    assert (row["topic"], row["key"]) == ("huifang.ingest", "jira/T-1")
    envelope, event = Decoder({TicketClosed.TYPE: TicketClosed}).decode(row["value"])
    assert (event, envelope.source, envelope.time) == (closed(1), "/huifang/ingest", clock.now())


async def test_an_error_leaves_nothing_and_the_connection_usable(database: Database) -> None:
    before = await _backends(database)

    async def fails(error: Exception | None) -> None:
        async with database.transaction("ingest") as transaction:
            await transaction.execute(INSERT, "lost")
            transaction.say(closed(1))
            transaction.after_commit(lambda: pytest.fail("nothing has become true"))
            if error:
                raise error
            await transaction.execute("select * from scheduler.nowhere")

    with pytest.raises(Boom):
        await fails(Boom())
    with pytest.raises(asyncpg.UndefinedTableError):
        await fails(None)
    async with database.reading() as reading:
        assert await reading.fetchval(COUNT) == 0
        assert await reading.fetchval("select count(*) from ingest.outbox") == 0
    assert not database.said_by("ingest").is_set()
    assert await _backends(database) == before


async def test_rows_go_in_by_copy(database: Database) -> None:
    async with database.transaction("scheduler") as transaction:
        rows = [("test", f"T-{number}", number) for number in range(1_000)]
        await transaction.copy("scheduler.heard", ("kind", "subject", "times"), rows)
        assert await transaction.fetchval("select sum(times) from scheduler.heard") == 499_500


async def test_an_argument_of_the_wrong_type_is_no_outage(database: Database) -> None:
    tries = []

    async def work(transaction: Transaction) -> None:
        tries.append(transaction)
        await transaction.execute("insert into scheduler.heard values ('test', 'T', $1)", 2**40)

    with pytest.raises(asyncpg.DataError):
        await database.run("scheduler", work)
    assert len(tries) == 1


async def test_an_error_of_the_work_is_no_outage(database: Database) -> None:
    with pytest.raises(FileNotFoundError):
        async with database.transaction("ingest"):
            raise FileNotFoundError("template.html")


async def test_a_conflict_is_tried_once_more(database: Database) -> None:
    tries: list[Transaction] = []
    counted: list[int] = []

    async def work(transaction: Transaction) -> int:
        tries.append(transaction)
        await transaction.execute(INSERT, "once")
        transaction.say(closed(1))
        transaction.after_commit(lambda: counted.append(len(tries)))
        assert not counted
        if len(tries) == 1:
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        return 7

    assert await database.run("ingest", work) == 7
    assert counted == [2]
    async with database.reading() as reading:
        assert await reading.fetchval(COUNT) == 1
        assert await reading.fetchval("select count(*) from ingest.outbox") == 1


async def test_a_second_failure_is_told(database: Database) -> None:
    async def work(transaction: Transaction) -> None:
        raise asyncpg.SerializationError("could not serialize access")

    with pytest.raises(Unavailable, match="could not serialize"):
        await database.run("ingest", work)


async def test_a_killed_backend_costs_one_retry(database: Database) -> None:
    tries = []

    async def work(transaction: Transaction) -> None:
        tries.append(transaction)
        if len(tries) == 1:
            await transaction.execute("select pg_terminate_backend(pg_backend_pid())")
        await transaction.execute(INSERT, "kept")

    await database.run("scheduler", work)
    async with database.reading() as reading:
        assert await reading.fetchval(COUNT) == 1


async def test_a_changed_table_costs_one_retry(database: Database) -> None:
    async def read(transaction: Transaction) -> list[Record]:
        return await transaction.fetch("select * from scheduler.heard")

    await database.run("scheduler", read)
    async with database.reading() as reading:
        await reading.execute("alter table scheduler.heard add column more text")
    assert await database.run("scheduler", read) == []


async def test_a_cancelled_transaction_gives_its_connection_back(own: Database) -> None:
    async def slow() -> None:
        async with own.transaction("scheduler") as transaction:
            await transaction.execute(INSERT, "cancelled")
            await transaction.execute("select pg_sleep(30)")

    tasks = [asyncio.create_task(slow()) for _ in range(CONNECTIONS)]
    await until(lambda: _sleeping(own, CONNECTIONS - 1))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await _full_again(own)
    async with own.reading() as reading:
        assert await reading.fetchval("select count(*) from scheduler.heard where subject = 'cancelled'") == 0


@pytest.mark.parametrize("backends_only", [True, False])
async def test_a_frozen_server_is_told_within_three_seconds(
    own: Database, own_server: PostgreSQL, backends_only: bool
) -> None:
    await _full_again(own)

    async def write() -> float:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            async with own.transaction("scheduler") as transaction:
                await transaction.execute(INSERT, "frozen")
        return time.monotonic() - began

    async def read() -> float:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            async with own.reading() as reading:
                await reading.fetchval(COUNT)
        return time.monotonic() - began

    with frozen(own_server, backends_only=backends_only):
        times = await asyncio.gather(*(work() for work in (write, read) for _ in range(CONNECTIONS // 2)))
        assert max(times) < 3
        if not backends_only:
            times = await asyncio.gather(*(work() for work in (write, read) for _ in range(CONNECTIONS)))
            assert max(times) < 3
    began = time.monotonic()
    await _full_again(own)
    assert time.monotonic() - began < 5


async def test_a_statement_that_freezes_midway_has_an_end(own: Database, own_server: PostgreSQL) -> None:
    async def freeze_midway() -> None:
        async with own.transaction("scheduler", patience=1) as transaction:
            with frozen(own_server):
                await transaction.execute(INSERT, "frozen")

    began = time.monotonic()
    with pytest.raises(Unavailable):
        await freeze_midway()
    assert time.monotonic() - began < 2
    await _full_again(own)


async def test_a_busy_pool_is_told_within_three_seconds(own: Database) -> None:
    held, release = asyncio.Barrier(CONNECTIONS + 1), asyncio.Event()

    async def hold() -> None:
        async with own.transaction("scheduler"):
            await held.wait()
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(CONNECTIONS)]
    await held.wait()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="no connection"):
        async with own.transaction("scheduler"):
            pass
    assert time.monotonic() - began < 3
    release.set()
    await asyncio.gather(*holders)


async def test_a_restart_is_survived(own: Database, own_server: PostgreSQL) -> None:
    await _full_again(own)
    own_server.stop()
    with pytest.raises(Unavailable):
        await own.run("scheduler", _write)
    own_server.start()
    await own.run("scheduler", _write)
    await _full_again(own)


async def test_a_read_only_server_is_left_and_found_again(own: Database, own_server: PostgreSQL) -> None:
    await _full_again(own)
    own_server.execute("alter system set default_transaction_read_only = on", "select pg_reload_conf()")
    try:
        await until(lambda: _unavailable(own))
        with pytest.raises(Unavailable):
            await own.run("scheduler", _write)
    finally:
        own_server.execute(
            "set default_transaction_read_only = off",
            "alter system reset default_transaction_read_only",
            "select pg_reload_conf()",
        )
    await until(lambda: _writes(own))


async def test_a_black_hole_is_told_and_left_when_closing(own_server: PostgreSQL, clock: DrivenClock) -> None:
    async with FaultProxy(f"{own_server.folder}/.s.PGSQL.5432") as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres?sslmode=disable"
        database = await Database.open(url, clock)
        proxy.set(black_hole=True)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await database.run("scheduler", _write)
        assert time.monotonic() - began < 6
        await database.close()
        assert time.monotonic() - began < 12


async def test_nobody_there_is_told(clock: DrivenClock) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await Database.open("postgresql://postgres@127.0.0.1:1/none", clock)


async def test_a_database_that_is_missing_is_a_mistake_of_the_setting(postgres: PostgreSQL, clock: DrivenClock) -> None:
    with pytest.raises(ConfigurationError, match=r"HUIFANG_DATABASE_URL.*nowhere"):
        await Database.open(postgres.url("nowhere"), clock)


async def test_no_state_leaks_from_one_user_of_a_connection_to_the_next(own: Database) -> None:
    lock = uuid4().int % 2**31
    for _ in range(CONNECTIONS):
        async with own.transaction("scheduler") as transaction:
            await transaction.execute("select pg_advisory_xact_lock($1)", lock)
            await transaction.execute("select set_config('lock_timeout', '7s', true)")
    async with own.reading() as reading:
        assert await reading.fetchval("show lock_timeout") == "0"
        assert await reading.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 0


async def _write(transaction: Transaction) -> None:
    await transaction.execute(INSERT, "kept")


async def _writes(database: Database) -> bool:
    try:
        await database.run("scheduler", _write)
    except Unavailable:
        return False
    return True


async def _unavailable(database: Database) -> bool:
    return not await _writes(database)


async def _full_again(database: Database) -> None:
    """Takes every connection of the pool at once."""
    together = asyncio.Barrier(CONNECTIONS)

    async def take() -> None:
        async with database.transaction("scheduler") as transaction:
            await transaction.fetchval("select 1")
            await asyncio.wait_for(together.wait(), 10)

    await asyncio.gather(*(take() for _ in range(CONNECTIONS)))


async def _backends(database: Database) -> list[int]:
    async with database.reading() as reading:
        rows = await reading.fetch("select pid from pg_stat_activity where datname = current_database() order by 1")
    return [row["pid"] for row in rows]


async def _sleeping(database: Database, number: int) -> bool:
    try:
        async with database.reading() as reading:
            return bool(
                await reading.fetchval(
                    "select count(*) >= $1 from pg_stat_activity where query like '%pg_sleep(30)%'", number
                )
            )
    except Unavailable:
        return True
