"""What the tests of hearing share: events on a topic, a listener at work, and what became of both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.contracts.envelope import Event, encode
from services.contracts.tickets import TicketClosed
from services.errors import Unavailable
from services.house import House
from services.identifiers import uuid7
from services.kafka import DEAD, Outgoing, Producer
from services.listen import Listener
from services.pulse import Pulse
from services.room import Handler
from tests.services.toys import closed, note, noted

TOPIC = "huifang.ingest"
HANDLERS: dict[type[Event], Handler] = {TicketClosed: note}


def letter(house: House, event: Event) -> Outgoing:
    value = encode(event, id=uuid7(), room="ingest", time=house.clock.now())
    return Outgoing(TOPIC, event.subject.encode(), value)


async def say(house: House, producer: Producer, *numbers: int) -> None:
    await producer.send([letter(house, closed(number)) for number in numbers])


@asynccontextmanager
async def listening(
    house: House,
    producer: Producer,
    handlers: Mapping[type[Event], Handler] = HANDLERS,
    pulse: Pulse | None = None,
    room: str = "scheduler",
) -> AsyncIterator[Listener]:
    listener = Listener(house, room, handlers, producer, pulse or Pulse())
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        listener.stop()
        await asyncio.wait_for(task, 30)


async def heard(house: House, *numbers: int) -> bool:
    return set(await noted(house.database)) == {f"jira/T-{number}" for number in numbers}


async def letters(house: House, number: int, topic: str = TOPIC) -> list[ConsumerRecord]:
    """The first dead letters of a topic."""
    consumer = AIOKafkaConsumer(
        topic + DEAD,
        bootstrap_servers=house.settings.kafka,
        auto_offset_reset="earliest",
        group_id=None,
        metadata_max_age_ms=2_000,
    )
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        async with asyncio.timeout(20):
            while len(found) < number:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found.extend(records)
    finally:
        await consumer.stop()
    return found


async def committed(house: House, topic: str = TOPIC) -> int:
    """How many records of a topic the room has behind it."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=house.settings.kafka, group_id="huifang.scheduler", enable_auto_commit=False
    )
    await consumer.start()
    try:
        return sum([await consumer.committed(TopicPartition(topic, number)) or 0 for number in range(4)])
    finally:
        await consumer.stop()


def on(house: House, bootstrap: str) -> House:
    """The house with another broker."""
    changed = house.settings.model_copy(update={"kafka": bootstrap})
    return House(settings=changed, clock=house.clock, database=house.database, seal=house.seal)


async def equals(number: Awaitable[int], wanted: int) -> bool:
    return await number == wanted


async def said(house: House, producer: Producer, numbers: Sequence[int]) -> bool:
    """Whether the broker took it."""
    try:
        await say(house, producer, *numbers)
    except Unavailable:
        return False
    return True


async def forget_offsets(house: House) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=house.settings.kafka, group_id="huifang.scheduler", enable_auto_commit=False
    )
    await consumer.start()
    partitions = [TopicPartition(TOPIC, number) for number in range(4)]
    consumer.assign(partitions)
    await consumer.commit(dict.fromkeys(partitions, 0))
    await consumer.stop()
