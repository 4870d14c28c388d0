import asyncio
import os
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.embedded.broker import open_broker


def consumer_of(address: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        "flow",
        bootstrap_servers=address,
        group_id="room",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        session_timeout_ms=6_000,
    )


async def test_what_is_sent_is_heard_from_where_the_group_left_off() -> None:
    with open_broker({"flow": 6}) as address:
        async with AIOKafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True) as producer:
            assert len(await producer.partitions_for("flow")) == 6
            await asyncio.gather(*[await producer.send("flow", b"%d" % n, key=b"%d" % n) for n in range(1_000)])
        seen: list[int] = []
        for most in (600, 1_000):
            async with consumer_of(address) as consumer:
                while len(seen) < most:
                    batches = await consumer.getmany(timeout_ms=1_000, max_records=most - len(seen))
                    seen += [int(record.value) for records in batches.values() for record in records]
                await consumer.commit()
        assert sorted(seen) == list(range(1_000))


async def test_a_new_group_need_not_wait() -> None:
    with open_broker({"flow": 4}) as address:
        began = time.monotonic()
        async with consumer_of(address) as consumer:
            assert len(consumer.assignment()) == 4
            assert time.monotonic() - began < 1.5


async def test_a_consumer_too_far_behind_goes_on_at_the_oldest_record_that_is_left() -> None:
    """The limit that the docstring names: 5 MiB a partition."""
    with open_broker({"flow": 1}) as address:
        async with AIOKafkaProducer(bootstrap_servers=address, max_batch_size=100_000) as producer:
            await asyncio.gather(*[await producer.send("flow", os.urandom(10_000)) for _ in range(1_000)])
        async with consumer_of(address) as consumer:
            partition = TopicPartition("flow", 0)
            oldest = (await consumer.beginning_offsets([partition]))[partition]
            assert 400 < oldest < 600
            heard = 0
            while heard < 1_000 - oldest:
                heard += sum(map(len, (await consumer.getmany(timeout_ms=1_000)).values()))


async def test_it_is_gone_after_its_block() -> None:
    with open_broker({}) as address:
        host, _, port = address.partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))
