import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from services import metrics, tick
from services.database import Transaction
from services.house import House
from services.pulse import Pulse
from services.tick import Errand, Sweep, Tick, Ticker
from tests.services.toys import noted
from tests.services.waiting import until

INSERT = "insert into scheduler.heard values ($1, $2, 1)"
Settle = Callable[[House, Transaction, Sequence[tuple[int, str]]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick, "FAILURE_PAUSE_SECONDS", 0.05)


@asynccontextmanager
async def ticking(
    house: House, task: Tick | Errand[Any, Any] | Sweep, pulse: Pulse | None = None
) -> AsyncIterator[Ticker]:
    ticker = Ticker(house, "scheduler", pulse or Pulse())
    running = asyncio.create_task(ticker.run(task))
    try:
        yield ticker
    finally:
        ticker.stop()
        await asyncio.wait_for(running, 20)


async def test_a_tick_runs_again_at_once_while_there_is_work(house: House) -> None:
    left = [3, 2, 1]

    async def work(_: House, transaction: Transaction) -> int:
        done = left.pop() if left else 0
        if done:
            await transaction.execute(INSERT, "tick", str(done))
        return done

    pulse = Pulse()
    async with ticking(house, Tick(name="work", every=60, run=work), pulse):
        await until(lambda: not left)
    assert await noted(house.database) == {"1": 1, "2": 1, "3": 1}
    assert "scheduler.work" in pulse._beats


async def test_an_idle_tick_comes_round_by_its_clock(house: House) -> None:
    rounds: list[int] = []

    async def idle(_: House, __: Transaction) -> int:
        rounds.append(1)
        return 0

    async with ticking(house, Tick(name="idle", every=0.05, run=idle)):
        await until(lambda: len(rounds) >= 3)
    seen = len(rounds)
    async with ticking(house, Tick(name="idle", every=60, run=idle)):
        await until(lambda: len(rounds) == seen + 1)


async def test_a_failed_round_is_rolled_back_counted_and_repeated(house: House) -> None:
    rounds: list[int] = []
    failures = metrics.TICK_FAILURES.labels("scheduler.weak")
    before = failures._value.get()

    async def weak(_: House, transaction: Transaction) -> int:
        rounds.append(1)
        await transaction.execute(INSERT, "tick", str(len(rounds)))
        if len(rounds) < 3:
            raise ValueError("not yet")
        return 0

    async with ticking(house, Tick(name="weak", every=60, run=weak)):
        await until(lambda: len(rounds) == 3)
    assert await noted(house.database) == {"3": 1}
    assert failures._value.get() == before + 2


async def test_a_sweep_gets_the_patience_of_the_installation_and_is_counted(house: House) -> None:
    told: list[timedelta] = []
    counter = metrics.SAID_AGAIN.labels("scheduler.sweep")
    before = counter._value.get()

    async def again(_: House, __: Transaction, patience: timedelta) -> int:
        told.append(patience)
        return 4 if len(told) == 1 else 0

    async with ticking(house, Sweep(name="sweep", every=60, say_again=again)):
        await until(lambda: len(told) == 2)
    assert told == [house.settings.sweep_patience] * 2
    assert counter._value.get() == before + 4


class Strangers:
    """An errand to as many strangers as there are claims, each of whom keeps one waiting."""

    def __init__(self, claims: int, width: int, settle: Settle | None = None) -> None:
        self.left = list(range(claims))
        self.width = width
        self.under_way = 0
        self.most = 0
        self.asked_for: list[int] = []
        self.settled: dict[int, str] = {}
        self.groups: list[int] = []
        self.gate = asyncio.Event()
        self._settle = settle

    @property
    def errand(self) -> Errand[int, str]:
        return Errand(
            name="call", every=0.05, claim=self.claim, perform=self.perform, settle=self.settle, width=self.width
        )

    async def claim(self, _: House, __: Transaction, most: int) -> Sequence[int]:
        self.asked_for.append(most)
        taken, self.left = self.left[:most], self.left[most:]
        return taken

    async def perform(self, claim: int) -> str:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.gate.wait()
            return f"done {claim}"
        finally:
            self.under_way -= 1

    async def settle(self, house: House, transaction: Transaction, done: Sequence[tuple[int, str]]) -> None:
        if self._settle:
            await self._settle(house, transaction, done)
        self.groups.append(len(done))
        self.settled.update(done)


async def test_an_errand_settles_what_it_performed_within_its_width(house: House) -> None:
    strangers = Strangers(claims=100, width=8)
    async with ticking(house, strangers.errand):
        await until(lambda: strangers.under_way == 8)
        strangers.gate.set()
        await until(lambda: len(strangers.settled) == 100)
    assert strangers.settled == {claim: f"done {claim}" for claim in range(100)}
    assert strangers.most == 8
    assert min(strangers.asked_for) >= 1
    assert max(strangers.groups) > 1


async def test_an_errand_of_width_one_goes_one_by_one(house: House) -> None:
    strangers = Strangers(claims=5, width=1)
    strangers.gate.set()
    async with ticking(house, strangers.errand):
        await until(lambda: len(strangers.settled) == 5)
    assert strangers.most == 1


async def test_no_connection_is_held_while_strangers_are_called(house: House) -> None:
    strangers = Strangers(claims=50, width=50)
    async with ticking(house, strangers.errand):
        await until(lambda: strangers.under_way == 50)
        for _ in range(20):
            async with house.database.reading() as transaction:
                await transaction.fetchval("select 1")
        strangers.gate.set()
        await until(lambda: len(strangers.settled) == 50)


async def test_stopping_waits_for_what_is_under_way_and_claims_nothing_new(house: House) -> None:
    strangers = Strangers(claims=20, width=4)
    ticker = Ticker(house, "scheduler", Pulse())
    running = asyncio.create_task(ticker.run(strangers.errand))
    await until(lambda: strangers.under_way == 4)
    ticker.stop()
    await asyncio.sleep(0)
    strangers.gate.set()
    await asyncio.wait_for(running, 20)
    assert len(strangers.settled) == 4
    assert len(strangers.left) == 16


async def test_an_outcome_is_kept_over_an_outage_of_the_database(house: House) -> None:
    tries: list[int] = []

    async def lost(_: House, __: Transaction, done: Sequence[tuple[int, str]]) -> None:
        tries.append(len(done))
        if len(tries) <= 6:
            raise ConnectionResetError

    strangers = Strangers(claims=3, width=4, settle=lost)
    strangers.gate.set()
    async with ticking(house, strangers.errand):
        await until(lambda: len(strangers.settled) == 3)
    assert len(tries) > 6


async def test_an_outcome_that_cannot_be_recorded_takes_no_other_along(house: House) -> None:
    async def choosy(_: House, __: Transaction, done: Sequence[tuple[int, str]]) -> None:
        if any(claim == 2 for claim, _ in done):
            raise ValueError("no such claim")

    strangers = Strangers(claims=5, width=8, settle=choosy)
    failures = metrics.TICK_FAILURES.labels("scheduler.call")
    before = failures._value.get()
    async with ticking(house, strangers.errand):
        await until(lambda: strangers.under_way == 5)
        strangers.gate.set()
        await until(lambda: len(strangers.settled) == 4)
    assert failures._value.get() == before + 1


async def test_a_claim_that_fails_is_made_again(house: House) -> None:
    strangers = Strangers(claims=2, width=2)
    strangers.gate.set()
    failing = [True, True]
    claim = strangers.claim

    async def weak(house: House, transaction: Transaction, most: int) -> Sequence[int]:
        if failing:
            failing.pop()
            raise ValueError("not yet")
        return await claim(house, transaction, most)

    strangers.claim = weak  # type: ignore[method-assign,assignment]
    async with ticking(house, strangers.errand):
        await until(lambda: len(strangers.settled) == 2)
