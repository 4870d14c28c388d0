"""A caller of the room's REST."""

from typing import Any

import httpx


class Client(httpx.AsyncClient):
    """Calls the room's REST with a key of a role."""

    async def story(self, ticket: str = "IT-1") -> dict[str, Any]:
        response = await self.get(f"/v1/tickets/jira/{ticket}")
        assert response.status_code == 200, response.text
        story: dict[str, Any] = response.json()
        return story
