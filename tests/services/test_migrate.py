import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from services import migrate as module
from services.errors import ConfigurationError, Unavailable
from services.migrate import ROOMS, migrate, migrations, pending
from tests.postgres import PostgreSQL

_numbers = count(1)


@pytest.fixture
def empty(postgres: PostgreSQL) -> Iterator[str]:
    """The name of a database without anything."""
    name = f"huifang_empty_{next(_numbers)}"
    postgres.execute(f"create database {name}")
    yield name
    postgres.execute(f"drop database {name} with (force)")


Write = Callable[[str, str], None]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A package `attic` whose migrations the test writes."""
    folder = tmp_path / "attic" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "attic" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)

    yield write
    sys.modules.pop("attic", None)


async def test_one_by_one_equals_all_at_once(postgres: PostgreSQL, empty: str) -> None:
    postgres.execute(f"create database {empty}_stepwise")
    try:
        done = await migrate(postgres.url(empty))
        assert done == migrations()
        for index in range(len(ROOMS)):
            await migrate(postgres.url(f"{empty}_stepwise"), ROOMS[: index + 1])
        assert postgres.schema(empty) == postgres.schema(f"{empty}_stepwise")
        assert await migrate(postgres.url(empty)) == []
    finally:
        postgres.execute(f"drop database {empty}_stepwise with (force)")


async def test_files_apply_in_the_order_of_their_names(postgres: PostgreSQL, empty: str, room: Write) -> None:
    room("0002_more.sql", "alter table attic.box add column size integer;")
    room("0001_box.sql", "create schema attic; create table attic.box (name text); insert into attic.box values ('a');")
    room("README.md", "no migration")
    assert [each.name for each in await migrate(postgres.url(empty), ["attic"])] == ["0001_box.sql", "0002_more.sql"]
    assert postgres.execute("select name, size from attic.box", database=empty).strip() == "a|"


async def test_a_file_changed_after_it_was_applied_is_refused(postgres: PostgreSQL, empty: str, room: Write) -> None:
    room("0001_box.sql", "create schema attic;")
    await migrate(postgres.url(empty), ["attic"])
    room("0001_box.sql", "create schema attic; create table attic.box (name text);")
    with pytest.raises(ConfigurationError, match=r"attic/migrations/0001_box\.sql was changed"):
        await migrate(postgres.url(empty), ["attic"])


async def test_a_failing_file_leaves_nothing_of_itself(postgres: PostgreSQL, empty: str, room: Write) -> None:
    room("0001_box.sql", "create schema attic;")
    room("0002_wrong.sql", "create table attic.box (name text); select nothing from nowhere;")
    with pytest.raises(asyncpg.UndefinedTableError):
        await migrate(postgres.url(empty), ["attic"])
    room("0002_wrong.sql", "create table attic.box (name text);")
    assert [each.name for each in await migrate(postgres.url(empty), ["attic"])] == ["0002_wrong.sql"]


async def test_concurrent_runs_apply_each_file_once(postgres: PostgreSQL, empty: str) -> None:
    runs = await asyncio.gather(*(migrate(postgres.url(empty)) for _ in range(4)))
    assert sorted(each for run in runs for each in run) == sorted(migrations())


async def test_what_is_pending_is_told_without_touching_an_empty_database(postgres: PostgreSQL, empty: str) -> None:
    before = postgres.schema(empty)
    connection = await asyncpg.connect(postgres.url(empty))
    assert await pending(connection) == migrations()
    await connection.close()
    assert postgres.schema(empty) == before


async def test_a_table_that_stays_locked_stops_the_run(
    postgres: PostgreSQL, empty: str, room: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_TIMEOUT", "100ms")
    room("0001_box.sql", "create schema attic; create table attic.box (name text);")
    await migrate(postgres.url(empty), ["attic"])
    room("0002_more.sql", "alter table attic.box add column size integer;")
    connection = await asyncpg.connect(postgres.url(empty))
    async with connection.transaction():
        await connection.execute("select * from attic.box")
        with pytest.raises(Unavailable, match="run it again"):
            await migrate(postgres.url(empty), ["attic"])
    await connection.close()
    assert len(await migrate(postgres.url(empty), ["attic"])) == 1


async def test_nobody_there_is_told() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await migrate("postgresql://postgres@127.0.0.1:1/none")
