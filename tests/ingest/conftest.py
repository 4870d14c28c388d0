from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from ingest.app import open_room
from ingest.commands import ensure_sources
from services.auth import Role, install_key
from services.house import House
from services.pulse import Pulse
from services.web import application
from tests.ingest.webhooks import SECRETS

KEY = "hf_integration"


@pytest.fixture
async def app(house: House) -> AsyncIterator[FastAPI]:
    """The room's web side, with a source for each system and a key for each role."""
    async with house.database.transaction("ingest") as transaction:
        await ensure_sources(house, transaction, SECRETS)
        for role in Role:
            await install_key(transaction, role, role, f"hf_{role}")
    async with open_room(house) as room:
        yield application(house, [room], Pulse())


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest", headers=headers) as client:
        yield client
