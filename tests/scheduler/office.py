"""People who call the REST on plans, each with a key of his own."""

from typing import Any

import httpx

from scheduler import api
from services.auth import Role, create_key
from services.house import House
from services.pulse import Pulse
from services.room import Room
from services.web import application


class Office:
    """People with keys of their own, who call the room's REST."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._app = application(house, [Room(name="scheduler", routers=api.ROUTERS)], Pulse())
        self._keys: dict[str, str] = {}

    async def call(self, name: str, role: Role, method: str, path: str, body: Any = None) -> httpx.Response:
        if name not in self._keys:
            async with self._house.database.transaction("services") as transaction:
                self._keys[name] = await create_key(transaction, name, role)
        headers = {"authorization": f"Bearer {self._keys[name]}"}
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://house", headers=headers) as client:
            return await client.request(method, f"/v1/plans{path}", json=body)

    async def read(self, path: str = "") -> Any:
        response = await self.call("auditor", Role.auditor, "GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    async def approve(self, plan: str, note: str | None = None, name: str = "director") -> httpx.Response:
        body = {"note": note} if note is not None else None
        return await self.call(name, Role.manager, "POST", f"/{plan}/approve", body)
