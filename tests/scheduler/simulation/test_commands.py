import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner, Result

from scheduler.commands import policy
from services.clock import DrivenClock
from services.database import Database
from services.house import House
from services.seal import KeyRing, Seal
from services.settings import Settings
from tests.conftest import KEYRING, NOWHERE
from tests.scheduler.desk import Desk, closed, person
from tests.scheduler.simulation.policies import CUSTOMERS, TICKETS, as_yaml, whole


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(as_yaml(whole()), encoding="utf-8")
    (tmp_path / "tickets.csv").write_text(TICKETS, encoding="utf-8")
    (tmp_path / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
    return tmp_path


def simulate(files: Path, *more: str) -> Result:
    told = (str(files / "policy.yaml"), "--tickets", str(files / "tickets.csv"))
    return CliRunner().invoke(policy, ["simulate", *told, "--customers", str(files / "customers.csv"), *more])


def test_a_trial_is_told_in_words_and_for_machines(files: Path) -> None:
    told = simulate(files)
    assert told.exit_code == 0
    assert "policy whole, from 2026-03-02 until before 2027-03-02 (Asia/Shanghai)" in told.stdout
    outcome = json.loads(simulate(files, "--json", "--from", "2026-03-03", "--to", "2026-04-01").stdout)
    assert (outcome["start"], outcome["end"]) == ("2026-03-03T00:00:00+08:00", "2026-04-01T00:00:00+08:00")
    assert outcome["tickets"] == 4
    assert [plan["term"] for plan in outcome["plans"]] == ["2026-Q1"]


def test_more_answer_where_the_rate_is_higher(files: Path) -> None:
    few, many = (
        json.loads(simulate(files, "--json", "--answer-rate", rate, "--seed", "7").stdout) for rate in ("0%", "100%")
    )
    answered = [sum(each["answered"] for each in outcome["surveys"]) for outcome in (few, many)]
    assert answered[0] < answered[1] == sum(each["surveys"] for each in many["surveys"])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("tickets.csv", "ticket,closed_at\nIT-1,never\n", "tickets.csv:2:closed_at: "),
        ("customers.csv", "customer,kind\nC-1,robot\n", "customers.csv:2:kind: "),
        ("policy.yaml", "policy: whole\ntitel: x\n", "policy.yaml:2:1: "),
    ],
)
def test_a_wrong_file_is_told_with_its_place_and_ends_with_65(files: Path, name: str, text: str, said: str) -> None:
    (files / name).write_text(text, encoding="utf-8")
    told = simulate(files)
    assert told.exit_code == 65
    assert said in told.output


@pytest.mark.parametrize("more", [("--answer-rate", "many"), ("--tickets", "/nowhere/at/all.csv")])
def test_a_wrong_option_is_told(files: Path, more: tuple[str, str]) -> None:
    told = simulate(files, *more)
    assert told.exit_code == 65
    assert more[1] in told.output


async def _no_check(_: Database) -> None: ...


async def _heard(url: str) -> None:
    """The scheduler hears of three closed tickets."""
    clock = DrivenClock(datetime(2026, 3, 2, 2, tzinfo=UTC))
    database = await Database.open(url, clock)
    settings = Settings.model_validate({"database_url": url, "kafka": NOWHERE, "keyring": KEYRING})
    desk = Desk(House(settings=settings, clock=clock, database=database, seal=Seal(KeyRing(KEYRING))), clock)
    await desk.install(whole())
    for number in range(3):
        await desk.hear(closed(clock.now(), person(number), f"IT-{number}"))
    await database.close()


def test_what_the_scheduler_has_heard_is_played(
    files: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("DATABASE_URL", database_url), ("KAFKA", NOWHERE), ("KEYRING", KEYRING)):
        monkeypatch.setenv(f"HUIFANG_{name}", value)
    monkeypatch.setattr("services.run._check_schema", _no_check)
    asyncio.run(_heard(database_url))
    told = CliRunner().invoke(policy, ["simulate", str(files / "policy.yaml"), "--database", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["tickets"] == 3


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (("2026-05-01", "2026-05-01"), "Give a later `to`"),
        (("1990-01-01", "2026-05-01"), "more than five years"),
        (("0001-01-01", "0001-05-01"), "before 1970"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(files: Path, days: tuple[str, str], said: str) -> None:
    told = simulate(files, "--from", days[0], "--to", days[1])
    assert told.exit_code == 65
    assert said in told.output


@pytest.mark.parametrize("option", ["--html", "--decisions"])
def test_a_file_that_cannot_be_written_is_told(files: Path, option: str) -> None:
    told = simulate(files, option, str(files / "nowhere" / "out"))
    assert told.exit_code == 73
    assert "cannot be written" in told.output


@pytest.mark.timeout(180)
def test_the_page_needs_nothing_but_itself_and_fits_phone_and_desk(files: Path, chromium: str) -> None:
    page_file = files / "trial.html"
    assert simulate(files, "--html", str(page_file)).exit_code == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        context = browser.new_context(offline=True)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(page_file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert set(asked) == {page_file.as_uri()}
        assert page.locator("main svg rect").count() > 30
        assert page.get_by_role("heading", name="First contacts by days").is_visible()
        assert not page.get_by_role("heading", name="每日首次联系").is_visible()
        page.get_by_text("中文", exact=True).click()
        assert page.get_by_role("heading", name="每日首次联系").is_visible()
        assert not page.get_by_role("heading", name="First contacts by days").is_visible()
        browser.close()
    html = page_file.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "http" not in html
