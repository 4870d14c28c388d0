import asyncio
import time

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from services.contracts.topics import topics
from services.errors import Unavailable
from services.kafka import DEAD, Outgoing, Producer, ensure_topics, leave, open_consumer, within
from services.settings import Settings
from tests.conftest import KEYRING, NOWHERE
from tests.faults import FaultProxy
from tests.kafka.server import Kafka
from tests.kafka.topics import renew
from tests.services.waiting import until

ITSM = "itsm.tickets"


def at(bootstrap: str, **changes: object) -> Settings:
    values = {"database_url": "postgresql://nowhere", "kafka": bootstrap, "keyring": KEYRING, **changes}
    return Settings.model_validate(values)


async def read(bootstrap: str, topic: str, number: int) -> list[tuple[int, bytes | None, bytes | None]]:
    """The first records of a topic, as (partition, key, value), in order per partition."""
    # Of a topic that was made a moment ago, the first word on who leads its partitions may be wrong.
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None, metadata_max_age_ms=2_000
    )
    await consumer.start()
    try:
        found: list[tuple[int, bytes | None, bytes | None]] = []
        async with asyncio.timeout(20):
            while len(found) < number:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found.extend((record.partition, record.key, record.value) for record in records)
        return found
    finally:
        await consumer.stop()


async def test_records_arrive_in_order_per_key(kafka: str) -> None:
    producer = Producer(at(kafka))
    numbered = [(f"key-{number % 7}".encode(), str(number).encode()) for number in range(3_000)]
    for start in range(0, 3_000, 1_000):
        await producer.send([Outgoing(ITSM, *record) for record in numbered[start : start + 1_000]])
    await producer.close()
    found = await read(kafka, ITSM, 3_000)
    for key in {key for key, _ in numbered}:
        assert [value for _, found_key, value in found if found_key == key] == [
            value for numbered_key, value in numbered if numbered_key == key
        ]
        assert len({partition for partition, found_key, _ in found if found_key == key}) == 1


async def test_more_than_a_batch_holds_and_records_without_a_key_arrive(kafka: str) -> None:
    producer = Producer(at(kafka))
    await producer.send([Outgoing(ITSM, b"key", bytes(400_000)) for _ in range(5)])
    await producer.send([Outgoing(ITSM, None, None), Outgoing(ITSM, b"", b"")])
    await producer.close()
    found = await read(kafka, ITSM, 7)
    assert sorted(len(value or b"") for _, _, value in found) == [0, 0, *[400_000] * 5]


async def test_a_producer_with_nobody_there_says_so(settings: Settings) -> None:
    producer = Producer(settings)
    with pytest.raises(Unavailable, match=NOWHERE):
        await producer.send([Outgoing(ITSM, b"key", b"value")])
    await producer.close()
    with pytest.raises(Unavailable, match=NOWHERE):
        await open_consumer(settings, "huifang.scheduler", [ITSM])
    with pytest.raises(Unavailable, match=NOWHERE):
        await ensure_topics(settings)


@pytest.mark.real_kafka
async def test_missing_topics_are_created_and_others_left(own_kafka: Kafka) -> None:
    await asyncio.to_thread(renew, own_kafka.bootstrap, ["other"])
    await ensure_topics(at(own_kafka.bootstrap, kafka_partitions=3))
    await ensure_topics(at(own_kafka.bootstrap, kafka_partitions=5))
    consumer = AIOKafkaConsumer(ITSM, ITSM + DEAD, bootstrap_servers=own_kafka.bootstrap)
    await consumer.start()
    found = await consumer.topics()
    assert found >= {name for topic in topics() for name in (topic, topic + DEAD)}
    assert consumer.partitions_for_topic(ITSM) == {0, 1, 2}
    assert consumer.partitions_for_topic(ITSM + DEAD) == {0}
    await consumer.stop()
    producer = Producer(at(own_kafka.bootstrap))
    await producer.send([Outgoing(ITSM + DEAD, b"key", bytes(1_048_000), [("why", b"x" * 500)])])
    await producer.close()


@pytest.mark.real_kafka
async def test_topics_that_cannot_be_created_are_told(own_kafka: Kafka) -> None:
    await asyncio.to_thread(renew, own_kafka.bootstrap, ["other"])
    with pytest.raises(Unavailable, match="InvalidReplicationFactor"):
        await ensure_topics(at(own_kafka.bootstrap, kafka_replicas=3))


@pytest.mark.real_kafka
async def test_a_black_hole_is_told_and_leaves_nothing_running(own_kafka: Kafka, proxy: FaultProxy) -> None:
    settings = at(f"127.0.0.1:{proxy.port}")
    producer = Producer(settings)
    await producer.send([Outgoing(ITSM, b"key", b"before")])
    consumer = await open_consumer(settings, "huifang.scheduler", [ITSM])
    await until(consumer.assignment)
    proxy.set(black_hole=True)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await producer.send([Outgoing(ITSM, b"key", b"during")])
    assert time.monotonic() - began < 20
    began = time.monotonic()
    await leave(consumer)
    assert time.monotonic() - began < 16
    await until(lambda: _background() == [], 5)
    proxy.heal()
    await producer.send([Outgoing(ITSM, b"key", b"after")])
    await producer.close()
    values = [value for _, _, value in await read(own_kafka.bootstrap, ITSM, 2)]
    assert values[0] == b"before"
    assert values[-1] in (b"during", b"after")


async def test_a_cluster_without_a_controller_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    async def nothing(_: AIOKafkaAdminClient) -> list[str]:
        return []

    async def no_controller(_: AIOKafkaAdminClient, __: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'nodeId'")

    monkeypatch.setattr(AIOKafkaAdminClient, "start", nothing)
    monkeypatch.setattr(AIOKafkaAdminClient, "list_topics", nothing)
    monkeypatch.setattr(AIOKafkaAdminClient, "create_topics", no_controller)
    with pytest.raises(Unavailable, match="no controller"):
        await ensure_topics(settings)


async def test_a_call_has_an_end_of_its_own() -> None:
    async def cancels_itself() -> None:
        raise asyncio.CancelledError

    with pytest.raises(Unavailable, match=r"\(commit\) did not answer within 0.05 s"):
        await within(asyncio.sleep(60), "commit", 0.05)
    with pytest.raises(Unavailable, match="cut short"):
        await within(cancels_itself(), "stop")
    waiting = asyncio.create_task(within(asyncio.sleep(60), "poll"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def _background() -> list[str]:
    """What aiokafka still runs in this loop."""
    names = [str(task.get_coro()) for task in asyncio.all_tasks()]
    return [name for name in names if "aiokafka" in name or "Kafka" in name or "_routine" in name]
