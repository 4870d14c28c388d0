import pytest

from services.contracts.topics import ITSM
from services.dead_letters import read_letters, replay
from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.kafka import DEAD, Outgoing, Producer
from services.settings import Settings
from tests.services.hearing import TOPIC, heard, letter, listening, say
from tests.services.test_kafka import read
from tests.services.toys import closed, noted
from tests.services.waiting import until

TRACE = ("traceparent", b"00-abc-def-01")


async def test_without_dead_letters_there_are_none(kafka: str, house: House) -> None:
    assert await read_letters(house.settings) == []


async def test_each_is_shown_with_why_and_without_its_content(house: House, producer: Producer) -> None:
    bad = [Outgoing(TOPIC, key, b"canary@example.com", [TRACE]) for key in (b"a", b"b", b"c", b"d", b"e")]
    await producer.send(bad)
    async with listening(house, producer):
        await until(lambda: _many(house.settings, 5))
    found = await read_letters(house.settings)
    assert len({each.id for each in found}) == 5
    assert {each.record.value for each in found} == {b"canary@example.com"}
    for each in found:
        summary = each.summary()
        assert "canary" not in str(summary)
        assert (summary["topic"], summary["reason"], summary["room"]) == (TOPIC, "undecodable", "scheduler")
        assert each.id == f"{TOPIC}/{each.record.partition}/{each.record.offset}"


async def test_played_again_it_is_as_it_was_and_twice_does_what_once_does(house: House, producer: Producer) -> None:
    good = letter(house, closed(7))
    marks = [("huifang-reason", b"handler_failed"), ("huifang-position", b'{"topic": "huifang.ingest"}')]
    await producer.send([Outgoing(TOPIC + DEAD, good.key, good.value, [TRACE, *marks])])
    [dead] = await read_letters(house.settings)
    assert await replay(house.settings, [dead.id]) == 1
    assert await replay(house.settings, [dead.id, dead.id]) == 2
    again = await read(house.settings.kafka, TOPIC, 3)
    assert {(key, value) for _, key, value in again} == {(good.key, good.value)}
    await say(house, producer, 8)
    async with listening(house, producer):
        await until(lambda: heard(house, 7, 8))
        await until(lambda: _times(house, "jira/T-7", 3))
    assert len(await read_letters(house.settings)) == 1


async def test_what_others_put_there_breaks_nothing(house: House, producer: Producer) -> None:
    for position in (b"", b"no JSON", b"[]", b"7", b"{}", b"\xff"):
        await producer.send([Outgoing(ITSM + DEAD, None, None, [("huifang-position", position)])])
    found = await read_letters(house.settings)
    assert {(each.topic, each.reason, each.room) for each in found} == {(ITSM, "?", "?")}
    assert len(found) == 6


async def test_an_id_that_is_not_there_plays_nothing_again(house: House, producer: Producer) -> None:
    await producer.send([Outgoing(ITSM + DEAD, None, b"x")])
    [dead] = await read_letters(house.settings)
    with pytest.raises(ConfigurationError, match=r"no dead letter 'itsm\.tickets/9/9'"):
        await replay(house.settings, [dead.id, "itsm.tickets/9/9"])


async def test_without_kafka_it_says_so(settings: Settings) -> None:
    with pytest.raises(Unavailable, match="Kafka at"):
        await read_letters(settings)


async def _many(settings: Settings, number: int) -> bool:
    return len(await read_letters(settings)) == number


async def _times(house: House, subject: str, times: int) -> bool:
    return (await noted(house.database))[subject] == times
