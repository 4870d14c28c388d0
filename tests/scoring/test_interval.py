from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.interval import Interval, Stratum, newcombe, student, weigh_back, wilson, wilson_of_share


def four_digits(interval: Interval | None) -> tuple[str, ...]:
    assert interval
    return tuple(f"{each:.4g}" for each in interval)


def test_wilson() -> None:
    assert four_digits(wilson(47, 50)) == ("0.8378", "0.9794")
    assert four_digits(wilson(19, 20)) == ("0.7639", "0.9911")
    assert wilson(0, 0) is None


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_the_closed_formula(trial: tuple[int, int]) -> None:
    successes, n = trial
    z = 1.959963984540054
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert wilson(successes, n) == pytest.approx((middle - half, middle + half), abs=1e-12)
    assert wilson_of_share(share, n) == pytest.approx((middle - half, middle + half), abs=1e-9)


def test_newcombe() -> None:
    interval = newcombe(47, 50, 40, 50)
    assert interval
    assert f"{interval.low:.3g}" == "0.00544"
    assert f"{interval.high:.4g}" == "0.2762"
    assert newcombe(1, 1, 0, 0) is None


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_newcombe_turns_round_with_its_sides(n: int, other_n: int, data: st.DataObject) -> None:
    one, other = data.draw(st.integers(0, n)), data.draw(st.integers(0, other_n))
    interval, turned = newcombe(one, n, other, other_n), newcombe(other, other_n, one, n)
    assert interval
    assert turned
    assert interval.low <= one / n - other / other_n <= interval.high
    assert turned == pytest.approx((-interval.high, -interval.low), abs=1e-12)


def test_student() -> None:
    # Of 10 values with mean 5 and deviation 2: 5 ± 2.2622 · 2 / √10.
    assert four_digits(student(5, 2, 10)) == ("3.569", "6.431")
    assert student(4, 0, 7) == (4, 4)
    assert student(4, 1, 1) is None


def test_strata_are_weighed_back() -> None:
    estimate = weigh_back([Stratum(200, 10, 4.2, 0.8), Stratum(50, 20, 3.0, 1.1)])
    assert estimate
    assert (f"{estimate.mean:.4g}", f"{estimate.error:.4g}") == ("3.96", "0.2009")


def test_a_census_has_no_error_and_an_empty_population_no_estimate() -> None:
    estimate = weigh_back([Stratum(20, 20, 4.0, 0.8), Stratum(0, 0, 0, 0)])
    assert estimate == (4.0, 0.0)
    assert weigh_back([]) is None
    with pytest.raises(ValueError, match="without answers"):
        weigh_back([Stratum(20, 0, 0, 0)])
