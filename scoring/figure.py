"""Figures: what the answers of a group come to by one method, and how sure that is. Pure.

Answers are counted as patterns: the same answers to the same questionnaire are one pattern with its number of times, so
a figure of a million answers is computed from some thousand rows.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Self

from scoring.estimate import Draw, Estimate, Ratings, estimate
from scoring.interval import Interval, wilson, wilson_of_share
from scoring.score import (
    DETRACTOR,
    ONE_ITEM,
    PROMOTER,
    Values,
    after_return_rate,
    item_weights,
    option_points,
    respondent_sum,
    scored_items,
    spoken_of,
)
from services.contracts.language.scores import Dimension, ReturnRate, ScoreMethod, Scores
from services.contracts.questionnaire import Item, Questionnaire, Scale

Unit = Literal["percent", "points"]
"""Percent from 0 to 100; or points of the scale itself (for NPS, from -100 to 100)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """The same answers to the same questionnaire, `times` over. `asked` names it, whatever its version.

    `draw` tells for how many units of a sample's frame each one stands; `organisation` who serves him.
    """

    asked: str
    questionnaire: Questionnaire
    scores: Scores
    satisfied: bool | None
    numbers: Values
    times: int = 1
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    draw: Draw | None = None
    organisation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of `n` respondents; None where nothing was rated or nothing may be shown.

    `percent` is the value from 0 to 100, by which bands and targets go (for NPS the value itself). `interval` is at
    95 %: Wilson's for a `rate`, else Student's. `total` belongs to `option-total`,
    `organisations` to a mean over them, `before_return_rate` to a figure that the return-rate rule lowered.
    """

    n: int | None
    value: float | None = None
    unit: Unit = "percent"
    percent: float | None = None
    deviation: float | None = None
    interval: Interval | None = None
    total: int | None = None
    organisations: int | None = None
    before_return_rate: float | None = None

    def hidden(self) -> Self:
        """The figure of a group that is too small to be shown."""
        return replace(
            self, n=None, value=None, percent=None, deviation=None, interval=None, total=None, organisations=None,
            before_return_rate=None,
        )  # fmt: skip


class _Key(NamedTuple):
    """One item, whatever the version of its questionnaire."""

    asked: str
    item: str
    scale: str


class _Rated(NamedTuple):
    """The items that a method speaks of: as the latest pattern has them."""

    items: Mapping[_Key, tuple[Item, Scale]]
    dimensions: Mapping[str, Dimension]


Reckon = Callable[[Scale, float], float]
"""What a value of a scale counts in a figure's own unit."""


def compute(method: ScoreMethod, patterns: Sequence[Pattern]) -> Figure:
    """The figure of some answers."""
    if method == "rate":
        return _rate(patterns)
    if method == "sum":
        return _of(estimate(_sums(patterns), None), deviating=True)
    rated = _rated(method, patterns)
    if method == "percent":
        return _of(estimate(_ratings(patterns, rated, _in_percent), _shares(rated)))
    if method == "option-total":
        return _option_total(patterns, rated)
    if method == "nps":
        return _of(estimate(_ratings(patterns, rated, _promoting), None), unit="points")
    return _mean(patterns, rated)


def _of(found: Estimate | None, *, unit: Unit = "percent", top: float = 100, deviating: bool = False) -> Figure:
    """An estimate as a figure; `top` is what is 100 % in its unit."""
    if found is None:
        return Figure(n=0, unit=unit)
    deviation = found.deviation if deviating else None
    return Figure(
        n=found.n,
        value=found.value,
        unit=unit,
        percent=100 * found.value / top,
        deviation=deviation,
        interval=found.interval,
    )


def _rate(patterns: Sequence[Pattern]) -> Figure:
    judged = [each for each in patterns if each.satisfied is not None]
    found = estimate(
        (Ratings({"satisfied": 100.0 if each.satisfied else 0.0}, each.times, each.draw) for each in judged), None
    )
    exact = _wilson(found, judged) if found else None
    return replace(_of(found), interval=Interval(100 * exact.low, 100 * exact.high) if exact else None)


def _wilson(found: Estimate, judged: Sequence[Pattern]) -> Interval | None:
    """Wilson's interval; of respondents who do not count alike, with the size of the sample that would know as much."""
    if len({each.draw for each in judged}) == 1:
        return wilson(sum(each.times for each in judged if each.satisfied), found.n)
    share = found.value / 100
    spread = 100 * 100 * share * (1 - share)
    size = spread / found.error**2 if found.error and spread else found.effective
    return wilson_of_share(share, size)


def _sums(patterns: Iterable[Pattern]) -> Iterable[Ratings]:
    for each in patterns:
        scored = respondent_sum(each.questionnaire, each.numbers)
        if scored is not None:
            yield Ratings({"sum": scored}, each.times, each.draw)


def _mean(patterns: Sequence[Pattern], rated: _Rated) -> Figure:
    """In points where all items stand on one scale, else in percent of each scale's full mark."""
    scales = {scale.name: scale for _, scale in rated.items.values()}
    if len(scales) == 1:
        (scale,) = scales.values()
        found = estimate(_ratings(patterns, rated, _as_given), None)
        return _of(found, unit="points", top=scale.top, deviating=True)
    unit: Unit = "percent" if scales else "points"
    return _of(estimate(_ratings(patterns, rated, _in_percent), None), unit=unit, deviating=True)


def _option_total(patterns: Sequence[Pattern], rated: _Rated) -> Figure:
    """The total counts the answers as they are; the percentage weighs them back where the sample asks for it."""
    fives = _Rated({key: each for key, each in rated.items.items() if len(each[1].marks) == 5}, rated.dimensions)
    figure = _of(estimate(_ratings(patterns, fives, lambda scale, value: 20 * option_points(scale, value)), None))
    points = [
        each.times * option_points(fives.items[key][1], each.numbers[key.item])
        for each in patterns
        for key in _keys(each, fives)
    ]
    return replace(figure, total=sum(points) if points else None)


def _as_given(_: Scale, value: float) -> float:
    return value


def _in_percent(scale: Scale, value: float) -> float:
    return 100 * value / scale.top


def _promoting(_: Scale, value: float) -> float:
    return 100.0 if value >= PROMOTER else -100.0 if value <= DETRACTOR else 0.0


def _rated(method: ScoreMethod, patterns: Sequence[Pattern]) -> _Rated:
    items: dict[_Key, tuple[Item, Scale]] = {}
    dimensions: dict[str, Dimension] = {}
    for pattern in patterns:
        dimensions.update(pattern.dimensions)
        for item, scale in _meant(method, pattern):
            if item.id in pattern.numbers:
                items[_Key(pattern.asked, item.id, scale.name)] = (item, scale)
    return _Rated(items, dimensions)


def _meant(method: ScoreMethod, pattern: Pattern) -> list[tuple[Item, Scale]]:
    """The items of which a method speaks."""
    scored = scored_items(pattern.questionnaire)
    if method not in ONE_ITEM:
        return scored
    own = [each for each in scored if spoken_of(each[0], pattern.scores)]
    if method in ("nps", "ces"):
        fitting = [each for each in scored if each[1].name == method]
        return [each for each in fitting if each in own] or fitting
    return own or scored


def _keys(pattern: Pattern, rated: _Rated) -> list[_Key]:
    """The rated items that a pattern answers."""
    found = []
    for item, scale in scored_items(pattern.questionnaire):
        key = _Key(pattern.asked, item.id, scale.name)
        if item.id in pattern.numbers and key in rated.items:
            found.append(key)
    return found


def _name(key: _Key) -> str:
    return "/".join(key)


def _ratings(patterns: Iterable[Pattern], rated: _Rated, reckon: Reckon) -> Iterable[Ratings]:
    for each in patterns:
        keys = _keys(each, rated)
        numbers = {_name(key): reckon(rated.items[key][1], each.numbers[key.item]) for key in keys}
        yield Ratings(numbers, each.times, each.draw)


def _shares(rated: _Rated) -> Callable[[Sequence[str]], Mapping[str, float]]:
    """What each item weighs: by its own weight, and by that of its branch in the tree of indicators."""
    items = {_name(key): item.model_copy(update={"id": _name(key)}) for key, (item, _) in rated.items.items()}
    return lambda names: item_weights([items[name] for name in names], rated.dimensions)


def over_organisations(method: ScoreMethod, patterns: Sequence[Pattern]) -> Figure:
    """The mean of the organisations' own figures, each counting alike; its interval is that of a sample of them.

    Answers for no known organisation are left out. Without any organisation it is the figure of the answers.
    """
    by: defaultdict[str, list[Pattern]] = defaultdict(list)
    for pattern in patterns:
        if pattern.organisation is not None:
            by[pattern.organisation].append(pattern)
    figures = [figure for each in by.values() if (figure := compute(method, each)).value is not None]
    if not figures:
        return compute(method, patterns)
    found = estimate((Ratings({"figure": figure.value or 0.0}, 1, None) for figure in figures), None)
    n = sum(figure.n or 0 for figure in figures)
    percents = [figure.percent or 0.0 for figure in figures]
    whole = _of(found, unit=figures[0].unit, deviating=True)
    return replace(whole, n=n, percent=math.fsum(percents) / len(percents), organisations=len(figures))


def lowered(figure: Figure, rate: float, rule: ReturnRate) -> Figure:
    """The figure after the return-rate rule, its interval with it; `rate` is the return rate in percent."""
    if figure.value is None or figure.percent is None or figure.unit != "percent":
        return figure
    after = after_return_rate(figure.value, rate, rule)
    less = figure.value - after
    interval = figure.interval and Interval(figure.interval.low - less, figure.interval.high - less)
    return replace(figure, value=after, percent=after, interval=interval, before_return_rate=figure.value)


def shown(sizes: Mapping[str | None, int], least: int) -> frozenset[str | None]:
    """The groups that may be shown beside their total: none smaller than `least`, nor to be had by subtraction.

    Where the groups left out are together smaller than `least`, the smallest of the others is left out with them.
    """
    keys = sorted(sizes, key=lambda key: (sizes[key], key or ""))
    visible = [key for key in keys if sizes[key] >= least]
    while visible and 0 < sum(sizes.values()) - sum(sizes[key] for key in visible) < least:
        visible.pop(0)
    return frozenset(visible)
