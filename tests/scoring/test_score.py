from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.score import (
    Values,
    after_return_rate,
    band_of,
    ces,
    count,
    dimensions,
    item_weights,
    judge,
    nps,
    option_total,
    percent,
    respondent_sum,
    spread,
    tree,
    tree_total,
)
from services.contracts.language.scores import Dimension, ReturnRate, ScoreMethod, Scores
from services.contracts.questionnaire import SCALES, Questionnaire
from tests.scoring.questionnaires import choice, questionnaire, scale, text, words, yesno

TEN_BANDS = questionnaire(*(scale(item, "ten-bands", na=True) for item in "abcd"))
QUALITY = questionnaire(scale("a", "quality5"), scale("b", "quality5"))
THREE: list[Values] = [
    {"a": 10, "b": 9, "c": 6},
    {"a": 7, "b": 6, "c": 9, "d": 10},
    {"a": 3, "b": 5, "c": 10, "d": 8},
]
PROPERTY = ReturnRate.model_validate({"floor": "50%", "per": 5, "minus": 1})


def four_digits(value: float | None) -> str:
    return f"{value:.4g}"


def by(method: ScoreMethod, item: str | None = None) -> Scores:
    return Scores(method=method, item=item)


def figure(asked: Questionnaire, table: list[Values]) -> float | None:
    counts = count(table)
    return percent((item, counts.get(item.id, {})) for item in asked.items)


def test_percent_of_ten_bands_leaves_out_what_does_not_apply() -> None:
    means = [spread(counts) for _, counts in sorted(count(THREE).items())]
    assert [four_digits(each.mean) for each in means if each] == ["6.667", "6.667", "8.333", "9"]
    assert four_digits(figure(TEN_BANDS, THREE)) == "76.67"


def test_sum_of_ten_bands_is_scaled_over_the_items_that_apply() -> None:
    sums = [respondent_sum(TEN_BANDS, values) for values in THREE]
    assert [four_digits(each) for each in sums] == ["83.33", "80", "65"]
    spreading = spread({each: 1 for each in sums if each is not None})
    assert spreading
    assert (four_digits(spreading.mean), four_digits(spreading.deviation)) == ("76.11", "9.766")


def test_percent_of_quality5() -> None:
    table: list[Values] = [{"a": a, "b": b} for a, b in zip((10, 8, 8, 6, 3), (10, 10, 8, 0, 6), strict=True)]
    means = [spread(counts) for _, counts in sorted(count(table).items())]
    assert [four_digits(each.mean) for each in means if each] == ["7", "6.8"]
    assert four_digits(figure(QUALITY, table)) == "69"


def test_option_total() -> None:
    total = option_total({5: 12, 4: 20, 3: 6, 2: 1, 1: 1}, SCALES["likert5"])
    assert total
    assert (total.total, four_digits(total.percent)) == (161, "80.5")


def test_option_total_goes_by_the_option_not_by_its_value() -> None:
    total = option_total({10: 1, 0: 1}, SCALES["quality5"])
    assert total
    assert total.total == 6


def test_option_total_is_for_five_options_only() -> None:
    assert option_total({10: 3}, SCALES["nps"]) is None
    assert option_total({}, SCALES["likert5"]) is None


def test_nps() -> None:
    assert four_digits(nps({10: 4, 9: 2, 8: 3, 7: 1, 6: 2, 3: 1})) == "23.08"
    assert nps({}) is None


def test_ces_is_the_mean() -> None:
    assert ces({7: 1, 5: 1, 3: 1}) == 5
    assert ces({}) is None


@pytest.mark.parametrize(("rate", "expected"), [(37, 84.4), (45, 85.4), (45.1, 86.4), (50, 86.4), (80, 86.4)])
def test_return_rate_rule(rate: float, expected: float) -> None:
    assert isclose(after_return_rate(86.4, rate, PROPERTY), expected)


def test_return_rate_rule_does_not_miss_a_step_by_a_float() -> None:
    assert isclose(after_return_rate(86.4, 100 * (0.1 + 0.2) + 15, PROPERTY), 85.4)


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (100, "Very satisfied"),
        (80, "Very satisfied"),
        (79.99, "Satisfied"),
        (76.67, "Satisfied"),
        (70, "Satisfied"),
        (69.0, "Fair"),
        (60, "Fair"),
        (59.999, "Dissatisfied"),
        (0, "Dissatisfied"),
    ],
)
def test_bands_hold_their_lower_end(score: float, name: str) -> None:
    assert band_of(score, Scores().bands).name.en == name


def test_weights_pull_the_percentage() -> None:
    asked = questionnaire(scale("a", weight=3), scale("b"))
    assert figure(asked, [{"a": 5, "b": 1}]) == pytest.approx(100 * (3 * 5 + 1) / (5 * 4))


def test_tree_has_dimensions_of_weighted_items_and_a_total_of_dimensions() -> None:
    asked = questionnaire(
        scale("quick", dimension="speed", weight=2),
        scale("prompt", "ten", dimension="speed"),
        scale("kind", dimension="manner"),
    )
    counts = count([{"quick": 5, "prompt": 4, "kind": 3}, {"quick": 4, "prompt": 10, "kind": 5}])
    leaves = dimensions((item, counts[item.id]) for item in asked.items)
    assert leaves == {"speed": pytest.approx((2 * 90 + 70) / 3), "manner": pytest.approx(80)}
    nodes = {
        "service": Dimension(title=words("service"), under={"speed": node("speed", 3), "manner": node("manner")}),
        "price": node("price", 9),
    }
    values = tree(nodes, leaves)
    assert values == {**leaves, "service": pytest.approx((250 + 80) / 4)}
    assert tree_total(nodes, values) == pytest.approx((250 + 80) / 4)
    assert tree_total(nodes, {**values, "price": 50}) == pytest.approx((82.5 + 9 * 50) / 10)
    assert tree_total(nodes, {}) is None


def node(name: str, weight: float = 1) -> Dimension:
    return Dimension(title=words(name), weight=weight)


def test_one_respondent_is_judged_by_his_overall_item() -> None:
    asked = questionnaire(scale("overall", overall=True), scale("speed"), yesno("solved"), text("why"))
    assert judge(asked, {"overall": 4, "speed": 1, "solved": 1}, by("percent")) == (50, True)
    assert judge(asked, {"overall": 3, "speed": 5}, by("rate")) == (80, False)


def test_without_an_overall_item_the_score_judges() -> None:
    asked = questionnaire(scale("a", "nps", weight=2), scale("b"))
    assert judge(asked, {"a": 9, "b": 4}, by("percent")).satisfied is True
    assert judge(asked, {"a": 8, "b": 4}, by("percent")).satisfied is False
    assert judge(asked, {"b": 4}, by("mean")) == (80, True)


def test_methods_of_one_item_score_that_item() -> None:
    asked = questionnaire(scale("overall", overall=True), scale("friend", "nps"), scale("speed"))
    values = {"overall": 5, "friend": 7, "speed": 1}
    assert judge(asked, values, by("mean")) == (100, True)
    assert judge(asked, values, by("nps", "friend")).score == pytest.approx(70)
    assert judge(asked, {"speed": 1}, by("nps", "friend")) == (20, False)


def test_an_overall_item_that_was_left_out_leaves_the_judgement_to_the_score() -> None:
    asked = questionnaire(scale("overall", overall=True), scale("speed"))
    assert judge(asked, {"speed": 5}, by("percent")) == (100, True)


def test_sum_ignores_weights() -> None:
    asked = questionnaire(scale("a", weight=9), scale("b"))
    assert judge(asked, {"a": 5, "b": 1}, by("sum")).score == pytest.approx(60)


def test_nothing_rated_has_no_score() -> None:
    asked = questionnaire(scale("a", na=True), choice("b", "x"), text("c"))
    assert judge(asked, {"b.x": 1}, by("percent")) == (None, None)
    assert respondent_sum(asked, {}) is None
    assert figure(asked, [{}, {}]) is None


RATINGS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(sorted(SCALES["ten-bands"].values)))


@given(st.lists(RATINGS, max_size=30))
def test_figures_lie_between_0_and_100(table: list[Values]) -> None:
    found = [figure(TEN_BANDS, table), *(respondent_sum(TEN_BANDS, values) for values in table)]
    assert all(each is None or 0 <= each <= 100 + 1e-9 for each in found)


@given(st.lists(RATINGS, min_size=1, max_size=10), st.integers(2, 5))
def test_percent_does_not_depend_on_how_often_everybody_is_counted(table: list[Values], times: int) -> None:
    assert figure(TEN_BANDS, table * times) == pytest.approx(figure(TEN_BANDS, table))


@given(RATINGS)
def test_with_equal_weights_percent_and_sum_agree_for_one_respondent(values: Values) -> None:
    assert judge(TEN_BANDS, values, by("percent")).score == pytest.approx(judge(TEN_BANDS, values, by("sum")).score)


def test_in_a_tree_items_weigh_by_their_branch_and_loose_ones_nothing() -> None:
    asked = questionnaire(
        scale("overall", overall=True),
        scale("quick", dimension="speed", weight=2),
        scale("prompt", dimension="speed"),
        scale("kind", dimension="manner"),
        scale("cheap", dimension="price"),
    )
    nodes = {
        "service": Dimension(
            title=words("service"), weight=3, under={"speed": node("speed"), "manner": node("manner"), "x": node("x")}
        ),
        "price": node("price"),
    }
    found = item_weights(asked.items, nodes)
    assert found == {
        "overall": 0,
        "quick": pytest.approx(3 / 4 / 2 * 2 / 3),
        "prompt": pytest.approx(3 / 4 / 2 / 3),
        "kind": pytest.approx(3 / 4 / 2),
        "cheap": pytest.approx(1 / 4),
    }
    values = {"overall": 1, "quick": 5, "prompt": 2, "kind": 4, "cheap": 3}
    leaves = dimensions((item, {values[item.id]: 1}) for item in asked.items)
    assert judge(asked, values, by("percent"), nodes).score == pytest.approx(tree_total(nodes, tree(nodes, leaves)))
    assert judge(asked, {"overall": 1}, by("percent"), nodes) == (20, False)
