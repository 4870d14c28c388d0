"""A process of the frame with a toy room in it: `python -m tests.services.toy_process`, to be killed at will."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services import run
from services.contracts.tickets import TicketClosed
from services.database import Transaction
from services.house import House
from services.room import Room
from services.tick import Tick
from tests.services.toys import note


async def _count(_: House, transaction: Transaction) -> int:
    await transaction.fetchval("select count(*) from scheduler.heard")
    return 0


@asynccontextmanager
async def _open_room(_: House) -> AsyncIterator[Room]:
    yield Room(name="scheduler", handlers={TicketClosed: note}, ticks=(Tick(name="count", every=0.2, run=_count),))


async def _no_check(url: str) -> None:
    """The frame's tests have no room's schema."""


if __name__ == "__main__":
    run._opener = lambda _: _open_room  # type: ignore[assignment, return-value]
    run._check_schema = _no_check
    run.main("scheduler")
