from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scoring.figure import Pattern, compute
from scoring.verdict import Judged, Rules, Span, Target, judge_figure, rules_of
from services.contracts.language.scores import Scores
from tests.scoring.questionnaires import questionnaire, scale
from tests.scoring.test_period import at

ASKED = questionnaire(scale("overall", overall=True), scale("speed"))
YEAR = Span(at("2026-01-01"), at("2027-01-01"), None, ZoneInfo("Asia/Shanghai"))


def scores(**more: Any) -> Scores:
    return Scores.model_validate(more)


def pattern(overall: int, times: int = 1, organisation: str | None = None) -> Pattern:
    return Pattern(
        asked="test/incident", questionnaire=ASKED, scores=Scores(), satisfied=overall >= 4,
        numbers={"overall": overall, "speed": overall}, times=times, organisation=organisation,
    )  # fmt: skip


def judged(rules: Rules, *patterns: Pattern, asked: int = 20, returned: int = 20, span: Span = YEAR) -> Judged:
    return judge_figure(rules, patterns, asked, returned, span)


def test_rules_are_what_the_surveys_agree_on() -> None:
    one, other = scores(method="sum", target=95), scores(method="rate", target=95)
    assert rules_of([one, one]).method == "sum"
    both = rules_of([one, other])
    assert (both.method, both.target, both.bands) == (None, Target(95, "year"), one.bands)
    assert rules_of([]).bands is None
    assert rules_of([one, scores(method="sum", target=90)]).target is None


def test_another_method_has_no_target_and_no_bands() -> None:
    rules = rules_of([scores(method="sum", target=95, return_rate={"floor": "50%", "per": 5, "minus": 1})])
    assert rules.only_method("sum") == rules
    assert rules.only_method("mean") == Rules(
        method="mean", target=None, bands=None, return_rate=None, over_organisations=False
    )


def test_surveys_with_different_methods_are_taken_together_in_percent() -> None:
    found = judged(rules_of([scores(method="sum"), scores(method="rate")]), pattern(4, 6))
    assert (found.method, found.figure.value) == ("percent", 80)


@pytest.mark.parametrize(("returned", "value"), [(37, 78), (45, 79), (46, 80), (50, 80), (100, 80)], ids=str)
def test_the_return_rate_lowers_the_figure_with_its_interval(returned: int, value: float) -> None:
    rules = rules_of([scores(return_rate={"floor": "50%", "per": 5, "minus": 1})])
    bare = compute("percent", [pattern(5, 6), pattern(3, 6)])
    found = judged(rules, pattern(5, 6), pattern(3, 6), asked=100, returned=returned)
    assert (found.return_rate, found.figure.value, found.figure.percent) == (returned, value, value)
    assert found.figure.before_return_rate == 80
    assert bare.interval
    assert found.figure.interval == pytest.approx([end - 80 + value for end in bare.interval])


def test_nobody_asked_has_no_return_rate_and_loses_nothing() -> None:
    rules = rules_of([scores(return_rate={"floor": "50%", "per": 5, "minus": 1})])
    found = judged(rules, pattern(4, 6), asked=0, returned=0)
    assert (found.return_rate, found.figure.value) == (None, 80)


def test_a_target_is_judged_over_its_own_period_only() -> None:
    rules = rules_of([scores(target=80, period="year")])
    assert judged(rules, pattern(4, 6)).reached is True
    assert judged(rules, pattern(4, 6), pattern(3)).reached is False
    for span in (YEAR._replace(until=None), YEAR._replace(zone=None), Span(None, None, "quarter", YEAR.zone)):
        assert judged(rules, pattern(4, 6), span=span).reached is None
    assert judged(rules, pattern(4, 6), span=Span(None, None, "year", None)).reached is True


def test_bands_and_targets_go_by_the_percentage_of_a_figure_in_points() -> None:
    rules = rules_of([scores(method="mean", item="overall", target=85)])
    found = judged(rules, pattern(5, 3), pattern(4, 3))
    assert (found.figure.unit, found.figure.value, found.figure.percent) == ("points", 4.5, 90)
    assert (found.reached, found.band and found.band.en) == (True, "Very satisfied")


def test_organisations_count_alike_however_many_answer() -> None:
    rules = rules_of([scores(mean_over="organisations")])
    patterns = [pattern(5, 40, "A"), pattern(3, 4, "B"), pattern(1, 2, "C"), pattern(1, 9)]
    figure = judged(rules, *patterns).figure
    assert figure.value == pytest.approx(60)
    assert (figure.n, figure.organisations) == (46, 3)
    assert figure.deviation == pytest.approx(40)
    alone = judged(rules, pattern(5, 4), pattern(4, 4)).figure
    assert alone.value == pytest.approx(90)
    assert alone.organisations is None


def test_nothing_answered_is_no_figure() -> None:
    found = judged(rules_of([scores(target=80)]))
    assert (found.figure.n, found.figure.value, found.reached, found.band) == (0, None, None, None)
