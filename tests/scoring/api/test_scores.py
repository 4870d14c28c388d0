from datetime import timedelta
from typing import Any

import pytest

from services.auth import Role
from services.contracts.surveys import Respondent
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


async def test_figures_go_by_the_policys_own_rules(stage: Stage) -> None:
    rules = {"method": "rate", "target": 90, "period": "year", "return_rate": {"floor": "80%", "per": 5, "minus": 1}}
    await stage.hear(approved(policy(SHORT, policy="short", scores=rules)))
    for number in range(8):
        await answer(stage, {"overall": "5" if number else "2", "speed": "4"})
    for _ in range(8):
        await stage.open(policy="short")
    year: dict[str, Any] = {"from": "2026-01-01T00:00:00+08:00", "to": "2027-01-01T00:00:00+08:00"}
    found = (await scored(stage, **year))["total"]
    assert (found["method"], found["before_return_rate"], found["value"]) == ("rate", 87.5, 81.5)
    assert (found["return_rate"], found["response_rate"], found["valid"]) == (50, 50, 8)
    assert (found["target"], found["target_period"], found["target_reached"]) == (90, "year", False)
    assert found["band"] == {"zh": "非常满意", "en": "Very satisfied"}
    other = (await scored(stage, method="mean", **year))["total"]
    assert (other["method"], other["target"], other["band"], other["before_return_rate"]) == ("mean", None, None, None)
    by_year = (await scored(stage, group="year"))["items"]
    assert [(each["key"], each["target_reached"]) for each in by_year] == [("2026", False)]


async def test_the_latest_version_of_a_policy_judges_what_all_of_them_asked(stage: Stage) -> None:
    for version, target in ((1, 70), (2, 95)):
        await stage.hear(approved(policy(SHORT, policy="short", scores={"target": target}), version))
        for _ in range(3):
            await answer(stage, version=version)
    found = (await scored(stage, group="year"))["items"][0]
    assert (found["n"], found["value"], found["target"], found["target_reached"]) == (6, 90, 95, False)


async def test_void_suspect_and_valid_stand_beside_each_figure(short: Stage) -> None:
    surveys = [await answer(short) for _ in range(8)]
    await answer(short, {"overall": "1"})
    async with short.house.database.transaction("scoring") as transaction:
        await transaction.execute("update scoring.response set validity = 'void' where survey = $1", surveys[0])
    found = (await scored(short))["total"]
    assert [found[name] for name in ("n", "valid", "suspect", "void", "asked", "answered")] == [7, 7, 1, 1, 9, 8]
    assert (found["response_rate"], found["return_rate"]) == (pytest.approx(800 / 9), pytest.approx(700 / 9))


@pytest.mark.parametrize(
    ("group", "keys"),
    [
        ("project", ["P-1", "P-2"]),
        ("region", ["east"]),
        ("role", ["leader", "user"]),
        ("segment", ["new"]),
        ("tier", ["core"]),
        ("served_by", ["park"]),
        ("kind", ["organisation"]),
        ("policy", ["short"]),
        ("channel", ["self"]),
        ("week", ["2026-W10"]),
        ("quarter", ["2026-Q1"]),
        ("year", ["2026"]),
        ("agent", [None]),
    ],
)
async def test_groups_of_the_register_and_of_the_calendar(short: Stage, group: str, keys: list[str | None]) -> None:
    for number in range(10):
        who = Respondent(
            roles=("leader" if number % 2 else "user", "buyer"), segments=("new", "large"), tier="core",
            served_by="park", kind="organisation",
        )  # fmt: skip
        await answer(short, respondent=who, project=f"P-{1 + number % 2}", region="east")
    found = await scored(short, group=group)
    assert [each["key"] for each in found["items"]] == keys
    assert [each["n"] for each in found["items"]] == [10 // len(keys)] * len(keys)
    assert found["items"][0]["asked"] == (None if group == "channel" else 10 // len(keys))


async def test_an_unequal_sample_is_weighted_back(short: Stage) -> None:
    for stratum, population, size, mark in (("core", 20, 10, "5"), ("rest", 180, 6, "2")):
        who = Respondent(stratum=f"short/incident/2026/{stratum}", population=population)
        for _ in range(size):
            await answer(short, {"overall": mark, "speed": mark}, respondent=who)
    found = (await scored(short, method="percent"))["total"]
    assert (found["n"], found["weighted"]) == (16, True)
    assert found["value"] == pytest.approx((20 * 100 + 180 * 40) / 200)
    assert (await scored(short, method="rate"))["total"]["value"] == pytest.approx(10)


async def test_details_are_told_when_asked_for_and_never_of_a_hidden_group(short: Stage) -> None:
    for group, size in (("desk", 6), ("field", 2), ("network", 9)):
        for _ in range(size):
            await answer(short, group=group)
    bare = await scored(short, group="group")
    assert {each["items"] for each in bare["items"]} == {None}
    desk, field, network = (await scored(short, group="group", detail=True))["items"]
    assert desk["items"] is field["items"] is desk["dimensions"] is None
    assert [(each["item"], each["mean"], each["counts"]["5"]) for each in network["items"]] == [
        ("overall", 5, 9),
        ("speed", 4, 0),
    ]
    assert network["dimensions"] == []


async def test_figures_of_one_policy_leave_out_those_of_another(short: Stage) -> None:
    await short.hear(approved(policy(SHORT, policy="other")))
    for name in ("short", "other"):
        for _ in range(5):
            survey = await short.open(policy=name)
            await short.send(survey, {"overall": "5" if name == "short" else "1", "speed": "4"})
    assert (await scored(short, policy="short", method="rate"))["total"]["value"] == 100
    assert (await scored(short, policy="other", method="rate"))["total"]["value"] == 0
    assert (await scored(short, policy="none"))["items"] == []


async def test_who_is_asked_again_stands_apart(short: Stage) -> None:
    for _ in range(6):
        await answer(short, {"overall": "2", "speed": "1"})
    for number in range(5):
        survey = await short.open(policy="short", again=1, items=("speed",), ticket=None)
        if number:
            await short.send(survey, {"speed": "5"})
    await answer(short, again=2)
    first, later = await scored(short, detail=True), await scored(short, again=True, detail=True)
    assert [first["total"][name] for name in ("n", "asked", "answered", "value")] == [6, 6, 6, pytest.approx(30)]
    assert [later["total"][name] for name in ("n", "asked", "answered")] == [5, 6, 5]
    listed = (await get(short, "/v1/responses")).json()["items"]
    assert [(each["again"], each["items"]) for each in listed[:2]] == [(2, []), (1, ["speed"])]
