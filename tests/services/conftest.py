"""What the frame's tests add: rooms of their own that own nothing but an outbox, and a table in which a toy notes."""

import asyncio

import pytest

from services.house import House
from services.kafka import Producer
from services.migrate import migrate
from services.pulse import Pulse
from services.run import ALL
from tests.postgres import PostgreSQL

FRAME = "huifang_frame"


@pytest.fixture(scope="session")
def template(postgres: PostgreSQL) -> str:
    """The frame's own schema without the real rooms', so that no room can break the frame's tests."""
    postgres.execute(f"create database {FRAME}")
    asyncio.run(migrate(postgres.url(FRAME), ["services"]))
    furnish = [f"call services.furnish('{room}')" for room in ALL]
    toy = "create table scheduler.heard (kind text, subject text, times integer not null, primary key (kind, subject))"
    postgres.execute(*furnish, toy, database=FRAME)
    return FRAME


@pytest.fixture
def pulse() -> Pulse:
    return Pulse()


@pytest.fixture
async def producer(house: House):  # type: ignore[no-untyped-def]
    producer = Producer(house.settings)
    yield producer
    await producer.close()
