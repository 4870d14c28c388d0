from collections.abc import AsyncIterator

import httpx
import pytest

from scoring.app import open_room
from services.auth import Role, install_key
from services.clock import DrivenClock
from services.house import House
from services.pulse import Pulse
from services.web import application
from tests.scoring.questionnaires import policy
from tests.scoring.stage import Stage, approved

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/138 Safari/537.36"


@pytest.fixture
async def stage(house: House, clock: DrivenClock) -> AsyncIterator[Stage]:
    """The room, open, with one approved policy, a key for each role, and a customer's browser."""
    async with house.database.transaction("scoring") as transaction:
        for role in Role:
            await install_key(transaction, role, role, f"hf_{role}")
    async with open_room(house) as room:
        app = application(house, [room], Pulse())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"user-agent": BROWSER}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers) as client:
            stage = Stage(house, clock, app, client)
            await stage.hear(approved(policy()))
            yield stage
