from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.auth import Role, create_key
from tests.scheduler.client import Client
from tests.scheduler.desk import Desk, closed, person, reopened, report
from tests.scheduler.rules import policy

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ANNA = person(1)


async def test_the_ledger_tells_the_whole_story_of_a_ticket(desk: Desk, client: Client) -> None:
    await desk.hear(closed(MONDAY, ANNA, category="network"))
    (due,) = await desk.dues(2 * HOUR)
    await desk.hear(report(due, "accepted", MONDAY + 2 * HOUR))
    await desk.hear(reopened(MONDAY + 3 * HOUR))
    await desk.hear(closed(MONDAY + 4 * HOUR, None, closure=2))
    story = await client.story()
    assert [(each["closure"], each["closed_at"], each["with_contact"]) for each in story["closures"]] == [
        (1, "2026-03-02T02:00:00Z", True),
        (2, "2026-03-02T06:00:00Z", False),
    ]
    assert story["closures"][0]["reopened_at"] == "2026-03-02T05:00:00Z"
    assert story["closures"][0]["facts"]["category"] == "network"
    first, second = story["decisions"]
    assert {name: first[name] for name in ("outcome", "reason", "rule", "at", "policy", "version", "actor")} == {
        "outcome": "survey",
        "reason": "matched",
        "rule": "test/incident",
        "at": "2026-03-02T02:00:00Z",
        "policy": "test",
        "version": 1,
        "actor": "scheduler",
    }
    assert 0 <= first["draw"] < 1
    assert (second["closure"], second["outcome"], second["reason"]) == (2, "skip", "no_contact")
    assert [(move["from"], move["to"], move["cause"], move["actor"]) for move in story["history"]] == [
        (None, "planned", "decided", "scheduler"),
        ("planned", "due", "due", "scheduler"),
        ("due", "sent", "delivery", "notifier"),
        ("sent", "cancelled", "reopened", "scheduler"),
    ]
    assert all(move["survey"] == str(due.survey) and move["at"] for move in story["history"])
    (survey,) = story["surveys"]
    assert (survey["id"], survey["state"], survey["steps"][0]) == (str(due.survey), "cancelled", "accepted")


async def test_a_decision_taken_anew_leaves_the_former_one_readable(desk: Desk, client: Client) -> None:
    await desk.hear(closed(MONDAY, None))
    await desk.hear(closed(MONDAY, ANNA))
    decisions = (await client.story())["decisions"]
    assert [(each["outcome"], each["reason"]) for each in decisions] == [("skip", "no_contact"), ("survey", "matched")]


@pytest.mark.parametrize("path", ["A/B/7", "A%2FB%2F7"])
async def test_a_ticket_s_id_may_contain_slashes(desk: Desk, client: Client, path: str) -> None:
    await desk.hear(closed(MONDAY, None, "A/B/7"))
    assert (await client.story(path))["ticket"] == "A/B/7"
    response = await client.post(f"/v1/tickets/jira/{path}/skip", json={"reason": "a test"})
    assert response.json()["decisions"][-1]["reason"] == "by_hand"


async def test_a_ticket_that_was_left_out_is_surveyed_by_hand_once(desk: Desk, client: Client) -> None:
    await desk.install(policy(where={"type": ["incident"]}))
    await desk.hear(closed(MONDAY, ANNA, type="request"))
    wish = {"reason": "the customer asked for it"}
    story = (await client.post("/v1/tickets/jira/IT-1/survey", json=wish)).json()
    latest = story["decisions"][-1]
    assert [latest[name] for name in ("outcome", "reason", "actor", "note")] == [
        "survey",
        "by_hand",
        "anna",
        "the customer asked for it",
    ]
    assert len(await desk.dues(2 * HOUR)) == 1
    again = await client.post("/v1/tickets/jira/IT-1/survey", json=wish)
    assert (again.status_code, again.json()["type"]) == (409, "urn:huifang:problem:surveyed")


async def test_by_hand_nobody_is_asked_against_his_will_or_without_an_address(desk: Desk, client: Client) -> None:
    await desk.hear(closed(MONDAY, None), closed(MONDAY, person(2, staff=True), "IT-2"), closed(MONDAY, ANNA, "IT-3"))
    await desk.hear(reopened(MONDAY + HOUR, "IT-3"))
    for ticket, kind in (("IT-1", "not-askable"), ("IT-2", "not-askable"), ("IT-3", "reopened")):
        response = await client.post(f"/v1/tickets/jira/{ticket}/survey", json={"reason": "please"})
        assert (response.status_code, response.json()["type"]) == (409, f"urn:huifang:problem:{kind}")


async def test_skipping_by_hand_ends_what_runs_and_stays(desk: Desk, client: Client) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    key = {"idempotency-key": "1"}
    for _ in range(2):
        response = await client.post("/v1/tickets/jira/IT-1/skip", json={"reason": "a complaint"}, headers=key)
        assert response.status_code == 200
    assert [each["reason"] for each in response.json()["decisions"]] == ["matched", "by_hand"]
    last = response.json()["history"][-1]
    assert [last[name] for name in ("from", "to", "cause", "actor", "note")] == [
        "planned",
        "cancelled",
        "by_hand",
        "anna",
        "a complaint",
    ]
    assert (await client.post("/v1/tickets/jira/IT-1/skip", json={"reason": "again"})).status_code == 200
    await desk.hear(closed(MONDAY - HOUR, ANNA))
    assert await desk.verdicts() == [(1, "skip", "by_hand")]
    assert await desk.come(3 * DAY) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"reason": "  "}, 422),
        ({"reason": "x" * 501}, 422),
        ({"reason": "x", "closure": 0}, 422),
        ({"reason": "x", "actor": "somebody"}, 422),
        ({"reason": "nul \x00"}, 422),
        ({"reason": "x", "closure": 2}, 404),
    ],
)
async def test_wishes_that_do_not_fit_are_refused(
    desk: Desk, client: Client, body: dict[str, Any], status: int
) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    assert (await client.post("/v1/tickets/jira/IT-1/skip", json=body)).status_code == status


async def test_what_is_not_there_is_not_found(client: Client) -> None:
    missing = (
        "tickets/jira/NONE",
        "surveys/00000000-0000-0000-0000-000000000000",
        "policies/test/9",
        "policies/none/1",
    )
    for path in missing:
        response = await client.get(f"/v1/{path}")
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


async def test_surveys_are_listed_by_page_state_and_time(desk: Desk, client: Client) -> None:
    tickets = [f"IT-{number}" for number in range(5)]
    await desk.hear(*(closed(MONDAY, ANNA, ticket) for ticket in tickets))
    await desk.hear(reopened(MONDAY, "IT-0"))
    seen, cursor = list[str](), None
    while cursor is not None or not seen:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/v1/surveys", params=query)).json()
        seen += [each["ticket"] for each in page["items"]]
        cursor = page["next"]
    assert sorted(seen) == tickets
    cancelled = (await client.get("/v1/surveys", params={"state": "cancelled"})).json()["items"]
    assert [each["ticket"] for each in cancelled] == ["IT-0"]
    later = (await client.get("/v1/surveys", params={"from": "2026-03-02T10:00:01+08:00"})).json()["items"]
    assert later == []
    story = (await client.get(f"/v1/surveys/{cancelled[0]['id']}")).json()
    assert [move["to"] for move in story["history"]] == ["planned", "cancelled"]


@pytest.mark.parametrize(
    "query",
    [
        "state=lost",
        "limit=0",
        "limit=1000000000",
        "cursor=x",
        "from=yesterday",
        "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z",
    ],
)
async def test_queries_that_make_no_sense_are_refused(client: Client, query: str) -> None:
    assert (await client.get(f"/v1/surveys?{query}")).status_code == 422


async def test_policies_can_be_read_as_written_and_as_understood(desk: Desk, client: Client) -> None:
    await desk.install(policy(late="ask"))
    (item,) = (await client.get("/v1/policies")).json()["items"]
    assert (item["policy"], item["in_force"], [each["version"] for each in item["versions"]]) == ("test", 2, [1, 2])
    version = (await client.get("/v1/policies/test/2")).json()
    assert version["document"]["surveys"]["incident"]["late"] == "ask"
    assert version["text"] == policy(late="ask").document()
    assert len(version["sha256"]) == 64


@pytest.mark.parametrize("role", [Role.auditor, Role.integration, Role.manager])
async def test_who_only_reads_decides_nothing(desk: Desk, client: Client, role: Role) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    async with desk.house.database.transaction("services") as transaction:
        key = await create_key(transaction, role, role)
    client.headers["authorization"] = f"Bearer {key}"
    assert await client.story()
    response = await client.post("/v1/tickets/jira/IT-1/skip", json={"reason": "x"})
    assert response.status_code == 403
