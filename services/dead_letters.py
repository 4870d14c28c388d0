"""Looking at dead letters, and playing them again once what was wrong with them is mended."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from services.errors import ConfigurationError, Unavailable
from services.kafka import DEAD, Outgoing, Producer, client_options, dead_topics, leave, within
from services.settings import Settings

MARKS = "huifang-"


class Letter(NamedTuple):
    """A dead letter; `id` is `topic/partition/offset` and names it on the command line."""

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
    try:
        names = await dead_topics(settings)
        return [_letter(record) for record in await _read(settings, names)] if names else []
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka at {settings.kafka}: {error}") from error


async def _read(settings: Settings, names: Sequence[str]) -> list[ConsumerRecord]:
    # Named at its birth and in no group, a consumer has every partition of its topics as soon as it has started.
    consumer = AIOKafkaConsumer(
        *names, **client_options(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    records: list[ConsumerRecord] = []
    try:
        await within(consumer.start(), "consumer")
        ends = await within(consumer.end_offsets(consumer.assignment()), "consumer")
        while any([await within(consumer.position(each), "consumer") < end for each, end in ends.items()]):
            for held in (await within(consumer.getmany(timeout_ms=1_000), "consumer")).values():
                records.extend(held)
    finally:
        await leave(consumer)
    return records


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
    topic = record.topic.removesuffix(DEAD)
    return Letter(
        id=f"{topic}/{record.partition}/{record.offset}",
        topic=_came_from(headers.get("huifang-position", "")) or topic,
        reason=headers.get("huifang-reason", "?"),
        detail=headers.get("huifang-detail", ""),
        room=headers.get("huifang-room", "?"),
        record=record,
    )


def _came_from(position: str) -> str | None:
    """The topic in a position; None in what another program has put there."""
    try:
        return str(json.loads(position)["topic"])
    except (ValueError, KeyError, TypeError):
        return None
