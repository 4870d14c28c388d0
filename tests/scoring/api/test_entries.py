from typing import Any
from uuid import UUID

import httpx
import pytest

from services.auth import Role
from tests.scoring.api.reading import listed
from tests.scoring.questionnaires import policy
from tests.scoring.stage import Stage, approved, sample

SAID: dict[str, Any] = {
    "overall": 2, "reason": "慢", "speed": "X", "solved": True, "topics": ["price", "speed"], "price": "high",
    "channel": "phone", "skill": 9, "friend": 10,
}  # fmt: skip


async def enter(
    stage: Stage, survey: UUID, answers: dict[str, Any] | None = None, role: Role = Role.agent, **more: Any
) -> httpx.Response:
    body = {"survey": str(survey), "channel": "telephone", "answers": SAID if answers is None else answers, **more}
    return await stage.client.post("/v1/responses", json=body, headers={"authorization": f"Bearer hf_{role}"})


async def test_an_agent_types_what_a_customer_said(stage: Stage) -> None:
    before = sample("huifang_responses_total", survey="incident", channel="telephone", validity="suspect")
    survey = await stage.open()
    entered = await enter(stage, survey)
    assert entered.status_code == 201, entered.text
    assert entered.json()["flags"] == ["incomplete", "agent-entered"]
    (given,) = await stage.said()
    assert (given.survey, given.channel, given.validity, given.commented) == (survey, "telephone", "suspect", True)
    assert given.values["overall"] == 2
    assert given.values["topics.price"] == given.values["speed.X"] == given.values["solved"] == 1
    (item,) = (await listed(stage))["items"]
    assert item["id"] == entered.json()["id"]
    after = sample("huifang_responses_total", survey="incident", channel="telephone", validity="suspect")
    assert after == before + 1


async def test_a_policy_may_accept_what_agents_type(stage: Stage) -> None:
    rules = {"agent_entered": "accept", "incomplete_below": "10%"}
    await stage.hear(approved(policy(validity=rules), 2))
    entered = await enter(stage, await stage.open(version=2), {"overall": 5, "skill": 9}, channel="visit")
    assert (entered.json()["validity"], entered.json()["flags"]) == ("valid", [])
    assert [each.channel for each in await stage.said()] == ["visit"]


async def test_what_a_customer_answered_himself_stays(stage: Stage) -> None:
    survey = await stage.open()
    await stage.send(survey, {"overall": "5", "solved": "yes"})
    refused = await enter(stage, survey, {"overall": 1, "reason": "x"})
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "answered")
    assert len(await stage.said()) == 1


async def test_what_cannot_be_is_told_item_by_item(stage: Stage) -> None:
    survey = await stage.open()
    refused = await enter(stage, survey, {"overall": 1, "friend": 11, "topics": ["nonsense"]})
    assert (refused.status_code, refused.json()["faults"]) == (
        422,
        {"reason": "missing", "friend": "not_a_choice", "topics": "not_a_choice"},
    )
    unknown = await enter(stage, survey, {"overall": 4, "overal": 4})
    assert (unknown.status_code, unknown.json()["faults"]) == (422, {"overal": "unknown"})
    assert await stage.rows("response") == []


async def test_surveys_that_are_over_or_unknown_take_nothing(stage: Stage) -> None:
    survey = await stage.open()
    await stage.end(survey, "declined")
    assert (await enter(stage, survey)).status_code == 409
    assert (await enter(stage, UUID(int=404))).status_code == 404
    assert (await enter(stage, await stage.open(version=9))).status_code == 503


@pytest.mark.parametrize(("role", "status"), [(Role.auditor, 403), (Role.integration, 403), (Role.manager, 201)])
async def test_only_who_talks_with_customers_types(stage: Stage, role: Role, status: int) -> None:
    assert (await enter(stage, await stage.open(), role=role)).status_code == status


async def test_nothing_else_is_taken(stage: Stage) -> None:
    survey = await stage.open()
    for more in ({"channel": "self"}, {"answers": {"overall": 4.5}}, {"score": 5}):
        assert (await enter(stage, survey, **more)).status_code == 422
