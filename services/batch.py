"""What one poll of Kafka brings, decoded: events to handle, and records that cannot be used."""

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from services import metrics
from services.contracts.envelope import Decoder, EnvelopeError, Event
from services.contracts.tickets import TicketPayload
from services.contracts.topics import ITSM
from services.kafka import DEAD, Outgoing

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

    def outgoing(self, room: str) -> Outgoing:
        """The record as it goes to its dead-letter topic: the original bytes, with why and whence as headers."""
        record = self.record
        position = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        headers = [
            *record.headers,
            ("huifang-reason", self.reason.encode()),
            ("huifang-detail", self.detail[:500].encode(errors="replace")),
            ("huifang-room", room.encode()),
            ("huifang-position", json.dumps(position).encode()),
        ]
        return Outgoing(record.topic + DEAD, record.key, record.value, headers)


class Batch(NamedTuple):
    """What one poll brought: events to handle, records to put aside, and where each partition goes on."""

    heard: list[Heard]
    dead: list[DeadLetter]
    offsets: dict[TopicPartition, int]

    def without(self, partitions: Iterable[TopicPartition]) -> "Batch":
        """The batch as if nothing of these partitions had come."""
        left_out = frozenset(partitions)
        if left_out.isdisjoint(self.offsets):
            return self
        return Batch(
            [each for each in self.heard if partition_of(each.record) not in left_out],
            [each for each in self.dead if partition_of(each.record) not in left_out],
            {partition: offset for partition, offset in self.offsets.items() if partition not in left_out},
        )


class Ear:
    """Decodes what one room hears."""

    def __init__(self, types: Iterable[type[Event]]) -> None:
        self._decoder = Decoder({event.TYPE: event for event in types})
        self._takes_payloads = TicketPayload in types

    def batch(self, polled: Mapping[TopicPartition, list[ConsumerRecord]]) -> Batch:
        """What a poll brought, decoded."""
        batch = Batch([], [], {partition: records[-1].offset + 1 for partition, records in polled.items()})
        for records in polled.values():
            for record in records:
                self._hear(record, batch)
        return batch

    def _hear(self, record: ConsumerRecord, batch: Batch) -> None:
        if record.value is None:
            metrics.DEAD_LETTERS.labels(record.topic, "tombstone").inc()
        elif record.topic == ITSM and self._takes_payloads and (source := _header(record, "source")) is not None:
            payload = TicketPayload(source=source.decode(errors="replace"), body=record.value)
            batch.heard.append(Heard(record, payload))
        else:
            self._decode(record, batch)

    def _decode(self, record: ConsumerRecord, batch: Batch) -> None:
        try:
            envelope, event = self._decoder.decode(record.value)
        except EnvelopeError as error:
            # Events for other ears on the same topic are none of this room's business.
            if error.reason != "unknown_type" or record.topic == ITSM:
                batch.dead.append(DeadLetter(record, error.reason, str(error)))
        except RecursionError:
            batch.dead.append(DeadLetter(record, "undecodable", "nested too deeply"))
        else:
            if record.key is not None and record.key.decode(errors="replace") == event.subject == envelope.subject:
                batch.heard.append(Heard(record, event))
            else:
                detail = f"key {record.key!r}, CloudEvents subject {envelope.subject!r}, expected {event.subject!r}"
                batch.dead.append(DeadLetter(record, "key_mismatch", detail))


class Ceiling:
    """Allows at most `CEILING` dead letters among the last `CEILING_WINDOW` records of each partition."""

    def __init__(self) -> None:
        self._windows: dict[TopicPartition, deque[bool]] = {}

    def reached(self, batch: Batch, dead: Iterable[DeadLetter]) -> list[TopicPartition]:
        """Counts a batch with its dead letters, and tells the partitions where there are too many."""
        died = Counter(partition_of(each.record) for each in dead)
        records = [*(each.record for each in batch.heard), *(each.record for each in batch.dead)]
        came = Counter(partition_of(record) for record in records)
        for partition, number in came.items():
            window = self._windows.setdefault(partition, deque(maxlen=CEILING_WINDOW))
            window.extend([False] * (number - died[partition]) + [True] * died[partition])
        return [partition for partition in died if sum(self._windows[partition]) > CEILING]


def partition_of(record: ConsumerRecord) -> TopicPartition:
    """Where a record stands."""
    return TopicPartition(record.topic, record.partition)


def _header(record: ConsumerRecord, wanted: str) -> bytes | None:
    return next((value for name, value in record.headers if name == wanted), None)
