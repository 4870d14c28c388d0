"""Kafka → ingest → outbox → Kafka → scheduler, each beside COPY of the rows that it leaves (DELETE for the relay)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import asyncpg

from ingest.handlers import HANDLERS as INGEST
from scheduler.app import Policies, read_policies
from scheduler.handlers import HANDLERS as SCHEDULER
from services.clock import SystemClock
from services.contracts.envelope import Event, encode
from services.contracts.tickets import Requester, TicketFacts, TicketReported
from services.contracts.topics import ITSM
from services.house import House
from services.identifiers import uuid7
from services.kafka import Outgoing, Producer, ensure_topics
from services.listen import Listener
from services.migrate import migrate
from services.outbox import Relay
from services.pulse import Pulse
from services.room import Handler
from services.run import open_house
from services.settings import Settings
from services.statements import Statements

SQL = Statements("bench")
EVENTS = 40_000
LOOK_SECONDS = 0.05


class Figure(NamedTuple):
    """A rate a second beside its limit from the same run."""

    flow: str
    rate: float
    limit: float
    goal: float


async def measure(settings: Settings) -> list[Figure]:
    """The three flows, one after the other, on the same 40,000 closed tickets."""
    await migrate(settings.database_url.get_secret_value())
    await ensure_topics(settings)
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    await connection.execute(SQL["create_schema"])
    producer = Producer(settings)
    async with open_house(settings, SystemClock()) as house:
        async with house.database.transaction("scheduler") as transaction:
            await Policies(read_policies(None)).keep(house, transaction)
        await _report(house, producer)
        ingest = await _listen(house, "ingest", INGEST, producer, connection, "count_closures")
        ingest_limit = await _copy(connection, [("ingest", "ticket"), ("ingest", "closure"), ("ingest", "outbox")])
        relay = await _relay(house, producer, connection)
        started = time.perf_counter()
        await connection.fetch(SQL["delete_returning"])
        relay_limit = EVENTS / (time.perf_counter() - started)
        await connection.execute(SQL["drop"].format(table="outbox"))
        scheduler = await _listen(house, "scheduler", SCHEDULER, producer, connection, "count_decisions")
        kept = ("closure", "survey", "survey_move", "due", "outbox")
        scheduler_limit = await _copy(connection, [("scheduler", table) for table in kept])
    await producer.close()
    await connection.close()
    return [
        Figure("Kafka → ingest: mapped, sealed, folded, committed", ingest, ingest_limit, 0.45),
        Figure("relay: outbox → Kafka, acknowledged, deleted", relay, relay_limit, 0.5),
        Figure("Kafka → scheduler: decided, survey planned, committed", scheduler, scheduler_limit, 0.45),
    ]


async def _report(house: House, producer: Producer) -> None:
    now = house.clock.now()
    for start in range(0, EVENTS, 2_000):
        records = []
        for number in range(start, start + 2_000):
            event = TicketReported(
                source="generic",
                ticket=f"T-{number}",
                state="closed",
                at=now - timedelta(minutes=5),
                facts=TicketFacts(group="Network", agent="Lin", customer="ACME", priority="3"),
                requester=Requester(name="Wang Fang", email=f"customer-{number}@example.com", locale="zh-CN"),
            )
            value = encode(event, id=uuid7(), room="bench", time=now)
            records.append(Outgoing(ITSM, event.subject.encode(), value))
        await producer.send(records)


async def _listen(
    house: House,
    room: str,
    handlers: Mapping[type[Event], Handler],
    producer: Producer,
    connection: "asyncpg.Connection[asyncpg.Record]",
    progress: str,
) -> float:
    listener = Listener(house, room, handlers, producer, Pulse())
    task = asyncio.create_task(listener.run())
    while not (done := await connection.fetchval(SQL[progress])):
        await asyncio.sleep(LOOK_SECONDS / 10)
    started = time.perf_counter()
    rate = await _rate(lambda: connection.fetchval(SQL[progress]), done, started)
    listener.stop()
    await task
    return rate


async def _rate(look: Callable[[], Awaitable[int]], already: int, started: float) -> float:
    """Events a second from the first committed batch to the last: joining the group is not counted."""
    while await look() < EVENTS:
        await asyncio.sleep(LOOK_SECONDS)
    return (EVENTS - already) / (time.perf_counter() - started)


async def _relay(house: House, producer: Producer, connection: "asyncpg.Connection[asyncpg.Record]") -> float:
    relay = Relay(house, "ingest", producer, Pulse())
    started = time.perf_counter()
    task = asyncio.create_task(relay.run())
    while await connection.fetchval(SQL["count_said"]):
        await asyncio.sleep(LOOK_SECONDS)
    rate = EVENTS / (time.perf_counter() - started)
    relay.stop()
    await task
    return rate


async def _copy(connection: "asyncpg.Connection[asyncpg.Record]", tables: Sequence[tuple[str, str]]) -> float:
    """Tickets a second when the same rows are copied into empty tables of the same shape, on one connection."""
    copies = []
    for schema, table in tables:
        name = {"schema": schema, "table": table}
        rows = await connection.fetch(SQL["read"].format(**name))
        await connection.execute(SQL["clone"].format(**name))
        copies.append((table, list(rows[0].keys()) if rows else [], [tuple(row) for row in rows]))
    started = time.perf_counter()
    for table, columns, rows_copied in copies:
        if rows_copied:
            await connection.copy_records_to_table(table, schema_name="bench", columns=columns, records=rows_copied)
    elapsed = time.perf_counter() - started
    for _, table in tables:
        if (table, tables[0][0]) != ("outbox", "ingest"):
            await connection.execute(SQL["drop"].format(table=table))
    return EVENTS / elapsed
