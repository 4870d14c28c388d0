import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from services import metrics, outbox
from services.contracts.envelope import Decoder
from services.contracts.tickets import TicketClosed
from services.database import Database
from services.errors import Unavailable
from services.house import House
from services.kafka import Outgoing, Producer
from services.outbox import Relay
from services.pulse import Pulse
from services.settings import Settings
from tests.kafka.server import Kafka
from tests.services.test_kafka import at, read
from tests.services.toys import closed
from tests.services.waiting import start_again, until

KILL = """select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()"""
COUNT = "select count(*) from ingest.outbox"
decode = Decoder({TicketClosed.TYPE: TicketClosed}).decode


class Broker(Producer):
    """Stands for Kafka: keeps what was sent, and fails as it is told, before or after it has kept it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.records: list[Outgoing] = []
        self.sends = 0
        self.fails: Callable[[int], bool] = lambda _: False
        self.forgets = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, records: Sequence[Outgoing]) -> None:
        self.sends += 1
        await self.gate.wait()
        fails = self.fails(self.sends)
        if not (fails and self.forgets):
            self.records.extend(records)
        if fails:
            raise Unavailable("Kafka took no record")

    def numbers(self) -> list[int]:
        """The numbers of the tickets, in the order in which they arrived."""
        events = [decode(record.value or b"")[1] for record in self.records]
        return [int(event.ticket.removeprefix("T-")) for event in events if isinstance(event, TicketClosed)]


@pytest.fixture
def broker(settings: Settings) -> Broker:
    return Broker(settings)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST", 100)
    monkeypatch.setattr(outbox, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(outbox, "RESCAN_SECONDS", 0.3)
    monkeypatch.setattr(outbox, "FAILURE_PAUSE_SECONDS", 0.05)


@asynccontextmanager
async def relaying(house: House, producer: Producer) -> AsyncIterator[Relay]:
    relay = Relay(house, "ingest", producer, Pulse())
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await asyncio.wait_for(task, 20)


async def say(database: Database, *numbers: int) -> None:
    async with database.transaction("ingest") as transaction:
        for number in numbers:
            transaction.say(closed(number))


async def waiting(database: Database) -> int:
    async with database.reading() as transaction:
        return int(await transaction.fetchval(COUNT))


async def empty(database: Database) -> bool:
    return await waiting(database) == 0


async def test_what_was_said_arrives_once_in_order_and_leaves_the_outbox(house: House, broker: Broker) -> None:
    await say(house.database, *range(550))
    async with relaying(house, broker):
        await until(lambda: len(broker.records) == 550)
        await say(house.database, *range(550, 600))
        await until(lambda: empty(house.database))
    assert broker.numbers() == list(range(600))
    assert {(record.topic, record.key) for record in broker.records} == {
        ("huifang.ingest", f"jira/T-{number}".encode()) for number in range(600)
    }


async def test_a_word_wakes_the_relay(house: House, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "POLL_SECONDS", 60)
    monkeypatch.setattr(outbox, "RESCAN_SECONDS", 60)
    async with relaying(house, broker):
        for number in range(3):
            await say(house.database, number)
            await until(lambda number=number: len(broker.records) == number + 1, 5)  # type: ignore[misc]


async def test_stopping_sends_what_waits(house: House, broker: Broker) -> None:
    relay = Relay(house, "ingest", broker, Pulse())
    await say(house.database, *range(250))
    relay.stop()
    await relay.run()
    assert broker.numbers() == list(range(250))
    assert await empty(house.database)


async def test_a_failed_send_is_repeated_and_nothing_overtakes(house: House, broker: Broker) -> None:
    broker.fails, broker.forgets = lambda send: send in (1, 3, 4), True
    await say(house.database, *range(450))
    async with relaying(house, broker):
        await until(lambda: len(broker.records) == 450)
    assert broker.numbers() == list(range(450))


async def test_an_unclear_send_is_repeated_in_order(house: House, broker: Broker) -> None:
    """The records arrived and the answer did not, or the process was killed between sending and deleting."""
    broker.fails = lambda send: send in (2, 3, 6)
    await say(house.database, *range(450))
    async with relaying(house, broker):
        await until(lambda: empty(house.database))
    numbers = broker.numbers()
    assert list(dict.fromkeys(numbers)) == list(range(450))
    assert len(numbers) > 450
    assert all(after <= before + 1 for before, after in pairwise(numbers))


async def test_a_killed_relay_repeats_at_most_what_was_under_way(
    house: House, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LEASE_SECONDS", 0.5)
    await say(house.database, *range(1_000))
    relay = Relay(house, "ingest", broker, Pulse())
    task = asyncio.create_task(relay.run())
    await until(lambda: len(broker.records) >= 300)
    with monkeypatch.context() as dying:
        dying.setattr(Relay, "_give_up", _nothing)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with relaying(house, broker):
        await until(lambda: empty(house.database), 30)
    assert list(dict.fromkeys(broker.numbers())) == list(range(1_000))
    assert len(broker.records) <= 1_300


async def test_of_two_relays_one_works_and_the_other_takes_over(
    house: House, broker: Broker, settings: Settings
) -> None:
    other = Broker(settings)
    async with relaying(house, other):
        async with relaying(house, broker):
            await say(house.database, *range(500))
            await until(lambda: empty(house.database))
            assert sorted((len(broker.records), len(other.records))) == [0, 500]
        await say(house.database, *range(500, 600))
        await until(lambda: empty(house.database))
    assert sorted([*broker.numbers(), *other.numbers()]) == list(range(600))


async def test_the_lease_of_a_dead_relay_runs_out(
    house: House, broker: Broker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LEASE_SECONDS", 1.0)
    dead = Relay(house, "ingest", Broker(settings), Pulse())
    assert await house.database.run("ingest", dead._begin)
    await say(house.database, 1)
    async with relaying(house, broker):
        await until(lambda: broker.numbers() == [1], 5)


async def test_a_transaction_that_commits_late_is_found(house: House, broker: Broker) -> None:
    async with relaying(house, broker):
        async with house.database.transaction("ingest") as late:
            late.say(closed(1))
            await late.write_outbox()
            late.said.clear()
            await say(house.database, 2)
            await until(lambda: broker.numbers() == [2])
        await until(lambda: broker.numbers() == [2, 1], 5)
    assert await empty(house.database)


async def test_a_rescan_repeats_nothing_that_is_under_way(house: House, broker: Broker) -> None:
    await say(house.database, *range(300))
    broker.gate.clear()
    async with relaying(house, broker):
        await until(lambda: broker.sends == 1)
        later = asyncio.get_running_loop().time() + 2 * outbox.RESCAN_SECONDS
        await until(lambda: asyncio.get_running_loop().time() > later)
        broker.gate.set()
        await until(lambda: empty(house.database))
    assert broker.numbers() == list(range(300))


async def test_a_lost_database_is_waited_for(house: House, broker: Broker) -> None:
    async with relaying(house, broker):
        for number in range(5):
            await say(house.database, *range(number * 100, number * 100 + 100))
            async with house.database.reading() as transaction:
                await transaction.execute(KILL)
        await until(lambda: empty(house.database))
    assert sorted(set(broker.numbers())) == list(range(500))


async def test_what_waits_is_measured(house: House, broker: Broker) -> None:
    await say(house.database, *range(7))
    await Relay(house, "ingest", broker, Pulse()).measure()
    assert metrics.OUTBOX_ROWS.labels("ingest")._value.get() == 7
    assert 0 < metrics.OUTBOX_OLDEST.labels("ingest")._value.get() < 60


@pytest.mark.real_kafka
async def test_a_broker_that_is_killed_and_comes_back_loses_nothing(house: House, own_kafka: Kafka) -> None:
    producer = Producer(at(own_kafka.bootstrap))
    async with relaying(house, producer):
        await say(house.database, *range(500))
        await until(lambda: empty(house.database), 30)
        own_kafka.kill()
        await say(house.database, *range(500, 1_000))
        await start_again(own_kafka)
        await say(house.database, *range(1_000, 1_500))
        await until(lambda: empty(house.database), 60)
    found = await read(own_kafka.bootstrap, "huifang.ingest", 1_500)
    await producer.close()
    assert {key for _, key, _ in found} == {f"jira/T-{number}".encode() for number in range(1_500)}


async def _nothing(_: Relay) -> None:
    return None
