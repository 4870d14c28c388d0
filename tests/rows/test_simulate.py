"""Rows N.2, N.4: every pack tried for a year over real incidents and a register of 500 customers, and recounted."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from scheduler.commands import policy as command
from tests.rows.packs import FOLDER, PACKS
from tests.rows.recount import Recount
from tests.rows.register import register, tickets

DEFAULT = "itss-incident"
PART = 2_000
"""Incidents for the packs but the default one, which plays them all."""


@pytest.fixture(scope="session")
def past(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the register, all incidents, and a part of them."""
    log = shared / "data" / "uci_incident_event_log.csv.gz"
    if not log.is_file():
        pytest.skip(f"needs the real log of incidents, {log.name}, which is not here")
    folder = tmp_path_factory.mktemp("past")
    (folder / "customers.csv").write_text(register(), encoding="utf-8")
    (folder / "all.csv").write_text(tickets(log, None), encoding="utf-8")
    (folder / "part.csv").write_text(tickets(log, PART), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=PACKS)
def tried(
    request: pytest.FixtureRequest, past: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Any], Recount]:
    """A pack, its trial's figures, and the recount of what the trial exported."""
    name: str = request.param
    table = tmp_path_factory.mktemp("tried") / "decisions.csv"
    said = CliRunner().invoke(
        command,
        [
            "simulate", str(FOLDER / f"{name}.yaml"), "--customers", str(past / "customers.csv"),
            "--tickets", str(past / ("all.csv" if name == DEFAULT else "part.csv")),
            "--decisions", str(table), "--json",
        ],
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    text = YAML(typ="safe").load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return name, json.loads(said.stdout), Recount(table, text)


@pytest.mark.timeout(300)
def test_row_n_2_a_year_of_every_pack_keeps_its_conditions_by_an_outside_recount(
    tried: tuple[str, dict[str, Any], Recount],
) -> None:
    name, outcome, recount = tried
    assert outcome["tickets"] == (12_461 if name == DEFAULT else PART)
    assert sum(recount.surveys().values()) == sum(each["surveys"] for each in outcome["surveys"])
    _assert_people_are_spared(outcome, recount)
    _assert_plans_are_ready(outcome, recount)
    _assert_coverage(recount)
    _assert_guarantees(name, outcome, recount)
    assert recount.wrong_draws() == []


@pytest.mark.timeout(300)
def test_row_n_4_the_promise_of_every_pack_can_be_kept(tried: tuple[str, dict[str, Any], Recount]) -> None:
    """In a world in which nothing breaks, all first contacts are in time."""
    _, outcome, recount = tried
    promises = recount.promises()
    assert promises["late"] == 0
    assert promises["in time"] == outcome["first_contact"]["in_time"] == outcome["first_contact"]["owed"] > 0


def _assert_people_are_spared(outcome: dict[str, Any], recount: Recount) -> None:
    assert recount.in_quiet_time() == []
    assert outcome["in_quiet_time"] == 0
    assert recount.most_within_limit() == outcome["per_person"]["most"] <= recount.limit[0]


def _assert_plans_are_ready(outcome: dict[str, Any], recount: Recount) -> None:
    assert recount.unready_plans() == []
    assert len(recount.plans) == len(outcome["plans"]) > 0
    assert all(each["ready"] for each in outcome["plans"])


def _assert_coverage(recount: Recount) -> None:
    wanted = recount.policy["plans"].get("coverage")
    if wanted is not None:
        plans = recount.coverage(wanted["share"])
        assert [plan for plan, needed, drawn, reached in plans if min(drawn, reached) < needed] == []


def _assert_guarantees(name: str, outcome: dict[str, Any], recount: Recount) -> None:
    until = date.fromisoformat(outcome["end"][:10])
    for survey, told in recount.policy["surveys"].items():
        guarantee = told.get("guarantee")
        if guarantee is None:
            continue
        terms = recount.followed_up(f"{name}/{survey}", guarantee.get("by"), until)
        counted = {each["term"]: each["followed_up"] for each in outcome["guarantees"] if each["survey"] == survey}
        assert {f"{year}-Q{quarter}": cases for (year, quarter), cases in terms.items()} == {
            term: (each["total"], each["counted"]) for term, each in counted.items()
        }
        assert terms
        assert all(each["met"] for each in counted.values()), counted
