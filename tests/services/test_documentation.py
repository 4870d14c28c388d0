from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.auth import Role
from services.house import House
from services.pulse import Pulse
from services.room import Room
from services.web import HotRoute, application
from tests.services.browsing import browsing, key_of

router = APIRouter()


@router.get("/v1/things/{name}", summary="One <thing>")
async def thing(name: str, most: Annotated[int, Query(description="How many & more.")] = 1) -> str:
    """Shows a *thing*."""
    return name * most


async def hook(_: Request) -> Response:
    return Response()


HOOK = HotRoute(
    "/hooks/{source}", hook, ["POST"], {"post": {"summary": "A hook", "responses": {"202": {"description": "Taken."}}}}
)
ROOM = Room(name="ingest", routers=[router], routes=[HOOK])


async def test_the_description_has_every_address_and_how_to_show_a_key(house: House) -> None:
    async with browsing(house, ROOM, role=Role.integration) as client:
        document = (await client.get("/openapi.json")).json()
    assert set(document["paths"]) == {"/v1/things/{name}", "/hooks/{source}"}
    assert document["paths"]["/hooks/{source}"]["post"]["summary"] == "A hook"
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    assert document == application(house, [ROOM], Pulse()).openapi()


async def test_the_page_shows_the_same_and_loads_nothing_from_elsewhere(house: House) -> None:
    async with browsing(house, ROOM) as client:
        page, style = await client.get("/docs"), await client.get("/docs/style.css")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert style.headers["content-type"].startswith("text/css")
    for text in ("/v1/things/{name}", "/hooks/{source}", "One &lt;thing&gt;", "How many &amp; more.", "Taken."):
        assert text in page.text
    assert "<thing>" not in page.text
    assert "<script" not in page.text
    assert "http" not in page.text.replace("huifang", "")


@pytest.mark.parametrize("path", ["/docs", "/docs/style.css", "/openapi.json"])
async def test_it_needs_a_key_and_can_be_left_out(house: House, path: str) -> None:
    key = await key_of(house, Role.agent)
    headers = {"authorization": f"Bearer {key}"}
    hidden = house.settings.model_copy(update={"docs": False})
    for settings, expected in ((house.settings, 200), (hidden, 404)):
        app = application(House(settings, house.clock, house.database, house.seal), [ROOM], Pulse())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://huifang") as client:
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers=headers)).status_code == expected
