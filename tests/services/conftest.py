"""What the frame's tests add: rooms of their own that own nothing but an outbox, and a table in which a toy notes."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from services.contracts.topics import topics
from services.house import House
from services.kafka import Producer
from services.migrate import migrate
from services.pulse import Pulse
from services.run import ALL
from tests.faults import FaultProxy
from tests.kafka.server import Kafka
from tests.kafka.topics import renew
from tests.postgres import PostgreSQL
from tests.processes import free_port

FRAME = "huifang_frame"
PROXIED = free_port()


@pytest.fixture(scope="session")
def template(postgres: PostgreSQL) -> str:
    """The frame's own schema without the real rooms', so that no room can break the frame's tests."""
    postgres.execute(f"create database {FRAME}")
    asyncio.run(migrate(postgres.url(FRAME), ["services"]))
    furnish = [f"call services.furnish('{room}')" for room in ALL]
    toy = "create table scheduler.heard (kind text, subject text, times integer not null, primary key (kind, subject))"
    postgres.execute(*furnish, toy, database=FRAME)
    return FRAME


@pytest.fixture(scope="session")
def own_node() -> Iterator[Kafka]:
    """A node behind a place for a fault proxy, which these tests cut off, kill and restart."""
    with Kafka(proxied=PROXIED) as node:
        yield node


@pytest.fixture
def own_kafka(own_node: Kafka) -> Kafka:
    """That node with the flow's topics, empty."""
    renew(own_node.bootstrap, [name for topic in topics() for name in (topic, f"{topic}.dead")])
    return own_node


@pytest.fixture
async def proxy(own_kafka: Kafka) -> AsyncIterator[FaultProxy]:
    """Stands before that node, at the address that clients are told."""
    async with FaultProxy(own_kafka.behind_proxy, port=PROXIED) as proxy:
        yield proxy


@pytest.fixture
def pulse() -> Pulse:
    return Pulse()


@pytest.fixture
async def producer(kafka: str, house: House) -> AsyncIterator[Producer]:
    """Sends to the shared broker."""
    producer = Producer(house.settings)
    yield producer
    await producer.close()


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    """Logs by way of the standard library, where pytest keeps them; structlog's own tracebacks take half a second."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
