"""Kafka behind a small port: every default named, every call with a deadline, clients rebuilt when one is missed."""

import asyncio
import ssl
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from aiokafka.partitioner import DefaultPartitioner

from services import metrics
from services.contracts.topics import topics
from services.errors import Unavailable
from services.settings import Settings

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

CALL_SECONDS = 10.0
STOP_SECONDS = 5.0
MAX_BATCH_BYTES = 1_000_000
DEAD = ".dead"


class Outgoing(NamedTuple):
    """A record on its way to a topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def client_options(settings: Settings) -> dict[str, Any]:
    """How every client reaches the brokers."""
    secure = settings.kafka_security in ("SSL", "SASL_SSL")
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka,
        "security_protocol": settings.kafka_security,
        "client_id": "huifang",
        "request_timeout_ms": 8_000,
        "metadata_max_age_ms": 15_000,
    }
    if secure:
        options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security.startswith("SASL"):
        options["sasl_mechanism"] = "SCRAM-SHA-512"
        options["sasl_plain_username"] = settings.kafka_user
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value() if settings.kafka_password else None
    return options


async def ensure_topics(settings: Settings) -> None:
    """Creates the topics of the flow, and their dead-letter topics, where they are missing.

    A broker that creates topics by itself and knows no admin requests (the embedded one) is left to it.
    Raises `Unavailable` where no broker answers.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await within(admin.start(), "admin")
        for topic in topics():
            for name, partitions in ((topic, settings.kafka_partitions), (topic + DEAD, 1)):
                with suppress(TopicAlreadyExistsError, AttributeError):
                    await within(admin.create_topics([NewTopic(name, partitions, settings.kafka_replicas)]), "admin")
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {settings.kafka}: {error}") from error
    finally:
        await stop(admin.close())


async def within(call: Awaitable[Result], part: str, seconds: float = CALL_SECONDS) -> Result:
    """The call's result, or `Unavailable` after `seconds`: aiokafka itself knows no upper bound."""
    try:
        return await asyncio.wait_for(call, seconds)
    except TimeoutError:
        raise Unavailable(f"Kafka ({part}) did not answer within {seconds:g} s") from None


async def stop(call: Awaitable[object]) -> None:
    """Stops a client, or leaves it after a while: with the brokers gone, `stop()` may never return."""
    with suppress(KafkaError, OSError, TimeoutError, AttributeError):
        await asyncio.wait_for(call, STOP_SECONDS)


class Producer:
    """One producer a process; a failed or late send throws it away, and the next send builds a new one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._building = asyncio.Lock()
        self._partition = DefaultPartitioner()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Sends the records, in order per key, and returns when all are acknowledged by all in-sync replicas.

        Raises `Unavailable` when that is not certain; they may then be on their topics all the same.
        """
        producer = await self._started()
        try:
            await within(self._send(producer, records), "producer")
        except (KafkaError, OSError, Unavailable) as error:
            await self._drop(producer)
            raise Unavailable(f"Kafka took no record: {error}") from error

    async def close(self) -> None:
        """Stops the producer."""
        if self._producer:
            await stop(self._producer.stop())
            self._producer = None

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        lanes: dict[tuple[str, int], list[Outgoing]] = {}
        for topic in {record.topic for record in records}:
            await producer.partitions_for(topic)
        for record in records:
            partitions = sorted(await producer.partitions_for(record.topic))
            lane = (record.topic, self._partition(record.key, partitions, partitions))
            lanes.setdefault(lane, []).append(record)
        await asyncio.gather(*(self._send_lane(producer, *lane, held) for lane, held in lanes.items()))

    async def _send_lane(self, producer: AIOKafkaProducer, topic: str, partition: int, held: list[Outgoing]) -> None:
        batch = producer.create_batch()
        for record in held:
            content = {"key": record.key, "value": record.value, "timestamp": None, "headers": list(record.headers)}
            if batch.append(**content) is None:
                await (await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(**content)
        await (await producer.send_batch(batch, topic, partition=partition))

    async def _started(self) -> AIOKafkaProducer:
        async with self._building:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client_options(self._settings),
                    acks="all",
                    enable_idempotence=False,  # its sequence errors need a new producer; keys make twice harmless
                    max_batch_size=MAX_BATCH_BYTES,
                    max_request_size=2 * MAX_BATCH_BYTES,
                    linger_ms=0,
                )
                try:
                    await within(producer.start(), "producer")
                except (KafkaError, OSError, Unavailable) as error:
                    await stop(producer.stop())
                    raise Unavailable(f"Kafka at {self._settings.kafka}: {error}") from error
                self._producer = producer
            return self._producer

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        metrics.RESTARTS.labels("producer").inc()
        if self._producer is producer:
            self._producer = None
        await stop(producer.stop())


async def open_consumer(settings: Settings, group: str, names: Sequence[str]) -> AIOKafkaConsumer:
    """A started member of a group. Raises `Unavailable` where the brokers do not let it in."""
    consumer = AIOKafkaConsumer(
        *names,
        **client_options(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_poll_records=2_000,
        fetch_max_wait_ms=200,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
        max_poll_interval_ms=120_000,
        rebalance_timeout_ms=20_000,
    )
    try:
        await within(consumer.start(), "consumer", 2 * CALL_SECONDS)
    except (KafkaError, OSError, Unavailable) as error:
        await stop(consumer.stop())
        raise Unavailable(f"Kafka at {settings.kafka}: {error}") from error
    return consumer
