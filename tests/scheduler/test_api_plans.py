"""Plans over REST: what quality staff read, approve, and redo."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from scheduler.handlers.plans import open_plans
from scheduler.sample import draw
from services.auth import Role
from services.clock import DrivenClock
from services.contracts.customers import CustomerChanged
from services.house import House
from tests.scheduler.desk import report
from tests.scheduler.office import Office
from tests.scheduler.quarter import DRAWN, LAST_YEAR, OPENS, PROMISED, READY, Quarter, customers, quarter

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
UNREACHABLE = "01900000-0000-7000-8000-000000000000"
HIGH = {"coverage": {"share": "100%", "active_within": "6 months"}}


@pytest.fixture
def office(house: House) -> Office:
    return Office(house)


async def drawn(house: House, clock: DrivenClock, plan: dict[str, Any] | None = None) -> Quarter:
    desk = await Quarter.begin(house, clock, quarter(plan))
    await desk.at(DRAWN)
    return desk


async def test_a_plan_tells_target_time_scope_method_and_sample(
    house: House, clock: DrivenClock, office: Office
) -> None:
    method = {"zh": "分层抽样", "en": "Stratified sample"}
    await drawn(house, clock, {"method": method, "coverage": {"share": "30%", "active_within": "6 months"}})
    (item,) = (await office.read())["items"]
    assert item["standing"] == "to approve"
    assert item["term"] == {"key": "2026-Q1", "period": "quarter", "start": "2026-01-01", "end": "2026-04-01"}
    assert (item["drawn_at"], item["ready_by"], item["opens_at"]) == (
        *("2026-03-13T01:00:00Z", "2026-03-16T01:00:00Z", "2026-03-23T01:00:00Z"),
    )
    assert item["approval"]["role"] == "director"
    assert item["approval"]["title"] == {"zh": "总监", "en": "Director"}
    assert {name: item["units"][name] for name in ("population", "unreachable", "chosen", "asked")} == {
        "population": 60,
        "unreachable": 0,
        "chosen": item["coverage"]["covered"] + sum_of_others(await office.read(f"/{item['id']}/units?limit=200")),
        "asked": 0,
    }
    assert (item["coverage"]["required"], item["coverage"]["active"], item["coverage"]["met"]) == (12, 40, True)
    story = await office.read(f"/{item['id']}")
    assert story.items() >= item.items()
    assert story["goal"] == {"zh": "了解总体评价", "en": "How customers judge us"}
    assert (story["method"], story["by"], story["within"], story["seed"]) == (
        *(method, "service desk", "5d", "test/1/incident/2026-Q1"),
    )
    assert story["target"] == {"figure": None, "period": "year", "method": "percent"}
    assert story["scope"] == {"contacts": {"role": ["leader"]}}
    assert story["sample"]["size"] == "20%"
    assert [(each["stratum"], each["population"]) for each in story["strata"]] == [
        (["core"], 10),
        (["important"], 20),
        (["ordinary"], 30),
    ]
    assert sum(each["chosen"] for each in story["strata"]) == item["units"]["chosen"]


def sum_of_others(page: dict[str, Any]) -> int:
    return sum(each["chosen"] and not each["active"] for each in page["items"])


async def test_units_are_listed_page_by_page_with_draws_that_anybody_can_redo(
    house: House, clock: DrivenClock, office: Office
) -> None:
    desk = await drawn(house, clock, {"approve": None})
    plan = str((await desk.plan())["id"])
    first = await office.read(f"/{plan}/units?limit=40")
    second = await office.read(f"/{plan}/units?limit=40&cursor={first['next']}")
    units = [*first["items"], *second["items"]]
    assert [each["number"] for each in units] == list(range(1, 61))
    assert second["next"] is None
    seed = (await office.read(f"/{plan}"))["seed"]
    assert all(each["draw"] == draw(seed, each["customer"]) for each in units)
    assert {each["progress"] for each in units if each["chosen"]} == {"to ask"}
    dues = await desk.at(OPENS)
    await desk.hear(report(dues[0], "accepted", OPENS))
    chosen = (await office.read(f"/{plan}/units?chosen=true"))["items"]
    progress = {each["customer"]: each["progress"] for each in chosen}
    assert progress.pop(str(dues[0].facts.customer)) == "reached"
    assert set(progress.values()) == {"asked"}
    story = await office.read(f"/{plan}")
    assert (story["units"]["asked"], story["units"]["reached"], story["opened_at"]) == (14, 1, "2026-03-23T01:00:00Z")


async def test_a_turn_is_read_and_left_out_by_hand_like_a_ticket_and_the_next_draw_takes_the_place(
    house: House, clock: DrivenClock, office: Office, client: httpx.AsyncClient
) -> None:
    desk = await drawn(house, clock, {"approve": None})
    await desk.at(OPENS - HOUR)
    clock.set(OPENS)
    await desk.tick(open_plans)
    unit = (await desk.units(chosen=True))[0]
    path = f"/v1/tickets/plan/{unit['ticket']}"
    (decision,) = (await client.get(path)).json()["decisions"]
    assert (decision["outcome"], decision["reason"], decision["rule"]) == ("survey", "matched", "test/incident")
    by_hand = await client.post(f"{path}/skip", json={"reason": "in the middle of a dispute"})
    assert by_hand.status_code == 200
    dues = await desk.round()
    asked = {due.facts.customer for due in dues}
    (lost,) = [each for each in await desk.units(chosen=True) if each["lost_at"] is not None]
    assert lost["customer"] == unit["customer"]
    assert unit["customer"] not in asked
    assert len(asked) == 14
    again = await client.post(f"{path}/survey", json={"reason": "all is well again"})
    assert again.status_code == 409


async def test_a_plan_is_approved_once_by_somebody_who_may(house: House, clock: DrivenClock, office: Office) -> None:
    desk = await drawn(house, clock)
    plan = str((await desk.plan())["id"])
    assert (await office.call("agent", Role.agent, "POST", f"/{plan}/approve")).status_code == 403
    clock.set(READY)
    for _ in range(2):
        response = await office.approve(plan, "as every quarter")
        assert response.status_code == 200
        story = response.json()
        assert story["standing"] == "ready"
        approval = story["approval"]
        assert (approval["approved_by"], approval["note"], approval["approved_at"], story["begins_at"]) == (
            *("director", "as every quarter", "2026-03-16T01:00:00Z", "2026-03-23T01:00:00Z"),
        )
        clock.advance(HOUR)
    other = await office.approve(plan, name="another director")
    assert (other.status_code, other.json()["type"]) == (409, "urn:huifang:problem:approved")
    assert len(await desk.at(OPENS)) == 14
    assert (await office.approve(plan)).status_code == 200


async def test_an_approval_after_the_opening_is_late_and_after_the_promise_refused(
    house: House, clock: DrivenClock, office: Office
) -> None:
    desk = await drawn(house, clock)
    plan = str((await desk.plan())["id"])
    clock.set(OPENS + DAY)
    story = (await office.approve(plan)).json()
    assert (story["standing"], story["begins_at"], story["promised_by"]) == (
        *("late", "2026-03-24T01:00:00Z", "2026-03-29T01:00:00Z"),
    )
    assert len(await desk.round()) == 14
    clock.set(PROMISED + 100 * DAY)
    await desk.round()
    assert (await office.read(f"/{plan}"))["settled_at"] is not None


async def test_a_plan_whose_promise_has_passed_is_over(house: House, clock: DrivenClock, office: Office) -> None:
    desk = await drawn(house, clock)
    plan = str((await desk.plan())["id"])
    clock.set(PROMISED)
    response = await office.approve(plan)
    assert (response.status_code, response.json()["type"]) == (409, "urn:huifang:problem:over")


async def test_a_plan_that_needs_no_approval_cannot_be_approved(
    house: House, clock: DrivenClock, office: Office
) -> None:
    desk = await drawn(house, clock, {"approve": None})
    response = await office.approve(str((await desk.plan())["id"]))
    assert (response.status_code, response.json()["type"]) == (409, "urn:huifang:problem:no-approval")


async def test_a_plan_that_falls_short_of_its_coverage_is_approved_only_with_a_word_why(
    house: House, clock: DrivenClock, office: Office
) -> None:
    desk = await Quarter.begin(house, clock, quarter(HIGH, ask={"contacts": {"role": ["leader"]}}))
    (known,) = customers([1])
    await desk.hear(CustomerChanged(customer="C-01", changed_at=LAST_YEAR, facts=known.facts))
    await desk.at(DRAWN)
    plan = str((await desk.plan())["id"])
    coverage = (await office.read(f"/{plan}"))["coverage"]
    assert (coverage["required"], coverage["covered"], coverage["met"]) == (40, 39, False)
    response = await office.approve(plan)
    assert (response.status_code, response.json()["type"]) == (422, "urn:huifang:problem:note")
    assert (await office.approve(plan, "C-01 has nobody whom we could ask")).status_code == 200


async def test_lists_are_narrowed_and_paged(house: House, clock: DrivenClock, office: Office) -> None:
    desk = await Quarter.begin(house, clock, quarter({"approve": None}, every="week, on monday"))
    for week in range(4):
        await desk.at(DRAWN + week * 7 * DAY)
    terms = [each["term"]["key"] for each in (await office.read())["items"]]
    assert terms == sorted(terms, reverse=True)
    assert len(terms) >= 4
    first = await office.read("?limit=2")
    second = await office.read(f"?limit=200&cursor={first['next']}")
    assert [each["term"]["key"] for each in (*first["items"], *second["items"])] == terms
    assert (await office.read("?policy=another"))["items"] == (await office.read("?survey=another"))["items"] == []
    assert len((await office.read("?policy=test&survey=incident"))["items"]) == len(terms)
    assert (await office.read("?standing=to%20approve"))["items"] == []
    assert len((await office.read("?from=2026-03-23T01:00:00Z&to=2026-03-30T01:00:00Z"))["items"]) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/{UNREACHABLE}", 404),
        (f"/{UNREACHABLE}/units", 404),
        ("/none", 422),
        ("?standing=done", 422),
        ("?cursor=rubbish", 422),
        ("?from=2026-04-01T00:00:00Z&to=2026-03-01T00:00:00Z", 422),
        ("?from=0001-01-01T00:00:00Z", 422),
        ("?limit=0", 422),
    ],
)
async def test_questions_that_make_no_sense_are_refused(
    house: House, clock: DrivenClock, office: Office, path: str, status: int
) -> None:
    response = await office.call("auditor", Role.auditor, "GET", path)
    assert response.status_code == status, response.text


@pytest.mark.parametrize("body", [{"note": " "}, {"note": "x" * 501}, {"why": "x"}, [], "x"])
async def test_approvals_that_make_no_sense_are_refused(
    house: House, clock: DrivenClock, office: Office, body: Any
) -> None:
    desk = await drawn(house, clock)
    plan = (await desk.plan())["id"]
    response = await office.call("director", Role.manager, "POST", f"/{plan}/approve", body)
    assert response.status_code == 422
    assert (await office.call("director", Role.manager, "POST", f"/{UNREACHABLE}/approve")).status_code == 404
