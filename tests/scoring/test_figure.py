from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.estimate import Draw
from scoring.figure import Pattern, compute, shown
from scoring.score import Values, judge
from services.contracts.language.scores import ScoreMethod, Scores
from services.contracts.questionnaire import Questionnaire
from tests.scoring.questionnaires import questionnaire, scale

LIKERT = questionnaire(scale("overall", overall=True), scale("speed"), scale("skill", na=True))
TEN_BANDS = questionnaire(*(scale(item, "ten-bands", na=True) for item in "abcd"))


def pattern(asked: Questionnaire, times: int = 1, scores: Scores | None = None, **numbers: float) -> Pattern:
    return replace(pattern_of(numbers, asked, scores or Scores()), times=times)


def pattern_of(numbers: Values, asked: Questionnaire = TEN_BANDS, scores: Scores = Scores()) -> Pattern:  # noqa: B008
    satisfied = judge(asked, numbers, scores).satisfied
    return Pattern(
        asked="test/incident", questionnaire=asked, scores=scores, satisfied=satisfied, numbers=numbers, times=1
    )


TABLE = [
    pattern(TEN_BANDS, a=10, b=9, c=6),
    pattern(TEN_BANDS, a=7, b=6, c=9, d=10),
    pattern(TEN_BANDS, a=3, b=5, c=10, d=8),
]


def test_percent_and_sum_are_those_of_the_measures() -> None:
    percent = compute("percent", TABLE)
    assert (percent.n, f"{percent.value:.4g}", percent.unit) == (3, "76.67", "percent")
    sums = compute("sum", TABLE)
    assert (sums.n, f"{sums.value:.4g}", f"{sums.deviation:.4g}") == (3, "76.11", "9.766")
    assert sums.interval
    assert sums.interval.low < 76.11 < sums.interval.high


def test_rate_has_wilsons_interval() -> None:
    rate = compute(
        "rate", [pattern(LIKERT, 30, overall=5), pattern(LIKERT, 17, overall=4), pattern(LIKERT, 3, overall=2)]
    )
    assert (rate.n, rate.value) == (50, 94)
    assert rate.interval
    assert [f"{each:.4g}" for each in rate.interval] == ["83.78", "97.94"]


def test_a_weighted_rate_is_never_sure_of_itself_for_being_100_percent() -> None:
    draws = (Draw("core", 20, 10), Draw("rest", 200, 10))
    rate = compute("rate", [replace(pattern(LIKERT, 10, overall=5), draw=draw) for draw in draws])
    assert rate.value == 100
    assert rate.interval
    # Kish: 22²·10² / (10·2² + 10·20²) = 11.98 respondents who count alike.
    assert [f"{each:.4g}" for each in rate.interval] == ["75.72", "100"]


def test_one_stratum_counts_like_everybody() -> None:
    whole = [
        replace(pattern(LIKERT, times, overall=value), draw=Draw("all", 500, 50)) for value, times in ((5, 47), (1, 3))
    ]
    rate = compute("rate", whole)
    assert rate.interval
    assert [f"{each:.4g}" for each in rate.interval] == ["83.78", "97.94"]


def test_mean_is_in_points_of_the_overall_item() -> None:
    mean = compute("mean", [pattern(LIKERT, 2, overall=5, speed=1), pattern(LIKERT, 1, overall=2, speed=1)])
    assert (mean.n, mean.value, mean.unit) == (3, 4, "points")
    assert mean.deviation == pytest.approx(3**0.5)


def test_mean_of_several_scales_is_in_percent() -> None:
    mixed = questionnaire(scale("a"), scale("b", "ten"))
    mean = compute("mean", [pattern(mixed, a=5, b=5)])
    assert (mean.n, mean.value, mean.unit) == (1, 75, "percent")


def test_the_policy_may_name_the_item() -> None:
    speed = Scores(method="mean", item="speed")
    assert compute("mean", [pattern(LIKERT, scores=speed, overall=5, speed=1)]).value == 1


def test_option_total_nps_and_ces() -> None:
    counts = {5: 12, 4: 20, 3: 6, 2: 1, 1: 1}
    total = compute("option-total", [pattern(LIKERT, times, overall=value) for value, times in counts.items()])
    assert (total.n, total.total, total.value) == (40, 161, 80.5)
    friends = questionnaire(scale("friend", "nps"), scale("speed"))
    given = {10: 4, 9: 2, 8: 3, 7: 1, 6: 2, 3: 1}
    nps = compute("nps", [pattern(friends, times, friend=value) for value, times in given.items()])
    assert (nps.n, f"{nps.value:.4g}", nps.unit) == (13, "23.08", "points")
    effort = questionnaire(scale("effort", "ces"))
    ces = compute("ces", [pattern(effort, effort=7), pattern(effort, effort=4)])
    assert (ces.n, ces.value, ces.unit) == (2, 5.5, "points")


@pytest.mark.parametrize("method", ["sum", "percent", "rate", "option-total", "mean", "nps", "ces"])
def test_nothing_rated_is_no_figure(method: ScoreMethod) -> None:
    for patterns in ([], [pattern(LIKERT)]):
        figure = compute(method, patterns)
        assert (figure.n, figure.value, figure.interval) == (0, None, None)


def test_one_item_of_two_versions_of_a_questionnaire_is_one_item() -> None:
    reworded = questionnaire(scale("overall", overall=True), scale("speed", weight=1), scale("new"))
    figure = compute("percent", [pattern(LIKERT, overall=5), pattern(reworded, overall=1, new=5)])
    assert figure.value == pytest.approx((60 + 100) / 2)


@given(
    st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10)), max_size=12),
    st.sampled_from(["sum", "percent", "rate", "mean"]),
)
def test_patterns_count_as_often_as_they_were_given(table: list[Values], method: ScoreMethod) -> None:
    once = [pattern_of(values) for values in table]
    gathered = [replace(pattern_of(values), times=3) for values in table]
    one, other = compute(method, once * 3), compute(method, gathered)
    assert (one.n, one.unit) == (other.n, other.unit)
    assert one.interval == (other.interval and pytest.approx(other.interval, abs=1e-6))
    for name in ("value", "percent", "deviation"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-9)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 12), max_size=8), st.integers(5, 8))
def test_no_small_group_is_shown_or_can_be_computed(sizes: dict[str | None, int], least: int) -> None:
    visible = shown(sizes, least)
    hidden = {key: n for key, n in sizes.items() if key not in visible}
    assert all(sizes[key] >= least for key in visible)
    # All that is known beside the shown groups is the total: what it leaves over is nobody, or enough people.
    left = sum(hidden.values())
    assert left == 0 or left >= least or not visible
    for size in range(len(visible) + 1):
        for known in combinations(sorted(visible, key=str), size):
            rest = sum(sizes.values()) - sum(sizes[key] for key in known)
            assert rest == 0 or rest >= least or not visible


def test_the_smallest_group_is_hidden_with_one_that_is_too_small() -> None:
    assert shown({"a": 20, "b": 9, "c": 3}, 5) == {"a"}
    assert shown({"a": 20, "b": 9, "c": 3, "d": 2}, 5) == {"a", "b"}
    assert shown({"a": 20, "b": 9, "c": 0}, 5) == {"a", "b"}
