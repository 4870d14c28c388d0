"""Every pack is a whole policy: it parses, its wording is clean, both languages are complete, its rows are named."""

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from scheduler.calendar import almanac
from scheduler.plan import asked_at, waves
from scheduler.wording import lint, read_lexicon
from services.contracts.policy import FirstStep, Policy, parse_policy, read_policy

ROOT = Path(__file__).parents[2]
ROWS = {
    "itss-incident": [f"S0.{number}" for number in range(1, 12)],
    "itss-0405": [f"S1.{number}" for number in range(1, 12)],
    "enterprise": [f"S2.{number}" for number in range(1, 17)],
    "creative-agency": [f"S3.{number}" for number in range(1, 14)],
    "project-operations": [f"S4.{number}" for number in (1, 2, 3, 4, 9, 11, 12, 13, 15)],
    "property-service": ["S4.5", "S4.7", "S4.8", "S4.14"],
    "service-quality": ["S4.6", "S4.8", "S4.16"],
    "customer-grading": ["S4.10"],
}
NAMES = tuple(ROWS)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def text(name: str) -> str:
    return (ROOT / "policies" / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def pack(name: str) -> Policy:
    return parse_policy(text(name), f"policies/{name}.yaml")


def test_there_is_one_pack_for_each_source_and_scheme() -> None:
    assert {path.stem for path in (ROOT / "policies").glob("*.yaml")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_is_a_policy_and_travels_whole(name: str) -> None:
    policy = pack(name)
    assert policy.policy == name
    travelled = read_policy(policy.document())
    assert travelled.document() == policy.document()
    scores = {survey: policy.scores_of(survey) for survey in policy.surveys}
    assert {survey: travelled.scores_of(survey) for survey in policy.surveys} == scores
    own = {"surveys": policy.surveys}  # their scores travel completed
    assert travelled.model_copy(update=own) == policy


@pytest.mark.parametrize("name", NAMES)
def test_a_packs_header_names_its_rows_and_what_was_decided(name: str) -> None:
    header = text(name).partition("\npolicy: ")[0]
    assert all(line.startswith("#") for line in header.splitlines() if line)
    named = set(re.findall(r"^#   (S\d\.\d+) ", header, re.MULTILINE))
    assert named == set(ROWS[name])
    assert "# Decided here:" in header


@pytest.mark.parametrize("name", NAMES)
def test_row_s2_3_a_packs_wording_is_without_remarks(name: str) -> None:
    lexicon = read_lexicon((ROOT / "scheduler/wording.yaml").read_text(encoding="utf-8"))
    assert lint(pack(name), lexicon) == ()


def _questions(name: str) -> list[tuple[str, str]]:
    items = [item for questionnaire in pack(name).questionnaires.values() for item in questionnaire.items]
    return [(item.text.zh, item.text.en) for item in items]


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_of_a_pack_are_complete(name: str) -> None:
    assert all(CHINESE.search(zh) and not CHINESE.search(en) for zh, en in _questions(name))


@pytest.mark.parametrize("name", NAMES)
def test_row_s3_3_every_questionnaire_opens_with_its_purpose_and_the_promise(name: str) -> None:
    for questionnaire in pack(name).questionnaires.values():
        assert "保密" in questionnaire.purpose.zh
        assert "confidential" in questionnaire.purpose.en


@pytest.mark.parametrize("name", NAMES)
def test_every_questionnaire_is_used_and_asks_why_where_the_judgement_is_bad(name: str) -> None:
    policy = pack(name)
    assert {survey.questionnaire for survey in policy.surveys.values()} == set(policy.questionnaires)
    for questionnaire in policy.questionnaires.values():
        overall = questionnaire.overall
        assert overall is not None
        assert overall.required
        asked_why = any(item.required and overall.id in item.ask_when for item in questionnaire.items)
        talked = all(item.kind != "text" or not item.required for item in questionnaire.items)
        assert asked_why or talked


@pytest.mark.parametrize("name", NAMES)
def test_row_s3_10_nobody_is_pressed(name: str) -> None:
    policy = pack(name)
    assert policy.limits.per_person is not None
    for survey in policy.surveys.values():
        assert sum("reminder" in type(step).model_fields for step in survey.steps) <= 2


@pytest.mark.parametrize("name", NAMES)
def test_every_survey_by_the_calendar_opens_once_in_each_period_and_plans_can_be_ready(name: str) -> None:
    policy = pack(name)
    calendar = almanac(policy.calendar)
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    for key, survey in policy.surveys.items():
        if survey.planned and survey.every:
            found = list(waves(policy, key, calendar, start, end))
            assert len(found) == {"quarter": 4, "year": 1}[survey.every.period]
            assert policy.plans.ready is not None
            assert all(wave.draw_from < wave.ready_by < wave.opens for wave in found)


def test_row_s0_1_incidents_are_asked_about_within_two_days() -> None:
    survey = pack("itss-incident").surveys["incident"]
    assert (survey.on, str(survey.send.within), survey.share) == ("ticket closed", "2d", 1.0)


def test_row_s0_3_important_and_core_customers_are_asked_by_their_project_managers() -> None:
    survey = pack("itss-incident").surveys["company"]
    assert survey.ask != "requester"
    assert survey.ask.customers.tier == ("important", "core")
    assert (survey.by, str(survey.every)) == ("project manager", "quarter, from 15 days before its end")


def test_row_s1_3_the_week_is_asked_about_on_monday_by_telephone() -> None:
    policy = pack("itss-0405")
    survey = policy.surveys["monday"]
    wednesday = datetime(2026, 3, 4, 4, tzinfo=UTC)
    assert asked_at(survey, wednesday, almanac(policy.calendar)) == datetime(2026, 3, 9, 1, tzinfo=UTC)
    assert isinstance(survey.steps[0], FirstStep)
    assert survey.steps[0].first[0] == "call"


def test_row_s1_4_every_survey_asks_the_dissatisfied_again_next_month() -> None:
    for survey in pack("itss-0405").surveys.values():
        assert survey.again is not None
        assert (survey.again.next, survey.again.items) == ("month", "dissatisfied")


def test_row_s1_7_and_s1_8_the_bands_of_ten_are_summed_against_95() -> None:
    policy = pack("itss-0405")
    items = [item for each in policy.questionnaires.values() for item in each.items if item.scale]
    assert {item.scale for item in items} == {"ten-bands"}
    assert all(item.na for item in items if not item.overall)
    assert (policy.scores.method, policy.scores.target, policy.scores.period) == ("sum", 95, "year")


def test_row_s2_2_regular_and_occasional_surveys() -> None:
    surveys = pack("enterprise").surveys
    assert {survey.on for survey in surveys.values()} == {None, "complaint handled", "goods delivered", "repair done"}
    assert {survey.every.period for survey in surveys.values() if survey.every} == {"quarter", "year"}


def test_row_s2_8_and_s2_9_conditions_of_the_enterprise_pack() -> None:
    policy = pack("enterprise")
    for name, survey in policy.surveys.items():
        if survey.planned:
            coverage = policy.coverage_of(name)
            assert coverage is not None
            assert coverage.share == 0.3
            assert policy.sample_of(name).size.of(1000) > 300
    complaint = policy.surveys["complaint"]
    assert complaint.guarantee is not None
    assert (complaint.guarantee.share, complaint.limited) == (1.0, False)


def test_row_s4_5_return_rate_and_complainants() -> None:
    survey = pack("property-service").surveys["residents"]
    assert survey.scores is not None
    assert survey.scores.return_rate is not None
    rule = survey.scores.return_rate
    assert (rule.floor, rule.per, rule.minus, str(survey.expires)) == (0.5, 5, 1, "7d")
    assert survey.sample is not None
    assert survey.sample.always is not None
    assert str(survey.sample.always.complained_within) == "this year"


def test_row_s4_10_eight_criteria_make_a_hundred_points_and_four_grades() -> None:
    grading = pack("customer-grading").grading
    assert grading is not None
    assert sum(criterion.most for criterion in grading.criteria.values()) == 100
    assert [(grade.grade, grade.quota) for grade in grading.grades] == [("A", 0.2), ("B", 0.3), ("C", 0.4), ("D", None)]


def test_row_s4_15_the_ready_questionnaires_are_there() -> None:
    ready = {"incident", "company", "project-manager", "telephone", "sales-visit", "software-company"}
    ready.add("engineering-project")
    assert ready <= set(pack("itss-incident").questionnaires) | set(pack("project-operations").questionnaires)
