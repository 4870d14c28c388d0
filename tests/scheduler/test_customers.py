"""The register as the scheduler knows it, and the yearly grades, on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

from scheduler.handlers.customers import grade_customers
from scheduler.store import customers
from services.contracts.customers import CustomerChanged, CustomerFacts, CustomerNoted
from services.contracts.policy import Policy
from tests.scheduler.client import Client
from tests.scheduler.desk import Desk, closed, only, person
from tests.scheduler.rules import WORDS, policy

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)  # Monday, 10:00 in Shanghai


def customer(name: str, revenue: float, at: datetime = AT, ended: bool = False) -> CustomerChanged:
    facts = CustomerFacts(figures={"revenue": revenue})
    return CustomerChanged(customer=name, changed_at=at, facts=facts, ended=ended)


def graded(**survey: Any) -> Policy:
    """A policy whose best fifth by revenue is A."""
    steps = [{"from": amount, "points": amount} for amount in range(0, 101, 10)]
    grading = {
        "criteria": {"revenue": {"title": WORDS, "figure": "revenue", "steps": steps}},
        "grades": [{"grade": "A", "title": WORDS, "quota": "20%"}, {"grade": "B", "title": WORDS}],
    }
    return Policy.model_validate({**policy(**survey).model_dump(by_alias=True, exclude_none=True), "grading": grading})


async def grades(client: Client, year: int = 2026) -> dict[str, str]:
    response = await client.get("/v1/grades", params={"policy": "test", "year": year})
    assert response.status_code == 200, response.text
    return {item["customer"]: item["grade"] for item in response.json()["items"]}


async def test_the_newest_word_about_a_customer_counts_and_each_is_echoed(desk: Desk) -> None:
    said = await desk.hear(customer("C-1", 10), customer("C-2", 20), customer("C-1", 30, AT + timedelta(hours=1)))
    assert {(echo.customer, echo.changed_at) for echo in only(said, CustomerNoted)} == {
        ("C-1", AT + timedelta(hours=1)),
        ("C-2", AT),
    }
    await desk.hear(customer("C-1", 40), customer("C-2", 50, AT + timedelta(hours=2), ended=True))
    async with desk.house.database.reading() as transaction:
        register = await customers.list_customers(transaction)
    assert [(each.id, each.facts.figures) for each in register] == [("C-1", {"revenue": 30.0})]


async def test_the_register_is_graded_once_a_year_when_it_is_at_rest(desk: Desk, client: Client) -> None:
    await desk.install(graded())
    await desk.hear(*(customer(f"C-{number}", number * 10) for number in range(1, 6)))
    await desk.tick(grade_customers)
    assert await grades(client) == {}
    desk.clock.set(AT + timedelta(hours=2))
    await desk.tick(grade_customers)
    first = {"C-5": "A", "C-4": "B", "C-3": "B", "C-2": "B", "C-1": "B"}
    assert await grades(client) == first
    await desk.hear(customer("C-1", 100, AT + timedelta(hours=2)))
    desk.clock.set(AT + timedelta(days=30))
    await desk.tick(grade_customers)
    assert await grades(client) == first
    desk.clock.set(datetime(2027, 1, 1, tzinfo=UTC))
    await desk.tick(grade_customers)
    assert (await grades(client, 2027))["C-1"] == "A"
    assert await grades(client) == first


async def test_a_grade_comes_with_its_reasons_and_in_pages(desk: Desk, client: Client) -> None:
    await desk.install(graded())
    await desk.hear(*(customer(f"C-{number}", number * 10) for number in range(1, 6)))
    desk.clock.set(AT + timedelta(hours=2))
    await desk.tick(grade_customers)
    page = (await client.get("/v1/grades", params={"policy": "test", "year": 2026, "limit": 2})).json()
    assert page["items"][0] == {
        "customer": "C-5",
        "rank": 1,
        "points": 50.0,
        "earned": {"revenue": 50.0},
        "missing": [],
        "grade": "A",
        "tied": False,
        "graded_at": "2026-03-02T04:00:00Z",
    }
    rest = await client.get("/v1/grades", params={"policy": "test", "year": 2026, "cursor": page["next"]})
    assert [item["rank"] for item in rest.json()["items"]] == [3, 4, 5]


async def test_the_grade_drives_the_policy(desk: Desk) -> None:
    await desk.install(graded(ask={"customers": {"grade": ["A"]}}))
    await desk.hear(*(customer(f"C-{number}", number * 10) for number in range(1, 6)))
    desk.clock.set(AT + timedelta(hours=2))
    await desk.tick(grade_customers)
    now = desk.clock.now()
    await desk.hear(
        closed(now, person(1), ticket="IT-1", customer="C-5"), closed(now, person(2), ticket="IT-2", customer="C-4")
    )
    assert await desk.verdicts("IT-1") == [(1, "survey", "matched")]
    assert await desk.verdicts("IT-2") == [(1, "skip", "filtered_out")]
