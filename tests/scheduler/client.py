"""A caller of the room's REST."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from scheduler import api
from services.auth import Role, create_key
from services.house import House
from services.pulse import Pulse
from services.room import Room
from services.web import application


class Client(httpx.AsyncClient):
    """Calls the room's REST with a key of a role."""

    async def story(self, ticket: str = "IT-1") -> dict[str, Any]:
        response = await self.get(f"/v1/tickets/jira/{ticket}")
        assert response.status_code == 200, response.text
        story: dict[str, Any] = response.json()
        return story


@asynccontextmanager
async def calling(house: House, name: str, role: Role) -> AsyncIterator[Client]:
    """Somebody of that name and role."""
    async with house.database.transaction("services") as transaction:
        key = await create_key(transaction, name, role)
    app = application(house, [Room(name="scheduler", routers=api.ROUTERS)], Pulse())
    headers = {"authorization": f"Bearer {key}"}
    async with Client(transport=httpx.ASGITransport(app), base_url="http://house", headers=headers) as client:
        yield client
