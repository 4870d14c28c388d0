from collections.abc import AsyncIterator

import httpx
import pytest

from scheduler import api
from services.auth import Role, create_key
from services.clock import DrivenClock
from services.house import House
from services.pulse import Pulse
from services.room import Room
from services.web import application
from tests.scheduler.client import Client
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
    async with desk.house.database.transaction("services") as transaction:
        key = await create_key(transaction, "anna", Role.agent)
    app = application(desk.house, [Room(name="scheduler", routers=api.ROUTERS)], Pulse())
    headers = {"authorization": f"Bearer {key}"}
    async with Client(transport=httpx.ASGITransport(app), base_url="http://house", headers=headers) as client:
        yield client
