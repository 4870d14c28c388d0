import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.auth import Role
from services.contracts.deliveries import DeliveryReported, OptedOut
from services.contracts.tickets import Channel
from services.identifiers import uuid7
from tests.notifier.stage import Stage

PATH = "/hooks/receipts/http"


async def listed_call(stage: Stage, **more: Any) -> str:
    await stage.hear(await stage.due("call", **more))
    await stage.said()
    return str((await stage.calls())[-1]["id"])


async def test_only_the_agent_who_claims_a_call_sees_name_and_number(stage: Stage) -> None:
    call = await listed_call(stage)
    anna, ben = await stage.key(Role.agent, "anna"), await stage.key(Role.agent, "ben")
    async with stage.client(anna) as client:
        [item] = (await client.get("/v1/calls")).json()["items"]
        assert "+86" not in json.dumps(item)
        assert item["claimed_by"] is None
        claimed = (await client.post(f"/v1/calls/{call}/claim")).json()
        assert (claimed["person_name"], claimed["phone"]) == ("李雷", "+8613800138000")
        assert (await client.post(f"/v1/calls/{call}/claim")).status_code == 200
        assert (await client.get("/v1/calls")).json()["items"][0]["claimed_by"] == "anna"
        assert (await client.post(f"/v1/calls/{uuid7()}/claim")).status_code == 404
    async with stage.client(ben) as client:
        assert (await client.post(f"/v1/calls/{call}/claim")).status_code == 409
        assert (await client.post(f"/v1/calls/{call}/attempt", json={"outcome": "busy"})).status_code == 409


async def attempted(stage: Stage, call: str, outcome: str, **more: Any) -> dict[str, Any]:
    async with stage.client(await stage.key(Role.agent, uuid7().hex)) as client:
        assert (await client.post(f"/v1/calls/{call}/claim")).status_code == 200
        response = await client.post(f"/v1/calls/{call}/attempt", json={"outcome": outcome, **more})
        assert response.status_code == 200
        answer: dict[str, Any] = response.json()
        return answer


async def test_nobody_answering_ends_a_call_after_some_attempts(stage: Stage) -> None:
    call = await listed_call(stage)
    for number in range(1, 5):
        answer = await attempted(stage, call, "no_answer" if number % 2 else "busy")
        assert (answer["attempts"], answer["outcome"]) == (number, None)
        assert answer["next_at"] is not None
    assert (await attempted(stage, call, "no_answer"))["outcome"] == "no_answer"
    assert await stage.reported() == [("failed", "no_answer")]
    assert await stage.calls() == []


async def test_a_refusal_on_the_telephone_is_the_customer_s_will(stage: Stage) -> None:
    call = await listed_call(stage)
    assert (await attempted(stage, call, "refused"))["outcome"] == "refused"
    opted_out, report = await stage.said()
    assert isinstance(opted_out, OptedOut)
    assert opted_out.scope == "survey"
    assert isinstance(report, DeliveryReported)
    assert (report.channel, report.outcome, report.detail) == ("call", "failed", "refused")


async def test_a_customer_who_names_a_time_is_called_then(stage: Stage) -> None:
    call = await listed_call(stage)
    named = stage.clock.now() + timedelta(days=1)
    answer = await attempted(stage, call, "call_back", call_back_at=named.isoformat())
    assert answer["next_at"] == named.isoformat().replace("+00:00", "Z")
    async with stage.client(await stage.key(Role.agent)) as client:
        await client.post(f"/v1/calls/{call}/claim")
        for body in (
            {"outcome": "call_back"},
            {"outcome": "busy", "call_back_at": named.isoformat()},
            {"outcome": "odd"},
        ):
            assert (await client.post(f"/v1/calls/{call}/attempt", json=body)).status_code == 422


async def test_the_list_goes_by_the_promise_and_page_by_page(stage: Stage) -> None:
    for hours in (3, 1, 2):
        await stage.hear(await stage.due("call", promised_by=stage.clock.now() + timedelta(hours=hours)))
    async with stage.client(await stage.key(Role.agent)) as client:
        first = (await client.get("/v1/calls", params={"limit": 2})).json()
        second = (await client.get("/v1/calls", params={"limit": 2, "cursor": first["next"]})).json()
    promised = [item["promised_by"] for item in (*first["items"], *second["items"])]
    assert promised == sorted(promised)
    assert (len(promised), second["next"]) == (3, None)


async def test_there_is_no_call_without_a_number(stage: Stage) -> None:
    call = await listed_call(stage, contact=await stage.contact("li@example.com"))
    async with stage.client(await stage.key(Role.agent)) as client:
        assert (await client.post(f"/v1/calls/{call}/claim")).status_code == 410


async def visits(stage: Stage) -> None:
    """Puts an incident's call, a project manager's visit and a salesman's on the list."""
    calendar = {"ticket": None, "source": None}
    await stage.hear(
        await stage.due("call"),
        await stage.due("visit", name="quarterly", owner="pm-7", items=("overall",), step=1, **calendar),
        await stage.due("visit", name="interviews", questionnaire="visit", owner="sales-3", **calendar),
    )


async def test_s1_6_s2_13_visits_stand_on_the_list_as_calls_do(stage: Stage) -> None:
    await visits(stage)
    reports = [each for each in await stage.said() if isinstance(each, DeliveryReported)]
    assert sorted((each.channel, each.outcome) for each in reports) == [("call", "listed"), *[("visit", "listed")] * 2]
    async with stage.client(await stage.key(Role.agent)) as client:
        items = (await client.get("/v1/calls")).json()["items"]
        visit = next(item for item in items if item["owner"] == "pm-7")
        assert (visit["kind"], visit["issuer"], visit["items"], visit["ticket"]) == (
            "visit", "project manager", ["overall"], None,
        )  # fmt: skip
    assert (await attempted(stage, visit["id"], "refused"))["outcome"] == "refused"
    opted_out, report = await stage.said()
    assert isinstance(opted_out, OptedOut)
    assert isinstance(report, DeliveryReported)
    assert (report.channel, report.step, report.outcome, report.detail) == ("visit", 1, "failed", "refused")


@pytest.mark.parametrize("channel", ["call", "visit"])
async def test_s2_13_a_talk_reaches_the_customer(stage: Stage, channel: Channel) -> None:
    due = await stage.due(channel)
    await stage.hear(due)
    [call] = await stage.calls()
    await stage.said()
    assert (await attempted(stage, str(call["id"]), "talked"))["outcome"] == "talked"
    assert await stage.calls() == []
    await stage.hear(due)
    for report in await stage.said():
        assert isinstance(report, DeliveryReported)
        assert (report.channel, report.outcome, report.detail) == (channel, "delivered", "talked")


@pytest.mark.parametrize(
    ("query", "owners"),
    [
        ({}, {None, "pm-7", "sales-3"}),
        ({"kind": "call"}, {None}),
        ({"kind": "visit"}, {"pm-7", "sales-3"}),
        ({"issuer": "service desk"}, {None}),
        ({"issuer": "project manager"}, {"pm-7"}),
        ({"issuer": "sales", "kind": "call"}, set()),
        ({"owner": "sales-3"}, {"sales-3"}),
    ],
)
async def test_s0_3_s4_2_everybody_finds_what_he_owes(
    stage: Stage, query: dict[str, str], owners: set[str | None]
) -> None:
    await visits(stage)
    async with stage.client(await stage.key(Role.manager)) as client:
        assert {item["owner"] for item in (await client.get("/v1/calls", params=query)).json()["items"]} == owners
        assert (await client.get("/v1/calls", params={"issuer": "nobody"})).status_code == 422


async def test_name_and_number_are_for_who_acts_for_the_issuer(stage: Stage) -> None:
    await visits(stage)
    calls = {row["issuer"]: row["id"] for row in await stage.calls()}
    allowed = {
        Role.agent: {"service desk", "project manager", "sales"},
        Role.manager: {"project manager", "sales"},
        Role.quality: set(),
        Role.administrator: set(calls),
    }
    for role, issuers in allowed.items():
        for issuer, call in calls.items():
            async with stage.client(await stage.key(role, uuid7().hex)) as client:
                status = (await client.post(f"/v1/calls/{call}/claim")).status_code
                assert (status != 403) == (issuer in issuers), (role, issuer, status)


async def test_a_visit_needs_no_number_and_its_claim_lasts_a_day(stage: Stage) -> None:
    contact = await stage.contact("li@example.com")
    await stage.hear(await stage.due("visit", contact=contact))
    [visit] = await stage.calls()
    async with stage.client(await stage.key(Role.agent)) as client:
        claimed = (await client.post(f"/v1/calls/{visit['id']}/claim")).json()
    assert (claimed["kind"], claimed["person_name"], claimed["phone"]) == ("visit", "李雷", None)
    assert datetime.fromisoformat(claimed["claimed_until"]) - datetime.now(UTC) > timedelta(hours=23)


async def test_a_first_visit_that_fails_leaves_room_for_the_call(stage: Stage) -> None:
    survey = uuid7()
    await stage.hear(await stage.due("visit", survey=survey, kind="first"))
    await stage.hear(await stage.due("call", survey=survey, kind="first"))
    await stage.hear(await stage.due("visit", survey=survey, kind="first"))
    assert [row["kind"] for row in await stage.calls()] == ["visit", "call"]
    assert [each.channel for each in await stage.said() if isinstance(each, DeliveryReported)] == [
        "visit", "call", "visit",
    ]  # fmt: skip
