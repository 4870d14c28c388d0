import base64
from itertools import product
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends
from starlette.routing import Route

from services import auth
from services.auth import PUBLIC, CallerOf, Keys, Role, create_key, install_key, requires, revoke_key
from services.database import Database
from services.errors import ConfigurationError
from services.house import House
from services.pulse import Pulse
from services.room import Room
from services.web import application
from tests.services.browsing import browsing, key_of
from tests.services.waiting import until

router = APIRouter()


@router.get("/v1/me")
async def me(caller: CallerOf) -> dict[str, str]:
    return {"name": caller.name, "role": caller.role}


@router.post("/v1/quality", dependencies=[Depends(requires(Role.quality, Role.manager))])
async def quality() -> str:
    return "done"


@router.get("/s/{token}")
@router.post("/hooks/{source}")
async def public(_: Annotated[None, Depends(lambda: None)]) -> str:
    return "hello"


ROOM = Room(name="ingest", routers=[router])


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_a_key_tells_who_calls(house: House) -> None:
    key = await key_of(house, Role.agent, "Li")
    async with browsing(house, ROOM, role=None) as client:
        answer = await client.get("/v1/me", headers={"authorization": f"bearer  {key}"})
        assert answer.json() == {"name": "Li", "role": "agent"}


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer hf_wrong", "Digest abc", "Basic !!!", "Basic /w==", "\xff"]
)
async def test_everybody_else_is_refused(house: House, authorization: str) -> None:
    async with browsing(house, ROOM, role=None) as client:
        answer = await client.get("/v1/me", headers={b"authorization": authorization.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="Huifang"'
    assert answer.json()["type"] == "urn:huifang:problem:no-key"


async def test_every_route_but_the_public_ones_needs_a_key(house: House) -> None:
    app = application(house, [ROOM], Pulse())
    known = {*app.openapi()["paths"], *(route.path for route in app.routes if isinstance(route, Route))}
    assert known >= {"/v1/me", "/v1/quality", "/s/{token}", "/docs", "/openapi.json", "/metrics"}
    paths = [*sorted(known), "/", "/nowhere", "/v1/", "/s", "/hooks"]
    async with browsing(house, ROOM, role=None) as client:
        for path, method in product(paths, ["GET", "POST", "DELETE", "OPTIONS"]):
            status = (await client.request(method, path)).status_code
            is_public = any(path.startswith(prefix) if prefix.endswith("/") else path == prefix for prefix in PUBLIC)
            assert (status == 401) != is_public, (method, path, status)


@pytest.mark.parametrize("role", Role)
async def test_roles_are_kept_apart(house: House, role: Role) -> None:
    async with browsing(house, ROOM, role=role) as client:
        answer = await client.post("/v1/quality")
        assert (await client.get("/v1/me")).status_code == 200
    if role in (Role.administrator, Role.quality, Role.manager):
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
        assert "administrator, manager, quality" in answer.json()["detail"]


async def test_a_browser_may_show_pages_and_change_nothing(house: House) -> None:
    key = await key_of(house, Role.quality)
    async with browsing(house, ROOM, role=None) as client:
        asked = await client.get("/v1/me", headers={"accept": "text/html,*/*"})
        assert asked.headers["www-authenticate"].startswith("Basic ")
        assert (await client.get("/v1/me", headers=basic("anybody", key))).status_code == 200
        assert (await client.head("/v1/me", headers=basic("", key))).status_code == 405
        assert (await client.post("/v1/quality", headers=basic("anybody", key))).status_code == 401
        assert (await client.post("/v1/quality", headers={"authorization": f"Bearer {key}"})).status_code == 200


async def test_a_revoked_key_ends_within_the_memory(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBER_SECONDS", 0.3)
    key = await key_of(house, Role.agent, "Li")
    async with browsing(house, ROOM, role=None) as client:
        headers = {"authorization": f"Bearer {key}"}
        assert (await client.get("/v1/me", headers=headers)).status_code == 200
        async with house.database.transaction("services") as transaction:
            await revoke_key(transaction, "Li")

        async def refused() -> bool:
            return (await client.get("/v1/me", headers=headers)).status_code == 401

        await until(refused, 2)


async def test_the_memory_of_keys_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "REMEMBER_MOST", 10)
    keys = Keys(database)
    for number in range(50):
        assert await keys.caller(f"hf_{number}") is None
        assert len(keys._known) <= 10


async def test_keys_are_long_unlike_and_kept_as_hashes(database: Database) -> None:
    async with database.transaction("services") as transaction:
        made = [await create_key(transaction, f"key {number}", Role.agent) for number in range(20)]
        kept = await transaction.fetch("select key_hash::text || name || role from services.api_key")
    assert len(set(made)) == 20
    assert all(len(key) >= 43 for key in made)
    assert not any(key in row[0] or key.removeprefix("hf_") in row[0] for key in made for row in kept)


async def test_a_name_belongs_to_one_key_at_a_time(database: Database) -> None:
    async with database.transaction("services") as transaction:
        await create_key(transaction, "Li", Role.agent)
        with pytest.raises(ConfigurationError, match="'Li' exists already; revoke"):
            await install_key(transaction, "Li", Role.agent, "hf_other")
        await revoke_key(transaction, "Li")
        with pytest.raises(ConfigurationError, match="no valid key named 'Li'"):
            await revoke_key(transaction, "Li")
        await create_key(transaction, "Li", Role.manager)


async def test_without_the_database_nobody_is_let_in(house: House) -> None:
    async with browsing(house, ROOM) as client:
        await house.database.close()
        answer = await client.get("/v1/me")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
