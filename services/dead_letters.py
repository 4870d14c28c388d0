"""Looking at dead letters, and playing them again once what was wrong with them is mended."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from services.contracts.topics import topics
from services.errors import ConfigurationError, Unavailable
from services.kafka import DEAD, Outgoing, Producer, client_options, leave, within
from services.settings import Settings

MARKS = "huifang-"


class Letter(NamedTuple):
    """A dead letter; `id` is `topic/offset` and names it on the command line."""

    id: str
    topic: str
    reason: str
    detail: str
    room: str
    record: ConsumerRecord

    def summary(self) -> dict[str, object]:
        """What may be shown in a list: no content."""
        return {"id": self.id, "topic": self.topic, "reason": self.reason, "detail": self.detail, "room": self.room}


async def read_letters(settings: Settings) -> list[Letter]:
    """Every dead letter that the topics still hold. Raises `Unavailable`."""
    consumer = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await within(consumer.start(), "consumer")
        partitions = [
            TopicPartition(name + DEAD, number)
            for name in topics()
            for number in sorted(consumer.partitions_for_topic(name + DEAD) or ())
        ]
        consumer.assign(partitions)
        ends = await within(consumer.end_offsets(partitions), "consumer") if partitions else {}
        records: list[ConsumerRecord] = []
        while any([await within(consumer.position(each), "consumer") < ends[each] for each in partitions]):
            for held in (await within(consumer.getmany(timeout_ms=1_000), "consumer")).values():
                records.extend(held)
        return [_letter(record) for record in records]
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {settings.kafka}: {error}") from error
    finally:
        await leave(consumer)


async def replay(settings: Settings, ids: Sequence[str]) -> int:
    """Puts letters back on the topics that they came from, as they were, and returns how many.

    Everything that hears them is idempotent, so replaying twice does what replaying once does.
    Raises `ConfigurationError` for an id that is not there.
    """
    letters = {letter.id: letter for letter in await read_letters(settings)}
    if unknown := [each for each in ids if each not in letters]:
        raise ConfigurationError(f"no dead letter {unknown[0]!r}; `huifang dead list` shows what there is")
    records = [
        Outgoing(
            letters[each].topic,
            letters[each].record.key,
            letters[each].record.value,
            [(name, value) for name, value in letters[each].record.headers if not name.startswith(MARKS)],
        )
        for each in ids
    ]
    producer = Producer(settings)
    try:
        await producer.send(records)
    finally:
        await producer.close()
    return len(records)


def _letter(record: ConsumerRecord) -> Letter:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    position = json.loads(headers.get("huifang-position", "{}"))
    return Letter(
        id=f"{record.topic.removesuffix(DEAD)}/{record.offset}",
        topic=str(position.get("topic", record.topic.removesuffix(DEAD))),
        reason=headers.get("huifang-reason", "?"),
        detail=headers.get("huifang-detail", ""),
        room=headers.get("huifang-room", "?"),
        record=record,
    )
