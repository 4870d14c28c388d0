import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scheduler.commands import policy
from scheduler.handlers.policies import new_version
from scheduler.store import insert_policy_version
from services.clock import SystemClock
from services.contracts.policy import parse_policy
from services.database import Database
from services.errors import ConfigurationError
from services.settings import Settings
from tests.conftest import KEYRING, NOWHERE

PACK = (Path(__file__).parents[2] / "policies" / "itss-incident.yaml").read_text(encoding="utf-8")
CHANGED = PACK.replace("after: 2h, within: 2d", "after: 2h, within: 1d")

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `huifang policy …`; the default pack is in force as version 1."""
    url = settings.database_url.get_secret_value()
    for name, value in (("DATABASE_URL", url), ("KAFKA", NOWHERE), ("KEYRING", KEYRING)):
        monkeypatch.setenv(f"HUIFANG_{name}", value)
    monkeypatch.setattr("services.run._check_schema", _no_check)
    asyncio.run(_install(url))
    return lambda *words: CliRunner().invoke(policy, list(words))


async def _no_check(_: Database) -> None: ...


async def _install(url: str) -> None:
    database = await Database.open(url, SystemClock())
    async with database.transaction("scheduler") as transaction:
        await insert_policy_version(transaction, new_version(PACK, parse_policy(PACK, "pack")))
    await database.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "changed.yaml"
    path.write_text(CHANGED, encoding="utf-8")
    return path


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def step(run: Run, word: str, actor: str) -> Result:
    return run(word, "itss-incident", "2", "--as", actor, "--note", f"{word} by {actor}", "--json")


def test_a_file_is_checked_before_anybody_proposes_it(run: Run, file: Path) -> None:
    assert "well formed (2 surveys" in run("check", str(file)).stdout
    file.write_text(CHANGED.replace("our services this quarter", "our excellent services"), encoding="utf-8")
    (remark,) = rows(run("check", str(file), "--json"))
    assert (remark["rule"], remark["found"]) == ("leading", "excellent")
    file.write_text(CHANGED + "surprise: 1\n", encoding="utf-8")
    refused = run("check", str(file))
    assert isinstance(refused.exception, ConfigurationError)
    assert f"{file}:" in str(refused.exception)
    assert "unknown key 'surprise'" in str(refused.exception)


def test_three_people_put_a_version_in_force_from_the_command_line(run: Run, file: Path) -> None:
    assert "proposed as version 2" in run("propose", str(file), "--as", "anna", "--note", "sooner").stdout
    assert run("diff", "itss-incident", "2").stdout == "surveys.incident.send.within: 2d → 1d\n"
    assert rows(step(run, "review", "bo"))[0]["state"] == "reviewed"
    assert rows(step(run, "approve", "chen"))[0]["state"] == "approved"
    listed = rows(run("list", "--json"))
    assert [(each["version"], each["state"], each["in_force"]) for each in listed] == [
        (1, "approved", False),
        (2, "approved", True),
    ]
    steps = rows(run("history", "itss-incident", "2", "--json"))
    assert [(each["step"], each["actor"], each["note"], each["cause"]) for each in steps] == [
        ("proposed", "anna", "sooner", "console"),
        ("reviewed", "bo", "review by bo", "console"),
        ("approved", "chen", "approve by chen", "console"),
    ]


@pytest.mark.parametrize("actor", ["anna", "Anna"])
def test_the_same_rules_hold_as_for_keys(run: Run, file: Path, actor: str) -> None:
    run("propose", str(file), "--as", "anna")
    refused = step(run, "review", actor)
    assert refused.exit_code == 1
    assert "must be reviewed by another" in refused.stderr
    assert step(run, "approve", "bo").exit_code == 1
    assert "is version 2 of 'itss-incident'" in run("propose", str(file), "--as", "bo").stderr
    assert rows(step(run, "withdraw", actor))[0]["state"] == "withdrawn"
    assert run("propose", str(file)).exit_code == 0


def test_a_name_and_a_note_are_asked_for(run: Run, file: Path) -> None:
    run("propose", str(file))
    assert run("review", "itss-incident", "2", "--note", "x").exit_code == 2
    assert run("review", "itss-incident", "2", "--as", "bo").exit_code == 2
    assert isinstance(run("review", "itss-incident", "2", "--as", " ", "--note", "x").exception, ConfigurationError)
    assert rows(run("history", "itss-incident", "2", "--json"))[-1]["step"] == "proposed"


def test_a_version_may_take_effect_later_than_its_file_says(run: Run, file: Path) -> None:
    (proposed,) = rows(run("propose", str(file), "--effective", "2999-04-01T00:00+08:00", "--json"))
    at = datetime.fromisoformat(proposed["effective_from"])
    assert at == datetime(2999, 3, 31, 16, tzinfo=UTC)
    for wrong in ("2999-04-01T00:00", "soon", "9999-12-31T00:00+08:00"):
        assert isinstance(run("propose", str(file), "--effective", wrong).exception, ConfigurationError)


def test_versions_are_compared_by_place_or_by_line(run: Run, file: Path) -> None:
    run("propose", str(file))
    (change,) = rows(run("diff", "itss-incident", "2", "--json"))
    assert change == {"path": "surveys.incident.send.within", "before": "2d", "after": "1d"}
    assert "+    send: {after: 2h, within: 1d}" in run("diff", "itss-incident", "2", "--text").stdout.splitlines()
    assert run("diff", "itss-incident", "2", "--against", "2").stdout == "nothing\n"


@pytest.mark.parametrize(
    "words",
    [
        ("diff", "itss-incident", "1"),
        ("diff", "itss-incident", "9"),
        ("diff", "itss-incident", "1", "--against", "9999999999"),
        ("history", "none", "1"),
    ],
)
def test_what_is_not_there_is_named(run: Run, words: tuple[str, ...]) -> None:
    assert isinstance(run(*words).exception, ConfigurationError)


def test_a_step_on_a_version_that_is_not_there_is_refused(run: Run) -> None:
    for version in ("9", "0", "9999999999"):
        refused = run("approve", "itss-incident", version, "--as", "bo", "--note", "x")
        assert (refused.exit_code, "no such version" in refused.stderr) == (1, True)
