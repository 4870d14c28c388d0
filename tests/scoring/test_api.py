from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.auth import Role
from tests.scoring.questionnaires import policy, questionnaire, scale, text
from tests.scoring.stage import Stage, approved

SHORT = questionnaire(scale("overall", overall=True, required=True), scale("speed", na=True), text("comment"))
CAREFUL: dict[str, str | list[str]] = {"overall": "5", "speed": "4"}


async def get(stage: Stage, path: str, role: Role = Role.quality, **params: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer hf_{role}"}
    return await stage.client.get(path, params=params, headers=headers)


async def listed(stage: Stage, role: Role = Role.quality, **params: Any) -> Any:
    response = await get(stage, "/v1/responses", role, **params)
    assert response.status_code == 200, response.text
    return response.json()


async def scored(stage: Stage, role: Role = Role.quality, **params: Any) -> Any:
    response = await get(stage, "/v1/scores", role, **params)
    assert response.status_code == 200, response.text
    return response.json()


async def answer(stage: Stage, sent: Mapping[str, str | list[str]] = CAREFUL, **facts: Any) -> UUID:
    survey = await stage.open(policy="short", **facts)
    page = await stage.send(survey, sent)
    assert page.status_code == 200
    return survey


@pytest.fixture
async def short(stage: Stage) -> Stage:
    """A stage with a questionnaire of three items."""
    await stage.hear(approved(policy(SHORT, policy="short")))
    return stage


async def test_a_response_holds_what_was_answered_and_every_version_of_it(short: Stage) -> None:
    survey = await answer(short, {**CAREFUL, "comment": "good"}, customer="ACME", agent="li", group="network")
    await short.send(survey, {"overall": "2", "speed": "X"})
    (item,) = (await listed(short))["items"]
    assert item["survey"] == str(survey)
    assert {name: item[name] for name in ("name", "channel", "validity", "policy", "policy_version", "version")} == {
        "name": "incident",
        "channel": "self",
        "validity": "valid",
        "policy": "short",
        "policy_version": 1,
        "version": 2,
    }
    assert (item["source"], item["ticket"], item["closure"]) == ("jira", "OPS-1", 1)
    assert (item["customer"], item["agent"], item["group"], item["category"]) == ("ACME", "li", "network", None)
    assert (item["answers"], item["comments"], item["score"], item["satisfied"]) == (
        {"overall": 2, "speed": "X"},
        {},
        40,
        False,
    )
    first, second = item["versions"]
    assert (first["version"], first["answers"], first["comments"]) == (
        1,
        {"overall": 5, "speed": 4},
        {"comment": "good"},
    )
    assert first["answered_at"] == item["first_answered_at"] == "2026-03-02T02:01:00Z"
    assert second["answered_at"] == item["answered_at"] == "2026-03-02T02:02:00Z"
    assert (await get(short, f"/v1/responses/{item['id']}")).json() == item


async def test_a_response_that_is_not_there_is_not_found(short: Stage) -> None:
    assert (await get(short, f"/v1/responses/{UUID(int=9)}")).status_code == 404
    assert (await get(short, "/v1/responses/nonsense")).status_code == 422


@pytest.mark.parametrize(
    ("role", "status", "comments"),
    [
        (Role.administrator, 200, {"comment": "private"}),
        (Role.quality, 200, {"comment": "private"}),
        (Role.manager, 200, {"comment": "private"}),
        (Role.auditor, 200, None),
        (Role.integration, 200, None),
        (Role.agent, 403, None),
    ],
)
async def test_who_reads_what_customers_wrote(
    short: Stage, role: Role, status: int, comments: dict[str, str] | None
) -> None:
    await answer(short, {**CAREFUL, "comment": "private"})
    response = await get(short, "/v1/responses", role)
    assert response.status_code == status
    assert ("private" in response.text) is (comments is not None)
    if status == 200:
        (item,) = response.json()["items"]
        assert item["comments"] == item["versions"][0]["comments"] == comments
        assert ("private" in (await get(short, f"/v1/responses/{item['id']}", role)).text) is (comments is not None)


async def test_nobody_reads_without_a_key(short: Stage) -> None:
    for path in ("/v1/responses", f"/v1/responses/{UUID(int=1)}", "/v1/scores"):
        assert (await short.client.get(path)).status_code == 401


async def test_the_list_is_filtered(short: Stage) -> None:
    start = short.clock.now()
    first = await answer(short, ticket="A-1")
    short.clock.advance(timedelta(hours=1))
    second = await answer(short, {"overall": "5"}, ticket="A-2")

    async def found(**params: Any) -> list[str]:
        return [item["survey"] for item in (await listed(short, **params))["items"]]

    assert await found() == [str(second), str(first)]
    assert await found(survey="incident") == [str(second), str(first)]
    assert await found(survey="quarterly") == []
    assert await found(survey=str(first)) == [str(first)]
    assert await found(ticket="A-2") == [str(second)]
    assert await found(source="jira", ticket="A-1") == [str(first)]
    assert await found(source="zammad") == []
    assert await found(validity="suspect") == [str(second)]
    assert await found(validity="void") == []
    middle = (start + timedelta(minutes=30)).isoformat()
    assert await found(**{"from": middle}) == [str(second)]
    assert await found(to=middle) == [str(first)]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "1000000000"},
        {"limit": "-1"},
        {"limit": "0"},
        {"validity": "maybe"},
        {"cursor": "nonsense"},
        {"from": "2026-01-01"},
        {"from": "2026-01-01T00:00:00"},
        {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "1900-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"},
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(short: Stage, params: dict[str, Any]) -> None:
    response = await get(short, "/v1/responses", **params)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_pages_follow_each_other_without_gap_or_repetition(short: Stage) -> None:
    surveys = [str(await answer(short)) for _ in range(4)]
    # Two at the same moment: the key must tell them apart.
    together = [await short.open(policy="short") for _ in range(3)]
    for survey in together:
        await short.send(survey, CAREFUL, "x")
    nonces = [(await short.look(survey)).text.split('_nonce" value="')[1].split('"')[0] for survey in together]
    for survey, nonce in zip(together, nonces, strict=True):
        await short.send(survey, CAREFUL, nonce)
    seen: list[str] = []
    cursor = None
    while True:
        page = await listed(short, limit=2, **({"cursor": cursor} if cursor else {}))
        assert 1 <= len(page["items"]) <= 2
        seen += [item["survey"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert seen[3:] == surveys[::-1]


async def test_scores_by_group_with_interval_and_counts(short: Stage) -> None:
    for number in range(12):
        await answer(short, {"overall": "5" if number else "1", "speed": "4"}, agent="li", customer="ACME")
    for _ in range(6):
        await answer(short, {"overall": "4", "speed": "2"}, agent="wu", customer="ACME")
    await answer(short, {"overall": "1"}, agent="wu")
    await short.open(policy="short", agent="wu")
    scores = await scored(short, group="agent", method="rate")
    li, wu = scores["items"]
    assert (li["key"], li["n"], li["value"], li["unit"]) == ("li", 12, pytest.approx(100 * 11 / 12), "percent")
    assert li["interval"] == {"low": pytest.approx(64.61, abs=0.01), "high": pytest.approx(98.51, abs=0.01)}
    assert (wu["n"], wu["suspect"], wu["asked"], wu["answered"]) == (6, 1, 8, 7)
    assert wu["response_rate"] == pytest.approx(87.5)
    total = scores["total"]
    assert (total["n"], total["suspect"], total["asked"], total["answered"]) == (18, 1, 20, 19)
    assert total["value"] == pytest.approx(100 * 17 / 18)


@pytest.mark.parametrize(
    ("method", "value"),
    [("percent", 84), ("sum", 84), ("rate", 100), ("mean", 4.4), ("option-total", 88), ("nps", None), ("ces", None)],
)
async def test_every_method_has_its_figure(short: Stage, method: str, value: float | None) -> None:
    for overall in ("5", "5", "4", "4", "4"):
        await answer(short, {"overall": overall, "speed": "4"})
    (item,) = (await scored(short, method=method))["items"]
    assert item["key"] == "incident"
    assert item["value"] == (None if value is None else pytest.approx(value))
    assert item["suppressed"] is (value is None)


async def test_groups_below_five_are_not_shown_nor_to_be_computed(short: Stage) -> None:
    for group, size in (("network", 9), ("desk", 6), ("field", 2)):
        for _ in range(size):
            await answer(short, group=group)
    scores = await scored(short, group="group", method="mean")
    shown = {item["key"]: item["n"] for item in scores["items"]}
    assert shown == {"desk": None, "field": None, "network": 9}
    hidden = scores["items"][1]
    assert hidden["suppressed"] is True
    assert [name for name, value in hidden.items() if value is not None] == ["key", "suppressed", "unit"]
    assert scores["total"]["n"] == 17
    assert scores["minimum_group"] == 5


async def test_a_policy_may_raise_the_smallest_group(short: Stage) -> None:
    await short.hear(approved(policy(SHORT, policy="shy", privacy={"minimum_group": 8})))
    for _ in range(7):
        await answer(short)
    scores = await scored(short)
    assert scores["minimum_group"] == 8
    assert scores["items"][0]["suppressed"] is True
    assert scores["total"]["suppressed"] is True


async def test_months_are_those_of_the_policys_own_zone(short: Stage) -> None:
    # 23:30 on 31 March in UTC is 1 April in Shanghai.
    short.clock.set(short.clock.now().replace(month=3, day=31, hour=23, minute=20))
    for _ in range(5):
        await answer(short)
    (month,) = (await scored(short, group="month"))["items"]
    assert (month["key"], month["n"], month["asked"]) == ("2026-04", 5, 5)


async def test_scores_of_a_period_and_a_survey(short: Stage) -> None:
    start = short.clock.now()
    for _ in range(5):
        await answer(short)
    short.clock.advance(timedelta(days=40))
    for _ in range(6):
        await answer(short, {"overall": "1", "speed": "1"})
    split = (start + timedelta(days=20)).isoformat()
    since: dict[str, Any] = {"from": split}
    early, late = await scored(short, to=split), await scored(short, **since)
    assert (early["total"]["n"], early["total"]["value"]) == (5, pytest.approx(90))
    assert (late["total"]["n"], late["total"]["value"]) == (6, pytest.approx(20))
    assert (await scored(short, survey="quarterly"))["items"] == []


async def test_corrections_count_once_and_void_answers_never(short: Stage) -> None:
    surveys = [await answer(short) for _ in range(6)]
    await short.send(surveys[0], {"overall": "1", "speed": "1"})
    async with short.house.database.transaction("scoring") as transaction:
        await transaction.execute("update scoring.response set validity = 'void' where survey = $1", surveys[1])
    scores = await scored(short, method="rate")
    assert (scores["total"]["n"], scores["total"]["value"]) == (5, 80)
    assert scores["total"]["answered"] == 5


async def test_agents_see_figures_of_groups(short: Stage) -> None:
    for _ in range(5):
        await answer(short, agent="li")
    assert (await scored(short, Role.agent, group="agent"))["items"][0]["n"] == 5


@pytest.mark.parametrize(
    "params", [{"group": "person"}, {"method": "magic"}, {"group": "facts"}, {"from": "yesterday"}]
)
async def test_unknown_groups_and_methods_are_refused(short: Stage, params: dict[str, Any]) -> None:
    assert (await get(short, "/v1/scores", **params)).status_code == 422


async def test_the_pages_stand_in_the_documentation(short: Stage) -> None:
    document = (await get(short, "/openapi.json")).json()
    assert set(document["paths"]["/s/{token}"]) == {"get", "post"}
    assert {"/v1/responses", "/v1/responses/{response}", "/v1/scores"} <= document["paths"].keys()
