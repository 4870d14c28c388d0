import pytest

from services.clock import DrivenClock
from services.house import House
from tests.scheduler.desk import Desk
from tests.scoring.conftest import stage

__all__ = ("scheduler", "stage")


@pytest.fixture
async def scheduler(house: House, clock: DrivenClock) -> Desk:
    """A scheduler on a clock that the test drives; a row's test puts a pack in force itself."""
    return Desk(house, clock)
