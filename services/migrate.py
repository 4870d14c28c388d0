"""Migrations: plain numbered SQL below each room's `migrations/`, applied in order, each in its own transaction."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import asyncpg

from services.database import TRANSIENT, reaching
from services.errors import ConfigurationError, Unavailable
from services.statements import Statements

SQL = Statements("services")
LOCK_TIMEOUT = "5s"
ROOMS = ("services", "ingest", "scheduler", "notifier", "scoring")
"""Packages with migrations, the frame first: the others stand on its procedures."""


class Migration(NamedTuple):
    """One file."""

    room: str
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(packages: Sequence[str] = ROOMS) -> list[Migration]:
    """Every migration of the packages, in the order in which they apply."""
    return [
        Migration(package, file.name, file.read_text(encoding="utf-8"))
        for package in packages
        for file in sorted(files(package).joinpath("migrations").iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    ]


async def pending(connection: "asyncpg.Connection[asyncpg.Record]", packages: Sequence[str] = ROOMS) -> list[Migration]:
    """What is not applied yet. Raises `ConfigurationError` where an applied file was changed afterwards."""
    begun = await connection.fetchval(SQL["find_migration_table"])
    rows = await connection.fetch(SQL["list_migrations"]) if begun else []
    applied = {(row["room"], row["name"]): row["checksum"] for row in rows}
    for migration in migrations(packages):
        checksum = applied.get((migration.room, migration.name))
        if checksum is not None and checksum != migration.checksum:
            raise ConfigurationError(
                f"{migration.room}/migrations/{migration.name} was changed after it was applied; add a new file instead"
            )
    return [each for each in migrations(packages) if (each.room, each.name) not in applied]


async def migrate(url: str, packages: Sequence[str] = ROOMS) -> list[Migration]:
    """Brings the schema to the latest and returns what was applied. Safe to run from several processes at once.

    Raises `Unavailable` where the server does not answer or a table stays locked; what was applied until then stays.
    """
    with reaching():
        connection = await asyncpg.connect(url, timeout=10, command_timeout=600)
    done: list[Migration] = []
    try:
        while migration := await _apply_next(connection, packages):
            done.append(migration)
    except TRANSIENT as error:
        raise Unavailable(f"a migration waits for somebody or was cut short: {error}; run it again") from error
    finally:
        await connection.close(timeout=5)
    return done


async def _apply_next(connection: "asyncpg.Connection[asyncpg.Record]", packages: Sequence[str]) -> Migration | None:
    async with connection.transaction():
        await connection.execute(SQL["lock_migrations"])
        await connection.execute(SQL["create_migration_table"])
        todo = await pending(connection, packages)
        if not todo:
            return None
        await connection.execute(SQL["set_lock_timeout"], LOCK_TIMEOUT)
        await connection.execute(todo[0].text)
        await connection.execute(SQL["insert_migration"], todo[0].room, todo[0].name, todo[0].checksum)
        return todo[0]
