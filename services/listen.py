"""Hearing: records from Kafka in batches: decode, one transaction, handlers, commit, and only then the offset."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from services import metrics
from services.contracts.envelope import Decoder, EnvelopeError, Event
from services.contracts.tickets import TicketPayload
from services.contracts.topics import heard_by
from services.database import PutAside, Transaction
from services.errors import Unavailable
from services.house import House
from services.kafka import DEAD, Outgoing, Producer, leave, open_consumer, within
from services.pulse import Pulse
from services.room import Handler
from services.statements import Statements

log = structlog.get_logger(__name__)

SQL = Statements("services")
POLL_MILLISECONDS = 500
PROBE_SECONDS = 20.0
PAUSE_SECONDS = 1.0
OUTAGE_SECONDS = 60.0
CEILING_WINDOW = 1_000
CEILING = 500


class Heard(NamedTuple):
    """A record and what it says."""

    record: ConsumerRecord
    event: Event


class DeadLetter(NamedTuple):
    """A record that cannot be used, and why. `reason` is one word of a closed set, `detail` is for people."""

    record: ConsumerRecord
    reason: str
    detail: str


class Batch(NamedTuple):
    """What one poll brought: events to handle, records to put aside, and where each partition goes on."""

    heard: list[Heard]
    dead: list[DeadLetter]
    offsets: dict[TopicPartition, int]


class CeilingReached(Unavailable):
    """Too large a share of what is heard cannot be used: rather than pour a topic away, the room stops listening."""


class Ceiling:
    """Allows at most `CEILING` dead letters among the last `CEILING_WINDOW` records."""

    def __init__(self) -> None:
        self._window: deque[bool] = deque(maxlen=CEILING_WINDOW)

    def count(self, good: int, dead: int) -> None:
        """Counts a batch. Raises `CeilingReached`."""
        self._window.extend([True] * dead + [False] * good)
        if sum(self._window) > CEILING:
            raise CeilingReached(f"more than {CEILING} of the last {CEILING_WINDOW} records are unusable")


class Listener:
    """One room's ear: a member of the consumer group `huifang.<room>` for every topic that the room hears."""

    def __init__(
        self, house: House, room: str, handlers: Mapping[type[Event], Handler], producer: Producer, pulse: Pulse
    ) -> None:
        self._house = house
        self._room = room
        self._handlers = handlers
        self._producer = producer
        self._pulse = pulse
        self._ceiling = Ceiling()
        self._decoder = Decoder({event.TYPE: event for event in handlers})
        self._lags: dict[TopicPartition, int] = {}
        self._positions: dict[TopicPartition, int] | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Lets the batch in hand come to its end, and polls no more."""
        self._stopping.set()

    async def run(self) -> None:
        """Listens until `stop`. A consumer that fails, hangs or stands still is replaced by a new one."""
        while not self._stopping.is_set():
            self._pulse.beat(self._name)
            try:
                consumer = await open_consumer(self._house.settings, f"huifang.{self._room}", [*heard_by(self._room)])
                self._pulse.trouble(self._name, None)
                try:
                    await self._listen(consumer)
                finally:
                    await leave(consumer)
            except CeilingReached as error:
                log.error("ceiling_reached", room=self._room, error=str(error))
                self._pulse.trouble(self._name, str(error))
                await self._stand_by()
            except (KafkaError, OSError, Unavailable) as error:
                log.warning("listener_rebuilt", room=self._room, error=str(error) or type(error).__name__)
                metrics.RESTARTS.labels("consumer").inc()
                self._pulse.trouble(self._name, str(error))
                await self._wait(PAUSE_SECONDS)

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        coming = asyncio.create_task(self._poll(consumer))
        probed = time.monotonic()
        try:
            while not self._stopping.is_set():
                self._pulse.beat(self._name)
                batch = await coming
                # The next batch is fetched and decoded while this one commits.
                coming = asyncio.create_task(self._poll(consumer))
                if batch.offsets:
                    await self._take(consumer, batch)
                    probed = time.monotonic()
                elif time.monotonic() - probed > PROBE_SECONDS:
                    await self._probe(consumer)
                    probed = time.monotonic()
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError, KafkaError, OSError):
                await coming

    async def _poll(self, consumer: AIOKafkaConsumer) -> Batch:
        batch = Batch([], [], {})
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MILLISECONDS)).items():
            batch.offsets[partition] = records[-1].offset + 1
            for record in records:
                self._decode(record, batch)
        return batch

    def _decode(self, record: ConsumerRecord, batch: Batch) -> None:
        if record.value is None:
            metrics.DEAD_LETTERS.labels(record.topic, "tombstone").inc()
            return
        source = next((value for name, value in record.headers if name == "source"), None)
        if source is not None and TicketPayload in self._handlers:
            payload = TicketPayload(source=source.decode(errors="replace"), body=record.value)
            batch.heard.append(Heard(record, payload))
            return
        try:
            envelope, event = self._decoder.decode(record.value)
        except EnvelopeError as error:
            # Events for other ears on the same topic are none of this room's business.
            if error.reason != "unknown_type" or record.topic == "itsm.tickets":
                batch.dead.append(DeadLetter(record, error.reason, str(error)))
            return
        if record.key is not None and record.key.decode(errors="replace") == event.subject == envelope.subject:
            batch.heard.append(Heard(record, event))
        else:
            batch.dead.append(DeadLetter(record, "key_mismatch", f"key {record.key!r}, subject {event.subject!r}"))

    async def _take(self, consumer: AIOKafkaConsumer, batch: Batch) -> None:
        dead = [*batch.dead, *await self._handle_until_done(batch)]
        self._ceiling.count(len(batch.heard) + len(batch.dead) - len(dead), len(dead))
        if dead:
            await self._bury(dead)
        try:
            await within(consumer.commit(batch.offsets), "commit")
        except CommitFailedError:
            # The partitions went to another member meanwhile: he does the batch again, to no effect.
            log.info("offsets_not_committed", room=self._room)
        for partition, offset in batch.offsets.items():
            self._lags[partition] = max(0, (consumer.highwater(partition) or offset) - offset)
        self._show_lags()

    async def _handle_until_done(self, batch: Batch) -> list[DeadLetter]:
        partitions = sorted({f"{self._room}/{each.topic}/{each.partition}" for each in batch.offsets})
        patience = time.monotonic() + OUTAGE_SECONDS
        while True:
            try:
                return await self._handle(batch.heard, partitions)
            except Unavailable as error:
                log.warning("handlers_wait", room=self._room, error=str(error))
                self._pulse.beat(self._name)
                self._pulse.trouble(self._name, str(error))
                await self._wait(PAUSE_SECONDS)
                if self._stopping.is_set() or time.monotonic() > patience:
                    # A consumer that does not poll for long loses its place without a sign; a new one starts clean.
                    raise
            finally:
                self._pulse.beat(self._name)

    async def _handle(self, heard: Sequence[Heard], partitions: Sequence[str]) -> list[DeadLetter]:
        """Handles a batch in one transaction; where that fails for good, halves it until the culprit stands alone."""
        if not heard:
            return []

        async def work(transaction: Transaction) -> list[PutAside]:
            await transaction.execute(SQL["lock_partitions"], partitions)
            await self._call_handlers(transaction, [each.event for each in heard])
            return transaction.aside

        try:
            aside = await self._house.database.run(self._room, work)
        except Unavailable:
            raise
        except Exception as error:
            log.error("handler_failed", room=self._room, events=len(heard), exc_info=error)
            if len(heard) == 1:
                return [DeadLetter(heard[0].record, "handler_failed", repr(error))]
            middle = len(heard) // 2
            return [*await self._handle(heard[:middle], partitions), *await self._handle(heard[middle:], partitions)]
        self._pulse.trouble(self._name, None)
        records = {id(each.event): each.record for each in heard}
        return [DeadLetter(records[id(each.event)], each.reason, each.detail) for each in aside]

    async def _call_handlers(self, transaction: Transaction, events: Sequence[Event]) -> None:
        for kind, handler in self._handlers.items():
            ours = [event for event in events if type(event) is kind]
            if not ours:
                continue
            started, outcome = time.perf_counter(), "failed"
            try:
                await handler(self._house, transaction, ours)
                outcome = "done"
            finally:
                seconds = time.perf_counter() - started
                metrics.HANDLER_SECONDS.labels(self._room, kind.__name__, outcome).observe(seconds)

    async def _bury(self, dead: Sequence[DeadLetter]) -> None:
        """Writes dead letters, with the original bytes, before the offset moves. Raises `Unavailable`."""
        await self._producer.send([_letter(each, self._room) for each in dead])
        for each in dead:
            metrics.DEAD_LETTERS.labels(each.record.topic, each.reason).inc()
            log.warning(
                "dead_letter",
                room=self._room,
                topic=each.record.topic,
                partition=each.record.partition,
                offset=each.record.offset,
                reason=each.reason,
            )

    async def _probe(self, consumer: AIOKafkaConsumer) -> None:
        """Asks the brokers something in quiet times: a consumer that lost them without a sign shows here."""
        assigned = consumer.assignment()
        ends = await within(consumer.end_offsets(assigned), "probe") if assigned else {}
        positions = {partition: await within(consumer.position(partition), "probe") for partition in assigned}
        stands_still = positions == self._positions
        self._positions = positions
        self._lags = {partition: max(0, end - positions[partition]) for partition, end in ends.items()}
        self._show_lags()
        if stands_still and (not assigned or any(self._lags.values())):
            raise Unavailable("the consumer owns no partition, or stands still although there is something to hear")

    def _show_lags(self) -> None:
        by_topic = dict.fromkeys(heard_by(self._room), 0)
        for partition, lag in self._lags.items():
            by_topic[partition.topic] += lag
        for topic, lag in by_topic.items():
            metrics.CONSUMER_LAG.labels(self._room, topic).set(lag)

    async def _stand_by(self) -> None:
        while not self._stopping.is_set():
            self._pulse.beat(self._name)
            await self._wait(PAUSE_SECONDS)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    @property
    def _name(self) -> str:
        return f"{self._room}.listener"


def _letter(dead: DeadLetter, room: str) -> Outgoing:
    record = dead.record
    position = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    headers = [
        *record.headers,
        ("huifang-reason", dead.reason.encode()),
        ("huifang-detail", dead.detail[:500].encode()),
        ("huifang-room", room.encode()),
        ("huifang-position", json.dumps(position).encode()),
    ]
    return Outgoing(record.topic + DEAD, record.key, record.value, headers)
