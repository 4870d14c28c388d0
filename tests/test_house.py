import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import migrate as migrations
from services.contracts.topics import topics
from services.errors import ConfigurationError
from services.run import ALL
from tests.laws import LAWS, Law
from tests.laws.source import Tree
from tests.postgres import PostgreSQL

ROOT = Path(__file__).parents[1]

WITHOUT_PRIMARY_KEY = """
    select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = any(array[{schemas}])
    and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p')
"""
ACROSS_SCHEMAS = """
    select k.conname from pg_constraint k
    join pg_class here on here.oid = k.conrelid join pg_class there on there.oid = k.confrelid
    where k.contype = 'f' and here.relnamespace <> there.relnamespace
"""
TIMES_WITHOUT_ZONE = """
    select table_schema || '.' || table_name || '.' || column_name from information_schema.columns
    where table_schema = any(array[{schemas}]) and data_type in ('timestamp without time zone', 'time with time zone')
"""


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree.read(ROOT)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Law, tree: Tree) -> None:
    broken = list(law(tree))
    assert not broken, "\n".join([law.__doc__ or "", *broken])


def test_every_room_furnishes_a_schema_of_its_own(postgres: PostgreSQL, template: str) -> None:
    query = "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema|public)' order by 1"
    assert set(postgres.execute(query, database=template).split()) == {"services", *ALL}


@pytest.mark.parametrize("query", [WITHOUT_PRIMARY_KEY, ACROSS_SCHEMAS, TIMES_WITHOUT_ZONE])
def test_the_database_holds_the_invariants(query: str, postgres: PostgreSQL, template: str) -> None:
    schemas = ", ".join(f"'{schema}'" for schema in ("services", *ALL))
    assert postgres.execute(query.format(schemas=schemas), database=template).split() == []


def test_migrations_one_by_one_and_in_one_go_give_the_same_schema(
    fresh: str, postgres: PostgreSQL, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrations.migrations()
    for number in range(1, len(every) + 1):
        monkeypatch.setattr(migrations, "migrations", lambda packages, number=number: every[:number])
        applied = asyncio.run(migrations.migrate(postgres.url(fresh)))
        assert applied == [every[number - 1]]
    assert postgres.schema(fresh) == postgres.schema(template)
    assert asyncio.run(migrations.migrate(postgres.url(fresh))) == []


def test_a_migration_that_was_changed_after_it_was_applied_is_refused(
    fresh: str, postgres: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = migrations.migrations()[0]
    monkeypatch.setattr(migrations, "migrations", lambda packages: [first])
    asyncio.run(migrations.migrate(postgres.url(fresh)))
    monkeypatch.setattr(migrations, "migrations", lambda packages: [first._replace(text=first.text + " ")])
    with pytest.raises(ConfigurationError, match=first.name):
        asyncio.run(migrations.migrate(postgres.url(fresh)))


def test_topics_are_the_house_s_own_or_the_itsm_s() -> None:
    assert set(topics()) == {"itsm.tickets", *(f"huifang.{room}" for room in ALL)}


@pytest.fixture
def fresh(postgres: PostgreSQL) -> Iterator[str]:
    postgres.execute("create database unmigrated")
    yield "unmigrated"
    postgres.execute("drop database unmigrated with (force)")
