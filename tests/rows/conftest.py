from collections.abc import AsyncIterator

import pytest

from services.auth import Role
from services.clock import DrivenClock
from services.house import House
from tests.scheduler.client import Client, calling
from tests.scheduler.desk import Desk
from tests.scoring.conftest import stage

__all__ = ("scheduler", "stage")


@pytest.fixture
async def scheduler(house: House, clock: DrivenClock) -> Desk:
    """A scheduler on a clock that the test drives; a row's test puts a pack in force itself."""
    return Desk(house, clock)


@pytest.fixture
async def agent(scheduler: Desk) -> AsyncIterator[Client]:
    """An agent at the scheduler's REST, whose key is named `anna`."""
    async with calling(scheduler.house, "anna", Role.agent) as client:
        yield client
