"""Hearing: records from Kafka in batches: decode, one transaction, handlers, commit, and only then the offset."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import extract_tb

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from services import metrics
from services.batch import Batch, Ceiling, DeadLetter, Ear, Heard
from services.contracts.envelope import Event
from services.contracts.topics import heard_by
from services.database import Transaction
from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.kafka import Producer, leave, open_consumer, within
from services.pulse import Pulse
from services.room import Handler
from services.statements import Statements

log = structlog.get_logger(__name__)

SQL = Statements("services")
POLL_MILLISECONDS = 500
PROBE_SECONDS = 10.0
UNASSIGNED_SECONDS = 60.0
PAUSE_SECONDS = 1.0
OUTAGE_SECONDS = 60.0


class Listener:
    """One room's ear: a member of the consumer group `huifang.<room>` for every topic that the room hears."""

    def __init__(
        self, house: House, room: str, handlers: Mapping[type[Event], Handler], producer: Producer, pulse: Pulse
    ) -> None:
        self._house = house
        self._room = room
        self._name = f"{room}.listener"
        self._handlers = handlers
        self._producer = producer
        self._pulse = pulse
        self._ear = Ear(handlers)
        self._ceiling = Ceiling()
        self._lags: dict[TopicPartition, int] = {}
        self._behind: dict[TopicPartition, int] = {}
        self._assigned_at = 0.0
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
                try:
                    await self._listen(consumer)
                finally:
                    await leave(consumer)
            except (KafkaError, OSError, Unavailable, ConfigurationError) as error:
                log.warning("listener_rebuilt", room=self._room, error=str(error) or type(error).__name__)
                metrics.RESTARTS.labels("consumer").inc()
                self._pulse.trouble(self._name, str(error) or type(error).__name__)
                await self._wait(PAUSE_SECONDS)

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        self._pulse.trouble(self._name, None)
        self._lags, self._behind = {}, {}
        self._assigned_at = probed = time.monotonic()
        coming = asyncio.create_task(self._poll(consumer))
        try:
            while not self._stopping.is_set():
                self._pulse.beat(self._name)
                batch = await within(coming, "poll")
                # The next batch is fetched and decoded while this one commits.
                coming = asyncio.create_task(self._poll(consumer))
                if batch.offsets:
                    await self._take(consumer, batch.without(consumer.paused()))
                    probed = time.monotonic()
                elif time.monotonic() - probed > PROBE_SECONDS:
                    await self._probe(consumer)
                    probed = time.monotonic()
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError, KafkaError, OSError):
                await coming

    async def _poll(self, consumer: AIOKafkaConsumer) -> Batch:
        return self._ear.batch(await consumer.getmany(timeout_ms=POLL_MILLISECONDS))

    async def _take(self, consumer: AIOKafkaConsumer, batch: Batch) -> None:
        dead = [*batch.dead, *await self._handle_until_done(batch)]
        over = self._ceiling.reached(batch, dead)
        if over:
            self._pause(consumer, over)
        batch = batch.without(over)
        dead = [each for each in dead if TopicPartition(each.record.topic, each.record.partition) not in over]
        if dead:
            await self._bury(dead)
        await self._commit(consumer, batch.offsets)

    def _pause(self, consumer: AIOKafkaConsumer, over: Sequence[TopicPartition]) -> None:
        """Leaves partitions alone that yield hardly anything but dead letters, until the next start or rebalance.

        Their offsets stay: a bad release must not pour a topic away.
        """
        for partition in over:
            log.error("ceiling_reached", room=self._room, topic=partition.topic, partition=partition.partition)
            what = f"too many unusable records in {partition.topic}/{partition.partition}: not read any further"
            self._pulse.trouble(f"{self._name} {partition.topic}/{partition.partition}", what)
        consumer.pause(*consumer.assignment().intersection(over))

    async def _commit(self, consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
        ours = {partition: offset for partition, offset in offsets.items() if partition in consumer.assignment()}
        try:
            if ours:
                await within(consumer.commit(ours), "commit")
        except (CommitFailedError, IllegalStateError):
            # The partitions went to another member meanwhile: he does the batch again, to no effect.
            log.info("offsets_not_committed", room=self._room)
            return
        for topic, partition in ours:
            self._pulse.trouble(f"{self._name} {topic}/{partition}", None)
        lags = {partition: (consumer.highwater(partition) or offset) - offset for partition, offset in ours.items()}
        self._show_lags({**self._lags, **lags}, consumer)

    async def _handle_until_done(self, batch: Batch) -> list[DeadLetter]:
        partitions = sorted({f"{self._room}/{each.topic}/{each.partition}" for each in batch.offsets})
        patience = time.monotonic() + OUTAGE_SECONDS
        while True:
            try:
                dead = await self._handle(batch.heard, partitions)
            except (Unavailable, ConfigurationError) as error:
                log.warning("handlers_wait", room=self._room, error=str(error))
                self._pulse.beat(self._name)
                self._pulse.trouble(self._name, str(error))
                await self._wait(PAUSE_SECONDS)
                if self._stopping.is_set() or time.monotonic() > patience:
                    # A consumer that does not poll for long loses its place without a sign; a new one starts clean.
                    raise
            else:
                self._pulse.trouble(self._name, None)
                return dead

    async def _handle(self, heard: Sequence[Heard], partitions: Sequence[str]) -> list[DeadLetter]:
        """Handles a batch in one transaction; where that fails for good, halves it until the culprit stands alone."""
        if not heard:
            return []

        async def work(transaction: Transaction) -> list[DeadLetter]:
            await transaction.execute(SQL["lock_partitions"], partitions)
            await self._call_handlers(transaction, [each.event for each in heard])
            records = {id(each.event): each.record for each in heard}
            aside = {id(each.event): each for each in transaction.aside}
            return [DeadLetter(records[event], each.reason, each.detail) for event, each in aside.items()]

        self._pulse.beat(self._name)
        try:
            return await self._house.database.run(self._room, work)
        except (Unavailable, ConfigurationError):
            raise
        except Exception as error:
            if len(heard) == 1:
                log.error("handler_failed", room=self._room, exc_info=error)
                return [DeadLetter(heard[0].record, "handler_failed", _where(error))]
            middle = len(heard) // 2
            return [*await self._handle(heard[:middle], partitions), *await self._handle(heard[middle:], partitions)]

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
        await self._producer.send([each.outgoing(self._room) for each in dead])
        for each in dead:
            topic, partition, offset = each.record.topic, each.record.partition, each.record.offset
            metrics.DEAD_LETTERS.labels(topic, each.reason).inc()
            log.warning(
                "dead_letter", room=self._room, topic=topic, partition=partition, offset=offset, reason=each.reason
            )

    async def _probe(self, consumer: AIOKafkaConsumer) -> None:
        """Asks the brokers something in quiet times: a consumer that lost them without a sign shows here."""
        assigned = consumer.assignment() - consumer.paused()
        ends = await within(consumer.end_offsets(assigned), "probe") if assigned else {}
        positions = {partition: await within(consumer.position(partition), "probe") for partition in assigned}
        # What was behind at the last probe already and has not moved since; a record may have come this very moment.
        stuck = [partition for partition, position in positions.items() if position == self._behind.get(partition)]
        self._behind = {partition: position for partition, position in positions.items() if position < ends[partition]}
        self._show_lags({partition: ends[partition] - position for partition, position in positions.items()}, consumer)
        if consumer.assignment():
            self._assigned_at = time.monotonic()
        if stuck:
            raise Unavailable(f"the consumer stands still in {len(stuck)} partitions although there is more to hear")
        if time.monotonic() - self._assigned_at > UNASSIGNED_SECONDS:
            raise Unavailable("the consumer owns no partition; more processes of a room than partitions are idle")

    def _show_lags(self, lags: Mapping[TopicPartition, int], consumer: AIOKafkaConsumer) -> None:
        assigned = consumer.assignment()
        self._lags = {partition: max(0, lag) for partition, lag in lags.items() if partition in assigned}
        by_topic = dict.fromkeys(heard_by(self._room), 0)
        for partition, lag in self._lags.items():
            by_topic[partition.topic] += lag
        for topic, lag in by_topic.items():
            metrics.CONSUMER_LAG.labels(self._room, topic).set(lag)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _where(error: Exception) -> str:
    """What went wrong and where, without the error's text: it may quote what is personal."""
    frames = [frame for frame in extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}"
