from collections.abc import AsyncIterator

import pytest

from services.auth import Role
from services.clock import DrivenClock
from services.house import House
from tests.scheduler.client import Client, calling
from tests.scheduler.desk import Desk
from tests.scheduler.rules import policy


@pytest.fixture
async def desk(house: House, clock: DrivenClock) -> Desk:
    """A scheduler with the tests' policy in force."""
    desk = Desk(house, clock)
    await desk.install(policy())
    return desk


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[Client]:
    """An agent, whose key is named `anna`."""
    async with calling(desk.house, "anna", Role.agent) as client:
        yield client
