from math import sqrt
from statistics import mean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.estimate import Draw, Ratings, estimate
from scoring.interval import Stratum, student, weigh_back

# SciPy is read when it is first used, which a first example would pay for: no deadlines here.
VALUES = st.lists(st.integers(1, 10), min_size=2, max_size=30)


def rated(values: list[int], draw: Draw | None = None) -> list[Ratings]:
    return [Ratings({"a": value}, 1, draw) for value in values]


@settings(deadline=None)
@given(VALUES)
def test_one_item_of_equals_is_mean_deviation_and_students_interval(values: list[int]) -> None:
    found = estimate(rated(values), None)
    assert found
    assert found.n == len(values)
    assert found.value == pytest.approx(mean(values))
    assert found.deviation == pytest.approx(stdev(values), abs=1e-9)
    assert found.interval == pytest.approx(student(mean(values), stdev(values), len(values)), abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=3, max_size=20), st.floats(0.1, 0.9))
def test_where_everybody_rates_everything_the_interval_is_that_of_everybodys_own_score(
    table: list[tuple[int, int]], share: float
) -> None:
    own = [share * a + (1 - share) * b for a, b in table]
    ratings = [Ratings({"a": a, "b": b}, 1, None) for a, b in table]
    found = estimate(ratings, lambda _: {"a": share, "b": 1 - share})
    assert found
    assert found.value == pytest.approx(mean(own))
    assert found.interval == pytest.approx(student(mean(own), stdev(own), len(own)), abs=1e-6)


def test_strata_are_weighed_back_with_cochrans_standard_error() -> None:
    strata = {Draw("large", 200, 10): [5, 4, 4, 3, 5, 4, 4, 4, 5, 4], Draw("small", 50, 5): [3, 2, 4, 3, 3]}
    ratings = [each for draw, values in strata.items() for each in rated(values, draw)]
    found = estimate(ratings, None)
    known = weigh_back([Stratum(draw.population, draw.answered, mean(v), stdev(v)) for draw, v in strata.items()])
    assert found
    assert known
    assert found.value == pytest.approx(known.mean)
    assert found.interval
    # Student's 97.5 % point for 15 - 2 degrees of freedom.
    assert (found.interval.high - found.value) / 2.160369 == pytest.approx(known.error, rel=1e-5)


def test_the_measures_strata_give_the_measures_mean_and_error() -> None:
    def spread(n: int, centre: float, deviation: float) -> list[float]:
        """n numbers with that mean and that standard deviation."""
        step = deviation * sqrt((n - 1) / n)
        return [centre + step, centre - step] * (n // 2)

    large, small = Draw("large", 200, 10), Draw("small", 50, 20)
    ratings = [Ratings({"a": each}, 1, large) for each in spread(10, 4.2, 0.8)]
    ratings += [Ratings({"a": each}, 1, small) for each in spread(20, 3.0, 1.1)]
    found = estimate(ratings, None)
    assert found
    assert found.interval
    assert f"{found.value:.4g}" == "3.96"
    assert f"{(found.interval.high - found.value) / 2.048407:.4g}" == "0.2009"


def test_a_whole_population_has_no_error() -> None:
    found = estimate(rated([1, 5, 3], Draw("all", 3, 3)), None)
    assert found
    assert found.interval == (3, 3)


def test_respondents_of_a_stratum_outside_the_group_count_as_zeros() -> None:
    alone = estimate(rated([5, 4, 3], Draw("all", 1000, 3)), None)
    part = estimate(rated([5, 4, 3], Draw("all", 1000, 30)), None)
    assert alone
    assert part
    assert alone.interval
    assert part.interval
    assert (alone.value, part.value) == (4, 4)
    assert part.interval.high < alone.interval.high


def test_what_cannot_be_said_is_not_said() -> None:
    assert estimate([], None) is None
    assert estimate([Ratings({}, 7, None)], None) is None
    one = estimate(rated([4]), None)
    assert one
    assert (one.value, one.deviation, one.interval) == (4, None, None)
