from datetime import UTC, datetime

import pytest

from services.command_line import configured, in_transaction, show
from services.database import Transaction
from services.errors import ConfigurationError, Unavailable
from services.house import House
from services.settings import Settings
from tests.conftest import KEYRING, NOWHERE
from tests.services.toys import closed


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("HUIFANG_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("HUIFANG_KAFKA", NOWHERE)
    monkeypatch.setenv("HUIFANG_KEYRING", KEYRING)
    monkeypatch.setattr("services.run._check_schema", _no_check)
    return monkeypatch


async def _no_check(_: str) -> None:
    """The frame's tests have no room's schema."""


async def count(_: House, transaction: Transaction) -> int:
    return int(await transaction.fetchval("select count(*) from ingest.outbox"))


def test_a_command_s_work_is_one_transaction(environment: pytest.MonkeyPatch) -> None:
    async def says(house: House, transaction: Transaction) -> str:
        transaction.say(closed(1))
        return house.settings.kafka

    async def fails(_: House, transaction: Transaction) -> None:
        transaction.say(closed(2))
        raise ConfigurationError("no")

    assert in_transaction("ingest", says) == NOWHERE
    assert in_transaction("ingest", count) == 1
    with pytest.raises(ConfigurationError, match="no"):
        in_transaction("ingest", fails)
    assert in_transaction("ingest", count) == 1


def test_a_command_without_settings_or_server_says_what_it_needs(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HUIFANG_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/x")
    with pytest.raises(Unavailable, match="PostgreSQL does not answer"):
        in_transaction("ingest", count)
    environment.delenv("HUIFANG_KEYRING")
    with pytest.raises(ConfigurationError, match="HUIFANG_KEYRING: is not set"):
        configured()


@pytest.mark.parametrize(
    ("rows", "as_json", "shown"),
    [
        ([], False, "none\n"),
        ([], True, "[]\n"),
        ([{"name": "李", "role": None, "n": 0}], False, "name=李  n=0\n"),
        ([{"name": "李", "role": None}], True, '[{"name": "李", "role": null}]\n'),
        ([{"at": datetime(2026, 3, 2, tzinfo=UTC)}], True, '[{"at": "2026-03-02 00:00:00+00:00"}]\n'),
    ],
)
def test_rows_are_for_people_or_for_machines(
    capsys: pytest.CaptureFixture[str], rows: list[dict[str, object]], as_json: bool, shown: str
) -> None:
    show(rows, as_json)
    assert capsys.readouterr().out == shown
