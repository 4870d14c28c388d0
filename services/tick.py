"""What rooms do by the clock: ticks (one transaction), errands (claim, perform, settle) and sweeps (say again)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import structlog

from services import metrics
from services.database import Transaction
from services.errors import Unavailable
from services.gather import Gather
from services.house import House
from services.pulse import Pulse

log = structlog.get_logger(__name__)

Claim = TypeVar("Claim")
Outcome = TypeVar("Outcome")

FAILURE_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Work inside the house: `run` does a bounded piece in one transaction and returns how much it was.

    It runs again at once while there was something to do, else after `every` seconds of the machine's time.
    """

    name: str
    every: float
    run: Callable[[House, Transaction], Awaitable[int]]


@dataclass(frozen=True, kw_only=True)
class Errand(Generic[Claim, Outcome]):
    """Work with a stranger: no database connection is held while he is called.

    `claim` takes at most the given number of things and records that they are about to be done; `perform` does one of
    them and returns its outcome (it raises nothing); `settle` records outcomes. At most `width` are under way at once.
    """

    name: str
    every: float
    claim: Callable[[House, Transaction, int], Awaitable[Sequence[Claim]]]
    perform: Callable[[Claim], Awaitable[Outcome]]
    settle: Callable[[House, Transaction, Sequence[tuple[Claim, Outcome]]], Awaitable[None]]
    width: int


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Says again what should have had an echo and has had none for a while, and returns how much it was.

    The patience is the installation's setting; at the first round after a start the broker may be a new one that has
    forgotten everything.
    """

    name: str
    every: float
    say_again: Callable[[House, Transaction, timedelta], Awaitable[int]]


class Ticker:
    """Runs one room's ticks, errands and sweeps until told to stop."""

    def __init__(self, house: House, room: str, pulse: Pulse) -> None:
        self._house = house
        self._room = room
        self._pulse = pulse
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Lets what is under way come to its end, and begins nothing new."""
        self._stopping.set()

    async def run(self, task: Tick | Errand[Any, Any] | Sweep) -> None:
        """Runs one of them until `stop`."""
        if isinstance(task, Errand):
            await self._run_errand(task)
        else:
            await self._run_rounds(task)

    async def _run_rounds(self, task: Tick | Sweep) -> None:
        while not self._stopping.is_set():
            self._pulse.beat(f"{self._room}.{task.name}")
            try:
                done = await self._round(task)
            except Exception as error:
                self._failed(task.name, error)
                await self._wait(FAILURE_PAUSE_SECONDS)
            else:
                if not done:
                    await self._wait(task.every)

    async def _round(self, task: Tick | Sweep) -> int:
        if isinstance(task, Tick):
            return await self._house.database.run(self._room, lambda transaction: task.run(self._house, transaction))
        patience = self._house.settings.sweep_patience
        again = await self._house.database.run(
            self._room, lambda transaction: task.say_again(self._house, transaction, patience)
        )
        if again:
            metrics.SAID_AGAIN.labels(f"{self._room}.{task.name}").inc(again)
            log.info("said_again", room=self._room, sweep=task.name, events=again)
        return again

    async def _run_errand(self, errand: Errand[Any, Any]) -> None:
        async def settle(transaction: Transaction, done: Sequence[tuple[Any, Any]]) -> Sequence[None]:
            await errand.settle(self._house, transaction, done)
            return [None] * len(done)

        settled = Gather(self._house.database, self._room, settle)
        under_way: set[asyncio.Task[None]] = set()
        while not self._stopping.is_set():
            under_way = {task for task in under_way if not task.done()}
            claims = await self._claim(errand, errand.width - len(under_way))
            under_way |= {asyncio.create_task(self._do(errand, settled, claim)) for claim in claims}
            self._pulse.beat(f"{self._room}.{errand.name}")
            # Half of the places free again make the next claim worth its transaction.
            while len(under_way) > errand.width // 2:
                _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                self._pulse.beat(f"{self._room}.{errand.name}")
            if not claims:
                await self._wait(errand.every)
        if under_way:
            await asyncio.wait(under_way)

    async def _do(self, errand: Errand[Any, Any], settled: Gather[tuple[Any, Any], None], claim: Any) -> None:
        try:
            done = (claim, await errand.perform(claim))
            await self._settle(errand, settled, done)
        except Exception as error:
            self._failed(errand.name, error)

    async def _settle(
        self, errand: Errand[Any, Any], settled: Gather[tuple[Any, Any], None], done: tuple[Any, Any]
    ) -> None:
        """Records an outcome, however long the database is gone: forgotten, it would be uncertain for good."""
        while True:
            try:
                await settled(done)
                return
            except Unavailable as error:
                self._failed(errand.name, error)
                await asyncio.sleep(FAILURE_PAUSE_SECONDS)
            except Exception:
                # Somebody in the group cannot be recorded; it need not be this one.
                await self._house.database.run(
                    self._room, lambda transaction: errand.settle(self._house, transaction, [done])
                )
                return

    async def _claim(self, errand: Errand[Any, Any], free: int) -> Sequence[Any]:
        try:
            return await self._house.database.run(
                self._room, lambda transaction: errand.claim(self._house, transaction, free)
            )
        except Exception as error:
            self._failed(errand.name, error)
            await self._wait(FAILURE_PAUSE_SECONDS)
            return ()

    def _failed(self, name: str, error: BaseException) -> None:
        metrics.TICK_FAILURES.labels(f"{self._room}.{name}").inc()
        if isinstance(error, Unavailable):
            log.warning("tick_failed", room=self._room, tick=name, error=str(error))
        else:
            log.error("tick_failed", room=self._room, tick=name, exc_info=error)

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
