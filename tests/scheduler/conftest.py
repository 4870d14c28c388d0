import pytest

from services.clock import DrivenClock
from services.house import House
from tests.scheduler.desk import Desk
from tests.scheduler.rules import policy


@pytest.fixture
async def desk(house: House, clock: DrivenClock) -> Desk:
    """A scheduler with the tests' policy in force."""
    desk = Desk(house, clock)
    await desk.install(policy())
    return desk
