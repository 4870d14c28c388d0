from datetime import timedelta
from typing import Any

import pytest

from services.auth import Role
from tests.scoring.api.reading import SHORT, answer, get, scored
from tests.scoring.questionnaires import policy
from tests.scoring.stage import Stage, approved


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
    assert [name for name, value in hidden.items() if value is not None] == ["key", "suppressed", "method", "unit"]
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
