import signal
from collections.abc import Iterator
from typing import Any

import pytest

from services.doctor import Finding, examine
from services.settings import Settings
from tests.postgres import PostgreSQL
from tests.services.freezing import frozen

WELL = {
    "smtp_url": "smtp://127.0.0.1:25?tls=none",
    "sms_provider": "http",
    "sms_url": "http://127.0.0.1:1",
    "public_url": "https://hf.example.cn",
}


@pytest.fixture
def own_postgres() -> Iterator[PostgreSQL]:
    """A server that these tests stop and freeze."""
    with PostgreSQL() as server:
        yield server


async def looked(settings: Settings, **changes: Any) -> dict[str, Finding]:
    changed = Settings.model_validate({**settings.model_dump(), **changes})
    return {finding.what: finding async for finding in examine(changed)}


async def test_an_installation_where_all_is_well(
    settings: Settings, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: object) -> list[object]:
        return []

    monkeypatch.setattr("services.doctor.pending", nothing)
    found = await looked(settings, kafka=kafka, **WELL)
    assert list(found) == ["key ring", "PostgreSQL", "schema", "Kafka", "e-mail", "SMS", "public address"]
    assert [finding for finding in found.values() if not finding.well or finding.remedy] == []


async def test_whatever_is_wrong_has_a_remedy(settings: Settings) -> None:
    found = await looked(settings, keyring="a:short", database_url="postgresql://postgres@127.0.0.1:1/x")
    assert not any(finding.well for finding in found.values())
    remedies = {what: finding.remedy for what, finding in found.items()}
    assert "HUIFANG_DATABASE_URL" in remedies["PostgreSQL"]
    assert "HUIFANG_KAFKA" in remedies["Kafka"]
    assert "HUIFANG_SMTP_URL" in remedies["e-mail"]
    assert "HUIFANG_SMS_PROVIDER" in remedies["SMS"]
    assert "HUIFANG_PUBLIC_URL" in remedies["public address"]
    assert "HUIFANG_KEYRING" in remedies["key ring"]
    assert "schema" not in remedies


async def test_a_schema_that_lags_behind_is_told(settings: Settings) -> None:
    schema = (await looked(settings))["schema"]
    assert not schema.well
    assert "huifang migrate" in schema.remedy


async def test_a_server_that_refuses_says_why(settings: Settings, own_postgres: PostgreSQL) -> None:
    refused = await looked(settings, database_url=own_postgres.url("nowhere"))
    assert "nowhere" in refused["PostgreSQL"].remedy
    own_postgres.stop(signal.SIGQUIT)
    gone = await looked(settings, database_url=own_postgres.url())
    assert not gone["PostgreSQL"].well


@pytest.mark.parametrize("backends_only", [False, True])
async def test_a_server_that_stands_still_is_told_and_the_rest_looked_at(
    settings: Settings, own_postgres: PostgreSQL, backends_only: bool
) -> None:
    with frozen(own_postgres, backends_only=backends_only):
        found = await looked(settings, database_url=own_postgres.url())
    assert "public address" in found
    assert backends_only or not found["PostgreSQL"].well
