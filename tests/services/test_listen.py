import asyncio
import json
from collections.abc import Sequence
from zlib import crc32

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services import batch, listen, metrics
from services.contracts.envelope import Event
from services.contracts.tickets import TicketClosed, TicketPayload, TicketReopened
from services.database import Transaction
from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.identifiers import uuid7
from services.kafka import DEAD, Outgoing, Producer, leave
from services.listen import Listener
from services.pulse import Pulse
from services.room import Handler
from tests.services.hearing import (
    HANDLERS,
    TOPIC,
    committed,
    equals,
    forget_offsets,
    heard,
    letter,
    letters,
    listening,
    say,
)
from tests.services.toys import closed, note, noted
from tests.services.waiting import until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "POLL_MILLISECONDS", 100)
    monkeypatch.setattr(listen, "PAUSE_SECONDS", 0.1)


async def test_events_are_heard_in_batches_and_offsets_follow(house: House, producer: Producer) -> None:
    sizes: list[int] = []

    async def count(house: House, transaction: Transaction, events: Sequence[Event]) -> None:
        sizes.append(len(events))
        await note(house, transaction, events)

    await say(house, producer, *range(1_000))
    async with listening(house, producer, {TicketClosed: count}):
        await until(lambda: heard(house, *range(1_000)))
        await until(lambda: equals(committed(house), 1_000))
    assert len(sizes) < 20
    assert set((await noted(house.database)).values()) == {1}
    assert metrics.CONSUMER_LAG.labels("scheduler", TOPIC)._value.get() == 0


async def test_a_restart_goes_on_where_it_was(house: House, producer: Producer) -> None:
    await say(house, producer, *range(100))
    async with listening(house, producer):
        await until(lambda: heard(house, *range(100)))
    await say(house, producer, *range(100, 200))
    async with listening(house, producer):
        await until(lambda: heard(house, *range(200)))
    assert set((await noted(house.database)).values()) == {1}


async def test_what_cannot_be_used_is_put_aside_whole(house: House, producer: Producer) -> None:
    key, good = b"jira/T-1", letter(house, closed(1)).value or b""
    later = good.replace(b"closed.v1", b"closed.v9")
    bad = {
        b"": "undecodable",
        b"\xff\xfe\x00 not JSON": "undecodable",
        b'{"specversion": "1.0"}': "undecodable",
        b'{"a":' * 100_000: "undecodable",
        good.replace(b'"closure":1', b'"closure":"one"'): "undecodable",
        later: "version",
    }
    traced = [("traceparent", b"00-abc-def-01"), ("other", b"\xff")]
    await producer.send([Outgoing(TOPIC, key, value, traced) for value in bad])
    await producer.send([Outgoing(TOPIC, other, good) for other in (None, b"jira/T-2", b"\xff")])
    await producer.send([Outgoing(TOPIC, key, good)])
    async with listening(house, producer):
        await until(lambda: equals(committed(house), 10))
    found = await letters(house, 9)
    assert {
        record.value: dict(record.headers)["huifang-reason"].decode() for record in found if record.value != good
    } == bad
    for record in found:
        headers = dict(record.headers)
        position = json.loads(headers["huifang-position"])
        assert (headers["huifang-room"], position["topic"]) == (b"scheduler", TOPIC)
        if record.value != good:
            assert (record.key, headers["traceparent"], headers["other"]) == (key, b"00-abc-def-01", b"\xff")
        else:
            assert headers["huifang-reason"] == b"key_mismatch"
    assert len({(dict(record.headers)["huifang-position"]) for record in found}) == 9
    assert await noted(house.database) == {"jira/T-1": 1}


async def test_tombstones_and_events_for_others_are_passed_over(house: House, producer: Producer) -> None:
    reopened = TicketReopened(source="jira", ticket="T-1", closure=1, reopened_at=house.clock.now())
    await producer.send([Outgoing(TOPIC, b"jira/T-1", None), letter(house, reopened), letter(house, closed(2))])
    before = metrics.DEAD_LETTERS.labels(TOPIC, "tombstone")._value.get()
    async with listening(house, producer):
        await until(lambda: equals(committed(house), 3))
    assert await noted(house.database) == {"jira/T-2": 1}
    assert metrics.DEAD_LETTERS.labels(TOPIC, "tombstone")._value.get() == before + 1


async def test_an_itsms_own_json_is_taken_by_its_header(house: House, producer: Producer) -> None:
    taken: list[TicketPayload] = []

    async def take(_: House, __: Transaction, events: Sequence[TicketPayload]) -> None:
        taken.extend(events)

    strange = (
        b'{"specversion":"1.0","type":"x","id":"%s","source":"s","subject":"t","time":"2026-03-02T00:00:00Z","data":1}'
    )
    records = [
        Outgoing("itsm.tickets", b"any key", b"{not even JSON", [("source", b"jira-main")]),
        Outgoing("itsm.tickets", b"any key", strange % str(uuid7()).encode()),
    ]
    await producer.send(records)
    async with listening(house, producer, {TicketPayload: take}, room="ingest"):
        await until(lambda: bool(taken))
        (dead,) = await letters(house, 1, "itsm.tickets")
    assert taken == [TicketPayload(source="jira-main", body=b"{not even JSON")]
    assert dict(dead.headers)["huifang-reason"] == b"unknown_type"


async def test_a_poison_event_is_found_and_the_others_pass(house: House, producer: Producer) -> None:
    poison = {7, 8, 123, 499}

    async def choke(house: House, transaction: Transaction, events: Sequence[Event]) -> None:
        await note(house, transaction, events)
        if any(event.subject in {f"jira/T-{number}" for number in poison} for event in events):
            raise ValueError("canary@example.com")

    await say(house, producer, *range(500))
    async with listening(house, producer, {TicketClosed: choke}):
        await until(lambda: equals(committed(house), 500), 30)
    found = await letters(house, 4)
    assert {record.key for record in found} == {f"jira/T-{number}".encode() for number in poison}
    for record in found:
        assert dict(record.headers)["huifang-reason"] == b"handler_failed"
        assert dict(record.headers)["huifang-detail"].startswith(b"ValueError at test_listen.py:")
    assert await noted(house.database) == {f"jira/T-{number}": 1 for number in range(500) if number not in poison}


async def test_a_handler_may_put_events_aside(house: House, producer: Producer) -> None:
    async def refuse(house: House, transaction: Transaction, events: Sequence[Event]) -> None:
        for event in events:
            if event.subject == "jira/T-1":
                transaction.put_aside(event, "unknown_source", "no source of this name")
                transaction.put_aside(event, "unknown_source", "no source of this name")
        await note(house, transaction, [event for event in events if event.subject != "jira/T-1"])

    await say(house, producer, 1, 2)
    async with listening(house, producer, {TicketClosed: refuse}):
        await until(lambda: equals(committed(house), 2))
    (dead,) = await letters(house, 1)
    assert dict(dead.headers)["huifang-reason"] == b"unknown_source"
    assert await noted(house.database) == {"jira/T-2": 1}


class Deaf(Producer):
    """A producer that cannot write dead letters."""

    dead: bool = True

    async def send(self, records: Sequence[Outgoing]) -> None:
        if self.dead and any(record.topic.endswith(DEAD) for record in records):
            raise Unavailable("Kafka took no record")
        await super().send(records)


async def test_where_dead_letters_cannot_be_written_the_offset_stays(kafka: str, house: House) -> None:
    producer, pulse = Deaf(house.settings), Pulse()
    await producer.send([Outgoing(TOPIC, b"jira/T-1", b"junk")])
    async with listening(house, producer, pulse=pulse):
        await until(lambda: pulse.troubles)
        assert await committed(house) == 0
        producer.dead = False
        await until(lambda: equals(committed(house), 1))
        await until(lambda: not pulse.troubles)
    assert [record.value for record in await letters(house, 1)] == [b"junk"]
    await producer.close()


async def test_a_partition_of_junk_is_left_alone_and_others_move(
    house: House, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "CEILING", 20)
    pulse = Pulse()
    bad = closed(1).subject.encode()
    await producer.send([Outgoing(TOPIC, bad, b"junk") for _ in range(300)])
    async with listening(house, producer, pulse=pulse):
        await until(lambda: pulse.troubles)
        await producer.send([Outgoing(TOPIC, bad, b"junk") for _ in range(300)])
        await say(house, producer, *range(2, 50))
        others = [number for number in range(2, 50) if not _together(closed(number).subject, "jira/T-1")]
        await until(lambda: heard(house, *others))
    assert "too many unusable records" in "".join(pulse.troubles.values())
    assert await committed(house) == len(others)


async def test_a_bad_release_does_not_pour_the_topic_away(
    house: House, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: House, __: Transaction, ___: Sequence[Event]) -> None:
        raise AttributeError("deployed on a Friday")

    monkeypatch.setattr(batch, "CEILING", 100)
    pulse = Pulse()
    await say(house, producer, *(1 for _ in range(600)))
    async with listening(house, producer, {TicketClosed: broken}, pulse=pulse):
        await until(lambda: any("unusable" in trouble for trouble in pulse.troubles.values()), 60)
    assert await committed(house) == 0
    async with listening(house, producer):
        await until(lambda: equals(committed(house), 600))


async def test_hearing_everything_again_changes_nothing(house: House, producer: Producer) -> None:
    async def once(_: House, transaction: Transaction, events: Sequence[Event]) -> None:
        statement = """insert into scheduler.heard select 'once', subject, 1 from unnest($1::text[]) as subject
            on conflict do nothing"""
        await transaction.execute(statement, [event.subject for event in events])

    handlers: dict[type[Event], Handler] = {TicketClosed: once}
    await say(house, producer, *range(300), *range(300))
    async with listening(house, producer, handlers):
        await until(lambda: equals(committed(house), 600))
    await forget_offsets(house)
    async with listening(house, producer, handlers):
        await until(lambda: equals(committed(house), 600))
    assert await noted(house.database) == {f"jira/T-{number}": 1 for number in range(300)}


async def test_an_outage_of_the_database_is_waited_for(house: House, producer: Producer) -> None:
    pulse, tries = Pulse(), []

    async def lose(house: House, transaction: Transaction, events: Sequence[Event]) -> None:
        tries.append(events)
        if len(tries) <= 4:
            await transaction.execute("select pg_terminate_backend(pg_backend_pid())")
        await note(house, transaction, events)

    await say(house, producer, *range(50))
    async with listening(house, producer, {TicketClosed: lose}, pulse=pulse):
        await until(lambda: equals(committed(house), 50))
        await until(lambda: not pulse.troubles)
    assert await noted(house.database) == {f"jira/T-{number}": 1 for number in range(50)}


async def test_a_key_that_is_missing_from_the_ring_stops_the_flow_and_loses_nothing(
    house: House, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "OUTAGE_SECONDS", 0.3)
    missing, pulse = [True], Pulse()

    async def unseal(house: House, transaction: Transaction, events: Sequence[Event]) -> None:
        if missing:
            raise ConfigurationError("HUIFANG_KEYRING: key 'k1' is missing")
        await note(house, transaction, events)

    await say(house, producer, *range(50))
    async with listening(house, producer, {TicketClosed: unseal}, pulse=pulse):
        await until(lambda: "k1" in "".join(pulse.troubles.values()))
        assert await committed(house) == 0
        missing.clear()
        await until(lambda: heard(house, *range(50)))


@pytest.mark.real_kafka
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_batches_of_others_are_read(house: House, producer: Producer, codec: str, kafka: str) -> None:
    await _as_another(house, AIOKafkaProducer(bootstrap_servers=kafka, compression_type=codec, linger_ms=50))


@pytest.mark.real_kafka
async def test_transactions_of_others_are_read_when_committed(house: House, kafka: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id="another") as other:
        await other.begin_transaction()
        await other.send_and_wait(TOPIC, *_pair(letter(house, closed(500))))
        await other.abort_transaction()
    await _as_another(house, AIOKafkaProducer(bootstrap_servers=kafka, transactional_id="another"), in_transaction=True)


async def _as_another(house: House, other: AIOKafkaProducer, *, in_transaction: bool = False) -> None:
    async with other:
        if in_transaction:
            await other.begin_transaction()
        sent = [await other.send(TOPIC, *_pair(letter(house, closed(number)))) for number in range(100)]
        await asyncio.gather(*sent)
        if in_transaction:
            await other.commit_transaction()
    producer = Producer(house.settings)
    async with listening(house, producer):
        await until(lambda: heard(house, *range(100)))
    await producer.close()


async def test_a_record_that_comes_just_before_a_probe_is_no_standstill(house: House, producer: Producer) -> None:
    listener = Listener(house, "scheduler", HANDLERS, producer, Pulse())
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=house.settings.kafka, group_id="quiet")
    await consumer.start()
    try:
        await until(consumer.assignment)
        await listener._probe(consumer)
        await say(house, producer, *range(100))
        await listener._probe(consumer)
        with pytest.raises(Unavailable, match="stands still"):
            await listener._probe(consumer)
    finally:
        await leave(consumer)


async def test_a_consumer_that_stands_still_is_told(house: House, producer: Producer) -> None:
    await say(house, producer, *range(100))
    listener = Listener(house, "scheduler", HANDLERS, producer, Pulse())
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=house.settings.kafka, group_id="still", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        await until(consumer.assignment)
        await listener._probe(consumer)
        with pytest.raises(Unavailable, match="stands still"):
            await listener._probe(consumer)
        consumer.pause(*consumer.assignment())
        await listener._probe(consumer)
    finally:
        await leave(consumer)


def _pair(record: Outgoing) -> tuple[bytes | None, bytes | None]:
    return record.value, record.key


def _together(one: str, other: str) -> bool:
    return crc32(one.encode()) % 4 == crc32(other.encode()) % 4
