import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import Result

from ingest import store
from ingest.commands import add_source, ensure_sources, source
from ingest.store import Source
from services.errors import ConfigurationError
from services.house import House
from tests.ingest import payloads

SECRET = "a secret of more than 24 bytes"
OTHER = "another secret, as long as that"

Run = Callable[..., Result]


async def sources(house: House) -> dict[str, Source]:
    async with house.database.reading() as transaction:
        return {each.name: each for each in await store.list_sources(transaction, house.seal)}


async def ensure(house: House, **secrets: str) -> dict[str, Source]:
    async with house.database.transaction("ingest") as transaction:
        await ensure_sources(house, transaction, secrets)
    return await sources(house)


async def test_the_systems_exist_from_the_first_start_on(house: House) -> None:
    found = await ensure(house, jira=SECRET, glpi=OTHER)
    assert [(each.mapping, each.scheme, each.secrets, each.enabled) for each in found.values()] == [
        ("glpi", "glpi", (OTHER,), True),
        ("jira", "jira", (SECRET,), True),
    ]
    assert await ensure(house, jira=SECRET, glpi=OTHER) == found


async def test_a_secret_that_was_changed_outside_takes_the_place_of_the_old_one(house: House) -> None:
    await ensure(house, jira=SECRET)
    assert (await ensure(house, jira=OTHER))["jira"].secrets == (OTHER,)


async def test_an_old_secret_is_valid_for_its_overlap_and_sealed_at_rest(house: House) -> None:
    await ensure(house, jira=SECRET)
    async with house.database.transaction("ingest") as transaction:
        await store.replace_secret(transaction, house.seal, "jira", OTHER, timedelta(hours=1))
        rows = await transaction.fetch("select sealed from ingest.secret")
    assert (await sources(house))["jira"].secrets == (OTHER, SECRET)
    assert all(SECRET.encode() not in row["sealed"] and OTHER.encode() not in row["sealed"] for row in rows)


@pytest.mark.parametrize(
    ("name", "mapping", "scheme", "timezone", "secret", "word"),
    [
        ("Erp", "generic", None, "UTC", SECRET, "no name"),
        ("plan", "generic", None, "UTC", SECRET, "our own"),
        ("erp", "sap", None, "UTC", SECRET, "no mapping"),
        ("erp", "generic", "morse", "UTC", SECRET, "no scheme"),
        ("erp", "generic", None, "Asia/NoWhere", SECRET, "time zone"),
        ("erp", "generic", None, "UTC", "changeme", "24 bytes"),
        ("jira", "jira", None, "UTC", SECRET, "already"),
    ],
)
async def test_a_source_that_cannot_be_is_refused_with_a_word(
    house: House, name: str, mapping: str, scheme: str | None, timezone: str, secret: str, word: str
) -> None:
    await ensure(house, jira=SECRET)
    with pytest.raises(ConfigurationError, match=word):
        async with house.database.transaction("ingest") as transaction:
            await add_source(house, transaction, name, mapping, scheme, timezone, secret)
    assert set(await sources(house)) == {"jira"}


def test_mappings_of_one_s_own_win_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    known = store.load_mappings(None)
    assert set(known) == {"jira", "servicenow", "zendesk", "zammad", "glpi", "generic"}
    minimal = "title: Own\nticket: id\nstate: [{value: s, otherwise: open}]\nat: {closed: t, open: t}\n"
    (tmp_path / "jira.yaml").write_text(minimal)
    (tmp_path / "own.yaml").write_text(minimal)
    found = store.load_mappings(tmp_path)
    assert set(found) == {*known, "own"}
    assert found["jira"].title == "Own"
    (tmp_path / "bad.yaml").write_text("title: x")
    store.load_mappings.cache_clear()
    with pytest.raises(ConfigurationError, match=r"bad\.yaml"):
        store.load_mappings(tmp_path)


@pytest.fixture
def run(command: Callable[..., Result]) -> Run:
    return lambda *words: command(source, *words)


def test_sources_from_the_command_line(run: Run, tmp_path: Path) -> None:
    assert run("list").stdout == "none\n"
    added = run("add", "erp", "--timezone", "Asia/Shanghai")
    assert added.exit_code == 0, added.output
    assert added.stdout.startswith("whsec_")
    own = tmp_path / "secret"
    own.write_text(SECRET + "\n")
    assert run("add", "tickets", "--mapping", "zammad", "--secret-file", str(own)).stdout == SECRET + "\n"
    renewed = run("secret", "erp", "--overlap", "2")
    assert renewed.stdout != added.stdout
    assert run("close", "tickets").exit_code == 0
    listed = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert listed["erp"] == {
        "name": "erp",
        "mapping": "generic",
        "scheme": "generic",
        "timezone": "Asia/Shanghai",
        "open": True,
        "secrets": 2,
    }
    assert (listed["tickets"]["scheme"], listed["tickets"]["open"]) == ("zammad", False)
    assert run("open", "tickets").exit_code == 0


def test_a_payload_can_be_tried_on_a_source(run: Run, tmp_path: Path) -> None:
    run("add", "erp")
    file = tmp_path / "payload.json"
    file.write_text(json.dumps(payloads.generic(at="2026-01-01T00:00:00Z")))
    (report,) = json.loads(run("test", "erp", str(file)).stdout)
    assert (report["ticket"], report["state"]) == ("T-1", "closed")
    file.write_text(json.dumps(payloads.generic(state="hovering")))
    assert json.loads(run("test", "erp", str(file)).stdout) == {"ignored": "state"}
    file.write_text("{}")
    refused = run("test", "erp", str(file))
    assert isinstance(refused.exception, ConfigurationError)
    assert "ticket" in str(refused.exception)


def test_a_source_that_is_none_is_named(run: Run) -> None:
    for words in (["secret", "erp"], ["close", "erp"], ["test", "erp", "/dev/null"]):
        assert isinstance(run(*words).exception, ConfigurationError)
