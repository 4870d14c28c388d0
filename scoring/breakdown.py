"""What a figure consists of: its items and dimensions, none from too few people nor to be had by subtraction. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from scoring.estimate import Estimate, Ratings, estimate
from scoring.figure import Pattern
from scoring.interval import Interval
from scoring.score import scored_items, weighted_mean
from services.contracts.language.scores import Dimension
from services.contracts.questionnaire import SCALES, Item, ScaleName, Words


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFigure:
    """One item: mean, standard deviation and 95 % interval in points of its scale, and `percent` of its full mark.

    `counts` tells how often each value was given, unweighted. Of a suppressed item nothing is told but its name.
    """

    questionnaire: str
    item: str
    scale: ScaleName
    text: Words
    suppressed: bool = False
    n: int | None
    mean: float | None
    deviation: float | None = None
    interval: Interval | None = None
    percent: float | None
    counts: Mapping[int, int] | None

    def hidden(self) -> "ItemFigure":
        """The item without its numbers."""
        return replace(
            self, suppressed=True, n=None, mean=None, deviation=None, interval=None, percent=None, counts=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A dimension: the weighted mean of what stands below it, in percent; `n` respondents rated something of it."""

    dimension: str
    title: Words | None
    weight: float
    suppressed: bool = False
    n: int | None
    value: float | None
    under: tuple["Branch", ...] = ()
    items: tuple[ItemFigure, ...] = ()

    def hidden(self) -> "Branch":
        """The dimension and everything below it without numbers."""
        under, items = tuple(each.hidden() for each in self.under), tuple(each.hidden() for each in self.items)
        return replace(self, suppressed=True, n=None, value=None, under=under, items=items)


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The dimensions at the head of the tree, and the items that belong to none."""

    dimensions: tuple[Branch, ...]
    items: tuple[ItemFigure, ...]


@dataclass(frozen=True, slots=True)
class _Rated:
    item: Item
    figure: ItemFigure


def breakdown(patterns: Sequence[Pattern], least: int) -> Breakdown:
    """What a figure consists of; parts of fewer than `least` respondents are named without their numbers."""
    rated = _items(patterns)
    nodes: dict[str, Dimension] = {}
    for pattern in patterns:
        nodes.update(pattern.dimensions)
    leaves: defaultdict[str | None, list[_Rated]] = defaultdict(list)
    for each in rated:
        leaves[each.item.dimension].append(each)
    sizes = _sizes(patterns, nodes)
    known = set(_names(nodes))
    titled = tuple(branch for name, node in nodes.items() if (branch := _branch(name, node, leaves, sizes)))
    bare = tuple(
        _leaf(name, None, 1.0, items, sizes[name]) for name, items in leaves.items() if name and name not in known
    )
    loose = tuple(each.figure for each in leaves[None])
    branches, items = _shown_beside_each_other((*titled, *bare), loose, least)
    return Breakdown(branches, items)


def _items(patterns: Sequence[Pattern]) -> list[_Rated]:
    ratings: defaultdict[tuple[str, str, ScaleName], list[Ratings]] = defaultdict(list)
    items: dict[tuple[str, str, ScaleName], Item] = {}
    for pattern in patterns:
        for item, scale in scored_items(pattern.questionnaire):
            if item.id in pattern.numbers:
                key = (pattern.asked, item.id, scale.name)
                items[key] = item
                ratings[key].append(Ratings({item.id: pattern.numbers[item.id]}, pattern.times, pattern.draw))
    return [_Rated(item, _item_figure(key, item, ratings[key])) for key, item in items.items()]


def _item_figure(key: tuple[str, str, ScaleName], item: Item, ratings: Sequence[Ratings]) -> ItemFigure:
    found: Estimate | None = estimate(ratings, None)
    counts: Counter[int] = Counter()
    for each in ratings:
        counts[int(each.numbers[item.id])] += each.times
    scale = SCALES[key[2]]
    return ItemFigure(
        questionnaire=key[0],
        item=item.id,
        scale=scale.name,
        text=item.text,
        n=found.n if found else 0,
        mean=found.value if found else None,
        deviation=found.deviation if found else None,
        interval=found.interval if found else None,
        percent=100 * found.value / scale.top if found else None,
        counts={mark.value: counts[mark.value] for mark in scale.marks},
    )


def _names(nodes: Mapping[str, Dimension]) -> list[str]:
    return [name for top, node in nodes.items() for name in (top, *_names(node.under))]


def _sizes(patterns: Sequence[Pattern], nodes: Mapping[str, Dimension]) -> Counter[str]:
    """How many respondents rated something of each dimension."""
    above = _above(nodes)
    sizes: Counter[str] = Counter()
    for pattern in patterns:
        rated = {item.dimension for item, _ in scored_items(pattern.questionnaire) if item.id in pattern.numbers}
        for name in set(chain.from_iterable(above.get(each, (each,)) for each in rated if each)):
            sizes[name] += pattern.times
    return sizes


def _above(nodes: Mapping[str, Dimension], path: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Every dimension with itself and those above it."""
    found: dict[str, tuple[str, ...]] = {}
    for name, node in nodes.items():
        found[name] = (*path, name)
        found |= _above(node.under, found[name])
    return found


def _branch(
    name: str, node: Dimension, leaves: Mapping[str | None, Sequence[_Rated]], sizes: Mapping[str, int]
) -> Branch | None:
    """A dimension of the tree; None where nobody rated anything below it."""
    if not node.under:
        return _leaf(name, node.title, node.weight, leaves[name], sizes[name]) if name in leaves else None
    under = tuple(found for child, below in node.under.items() if (found := _branch(child, below, leaves, sizes)))
    if not under:
        return None
    value = weighted_mean((each.value, each.weight) for each in under if each.value is not None)
    return Branch(
        dimension=name, title=node.title, weight=node.weight, n=sizes.get(name, 0), value=value, under=under
    )  # fmt: skip


def _leaf(name: str, title: Words | None, weight: float, rated: Sequence[_Rated], n: int) -> Branch:
    parts = ((each.figure.percent, each.item.weight) for each in rated if each.figure.percent is not None)
    items = tuple(each.figure for each in rated)
    return Branch(dimension=name, title=title, weight=weight, n=n, value=weighted_mean(parts), items=items)


def _shown_beside_each_other(
    branches: Sequence[Branch], items: Sequence[ItemFigure], least: int
) -> tuple[tuple[Branch, ...], tuple[ItemFigure, ...]]:
    """Parts of one whole. One alone that is too small could be had by subtraction, so another is left out with it."""
    numbers = [*(each.n or 0 for each in branches), *(each.n or 0 for each in items)]
    sizes = sorted((n, place) for place, n in enumerate(numbers))
    small = {place for n, place in sizes if n < least}
    if len(small) == 1 and len(sizes) > 1:
        small = {place for _, place in sizes[:2]}
    shown = tuple(
        branch.hidden() if place in small else _below_shown(branch, least) for place, branch in enumerate(branches)
    )
    of_items = tuple(each.hidden() if place in small else each for place, each in enumerate(items, start=len(branches)))
    return shown, of_items


def _below_shown(branch: Branch, least: int) -> Branch:
    under, items = _shown_beside_each_other(branch.under, branch.items, least)
    return replace(branch, under=under, items=items)
