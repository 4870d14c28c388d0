from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import typer
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from ingest.app import open_room
from ingest.commands import ensure_sources
from services.auth import Role, install_key
from services.house import House
from services.pulse import Pulse
from services.settings import Settings
from services.web import application
from tests.conftest import KEYRING
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


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command of the room: its group, then the words."""
    monkeypatch.setenv("HUIFANG_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("HUIFANG_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("HUIFANG_KEYRING", KEYRING)
    monkeypatch.setattr("services.run._check_schema", _no_check)
    # The runner's standard error is closed after the command; logs must not be left pointing there.
    monkeypatch.setattr("services.logs.configure", lambda *_: None)

    def run(group: typer.Typer, *words: str) -> Result:
        return CliRunner().invoke(group, list(words))

    return run


async def _no_check(url: str) -> None:
    """Other rooms' migrations are none of these tests' business."""
