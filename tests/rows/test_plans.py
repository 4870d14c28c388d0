"""Rows on surveys by the calendar: the packs as they stand, with a register, through the scheduler on PostgreSQL."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from itertools import pairwise
from math import ceil
from typing import Any

import pytest

from services.auth import Role
from services.clock import DrivenClock
from services.contracts.customers import CustomerChanged, CustomerContact, CustomerFacts, Project
from services.contracts.deliveries import DeliveryOutcome
from services.contracts.questionnaire import SCALES
from services.contracts.surveys import SurveyDue
from services.house import House
from tests.rows.packs import pack
from tests.scheduler.desk import person
from tests.scheduler.office import Office
from tests.scheduler.quarter import LAST_YEAR, Quarter

DAY = timedelta(days=1)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
AUTUMN = datetime(2026, 9, 1, 2, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 1, 15, 2, tzinfo=UTC)
ROLES = ("leader", "site administrator", "network centre", "user")


def company(number: int, people: int = 2, **facts: Any) -> CustomerChanged:
    """A customer with one project; its first person is the leader, and so on by `ROLES`."""
    project = Project(id=f"P-{number}", manager=f"pm-{number % 3}", started=date(2024, 1, 1))
    known = {
        "tier": ("core", "important", "ordinary")[number % 3],
        "region": ("north", "south")[number % 2],
        "last_active": date(2026, 2, 1),
        "active_since": date(2023, 1, 1),
        "owner": f"seller-{number % 4}",
        "projects": (project,),
    }
    contacts = tuple(
        CustomerContact(
            contact=person(10 * number + place), roles=(ROLES[place],), consent=("email", "sms", "call", "visit")
        )
        for place in range(people)
    )
    return CustomerChanged(
        customer=f"C-{number}", changed_at=LAST_YEAR, facts=CustomerFacts(**{**known, **facts}), contacts=contacts
    )


def firsts(dues: list[SurveyDue], survey: str) -> list[SurveyDue]:
    """The first steps of a survey."""
    return [due for due in dues if due.name == survey and due.step == 0]


def share_drawn(units: list[Any], place: int, word: str) -> float:
    members = [each for each in units if each["stratum"][place] == word]
    return len([each for each in members if each["chosen"]]) / len(members)


async def test_s0_3_every_important_and_core_customer_is_asked_at_the_end_of_each_quarter_by_his_project_manager(
    house: House, clock: DrivenClock
) -> None:
    desk = await Quarter.begin(house, clock, pack("itss-incident"), [company(number) for number in range(30)])
    said = firsts(await desk.days(datetime(2026, 7, 1, tzinfo=UTC)), "company")
    by_term = defaultdict(set)
    for due in said:
        by_term[due.due_at.month].add(due.facts.customer)
        assert due.owner == f"pm-{int(str(due.facts.customer)[2:]) % 3}"
        assert due.questionnaire == "company"
        assert due.due_at <= due.promised_by
    expected = {f"C-{number}" for number in range(30) if number % 3 < 2}
    assert by_term == {3: expected, 6: expected}


async def test_s1_1_company_level_customers_are_asked_at_least_once_a_year(house: House, clock: DrivenClock) -> None:
    clock.set(AUTUMN)
    register = [company(number) for number in range(12)]
    desk = await Quarter.begin(house, clock, pack("itss-0405"), register)
    said = firsts(await desk.days(NEXT_YEAR), "company-year")
    assert Counter(due.facts.customer for due in said) == {each.customer: 2 for each in register}  # two people each
    assert len({due.contact.person for due in said}) == len(said)
    assert {due.due_at.year for due in said} == {2026}


async def test_s2_8_a_regular_survey_reaches_30_percent_of_active_customers(house: House, clock: DrivenClock) -> None:
    """Half of the customers have not been active for half a year, and every fifth message comes to nothing."""
    register = [
        company(number, last_active=date(2026, 2, 1) if number % 2 else date(2025, 3, 1)) for number in range(80)
    ]
    active = {f"C-{number}" for number in range(80) if number % 2}
    desk = await Quarter.begin(house, clock, pack("enterprise"), register)
    reached: set[str | None] = set()

    def outcome(due: SurveyDue) -> DeliveryOutcome:
        if int(str(due.facts.customer)[2:]) % 5 == 1:
            return "failed"
        reached.add(due.facts.customer)
        return "accepted"

    await desk.days(datetime(2026, 4, 20, tzinfo=UTC), outcome)
    plan = await desk.plan_of("business-quarter")
    assert (plan["required"], plan["active"]) == (ceil(0.3 * len(active)), len(active))
    assert plan["covered"] >= plan["required"]
    assert plan["covered_after"] == len(reached & active) >= plan["required"]


async def test_s2_11_a_plan_names_target_time_scope_method_and_sample_and_is_ready_and_approved_in_time(
    house: House, clock: DrivenClock
) -> None:
    desk = await Quarter.begin(house, clock, pack("enterprise"), [company(number) for number in range(40)])
    await desk.days(datetime(2026, 3, 5, tzinfo=UTC))
    office = Office(house)
    (item,) = (await office.read("?survey=business-quarter"))["items"]
    story = await office.read(f"/{item['id']}")
    assert story["goal"]["zh"]
    assert story["method"]["zh"]
    assert story["target"]["method"]
    assert story["scope"] == {"customers": {"kind": ["organisation"]}, "most": 2}
    assert (story["sample"]["size"], story["units"]["population"]) == ("40%", 40)
    opens, ready, drawn, approved = (
        datetime.fromisoformat(each)
        for each in (story["opens_at"], story["ready_by"], story["drawn_at"], story["approval"]["approved_at"])
    )
    assert opens - ready == 7 * DAY
    assert opens - 10 * DAY <= drawn <= approved <= ready
    assert story["standing"] == "ready"
    refused = await office.call("agent", Role.agent, "POST", f"/{item['id']}/approve")
    assert refused.status_code == 403


async def test_s3_4_strata_are_drawn_important_and_long_standing_customers_more_and_weighted_back(
    house: House, clock: DrivenClock
) -> None:
    def kind(number: int) -> dict[str, Any]:
        since = date(2010, 1, 1) if number % 4 == 1 else date(2025, 1, 1)
        return {"tier": "core" if number % 4 == 0 else "ordinary", "active_since": since, "size": "small"}

    register = [company(number, **kind(number)) for number in range(200)]
    desk = await Quarter.begin(house, clock, pack("creative-agency"), register)
    await desk.days(datetime(2026, 3, 5, tzinfo=UTC))
    plan, units = await desk.plan_of("regular"), await desk.units("regular")
    important, long_standing, other = (share_drawn(units, 0, word) for word in ("important", "long-standing", "-"))
    assert important > long_standing > other > 0
    assert sum(each["weight"] or 0 for each in units) == pytest.approx(200)
    for stratum in {tuple(each["stratum"]) for each in units}:
        members = sorted(
            (number_of(plan["seed"], each["customer"]), each["chosen"])
            for each in units
            if tuple(each["stratum"]) == stratum
        )
        assert all(earlier >= later for (_, earlier), (_, later) in pairwise(members)), stratum


def number_of(seed: str, key: str) -> int:
    """The draw, with nothing of ours."""
    text = b"".join(part.encode() + b"\0" for part in (seed, key))
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 11


async def test_s4_2_project_managers_ask_every_quarter_and_sales_visits_every_project(
    house: House, clock: DrivenClock
) -> None:
    desk = await Quarter.begin(house, clock, pack("project-operations"), [company(number) for number in range(12)])
    said = await desk.days(NEXT_YEAR, lambda due: "listed" if due.channel in ("call", "visit") else "accepted")
    managers = firsts(said, "project-manager")
    quarters = defaultdict(set)
    for due in managers:
        quarters[(due.due_at.month - 1) // 3].add(due.facts.project)
        assert due.owner == f"pm-{int(str(due.facts.project)[2:]) % 3}"
    projects = {f"P-{number}" for number in range(12)}
    assert quarters == {0: projects, 1: projects, 2: projects, 3: projects}
    visits = firsts(said, "sales-visit")
    assert {due.facts.project for due in visits} == projects
    assert {(due.channel, due.kind) for due in visits} == {("visit", "first")}
    assert {due.owner for due in visits} == {f"seller-{number}" for number in range(4)}


async def test_s4_4_each_project_is_asked_by_the_roles_of_its_people(house: House, clock: DrivenClock) -> None:
    elsewhere = CustomerContact(
        contact=person(99), roles=("leader",), projects=("another project",), consent=("email",)
    )
    known = company(1, people=4)
    customer = CustomerChanged(
        customer="C-1", changed_at=LAST_YEAR, facts=known.facts, contacts=(*known.contacts, elsewhere)
    )
    desk = await Quarter.begin(house, clock, pack("project-operations"), [customer])
    said = firsts(await desk.days(APRIL), "project-manager")
    assert {due.contact.person.int: due.respondent.roles for due in said} == {
        10: ("leader",),
        11: ("site administrator",),
        12: ("network centre",),
    }
    assert {due.facts.project for due in said} == {"P-1"}


async def test_s4_6_ten_and_five_percent_of_those_served_are_drawn_and_judge_by_10_8_6_3_0(
    house: House, clock: DrivenClock
) -> None:
    clock.set(AUTUMN)
    policy = pack("service-quality")
    register = [company(number, people=1, served_by="Park A") for number in range(70)]
    desk = await Quarter.begin(house, clock, policy, register)
    said = firsts(await desk.days(NEXT_YEAR), "area")
    assert len(said) == len({due.facts.customer for due in said}) == ceil(10 + 0.05 * 70) == 14
    questionnaire = policy.questionnaires[policy.surveys["area"].questionnaire]
    assert {item.scale for item in questionnaire.items if item.scale is not None} == {"quality5"}
    assert sorted(SCALES["quality5"].values) == [0, 3, 6, 8, 10]
    assert policy.scores_of("area").method == "percent"


@pytest.mark.parametrize(("organisations", "asked"), [(4, 4), (30, 5), (60, 6)])
async def test_s4_16_a_tenth_of_the_organisations_is_drawn_but_at_least_five(
    house: House, clock: DrivenClock, organisations: int, asked: int
) -> None:
    clock.set(AUTUMN)
    register = [
        company(number, people=1, served_by=f"Park {number % organisations}") for number in range(3 * organisations)
    ]
    desk = await Quarter.begin(house, clock, pack("service-quality"), register)
    said = firsts(await desk.days(NEXT_YEAR), "area")
    assert sorted(Counter(due.respondent.served_by for due in said).values()) == [3] * asked
    assert pack("service-quality").scores_of("area").mean_over == "organisations"
