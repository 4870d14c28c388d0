"""Kafka behind a small port: every default named, every call with a deadline, clients rebuilt when one is missed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from services import metrics
from services.contracts.topics import topics
from services.errors import Unavailable
from services.settings import Settings

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

CALL_SECONDS = 10.0
STOP_SECONDS = 5.0
SESSION_MILLISECONDS = 10_000
MAX_BATCH_BYTES = 1_000_000
MAX_LETTER_BYTES = 2_000_000
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

    Raises `Unavailable` where no broker answers, or none lets us create what is missing.
    """
    wanted = [topic for name in topics() for topic in _new_topics(name, settings)]
    async with _administering(settings) as admin:
        there = set(await within(admin.list_topics(), "admin"))
        missing = [topic for topic in wanted if topic.name not in there]
        answer = await within(admin.create_topics(missing), "admin") if missing else None
        for name, code, *_ in answer.topic_errors if answer else ():
            if for_code(code) not in (NoError, TopicAlreadyExistsError):
                raise Unavailable(f"Kafka does not create topic {name}: {for_code(code).__name__}")


async def dead_topics(settings: Settings) -> list[str]:
    """The dead-letter topics that exist; asked for one that is missing, many brokers would make it.

    Raises `Unavailable`.
    """
    async with _administering(settings) as admin:
        there = set(await within(admin.list_topics(), "admin"))
    return [name + DEAD for name in topics() if name + DEAD in there]


@asynccontextmanager
async def _administering(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await within(admin.start(), "admin")
        yield admin
    except AttributeError as error:  # aiokafka's way of saying it; as when the controllers are just being elected
        raise Unavailable(f"Kafka at {settings.kafka} has no controller at the moment") from error
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {settings.kafka}: {error}") from error
    finally:
        with suppress(KafkaError, OSError, TimeoutError):
            await asyncio.wait_for(admin.close(), STOP_SECONDS)


def _new_topics(name: str, settings: Settings) -> tuple[NewTopic, NewTopic]:
    # A dead letter is the original and some headers: it must fit where the original just did.
    room = {"max.message.bytes": str(MAX_LETTER_BYTES)}
    return (
        NewTopic(name, settings.kafka_partitions, settings.kafka_replicas),
        NewTopic(name + DEAD, 1, settings.kafka_replicas, topic_configs=room),
    )


async def within(call: Awaitable[Result], part: str, seconds: float = CALL_SECONDS) -> Result:
    """The call's result, or `Unavailable` after `seconds`: aiokafka itself knows no upper bound."""
    try:
        return await asyncio.wait_for(call, seconds)
    except TimeoutError:
        raise Unavailable(f"Kafka ({part}) did not answer within {seconds:g} s") from None
    except asyncio.CancelledError:
        # aiokafka cancels tasks of its own and lets it show; taken for a wish of ours, it would end us without a word.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable(f"Kafka ({part}) was cut short") from None


async def leave(client: AIOKafkaProducer | AIOKafkaConsumer, patience: float = STOP_SECONDS) -> None:
    """Stops a client, or cuts it off after a while: with the brokers gone, its own `stop()` may never return."""
    try:
        await within(client.stop(), "stop", patience)
    except (KafkaError, OSError, Unavailable):
        await _cut_off(client)


async def _cut_off(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    # aiokafka has no public word for this. Left alone, its tasks would go on trying, and send what is long outdated.
    parts = [part for name in ("_sender", "_fetcher", "_coordinator") if (part := getattr(client, name, None))]
    tasks = {task for part in parts for task in vars(part).values() if isinstance(task, asyncio.Task)}
    for task in tasks:
        task.cancel()
    connections = client.client if isinstance(client, AIOKafkaProducer) else client._client
    with suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(connections.close(), STOP_SECONDS)
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_SECONDS)


class Producer:
    """One producer a process; a failed or late send throws it away, and the next send builds a new one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._building = asyncio.Lock()

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
            await leave(self._producer)
            self._producer = None

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        names = {record.topic for record in records}
        partitions = {name: sorted(await producer.partitions_for(name)) for name in names}
        lanes: dict[tuple[str, int], list[Outgoing]] = {}
        for record in records:
            # The same key always goes the same way; CRC-32 costs a hundredth of Kafka's own murmur2 in Python.
            number = crc32(record.key or b"") % len(partitions[record.topic])
            lanes.setdefault((record.topic, partitions[record.topic][number]), []).append(record)
        await asyncio.gather(*(self._send_lane(producer, *lane, held) for lane, held in lanes.items()))

    async def _send_lane(self, producer: AIOKafkaProducer, topic: str, partition: int, held: list[Outgoing]) -> None:
        batch = producer.create_batch()
        for record in held:
            content = {"key": record.key, "value": record.value, "timestamp": None, "headers": list(record.headers)}
            if batch.append(**content) is None:
                await (await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(**content)  # an empty batch takes a record of any size
        await (await producer.send_batch(batch, topic, partition=partition))

    async def _started(self) -> AIOKafkaProducer:
        async with self._building:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client_options(self._settings),
                    acks="all",
                    enable_idempotence=False,  # its sequence errors need a new producer; keys make twice harmless
                    max_batch_size=MAX_BATCH_BYTES,
                    max_request_size=MAX_LETTER_BYTES,
                    linger_ms=0,
                )
                try:
                    await within(producer.start(), "producer")
                except (KafkaError, OSError, Unavailable) as error:
                    await leave(producer)
                    raise Unavailable(f"Kafka at {self._settings.kafka}: {error}") from error
                self._producer = producer
            return self._producer

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        metrics.RESTARTS.labels("producer").inc()
        if self._producer is producer:
            self._producer = None
        await leave(producer, patience=0.1)


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
        session_timeout_ms=SESSION_MILLISECONDS,
        heartbeat_interval_ms=SESSION_MILLISECONDS // 4,
        max_poll_interval_ms=120_000,
        rebalance_timeout_ms=20_000,
    )
    try:
        await within(consumer.start(), "consumer", 2 * CALL_SECONDS)
    except (KafkaError, OSError, Unavailable) as error:
        await leave(consumer)
        raise Unavailable(f"Kafka at {settings.kafka}: {error}") from error
    return consumer
