"""Rows on what is asked and what it comes to: pages as customers see them, figures as REST tells them."""

import re
from datetime import timedelta
from itertools import cycle
from typing import Any

import httpx
import pytest

from scoring.score import band_of
from services.contracts.questionnaire import LOCALES, NOT_APPLICABLE, Item, Questionnaire
from services.contracts.surveys import Respondent
from tests.rows.answering import SPRING, YEAR, Sent, answered, asked, in_force, responses, scores, total
from tests.rows.packs import PACKS, pack
from tests.scoring.questionnaires import policy, questionnaire, scale, text, yesno
from tests.scoring.stage import Stage, approved

EVENTS: list[Sent] = [
    {"overall": "10", "result": "9", "ability": "6", "discipline": "X"},
    {"overall": "7", "result": "6", "ability": "9", "discipline": "10"},
    {"overall": "3", "result": "5", "ability": "10", "discipline": "8", "reason": "慢"},
]
"""The three respondents of the measures' worked example, in the words of the pack of S1."""


def digits(value: float) -> str:
    return f"{value:.4g}"


async def events_answered(stage: Stage, times: int = 2) -> None:
    """The worked example so often over that its group may be shown."""
    await in_force(stage, "itss-0405")
    for sent in EVENTS * times:
        await answered(stage, "itss-0405", "monday", sent)


async def test_s1_5_the_dimensions_quality_ability_discipline_and_security(stage: Stage) -> None:
    await in_force(stage, "itss-0405")
    items = [item.id for item in pack("itss-0405").questionnaires["company"].items if item.scale]
    for number in range(5):
        marks = cycle(("10", "9", "8") if number else ("7", "6"))
        await answered(stage, "itss-0405", "company-year", dict(zip(items, marks, strict=False)))
    dimensions = (await total(stage, "itss-0405", "company-year", detail=True))["dimensions"]
    assert {each["dimension"]: each["n"] for each in dimensions} == dict.fromkeys(
        ("quality", "ability", "discipline", "security"), 5
    )
    assert all(each["title"]["zh"] and 60 < each["value"] < 100 for each in dimensions)


async def test_s1_7_the_ten_point_scale_in_five_bands_and_not_applicable(stage: Stage) -> None:
    await in_force(stage, "itss-0405")
    page = await stage.look(await asked(stage, "itss-0405", "monday", locale="zh-CN"))
    (field,) = re.findall(r'<fieldset[^>]*id="f-result".*?</fieldset>', page.text, re.S)
    bands = re.findall(r'<span id="b-result-\d">(.*?)</span>(.*?)</div></div>', field, re.S)
    assert [(words, re.findall(r'value="(\d+)"', numbers)) for words, numbers in bands] == [
        ("非常满意", ["10"]),
        ("满意", ["9", "8"]),
        ("一般", ["7", "6"]),
        ("不满意", ["5", "4"]),
        ("非常不满意", ["3", "2", "1", "0"]),
    ]
    assert re.search(r'value="X".*?不适用', field)
    await events_answered(stage)
    (given, *_) = await responses(stage, survey="monday")
    assert given["answers"]["result"] == 5
    found = await total(stage, "itss-0405", "monday", detail=True)
    known = {each["item"]: (each["n"], digits(each["mean"])) for each in found["items"] if not each["suppressed"]}
    assert known == {"overall": (6, "6.667"), "ability": (6, "8.333")}


async def test_s1_8_the_sum_of_the_items_with_a_yearly_target_of_95(stage: Stage) -> None:
    await events_answered(stage)
    found = await total(stage, "itss-0405", "monday", **YEAR)
    assert (found["method"], found["n"], digits(found["value"])) == ("sum", 6, "76.11")
    assert found["deviation"] == pytest.approx(9.766 * (2 / 3 * 6 / 5) ** 0.5, abs=1e-3)
    assert (found["target"], found["target_period"], found["target_reached"]) == (95, "year", False)
    assert (await total(stage, "itss-0405", "monday", **SPRING))["target_reached"] is None
    for _ in range(5):
        await answered(stage, "itss-0405", "monday", dict.fromkeys(EVENTS[1], "10"), agent="li")
    li, _ = (await scores(stage, policy="itss-0405", group="agent", **YEAR))["items"]
    assert (li["value"], li["target_reached"]) == (100, True)


async def test_s2_7_five_grades_and_percentages(stage: Stage) -> None:
    await in_force(stage, "enterprise")
    page = await stage.look(await asked(stage, "enterprise", "repair"))
    for grade in ("Very satisfied", "Satisfied", "Neutral", "Dissatisfied", "Very dissatisfied"):
        assert page.text.count(f"<span>{grade}</span>") == 4
    for overall in ("5", "4", "4", "3", "5") * 2:
        await answered(
            stage, "enterprise", "repair", {"overall": overall, "speed": "4", "attitude": "5", "result": "X"}
        )
    found = await total(stage, "enterprise", "repair")
    assert (found["unit"], found["value"], found["band"]["en"]) == ("percent", 90, "Very satisfied")


async def test_s2_10_the_dimensions_are_the_policys_choice(stage: Stage) -> None:
    items = questionnaire(scale("a", dimension="warmth"), scale("b", dimension="depth"))
    for name, weight in (("even", 1), ("deep", 3)):
        nodes = {each: {"title": {"zh": each, "en": each}} for each in ("warmth", "depth")}
        nodes["depth"]["weight"] = weight  # type: ignore[assignment]
        await stage.hear(approved(policy(items, policy=name, dimensions=nodes)))
        for _ in range(5):
            await stage.send(await stage.open(policy=name), {"a": "5", "b": "3"})
    even = (await scores(stage, policy="even", detail=True))["total"]
    deep = (await scores(stage, policy="deep", detail=True))["total"]
    for found in (even, deep):
        assert [(each["dimension"], each["value"]) for each in found["dimensions"]] == [("warmth", 100), ("depth", 60)]
    assert (even["value"], deep["value"]) == (pytest.approx(80), pytest.approx((100 + 3 * 60) / 4))


AGENCY = {
    "communication": "5", "contact": "4", "response": "3", "execution": "4", "schedule": "2", "strategy": "5",
    "creativity": "4", "result": "3", "value": "2",
}  # fmt: skip


async def test_s3_1_an_indicator_tree_under_the_total(stage: Stage) -> None:
    await in_force(stage, "creative-agency")
    for _ in range(5):
        await answered(stage, "creative-agency", "regular", {"overall": "5", **AGENCY})
    found = await total(stage, "creative-agency", "regular", detail=True)
    service, work, value = found["dimensions"]
    assert [each["value"] for each in service["under"]] == [pytest.approx(each) for each in (90, 60, 60)]
    assert service["value"] == pytest.approx((2 * 90 + 2 * 60 + 60) / 5)
    assert work["value"] == pytest.approx((100 + 2 * 80 + 2 * 60) / 5)
    assert value["value"] == pytest.approx(40)
    assert found["value"] == pytest.approx((2 * 72 + 3 * 76 + 40) / 6)
    (*_, given) = await responses(stage, survey="regular")
    assert given["score"] == pytest.approx(found["value"])


async def test_s3_2_choices_scales_and_open_questions(stage: Stage) -> None:
    await in_force(stage, "creative-agency")
    survey = await asked(stage, "creative-agency", "regular")
    page = (await stage.look(survey)).text
    assert page.count('type="checkbox" name="services"') == 5
    assert page.count('type="radio" name="again"') == 3
    assert '<textarea id="t-comment"' in page
    sent: Sent = {"overall": "4", **AGENCY, "services": ["design", "event"], "again": "perhaps", "comment": "更多视频"}
    assert (await stage.send(survey, sent)).status_code == 200
    (given,) = await responses(stage)
    assert (given["answers"]["services"], given["answers"]["again"]) == (["design", "event"], "perhaps")
    assert given["comments"] == {"comment": "更多视频"}


@pytest.mark.parametrize("name", PACKS)
async def test_s3_3_the_questionnaire_opens_with_its_purpose_and_a_promise_of_confidentiality(
    stage: Stage, name: str
) -> None:
    await in_force(stage, name)
    for asked_of in pack(name).questionnaires:
        survey = await stage.open(policy=name, questionnaire=asked_of)
        for locale, promise in (("zh", "保密"), ("en", "confidential")):
            page = (await stage.look(survey, f"?lang={locale}")).text
            assert 0 < page.index('class="promise"') < page.index(promise) < page.index("<form")


async def test_s3_5_invalid_answers_are_screened_out(stage: Stage) -> None:
    await in_force(stage, "creative-agency")
    careful: Sent = {"overall": "5", **AGENCY}
    good = [await answered(stage, "creative-agency", "regular", careful) for _ in range(5)]
    await answered(stage, "creative-agency", "regular", {"overall": "5", "value": "4"})
    await answered(stage, "creative-agency", "regular", dict.fromkeys(("overall", *AGENCY), "3"))
    quick = await asked(stage, "creative-agency", "regular")
    nonce = re.search(r'name="_nonce" value="([^"]*)"', (await stage.look(quick)).text)
    assert nonce
    await stage.send(quick, careful, nonce[1])
    await _from_one_address(stage, careful)
    flags = {each["survey"]: each["flags"] for each in await responses(stage)}
    assert sorted(flag for each in flags.values() for flag in each) == [
        "duplicate", "incomplete", "straight-lined", "too-fast",
    ]  # fmt: skip
    assert all(flags[str(survey)] == [] for survey in good)
    found = await total(stage, "creative-agency", "regular")
    assert (found["valid"], found["suspect"], found["void"], found["n"]) == (6, 4, 0, 6)
    assert (found["asked"], found["answered"], found["response_rate"]) == (10, 10, 100)


async def _from_one_address(stage: Stage, sent: Sent) -> None:
    """Two customers answer from the same public address within the hour."""
    transport = httpx.ASGITransport(stage.app, client=("8.8.4.4", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        client.headers = stage.client.headers
        ours, stage.client = stage.client, client
        for customer in ("A", "B"):
            await answered(stage, "creative-agency", "regular", sent, customer=customer)
        stage.client = ours


async def test_s3_6_mean_standard_deviation_and_what_charts_need(stage: Stage) -> None:
    await in_force(stage, "creative-agency")
    for overall in ("5", "5", "4", "4", "2", "1"):
        sent = {"overall": overall, **AGENCY, **({"reason": "贵"} if overall in "12" else {})}
        await answered(stage, "creative-agency", "regular", sent)
    found = await total(stage, "creative-agency", "regular", method="mean", detail=True)
    assert (found["unit"], found["value"], digits(found["deviation"])) == ("points", 3.5, "1.643")
    assert [digits(found["interval"][end]) for end in ("low", "high")] == ["1.776", "5.224"]
    overall = next(each for each in found["items"] if each["item"] == "overall")
    assert overall["counts"] == {"5": 2, "4": 2, "3": 0, "2": 1, "1": 1}
    assert (overall["mean"], digits(overall["deviation"]), overall["percent"]) == (3.5, "1.643", 70)


PROJECT = ("overall", "response", "solution", "inspection", "skill", "attitude", "reports", "communication")


async def test_s4_4_figures_by_project_and_by_role_of_contact(stage: Stage) -> None:
    await in_force(stage, "project-operations")
    roles = ("site administrator", "network-centre staff", "leader")
    for number in range(30):
        marks = dict.fromkeys(PROJECT[1:], "4")
        sent: Sent = {**marks, "overall": "5", "response": "5" if number % 3 else "3"}
        project, role = f"P-{number % 2}", Respondent(roles=(roles[number % 3],))
        await answered(stage, "project-operations", "project-manager", sent, role, project=project)
    for group, keys in (("project", ["P-0", "P-1"]), ("role", sorted(roles))):
        found = await scores(stage, policy="project-operations", survey="project-manager", group=group)
        assert [each["key"] for each in found["items"]] == keys
        assert sum(each["n"] for each in found["items"]) == found["total"]["n"] == 30
    by_role = {each["key"]: each["value"] for each in found["items"]}
    assert by_role["site administrator"] < by_role["leader"] == pytest.approx(by_role["network-centre staff"])


async def test_s4_5_five_points_and_a_point_less_for_every_five_points_of_return_missing(stage: Stage) -> None:
    await in_force(stage, "property-service")
    items = [item.id for item in pack("property-service").questionnaires["residents"].items if item.scale == "likert5"]
    marks = {item: "4" if number % 2 else "5" for number, item in enumerate(items)}
    for _ in range(15):
        await answered(stage, "property-service", "residents", {**marks, "eats": "yes"}, ticket=None)
    late = [await asked(stage, "property-service", "residents", ticket=None) for _ in range(25)]
    found = await total(stage, "property-service", "residents", **YEAR)
    assert (found["asked"], found["return_rate"]) == (40, 37.5)
    assert found["value"] == pytest.approx(found["before_return_rate"] - 2)
    assert found["interval"]["low"] <= found["value"] <= found["interval"]["high"]
    assert found["band"]["zh"] == "很满意"
    for survey in late[:5]:
        await stage.send(survey, {**marks, "eats": "yes"})
    full = await total(stage, "property-service", "residents", **YEAR)
    assert (full["return_rate"], full["before_return_rate"]) == (50, full["value"])
    stage.clock.advance(timedelta(days=7))
    assert (await stage.look(late[-1])).status_code == 410


async def test_s4_6_ten_eight_six_three_nought_and_m_as_a_percentage(stage: Stage) -> None:
    await in_force(stage, "service-quality")
    scaled = [item.id for item in pack("service-quality").questionnaires["quality"].items if item.scale]
    page = (await stage.look(await asked(stage, "service-quality", "area"))).text
    assert re.findall(r'name="overall" value="(\d+)"', page) == ["10", "8", "6", "3", "0"]
    for one, other in zip(("10", "8", "8", "6", "3"), ("10", "10", "8", "0", "6"), strict=True):
        sent = {**dict.fromkeys(scaled, NOT_APPLICABLE), "overall": one, "convenience": other, "reason": "慢"}
        await answered(stage, "service-quality", "area", sent)
    found = await total(stage, "service-quality", "area", detail=True)
    assert {each["item"]: digits(each["mean"]) for each in found["items"]} == {"overall": "7", "convenience": "6.8"}
    assert (digits(found["value"]), found["band"]["zh"]) == ("69", "基本满意")


async def test_s4_7_the_option_weighted_total(stage: Stage) -> None:
    await in_force(stage, "property-service")
    for overall, times in (("5", 12), ("4", 20), ("3", 6), ("2", 1), ("1", 1)):
        for _ in range(times):
            sent = {"overall": overall, "speed": "4", "quality": "5", "reason": "漏水"}
            await answered(stage, "property-service", "repair", sent)
    found = await total(stage, "property-service", "repair")
    assert (found["method"], found["total"], digits(found["value"])) == ("option-total", 161, "80.5")


@pytest.mark.parametrize(
    ("score", "band"),
    [
        (80, "很满意"),
        (79.99, "满意"),
        (70, "满意"),
        (69.99, "基本满意"),
        (60, "基本满意"),
        (59.99, "不满意"),
        (0, "不满意"),
    ],
)
def test_s4_8_satisfaction_bands(score: float, band: str) -> None:
    assert band_of(score, pack("property-service").scores.bands).name.zh == band


async def test_s4_9_means_faces_stars_nps_and_ces(stage: Stage) -> None:
    await in_force(stage, "project-operations")
    for given, times in (("10", 4), ("9", 2), ("8", 3), ("7", 1), ("6", 2), ("3", 1)):
        for _ in range(times):
            marks = {"overall": "5", "promises": "4", "contract": "3", "team": "4", "recommend": given}
            await answered(stage, "project-operations", "sales-visit", marks)
            effort = str(1 + int(given) * 6 // 10)
            sent = {"overall": given, "effort": effort, "arrival": "yes", "resolved": "yes", "reason": "慢"}
            await answered(stage, "project-operations", "telephone", sent)
    nps = await total(stage, "project-operations", "sales-visit")
    assert (nps["method"], digits(nps["value"]), nps["n"]) == ("nps", "23.08", 13)
    ten = await total(stage, "project-operations", "telephone")
    assert (ten["method"], ten["unit"], digits(ten["value"]), digits(ten["percent"])) == (
        "mean", "points", "8", "80",
    )  # fmt: skip
    ces = await total(stage, "project-operations", "telephone", method="ces")
    assert (ces["unit"], digits(ces["value"])) == ("points", "5.385")
    faces = await total(stage, "project-operations", "sales-visit", method="mean", detail=True)
    assert {each["item"]: each["mean"] for each in faces["items"] if each["scale"] == "faces"} == {
        "overall": 5, "promises": 4, "contract": 3, "team": 4,
    }  # fmt: skip


READY = {
    "incident": "itss-incident", "company": "itss-incident", "project-manager": "project-operations",
    "telephone": "project-operations", "sales-visit": "project-operations", "software-company": "project-operations",
    "engineering-project": "project-operations",
}  # fmt: skip


def best(item: Item) -> str | list[str]:
    """The best answer to an item."""
    if item.scale or item.kind == "yesno":
        return str(max(value for value in item.possible or () if isinstance(value, int))) if item.scale else "yes"
    return item.options[0].id if item.options else "好"


@pytest.mark.parametrize(("name", "policy_name"), READY.items())
async def test_s4_15_ready_questionnaires(stage: Stage, name: str, policy_name: str) -> None:
    await in_force(stage, policy_name)
    ready: Questionnaire = pack(policy_name).questionnaires[name]
    survey = next(key for key, each in pack(policy_name).surveys.items() if each.questionnaire == name)
    opened = await asked(stage, policy_name, survey)
    for locale in LOCALES:
        page = await stage.look(opened, f"?lang={locale}")
        assert page.status_code == 200
        shown = page.text.replace("&#39;", "'")
        assert all(item.text.say(locale) in shown for item in ready.items)
    await stage.send(opened, {item.id: best(item) for item in ready.items})
    (given,) = await responses(stage)
    assert (given["score"], given["satisfied"]) == (100, True)


async def test_s4_16_several_organisations_count_alike(stage: Stage) -> None:
    await in_force(stage, "service-quality")
    scaled = [item.id for item in pack("service-quality").questionnaires["quality"].items if item.scale]
    for organisation, size, mark in (("A", 9, "10"), ("B", 5, "8"), ("C", 5, "6"), ("D", 2, "8"), ("E", 5, "6")):
        served = Respondent(served_by=organisation)
        for _ in range(size):
            sent = {**dict.fromkeys(scaled, mark), "price": "X", "speed": "6" if mark == "8" else "8"}
            await answered(stage, "service-quality", "area", sent, served)
    found: Any = await scores(stage, policy="service-quality", survey="area", group="served_by")
    shown = {each["key"]: each["value"] for each in found["items"] if not each["suppressed"]}
    assert "D" not in shown
    whole = await total(stage, "service-quality", "area")
    assert (whole["n"], whole["organisations"]) == (26, 5)
    marks = {"A": 10, "B": 8, "C": 6, "D": 8, "E": 6}
    own = {key: 10 * (8 * mark + (6 if mark == 8 else 8)) / 9 for key, mark in marks.items()}
    assert shown == {key: pytest.approx(own[key]) for key in shown}
    assert whole["value"] == pytest.approx(sum(own.values()) / 5)
    assert whole["interval"]["low"] < whole["value"] < whole["interval"]["high"]


BRANCHING = questionnaire(
    scale("overall", overall=True, required=True, weight=2),
    text("reason", required=True, ask_when={"overall": (1, 2)}),
    yesno("called"),
    scale("call", "ten", na=True, ask_when={"called": (True,)}),
    text("comment"),
)


async def test_f_10_branching_weights_not_applicable_and_a_mandatory_comment_on_a_low_score(stage: Stage) -> None:
    await stage.hear(approved(policy(BRANCHING, policy="branching")))
    low = await stage.open(policy="branching")
    refused = await stage.send(low, {"overall": "1", "called": "no"})
    assert (refused.status_code, "Write an answer" in refused.text) == (422, True)
    assert (await stage.send(low, {"overall": "1", "called": "no", "reason": "slow", "call": "9"})).status_code == 200
    high = await stage.open(policy="branching")
    await stage.send(high, {"overall": "4", "called": "yes", "call": "5", "reason": "not asked"})
    spared = await stage.open(policy="branching")
    await stage.send(spared, {"overall": "4", "called": "yes", "call": "X"})
    given = {each["survey"]: each for each in await responses(stage)}
    assert given[str(low)]["answers"] == {"overall": 1, "called": False}
    assert (given[str(low)]["score"], given[str(low)]["comments"]) == (20, {"reason": "slow"})
    assert given[str(high)]["score"] == pytest.approx((2 * 80 + 50) / 3)
    assert given[str(high)]["comments"] == {}
    assert (given[str(spared)]["score"], given[str(spared)]["answers"]["call"]) == (80, "X")


async def test_n_7_a_click_is_not_a_vote(stage: Stage) -> None:
    survey = await stage.open()
    link = stage.link(survey)
    for agent in ("Mozilla/5.0 (compatible; Proofpoint)", "SafeLinks", "", "Mozilla/5.0 Chrome/138"):
        for method in ("GET", "HEAD"):
            for score in ("", "?score=1", "?score=5"):
                await stage.client.request(method, link + score, headers={"user-agent": agent, "purpose": "prefetch"})
                await stage.client.request(method, link + score, headers={"user-agent": agent})
        await stage.client.post(link, data={"overall": "1"}, headers={"user-agent": agent})
    assert await responses(stage) == []
    await stage.send(survey, {"overall": "4", "solved": "yes"})
    (given,) = await responses(stage)
    assert given["answers"]["overall"] == 4
    await stage.client.post(link, data={"overall": "1", "reason": "x"})
    (kept,) = await responses(stage)
    assert kept == given
