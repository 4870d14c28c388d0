from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends
from starlette.requests import Request

from services import run
from services.house import House
from services.pulse import Pulse
from services.room import Room
from services.settings import Settings
from services.web import application
from tests.processes import free_port

router = APIRouter()


@router.get("/s/{token}")
@router.get("/u/{token}")
@router.get("/hooks/{token}")
async def page(_: Annotated[None, Depends(lambda: None)]) -> str:
    return "page"


@router.get("/hooks/who/calls")
async def who(request: Request) -> list[str]:
    assert request.client
    return [request.client.host, request.url.scheme]


ROOM = Room(name="scoring", routers=[router])


def published(house: House, **changes: str) -> House:
    settings = Settings.model_validate(
        {**house.settings.model_dump(), "public_url": "https://HF.example.cn", **changes}
    )
    return House(settings, house.clock, house.database, house.seal)


async def status(house: House, path: str, *hosts: str) -> int:
    transport = httpx.ASGITransport(application(house, [ROOM], Pulse()))
    headers = [("host", host) for host in hosts]
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        request = httpx.Request("GET", f"http://x{path}", headers=headers)
        if not hosts:
            del request.headers["host"]
        return (await client.send(request)).status_code


@pytest.mark.parametrize("path", ["/s/token", "/u/token"])
@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["hf.example.cn"], 200),
        (["HF.Example.CN:443"], 200),
        (["hf.example.cn:8080"], 200),
        (["old.example.cn"], 200),
        (["evil.example.com"], 400),
        (["hf.example.cn.evil.example.com"], 400),
        (["evil.example.com/hf.example.cn"], 400),
        (["hf.example.cn@evil.example.com"], 400),
        (["127.0.0.1"], 400),
        (["[::1"], 400),
        ([""], 400),
        ([], 400),
        (["hf.example.cn", "evil.example.com"], 400),
    ],
)
async def test_customers_pages_have_their_own_names(house: House, path: str, hosts: list[str], expected: int) -> None:
    assert await status(published(house, public_hosts="other.example.cn, OLD.example.cn"), path, *hosts) == expected


async def test_everything_else_may_be_called_by_any_name(house: House) -> None:
    for path in ("/hooks/jira", "/livez", "/readyz"):
        assert await status(published(house), path, "10.0.0.7:8001") == 200


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:9000"])
async def test_on_a_machine_of_one_s_own_every_name_passes(house: House, url: str) -> None:
    assert await status(published(house, public_url=url), "/s/token", "tablet.lan") == 200


@pytest.mark.parametrize(
    ("trusted", "forwarded", "client"),
    [
        ("", "6.6.6.6", "127.0.0.1"),
        ("127.0.0.1", "6.6.6.6, 10.1.1.1", "10.1.1.1"),
        ("127.0.0.1,10.1.1.1", "6.6.6.6, 9.9.9.9, 10.1.1.1", "9.9.9.9"),
        ("10.9.9.9", "6.6.6.6", "127.0.0.1"),
    ],
)
async def test_only_the_trusted_hop_tells_who_calls(house: House, trusted: str, forwarded: str, client: str) -> None:
    port = free_port()
    headers = {"x-forwarded-for": forwarded, "x-forwarded-proto": "https"}
    async with (
        run.running(published(house, trusted_proxies=trusted), (), port, further=(ROOM,)),
        httpx.AsyncClient(trust_env=False) as caller,
    ):
        answer = await caller.get(f"http://127.0.0.1:{port}/hooks/who/calls", headers=headers)
    assert answer.json() == [client, "https" if client != "127.0.0.1" else "http"]
