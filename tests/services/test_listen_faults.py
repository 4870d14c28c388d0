import time
from collections.abc import Sequence
from functools import partial

import pytest

from services import kafka, listen, metrics
from services.contracts.envelope import Event
from services.contracts.tickets import TicketClosed
from services.database import Transaction
from services.house import House
from services.kafka import Producer
from services.pulse import Pulse
from tests.faults import FaultProxy
from tests.kafka.server import Kafka
from tests.services.hearing import committed, equals, heard, listening, on, said, say
from tests.services.test_kafka import at
from tests.services.toys import note
from tests.services.waiting import start_again, until

pytestmark = pytest.mark.real_kafka


async def test_two_members_share_the_work_and_one_takes_over(house: House, producer: Producer) -> None:
    async with listening(house, producer):
        async with listening(house, producer):
            await say(house, producer, *range(400))
            await until(lambda: heard(house, *range(400)), 30)
        await say(house, producer, *range(400, 800))
        await until(lambda: heard(house, *range(800)), 30)


async def test_a_blocked_loop_loses_its_place_and_finds_it_again(
    house: House, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "SESSION_MILLISECONDS", 6_000)
    blocked: list[float] = []

    async def block(house: House, transaction: Transaction, events: Sequence[Event]) -> None:
        await note(house, transaction, events)
        if not blocked:
            blocked.append(time.monotonic())
            time.sleep(8)  # noqa: ASYNC251 - longer than the session lasts

    await say(house, producer, *range(100))
    async with listening(house, producer, {TicketClosed: block}):
        await until(lambda: heard(house, *range(100)), 30)
        await say(house, producer, *range(100, 200))
        await until(lambda: heard(house, *range(200)), 40)
        await until(lambda: equals(committed(house), 200), 20)


async def test_a_broker_that_is_killed_and_comes_back_is_heard_again(house: House, own_kafka: Kafka) -> None:
    house = on(house, own_kafka.bootstrap)
    producer = Producer(house.settings)
    async with listening(house, producer):
        await say(house, producer, *range(100))
        await until(lambda: heard(house, *range(100)), 30)
        own_kafka.kill()
        await start_again(own_kafka)
        await until(partial(said, house, producer, range(100, 200)), 60)
        await until(lambda: heard(house, *range(200)), 60)
    await producer.close()


async def test_a_black_hole_is_noticed_by_the_probe_and_left_behind(
    house: House, own_kafka: Kafka, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "PROBE_SECONDS", 1.0)
    pulse, direct = Pulse(), Producer(at(own_kafka.bootstrap))
    house = on(house, f"127.0.0.1:{proxy.port}")
    before = metrics.RESTARTS.labels("consumer")._value.get()
    async with listening(house, direct, pulse=pulse):
        await say(house, direct, *range(100))
        await until(lambda: heard(house, *range(100)), 30)
        proxy.set(black_hole=True)
        await say(house, direct, *range(100, 200))
        await until(lambda: metrics.RESTARTS.labels("consumer")._value.get() > before, 40)
        assert pulse.troubles
        proxy.heal()
        await until(lambda: heard(house, *range(200)), 60)
        await until(lambda: not pulse.troubles)
    await direct.close()
