import asyncio
from collections.abc import Sequence

import pytest

from services.database import Database, Transaction
from services.errors import Unavailable
from services.gather import Gather
from tests.services.toys import closed, noted

INSERT = "insert into scheduler.heard select 'asked', n::text, 1 from unnest($1::int[]) as n"


class Work:
    """Doubles what is asked, and keeps the sizes of its groups."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def __call__(self, transaction: Transaction, asks: Sequence[int]) -> Sequence[int]:
        self.groups.append(len(asks))
        await transaction.execute(INSERT, list(asks))
        await self.gate.wait()
        if self.error:
            raise self.error
        return [2 * ask for ask in asks]


@pytest.fixture
def work() -> Work:
    return Work()


async def test_a_lone_ask_waits_for_nobody(database: Database, work: Work) -> None:
    gather = Gather(database, "scheduler", work)
    assert [await gather(ask) for ask in range(3)] == [0, 2, 4]
    assert work.groups == [1, 1, 1]
    assert len(await noted(database)) == 3


async def test_what_comes_meanwhile_goes_together(database: Database, work: Work) -> None:
    gather = Gather(database, "scheduler", work, most=500)
    answers = await asyncio.gather(*(gather(ask) for ask in range(10_000)))
    assert answers == [2 * ask for ask in range(10_000)]
    assert sum(work.groups) == 10_000
    assert max(work.groups) == 500
    assert len(work.groups) == 20
    assert len(await noted(database)) == 10_000


async def test_an_error_of_the_group_is_everybodys(database: Database, work: Work) -> None:
    gather = Gather(database, "scheduler", work)
    work.error = KeyError("x")
    results = await asyncio.gather(*(gather(ask) for ask in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [KeyError] * 5
    assert await noted(database) == {}
    work.error = None
    assert await gather(7) == 14


async def test_an_outage_is_told_to_everybody_after_a_second_try(database: Database, work: Work) -> None:
    gather = Gather(database, "scheduler", work)
    work.error = ConnectionResetError()
    results = await asyncio.gather(*(gather(ask) for ask in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 5
    assert work.groups == [5, 5]


async def test_an_asker_who_leaves_takes_nobody_along(database: Database, work: Work) -> None:
    gather = Gather(database, "scheduler", work)
    work.gate.clear()
    asks = [asyncio.create_task(gather(0))]
    await asyncio.sleep(0)
    asks += [asyncio.create_task(gather(ask)) for ask in range(1, 4)]
    await asyncio.sleep(0)
    asks[0].cancel()
    asks[2].cancel()
    work.gate.set()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(results[0]), results[1], type(results[2]), results[3]] == [
        asyncio.CancelledError,
        2,
        asyncio.CancelledError,
        6,
    ]
    assert sorted(await noted(database)) == ["0", "1", "3"]


async def test_a_group_that_everybody_left_opens_no_transaction(database: Database, work: Work) -> None:
    gather = Gather(database, "scheduler", work)
    ask = asyncio.create_task(gather(0))
    await asyncio.sleep(0)
    ask.cancel()
    await asyncio.gather(ask, return_exceptions=True)
    assert await gather(1) == 2
    assert work.groups == [1]


async def test_answers_that_do_not_add_up_leave_nobody_waiting(database: Database) -> None:
    async def short(_: Transaction, asks: Sequence[int]) -> Sequence[int]:
        return asks[1:]

    with pytest.raises(ValueError, match="0 answers to 1 asks"):
        await asyncio.wait_for(Gather(database, "scheduler", short)(1), 10)


async def test_what_a_group_says_is_in_the_outbox(database: Database) -> None:
    async def say(transaction: Transaction, asks: Sequence[int]) -> Sequence[int]:
        for ask in asks:
            transaction.say(closed(ask))
        return asks

    gather = Gather(database, "ingest", say)
    await asyncio.gather(*(gather(ask) for ask in range(20)))
    async with database.reading() as transaction:
        assert await transaction.fetchval("select count(*) from ingest.outbox") == 20
