import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from typer.testing import CliRunner, Result

from services import cli
from services.auth import Keys
from services.contracts.topics import ITSM
from services.errors import ConfigurationError, HuifangError, Unavailable
from services.house import House
from services.kafka import DEAD, Outgoing, Producer
from services.run import EXIT_CONFIGURATION, EXIT_UNAVAILABLE
from services.settings import Settings
from tests.conftest import KEYRING
from tests.postgres import PostgreSQL
from tests.services.toys import closed

Run = Callable[..., Result]
_numbers = count(1)


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on this test's database and broker."""
    monkeypatch.setenv("HUIFANG_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("HUIFANG_KAFKA", settings.kafka)
    monkeypatch.setenv("HUIFANG_KEYRING", KEYRING)
    monkeypatch.setattr("services.run._check_schema", _no_check)
    return lambda *words: CliRunner().invoke(cli.app, list(words))


async def _no_check(_: str) -> None:
    """The frame's tests have no room's schema."""


@pytest.fixture
def empty_database(postgres: PostgreSQL) -> Iterator[str]:
    name = f"huifang_empty_{next(_numbers)}"
    postgres.execute(f"create database {name}")
    yield postgres.url(name)
    postgres.execute(f"drop database {name} with (force)")


def test_a_key_is_shown_once_and_ends_when_it_is_revoked(run: Run) -> None:
    made = run("key", "create", "--name", "jira", "--role", "integration")
    assert made.exit_code == 0
    key = made.stdout.strip()
    assert key.startswith("hf_")
    listed = run("key", "list", "--json").stdout
    assert key not in listed
    assert [(row["name"], row["role"]) for row in json.loads(listed)] == [("jira", "integration")]
    again = run("key", "create", "--name", "jira", "--role", "agent")
    assert isinstance(again.exception, ConfigurationError)
    assert run("key", "revoke", "jira").exit_code == 0
    assert isinstance(run("key", "revoke", "jira").exception, ConfigurationError)
    assert "name=jira" in run("key", "list").stdout


async def test_a_key_from_the_command_line_opens_rest(run: Run, house: House) -> None:
    made = await asyncio.to_thread(run, "key", "create", "--name", "Li", "--role", "agent")
    caller = await Keys(house.database).caller(made.stdout.strip())
    assert caller
    assert (caller.name, caller.role) == ("Li", "agent")


def test_roles_and_rooms_are_named_where_one_is_mistyped(run: Run) -> None:
    assert run("key", "create", "--name", "x", "--role", "king").exit_code == 2
    unknown = run("serve", "kitchen").exception
    assert isinstance(unknown, ConfigurationError)
    assert "no room 'kitchen'; there are ingest, scheduler, notifier, scoring, or `all`" in str(unknown)


def test_migrate_brings_the_schema_to_the_latest_and_then_has_nothing_to_do(
    run: Run, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUIFANG_DATABASE_URL", empty_database)
    first = run("migrate")
    assert first.exit_code == 0, first.output
    assert "applied services/0001_frame" in first.stdout
    assert "applied notifier/0001_deliveries" in first.stdout
    assert run("migrate").stdout == "nothing to do\n"


def test_what_is_wrong_is_an_exit_code_too(run: Run) -> None:
    told = run("doctor", "--json")
    assert told.exit_code == 1
    findings = json.loads(told.stdout)
    assert {finding["what"]: finding["well"] for finding in findings}["PostgreSQL"]
    plain = run("doctor").stdout.splitlines()
    assert len(plain) == len(findings)
    assert "ok  PostgreSQL" in plain
    assert any(line.startswith("no  Kafka: ") for line in plain)


def test_the_outboxes_are_shown(run: Run, settings: Settings) -> None:
    rows = json.loads(run("outbox", "status", "--json").stdout)
    assert [row["room"] for row in rows] == ["ingest", "scheduler", "notifier", "scoring"]
    assert {row["rows"] for row in rows} == {0}


async def test_the_outbox_is_counted(run: Run, house: House) -> None:
    async with house.database.transaction("ingest") as transaction:
        transaction.say(closed(1))
        transaction.say(closed(2))
    shown = await asyncio.to_thread(run, "outbox", "status", "--json")
    assert json.loads(shown.stdout)[0]["rows"] == 2


async def test_dead_letters_are_listed_shown_and_played_again(run: Run, house: House, producer: Producer) -> None:
    await producer.send([Outgoing(ITSM + DEAD, b"key", b"\xffcanary", [("huifang-reason", b"undecodable")])])
    listed = await asyncio.to_thread(run, "dead", "list", "--json")
    [row] = json.loads(listed.stdout)
    assert "canary" not in listed.stdout
    assert (row["topic"], row["reason"]) == (ITSM, "undecodable")
    shown = await asyncio.to_thread(run, "dead", "show", row["id"])
    assert shown.stdout_bytes == b"\xffcanary"
    assert isinstance((await asyncio.to_thread(run, "dead", "show", "x/0/0")).exception, ConfigurationError)
    assert (await asyncio.to_thread(run, "dead", "replay", row["id"])).stdout == "replayed 1\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("HUIFANG_KAFKA: is not set"), EXIT_CONFIGURATION),
        (Unavailable("PostgreSQL does not answer"), EXIT_UNAVAILABLE),
        (HuifangError("something else"), EXIT_UNAVAILABLE),
    ],
)
def test_what_goes_wrong_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(cli, "app", _Failing(fails))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr().err == f"{error}\n"


class _Failing:
    def __init__(self, fails: Callable[[], None]) -> None:
        self._fails = fails

    def add_typer(self, *_: object, **__: object) -> None:
        """Takes the rooms' groups."""

    def __call__(self) -> None:
        self._fails()
