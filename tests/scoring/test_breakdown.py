from dataclasses import replace

import pytest

from scoring.breakdown import Branch, Breakdown, ItemFigure, breakdown
from scoring.figure import Pattern
from scoring.score import Values
from services.contracts.language.scores import Dimension, Scores
from tests.scoring.questionnaires import questionnaire, scale, text, words

ASKED = questionnaire(
    scale("overall", overall=True),
    scale("quick", dimension="speed", weight=2),
    scale("prompt", "ten", dimension="speed"),
    scale("kind", dimension="manner"),
    scale("cheap", dimension="price"),
    text("comment"),
)
TREE = {
    "service": Dimension(
        title=words("service"),
        under={"speed": Dimension(title=words("speed"), weight=3), "manner": Dimension(title=words("manner"))},
    ),
    "price": Dimension(title=words("price")),
}
ALL: Values = {"overall": 5, "quick": 5, "prompt": 7, "kind": 3, "cheap": 2}


def pattern(values: Values, times: int, tree: dict[str, Dimension] | None = None) -> Pattern:
    return Pattern(
        asked="test/incident", questionnaire=ASKED, scores=Scores(), satisfied=True, numbers=values, times=times,
        dimensions=TREE if tree is None else tree,
    )  # fmt: skip


def branches(found: Breakdown) -> dict[str, Branch]:
    every: dict[str, Branch] = {}
    waiting = list(found.dimensions)
    while waiting:
        each = waiting.pop()
        every[each.dimension] = each
        waiting += each.under
    return every


def items(found: Breakdown) -> dict[str, ItemFigure]:
    below = [item for branch in branches(found).values() for item in branch.items]
    return {item.item: item for item in (*found.items, *below)}


def test_dimensions_are_weighted_means_of_what_stands_below_them() -> None:
    found = branches(breakdown([pattern(ALL, 6)], 5))
    speed = (2 * 100 + 70) / 3
    assert {name: each.value for name, each in found.items()} == {
        "speed": pytest.approx(speed),
        "manner": pytest.approx(60),
        "service": pytest.approx((3 * speed + 60) / 4),
        "price": pytest.approx(40),
    }
    assert {each.n for each in found.values()} == {6}


def test_without_a_tree_the_dimensions_stand_side_by_side() -> None:
    found = breakdown([pattern(ALL, 6, {})], 5)
    assert {each.dimension: each.value for each in found.dimensions} == {
        "speed": pytest.approx(90),
        "manner": pytest.approx(60),
        "price": pytest.approx(40),
    }
    assert all(each.title is None for each in found.dimensions)
    assert [each.item for each in found.items] == ["overall"]


def test_items_have_mean_deviation_interval_and_how_often_each_value_was_given() -> None:
    other = {**ALL, "overall": 3}
    overall = items(breakdown([pattern(ALL, 5), pattern(other, 5)], 5))["overall"]
    assert (overall.n, overall.mean, overall.percent) == (10, 4, 80)
    assert overall.deviation == pytest.approx(1.0541, abs=1e-4)
    assert overall.counts == {5: 5, 4: 0, 3: 5, 2: 0, 1: 0}
    assert overall.interval
    assert overall.interval.low < 4 < overall.interval.high


def test_a_part_of_too_few_is_named_without_its_numbers_and_another_with_it() -> None:
    few = {name: value for name, value in ALL.items() if name != "cheap"}
    found = breakdown([pattern(few, 6), pattern(ALL, 3)], 5)
    known = branches(found)
    assert (known["price"].suppressed, known["price"].n, known["price"].value) == (True, None, None)
    # From the total and all the others its figure could be computed; so the smallest of them is left out, whole.
    assert known["service"].suppressed
    assert all(each.suppressed and each.counts is None for each in items(found).values() if each.item != "overall")
    assert items(found)["overall"].mean == 5


def test_within_a_dimension_too_one_alone_is_never_left_out() -> None:
    without = {name: value for name, value in ALL.items() if name != "prompt"}
    found = items(breakdown([pattern(without, 7), pattern(ALL, 2)], 5))
    assert [name for name, each in found.items() if each.suppressed] == ["quick", "prompt"]


def test_what_nobody_rated_is_not_there() -> None:
    found = breakdown([replace(pattern({"overall": 4}, 9))], 5)
    assert (found.dimensions, [each.item for each in found.items]) == ((), ["overall"])
    assert breakdown([], 5) == Breakdown((), ())
