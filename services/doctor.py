"""What is wrong with this installation, in plain words."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import asyncpg

from services.errors import ConfigurationError, Unavailable
from services.kafka import ensure_topics
from services.migrate import pending
from services.seal import KeyRing
from services.settings import Settings


class Finding(NamedTuple):
    """One thing looked at. `remedy` is empty where all is well."""

    what: str
    well: bool
    remedy: str


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Looks at the key ring, PostgreSQL, the schema, Kafka, and the ways out, one after the other."""
    try:
        KeyRing(settings.keyring.get_secret_value())
        yield Finding("key ring", True, "")
    except ConfigurationError as error:
        yield Finding("key ring", False, str(error))
    async for finding in _database(settings.database_url.get_secret_value()):
        yield finding
    try:
        await ensure_topics(settings)
        yield Finding("Kafka", True, "")
    except Unavailable as error:
        yield Finding("Kafka", False, f"{error}; check HUIFANG_KAFKA and that the broker runs")
    yield _way_out("e-mail", settings.smtp_url is not None, "set HUIFANG_SMTP_URL, or nobody is asked by e-mail")
    yield _way_out("SMS", settings.sms_provider != "none", "set HUIFANG_SMS_PROVIDER, or nobody is asked by SMS")
    yield _way_out("public address", not settings.is_local, "set HUIFANG_PUBLIC_URL to where customers reach /s/…")


async def _database(url: str) -> AsyncIterator[Finding]:
    try:
        connection = await asyncpg.connect(url, timeout=5, command_timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        yield Finding("PostgreSQL", False, f"{error}; check HUIFANG_DATABASE_URL and that the server runs")
        return
    try:
        yield Finding("PostgreSQL", True, "")
        todo = await pending(connection)
        yield Finding("schema", not todo, f"{len(todo)} migrations are missing; run `huifang migrate`" if todo else "")
    except ConfigurationError as error:
        yield Finding("schema", False, str(error))
    finally:
        await connection.close()


def _way_out(what: str, well: bool, remedy: str) -> Finding:
    return Finding(what, well, "" if well else remedy)
