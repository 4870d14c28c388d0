"""Estimates: what a figure of weighted respondents comes to, and its interval, whatever the method. Pure.

Every figure is a mean of means: Σ share·mean over its items. How sure it is follows from what each respondent pulls it
by (the influence; Taylor linearisation, Särndal, Swensson and Wretman, Model Assisted Survey Sampling, 5.5). With one
item and one stratum that is Student's interval of the mean; with a stratified sample it is Cochran's 5.9, with the
finite population correction.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from scoring.interval import Interval, around


class Draw(NamedTuple):
    """The part of a sample's frame from which respondents were drawn: its units, and how many of them answered."""

    stratum: str
    population: int
    answered: int

    @property
    def weight(self) -> float:
        """For how many units one respondent stands."""
        return self.population / self.answered


class Ratings(NamedTuple):
    """What `times` respondents alike gave, as numbers by item in the figure's unit; without a `draw` each counts 1."""

    numbers: Mapping[str, float]
    times: int
    draw: Draw | None

    @property
    def weight(self) -> float:
        """For how many units one of them stands."""
        return self.draw.weight if self.draw else 1.0


class Estimate(NamedTuple):
    """A figure of `n` respondents: its value, the standard deviation of the numbers (n - 1), and its standard error.

    `effective` is the size of a sample in which everybody counts alike and that knows as much (Kish). `interval` is
    Student's at 95 %.
    """

    n: int
    value: float
    deviation: float | None
    effective: float
    error: float | None
    interval: Interval | None


Shares = Callable[[Sequence[str]], Mapping[str, float]]
"""What each of the rated items weighs in the whole, 1 together."""


class _Sums(NamedTuple):
    """Of one item: Σ weight, and Σ weight·number."""

    weight: float
    value: float


def estimate(ratings: Iterable[Ratings], shares: Shares | None) -> Estimate | None:
    """The figure; None without a rating. Without `shares` every rating counts alike, whatever item it is of."""
    rated = [each for each in ratings if each.numbers]
    n = sum(each.times for each in rated)
    if n == 0:
        return None
    sums = _sums(rated)
    weight = math.fsum(each.weight for each in sums.values())
    of_items = shares(list(sums)) if shares else {item: each.weight / weight for item, each in sums.items()}
    means = {item: each.value / each.weight for item, each in sums.items()}
    value = math.fsum(of_items[item] * mean for item, mean in means.items())
    centres = means if shares else dict.fromkeys(means, value)
    pulls = [_pull(each, of_items, centres, sums) for each in rated]
    freedom, error = n - len({each.draw for each in rated}), _error(rated, pulls)
    known = freedom > 0
    return Estimate(
        n=n,
        value=value,
        deviation=_deviation(rated, value),
        effective=_effective(rated),
        error=error if known else None,
        interval=around(value, error, freedom) if known else None,
    )


def _effective(rated: Sequence[Ratings]) -> float:
    weight = math.fsum(each.times * each.weight for each in rated)
    return weight * weight / math.fsum(each.times * each.weight**2 for each in rated)


def _sums(rated: Iterable[Ratings]) -> dict[str, _Sums]:
    numbers: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for each in rated:
        for item, number in each.numbers.items():
            numbers[item].append((each.times * each.weight, number))
    return {
        item: _Sums(math.fsum(weight for weight, _ in given), math.fsum(weight * number for weight, number in given))
        for item, given in numbers.items()
    }


def _pull(
    ratings: Ratings, shares: Mapping[str, float], centres: Mapping[str, float], sums: Mapping[str, _Sums]
) -> float:
    """By how much one respondent moves the figure, with his weight."""
    moved = (shares[item] / sums[item].weight * (number - centres[item]) for item, number in ratings.numbers.items())
    return ratings.weight * math.fsum(moved)


def _deviation(rated: Sequence[Ratings], value: float) -> float | None:
    """The standard deviation of all ratings around the figure; None below two."""
    ratings = sum(each.times * len(each.numbers) for each in rated)
    if ratings < 2:
        return None
    weight = math.fsum(each.weight * each.times * len(each.numbers) for each in rated)
    squares = math.fsum(
        each.weight * each.times * (number - value) ** 2 for each in rated for number in each.numbers.values()
    )
    return math.sqrt(squares / weight * ratings / (ratings - 1))


def _error(rated: Sequence[Ratings], pulls: Sequence[float]) -> float:
    strata: defaultdict[Draw | None, list[tuple[float, int]]] = defaultdict(list)
    for ratings, pull in zip(rated, pulls, strict=True):
        strata[ratings.draw].append((pull, ratings.times))
    return math.sqrt(math.fsum(_variance(draw, each) for draw, each in strata.items()))


def _variance(draw: Draw | None, pulls: Sequence[tuple[float, int]]) -> float:
    """What one stratum adds to the variance. Its respondents outside the group pull by nothing."""
    n = draw.answered if draw else sum(times for _, times in pulls)
    uncovered = max(0.0, 1 - n / draw.population) if draw else 1.0
    squares = math.fsum(pull * pull * times for pull, times in pulls)
    if n == 1:
        return uncovered * squares
    whole = math.fsum(pull * times for pull, times in pulls)
    return uncovered * n / (n - 1) * max(0.0, squares - whole * whole / n)
