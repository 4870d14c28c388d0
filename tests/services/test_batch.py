from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from services.batch import CEILING, Batch, Ceiling, DeadLetter, Ear, Heard
from services.contracts.tickets import TicketClosed, TicketPayload
from services.contracts.topics import ITSM
from tests.services.toys import closed

ONE, TWO = TopicPartition(ITSM, 0), TopicPartition(ITSM, 1)


def record(
    value: bytes | None, partition: TopicPartition = ONE, offset: int = 0, headers: Sequence[tuple[str, bytes]] = ()
) -> ConsumerRecord:
    return ConsumerRecord(
        topic=partition.topic, partition=partition.partition, offset=offset, timestamp=0, timestamp_type=0, key=b"key",
        value=value, checksum=None, serialized_key_size=3, serialized_value_size=0, headers=headers,
    )  # fmt: skip


def came(good: int, dead: int, partition: TopicPartition = ONE) -> Batch:
    return Batch(
        [Heard(record(b"", partition), closed(number)) for number in range(good)],
        [DeadLetter(record(b"", partition), "undecodable", "") for _ in range(dead)],
        {partition: good + dead},
    )


def together(*batches: Batch) -> Batch:
    return Batch(
        [each for batch in batches for each in batch.heard],
        [each for batch in batches for each in batch.dead],
        {partition: offset for batch in batches for partition, offset in batch.offsets.items()},
    )


@given(st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=3))
def test_any_bytes_are_heard_or_put_aside(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    batch = Ear([TicketClosed, TicketPayload]).batch({ONE: [record(value, offset=7, headers=headers)]})
    assert len(batch.heard) + len(batch.dead) == 1
    assert batch.offsets == {ONE: 8}
    for letter in batch.dead:
        outgoing = letter.outgoing("ingest")
        assert (outgoing.topic, outgoing.key, outgoing.value) == ("itsm.tickets.dead", b"key", value)
        assert outgoing.headers[: len(headers)] == headers


def test_a_detail_of_any_text_fits_a_header() -> None:
    letter = DeadLetter(record(b"value"), "handler_failed", "\ud800" + "x" * 10_000)
    assert len(dict(letter.outgoing("ingest").headers)["huifang-detail"]) == 500


def test_a_batch_can_leave_partitions_out() -> None:
    both = together(came(3, 1, ONE), came(2, 2, TWO))
    assert both.without([]) == both
    assert both.without([TopicPartition("other", 0)]) is both
    assert both.without([ONE]) == came(2, 2, TWO)
    assert both.without([ONE, TWO]) == Batch([], [], {})


@pytest.mark.parametrize(
    ("good", "dead", "over"), [(0, CEILING, []), (0, CEILING + 1, [ONE]), (600, CEILING + 1, [ONE])]
)
def test_the_ceiling_counts_the_last_thousand(good: int, dead: int, over: list[TopicPartition]) -> None:
    batch = came(good, dead)
    assert Ceiling().reached(batch, batch.dead) == over


def test_the_ceiling_forgets_and_keeps_partitions_apart() -> None:
    ceiling = Ceiling()
    for _ in range(50):
        batch = together(came(60, 40, ONE), came(0, 1, TWO))
        assert ceiling.reached(batch, batch.dead) == []
    batch = together(came(1_000, 1, ONE), came(0, 451, TWO))
    assert ceiling.reached(batch, batch.dead) == [TWO]
    batch = came(999, 0, TWO)
    assert ceiling.reached(batch, batch.dead) == []


def test_dead_letters_of_handlers_count_too() -> None:
    batch = came(CEILING + 1, 0)
    dead = [DeadLetter(each.record, "handler_failed", "") for each in batch.heard]
    assert Ceiling().reached(batch, dead) == [ONE]
