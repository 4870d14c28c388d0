"""Figures: what the answers of a group come to by one method, how sure that is, and which groups must not be shown.

Pure. Answers are counted as patterns: the same answers to the same questionnaire are one pattern with its number of
times, so a figure of a million answers is computed from some thousand rows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

from scoring.interval import Interval, student, wilson
from scoring.score import (
    Spread,
    Values,
    ces,
    nps,
    option_total,
    percent,
    respondent_sum,
    scored_items,
    spoken_of,
    spread,
)
from services.contracts.language.scores import ScoreMethod, Scores
from services.contracts.questionnaire import Item, Questionnaire, Scale

Unit = Literal["percent", "points"]
"""Percent from 0 to 100; or points of the scale itself (for NPS, from -100 to 100)."""


class Pattern(NamedTuple):
    """The same answers to the same questionnaire, `times` over. `asked` names it, whatever its version."""

    asked: str
    questionnaire: Questionnaire
    scores: Scores
    satisfied: bool | None
    numbers: Values
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of `n` respondents; None where nothing was rated or nothing may be shown.

    `interval` is at 95 %: Wilson's for `rate`, Student's for means. `total` belongs to `option-total`.
    """

    n: int | None
    value: float | None = None
    unit: Unit = "percent"
    deviation: float | None = None
    interval: Interval | None = None
    total: int | None = None

    def hidden(self) -> Self:
        """The figure of a group that is too small to be shown."""
        return replace(self, n=None, value=None, deviation=None, interval=None, total=None)


class Rated(NamedTuple):
    """An item and how often each of its values was given."""

    item: Item
    scale: Scale
    counts: Counter[float]


def compute(method: ScoreMethod, patterns: Sequence[Pattern]) -> Figure:
    """The figure of some answers."""
    if method == "rate":
        return _rate(patterns)
    if method == "sum":
        return _sum(patterns)
    rated = _rate_items(method, patterns)
    n = sum(pattern.times for pattern in patterns if _counts_for(method, pattern))
    if method == "percent":
        return Figure(n=n, value=percent((each.item, each.counts) for each in rated))
    if method == "nps":
        return Figure(n=n, value=nps(_pool(rated)), unit="points")
    if method == "ces":
        return _mean(n, spread(_pool(rated)), "points", ces(_pool(rated)))
    if method == "option-total":
        return _option_total(n, rated)
    return _mean_of_items(n, rated)


def _rate(patterns: Sequence[Pattern]) -> Figure:
    judged = [pattern for pattern in patterns if pattern.satisfied is not None]
    n = sum(pattern.times for pattern in judged)
    satisfied = sum(pattern.times for pattern in judged if pattern.satisfied)
    found = wilson(satisfied, n)
    interval = Interval(100 * found.low, 100 * found.high) if found else None
    return Figure(n=n, value=100 * satisfied / n if n else None, interval=interval)


def _sum(patterns: Sequence[Pattern]) -> Figure:
    sums: Counter[float] = Counter()
    for pattern in patterns:
        scored = respondent_sum(pattern.questionnaire, pattern.numbers)
        if scored is not None:
            sums[scored] += pattern.times
    return _mean(sums.total(), spread(sums), "percent")


def _mean(n: int, found: Spread | None, unit: Unit, value: float | None = None) -> Figure:
    if found is None:
        return Figure(n=n, unit=unit)
    interval = student(found.mean, found.deviation, found.n) if found.deviation is not None else None
    mean = found.mean if value is None else value
    return Figure(n=n, value=mean, unit=unit, deviation=found.deviation, interval=interval)


def _mean_of_items(n: int, rated: Sequence[Rated]) -> Figure:
    """In points where all items stand on one scale, else in percent of each scale's full mark."""
    if len({each.scale.name for each in rated}) == 1:
        return _mean(n, spread(_pool(rated)), "points")
    shares: Counter[float] = Counter()
    for each in rated:
        for value, times in each.counts.items():
            shares[100 * value / each.scale.top] += times
    return _mean(n, spread(shares), "percent")


def _option_total(n: int, rated: Sequence[Rated]) -> Figure:
    totals = [found for each in rated if (found := option_total(each.counts, each.scale))]
    answers = sum(each.counts.total() for each in rated if len(each.scale.marks) == 5)
    total = sum(each.total for each in totals)
    return Figure(n=n, value=100 * total / (5 * answers) if answers else None, total=total if totals else None)


def _pool(rated: Iterable[Rated]) -> Counter[float]:
    pooled: Counter[float] = Counter()
    for each in rated:
        pooled.update(each.counts)
    return pooled


def _rate_items(method: ScoreMethod, patterns: Sequence[Pattern]) -> list[Rated]:
    """The items that a method speaks of, each with its counts; one item of several versions is one."""
    counts: defaultdict[tuple[str, str, str], Counter[float]] = defaultdict(Counter)
    items: dict[tuple[str, str, str], tuple[Item, Scale]] = {}
    for pattern in patterns:
        for item, scale in _meant(method, pattern):
            key = (pattern.asked, item.id, scale.name)
            items[key] = (item, scale)
            if item.id in pattern.numbers:
                counts[key][pattern.numbers[item.id]] += pattern.times
    return [Rated(*items[key], counts[key]) for key in items if key in counts]


def _meant(method: ScoreMethod, pattern: Pattern) -> list[tuple[Item, Scale]]:
    scored = scored_items(pattern.questionnaire)
    if method in ("nps", "ces"):
        return [(item, scale) for item, scale in scored if scale.name == method]
    if method in ("mean", "option-total"):
        return [each for each in scored if spoken_of(each[0], pattern.scores)] or scored
    return scored


def _counts_for(method: ScoreMethod, pattern: Pattern) -> bool:
    return any(item.id in pattern.numbers for item, _ in _meant(method, pattern))


def shown(sizes: Mapping[str | None, int], least: int) -> frozenset[str | None]:
    """The groups that may be shown beside their total: none smaller than `least`, nor to be had by subtraction.

    Where the groups left out are together smaller than `least`, the smallest of the others is left out with them.
    """
    keys = sorted(sizes, key=lambda key: (sizes[key], key or ""))
    visible = [key for key in keys if sizes[key] >= least]
    while visible and 0 < sum(sizes.values()) - sum(sizes[key] for key in visible) < least:
        visible.pop(0)
    return frozenset(visible)
