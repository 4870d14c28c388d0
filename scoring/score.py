"""Scores: how the answers of one respondent, or of many, become a figure. Formulas: `measures.md` of the product.

A table of answers is taken item by item as `Counts`: how often each value was given. "Not applicable" and what was left
out stand in no count, so they are missing from numerator and denominator alike. Figures are percentages from 0 to 100
where the name does not say otherwise; None stands where nothing was rated.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from services.contracts.language.scores import Band, Dimension, ReturnRate, ScoreMethod, Scores
from services.contracts.questionnaire import SCALES, Item, Questionnaire, Scale, ScaleName

Counts = Mapping[float, int]
Values = Mapping[str, float]
ONE_ITEM: frozenset[ScoreMethod] = frozenset(("option-total", "mean", "nps", "ces"))
PROMOTER, DETRACTOR = 9, 6
_ROUNDING = 1e-9


class Spread(NamedTuple):
    """How many values, their mean, and their standard deviation (n - 1; None below two values)."""

    n: int
    mean: float
    deviation: float | None


class OptionTotal(NamedTuple):
    """5·n₁ + 4·n₂ + 3·n₃ + 2·n₄ + 1·n₅, and the same as a percentage of 5·n."""

    total: int
    percent: float


class Judgement(NamedTuple):
    """One respondent's score by the policy's method, and whether he counts as satisfied."""

    score: float | None
    satisfied: bool | None


TOPS: Mapping[ScaleName, int] = {name: scale.top for name, scale in SCALES.items()}
"""Each scale's full mark."""


def scale_of(item: Item) -> Scale | None:
    """The scale by which an item is scored; None for items that are not."""
    scale = SCALES[item.scale] if item.scale else None
    return scale if scale and scale.scored else None


def scored_items(questionnaire: Questionnaire) -> list[tuple[Item, Scale]]:
    """The items that count, each with its scale."""
    return [(item, scale) for item in questionnaire.items if (scale := scale_of(item))]


def judge(
    questionnaire: Questionnaire, values: Values, scores: Scores, dimensions: Mapping[str, Dimension] | None = None
) -> Judgement:
    """A respondent's score and satisfaction; `dimensions` are the policy's tree of indicators.

    The score is the plain sum for `sum`; for the methods that speak of one item, that item in percent; else, and where
    that item was not rated, the weighted mean of all, along the tree where there is one. He is satisfied when his
    overall item reaches its scale's "satisfied from"; without an overall item, when his weighted score reaches that of
    his items.
    """
    rated = [(item, scale, values[item.id]) for item, scale in scored_items(questionnaire) if item.id in values]
    if not rated:
        return Judgement(None, None)
    weights = item_weights([item for item, _, _ in rated], dimensions or {})
    weighted = _weighted(rated, weights)
    needed = _weighted([(item, scale, scale.satisfied_from) for item, scale, _ in rated], weights)
    overall = next(((scale, value) for item, scale, value in rated if item.overall), None)
    satisfied = overall[1] >= overall[0].satisfied_from if overall else weighted >= needed - _ROUNDING
    if scores.method == "sum":
        return Judgement(respondent_sum(questionnaire, values), satisfied)
    meant = [each for each in rated if spoken_of(each[0], scores)] if scores.method in ONE_ITEM else []
    return Judgement(_weighted(meant, {item.id: item.weight for item, _, _ in meant}) if meant else weighted, satisfied)


def item_weights(items: Sequence[Item], dimensions: Mapping[str, Dimension]) -> dict[str, float]:
    """What each rated item weighs in the whole, 1 together: by its own weight, and in a tree by that of its branch.

    In a tree a dimension is the weighted mean of its parts, and the whole that of the dimensions at the head; items
    that name none then weigh nothing. Where no item stands in the tree, they all weigh by their own weights.
    """
    own = {item.id: item.weight for item in items}
    leaves: defaultdict[str, list[str]] = defaultdict(list)
    for item in items:
        leaves[item.dimension or ""].append(item.id)
    found = _branch_weights(dimensions, leaves, own) or _shares(own)
    return {item.id: found.get(item.id, 0.0) for item in items}


def _branch_weights(
    nodes: Mapping[str, Dimension], leaves: Mapping[str, Sequence[str]], own: Mapping[str, float]
) -> dict[str, float]:
    """The weights of the items below nodes that stand side by side; empty where none of them has any."""
    below = {
        name: _branch_weights(node.under, leaves, own)
        if node.under
        else _shares({item: own[item] for item in leaves.get(name, ())})
        for name, node in nodes.items()
    }
    branches = _shares({name: nodes[name].weight for name, items in below.items() if items})
    return {item: branches[name] * share for name in branches for item, share in below[name].items()}


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    whole = math.fsum(weights.values())
    return {name: weight / whole for name, weight in weights.items()}


def spoken_of(item: Item, scores: Scores) -> bool:
    """Whether the methods in `ONE_ITEM` speak of this item: the one that the policy names, or the overall one."""
    return item.id == scores.item if scores.item else item.overall


def _weighted(rated: Sequence[tuple[Item, Scale, float]], weights: Mapping[str, float]) -> float:
    parts = weighted_mean((100 * value / TOPS[scale.name], weights[item.id]) for item, scale, value in rated)
    return parts if parts is not None else 0.0


def respondent_sum(questionnaire: Questionnaire, values: Values) -> float | None:
    """`sum`: the respondent's items, scaled to 100 over those that apply: 100·Σ / (max·applicable)."""
    rated = [(values[item.id], TOPS[scale.name]) for item, scale in scored_items(questionnaire) if item.id in values]
    return 100 * math.fsum(value for value, _ in rated) / sum(top for _, top in rated) if rated else None


def count(table: Iterable[Values]) -> dict[str, Counter[float]]:
    """Respondents × items, as how often each value was given to each item."""
    counts: defaultdict[str, Counter[float]] = defaultdict(Counter)
    for values in table:
        for item, value in values.items():
            counts[item][value] += 1
    return dict(counts)


def spread(counts: Counts) -> Spread | None:
    """`mean`: mean and standard deviation of the values."""
    n = sum(counts.values())
    if n == 0:
        return None
    mean = math.fsum(value * times for value, times in counts.items()) / n
    squares = math.fsum((value - mean) ** 2 * times for value, times in counts.items())
    return Spread(n, mean, math.sqrt(squares / (n - 1)) if n > 1 else None)


def item_percent(counts: Counts, scale: Scale) -> float | None:
    """The mean of one item in percent of its scale's full mark."""
    spreading = spread(counts)
    return 100 * spreading.mean / scale.top if spreading else None


def percent(items: Iterable[tuple[Item, Counts]]) -> float | None:
    """`percent`: M = 100 · Σ wᵢqᵢ / (max · Σ wᵢ), with qᵢ the mean of item i over those who rated it.

    Items on different scales weigh the same: each enters as the percentage of its own full mark.
    """
    return weighted_mean((scored, item.weight) for item, scored in _percents(items))


def dimensions(items: Iterable[tuple[Item, Counts]]) -> dict[str, float]:
    """The leaves of the indicator tree: each dimension is the weighted mean of its items in percent."""
    parts: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for item, scored in _percents(items):
        if item.dimension:
            parts[item.dimension].append((scored, item.weight))
    return {dimension: mean for dimension, part in parts.items() if (mean := weighted_mean(part)) is not None}


def tree(nodes: Mapping[str, Dimension], leaves: Mapping[str, float]) -> dict[str, float]:
    """Every node of the indicator tree that has anything below it: the weighted mean of its parts."""
    found: dict[str, float] = {}
    for name, node in nodes.items():
        below = tree(node.under, leaves)
        value = tree_total(node.under, below) if node.under else leaves.get(name)
        found.update(below if value is None else {**below, name: value})
    return found


def tree_total(nodes: Mapping[str, Dimension], values: Mapping[str, float]) -> float | None:
    """The weighted mean of the nodes that stand side by side; those without a value are left out."""
    return weighted_mean((values[name], node.weight) for name, node in nodes.items() if name in values)


def weighted_mean(parts: Iterable[tuple[float, float]]) -> float | None:
    """Σ weight·value / Σ weight, of pairs (value, weight)."""
    pairs = list(parts)
    weight = math.fsum(weight for _, weight in pairs)
    return math.fsum(value * weight for value, weight in pairs) / weight if weight else None


def _percents(items: Iterable[tuple[Item, Counts]]) -> Iterable[tuple[Item, float]]:
    for item, counts in items:
        scale = scale_of(item)
        scored = item_percent(counts, scale) if scale else None
        if scored is not None:
            yield item, scored


def option_total(counts: Counts, scale: Scale) -> OptionTotal | None:
    """`option-total`, for scales of five marks: the best option counts 5, the worst 1. None for other scales."""
    n = sum(counts.values())
    if n == 0 or len(scale.marks) != 5:
        return None
    total = sum(times * option_points(scale, value) for value, times in counts.items())
    return OptionTotal(total, 100 * total / (5 * n))


def option_points(scale: Scale, value: float) -> int:
    """What an option of five counts by its place, from 5 for the best to 1 for the worst."""
    return 5 - [mark.value for mark in scale.marks].index(int(value))


def nps(counts: Counts) -> float | None:
    """`nps`: the percentage of promoters (9-10) minus that of detractors (0-6), from -100 to 100."""
    n = sum(counts.values())
    if n == 0:
        return None
    promoters = sum(times for value, times in counts.items() if value >= PROMOTER)
    detractors = sum(times for value, times in counts.items() if value <= DETRACTOR)
    return 100 * (promoters - detractors) / n


def ces(counts: Counts) -> float | None:
    """`ces`: the mean effort score, from 1 to 7."""
    spreading = spread(counts)
    return spreading.mean if spreading else None


def after_return_rate(score: float, rate: float, rule: ReturnRate) -> float:
    """The return-rate rule: M' = M - minus·⌊(floor - rate) / per⌋ where `rate` (percent) is below the floor, else M."""
    # A rate like 100·9/20 must not miss a full step by the last bit of a float.
    steps = math.floor((100 * rule.floor - rate) / rule.per + _ROUNDING)
    return score - rule.minus * max(steps, 0)


def band_of(score: float, bands: Sequence[Band]) -> Band:
    """The band that holds a score; `bands` fall to one that begins at 0."""
    return next((band for band in bands if score >= band.from_), bands[-1])
