"""Samples: how many of each stratum, who is drawn, what each answer weighs, and whether a plan keeps its conditions.

Everything can be redone from the plan: the draw of a unit is that of `scheduler.sample.draw` for the plan's seed and
the unit's key, and the lowest draws of a stratum are chosen. That is a simple random sample without replacement.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from fractions import Fraction
from itertools import islice
from math import ceil, floor
from typing import Literal, NamedTuple

from scheduler.audience import Customer, Stratum, Unit, since
from scheduler.sample import draw
from services.contracts.policy import Coverage, Guarantee, Sample
from services.contracts.tickets import Channel

ALWAYS: Stratum = ("always",)
"""The stratum of those who are asked in any case."""


Cause = Literal["draw", "always", "coverage", "replacement"]
"""Why a unit was chosen: by lot, in any case, to reach enough active customers, or in the place of a lost one."""


class Drawn(NamedTuple):
    """A unit after the draw. `weight` is how many units it stands for in estimates.

    None where it was not chosen, or was lost and gave its weight to the one that took its place. `cause` tells why it
    was chosen.
    """

    unit: Unit
    stratum: Stratum
    draw: float
    chosen: bool
    weight: float | None
    cause: Cause | None = None


class Layer(NamedTuple):
    """Out of what a unit was drawn, for estimates: the name of that part of the frame, and how many units it holds."""

    name: str
    size: int


class Proof(NamedTuple):
    """A condition as a count: at least `required` of `total` are needed, and there are `counted`."""

    required: int
    counted: int
    total: int

    @property
    def met(self) -> bool:
        """Whether the condition holds."""
        return self.counted >= self.required


def allocate(sample: Sample, sizes: Mapping[Stratum, int]) -> dict[Stratum, int]:
    """How many to draw from strata of these sizes.

    The sample's size is spread in proportion (largest remainders), then single strata get their own sizes, then are
    over-sampled, then the minima of each and of all are kept; never more than there are.
    """
    population = sum(sizes.values())
    planned = _spread(max(sample.size.of(population), min(sample.minimum, population)), sizes)
    planned = {stratum: _raised(sample, stratum, sizes[stratum], count) for stratum, count in planned.items()}
    missing = min(sample.minimum, population) - sum(planned.values())
    more = _spread(max(missing, 0), {stratum: sizes[stratum] - count for stratum, count in planned.items()})
    return {stratum: count + more[stratum] for stratum, count in planned.items()}


def _spread(count: int, room: Mapping[Stratum, int]) -> dict[Stratum, int]:
    """So many in proportion to the room that each stratum has; the largest remainders get the rest."""
    whole = sum(room.values())
    exact = {stratum: Fraction(count * places, whole) if whole else Fraction(0) for stratum, places in room.items()}
    given = {stratum: floor(share) for stratum, share in exact.items()}
    nearest = sorted(room, key=lambda stratum: (given[stratum] - exact[stratum], stratum))
    for stratum in nearest[: min(count, whole) - sum(given.values())]:
        given[stratum] += 1
    return given


def _raised(sample: Sample, stratum: Stratum, size: int, planned: int) -> int:
    words = [value.casefold() for value in stratum]
    own = {value.casefold(): each for value, each in sample.sizes.items()}
    planned = next((own[word].of(size) for word in words if word in own), planned)
    for value, factor in sample.over.items():
        if value.casefold() in words:
            planned = ceil(planned * Fraction(str(factor)))
    return min(size, max(planned, sample.minimum_each))


def choose(sample: Sample, units: Iterable[Unit], seed: str, always: Set[str] = frozenset()) -> tuple[Drawn, ...]:
    """Draws a sample, in order of the units' keys. `always` are the keys of those who are asked in any case.

    Where organisations are drawn first, the weight counts both draws.
    """
    everybody = sorted(units)
    free = [unit for unit in everybody if unit.key not in always]
    chosen = {unit.key: (ALWAYS, 1.0) for unit in everybody if unit.key in always}
    for group, weight in _organisations(sample, free, seed):
        for stratum, members, count in _strata(sample, group):
            for unit in _lowest(members, seed, count):
                chosen[unit.key] = (stratum, weight * len(members) / count)
    return tuple(Drawn(unit, *_outcome(unit, chosen, draw(seed, unit.key))) for unit in everybody)


def _outcome(
    unit: Unit, chosen: Mapping[str, tuple[Stratum, float]], number: float
) -> tuple[Stratum, float, bool, float | None, Cause | None]:
    if unit.key not in chosen:
        return unit.stratum, number, False, None, None
    stratum, weight = chosen[unit.key]
    return stratum, number, True, weight, "always" if stratum == ALWAYS else "draw"


def _organisations(sample: Sample, units: Sequence[Unit], seed: str) -> list[tuple[list[Unit], float]]:
    """The groups from which is drawn, each with the weight of having been drawn itself."""
    if sample.organisations is None:
        return [(list(units), 1.0)]
    groups: defaultdict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        groups[unit.organisation].append(unit)
    wanted = max(sample.organisations.minimum, ceil(Fraction(str(sample.organisations.share)) * len(groups)))
    names = sorted(groups, key=lambda name: (draw(seed, "organisation", name), name))[:wanted]
    return [(groups[name], len(groups) / len(names)) for name in names]


def _strata(sample: Sample, units: Sequence[Unit]) -> list[tuple[Stratum, list[Unit], int]]:
    strata: defaultdict[Stratum, list[Unit]] = defaultdict(list)
    for unit in units:
        strata[unit.stratum].append(unit)
    counts = allocate(sample, {stratum: len(members) for stratum, members in strata.items()})
    return [(stratum, members, counts[stratum]) for stratum, members in sorted(strata.items())]


def _lowest(units: Sequence[Unit], seed: str, count: int) -> list[Unit]:
    return sorted(units, key=lambda unit: (draw(seed, unit.key), unit.key))[:count]


def weights(sizes: Mapping[Stratum, int], counts: Mapping[Stratum, int]) -> dict[Stratum, float]:
    """N_h / n_h: how many units of each stratum one drawn unit stands for. Strata without a draw are left out."""
    return {stratum: sizes[stratum] / count for stratum, count in counts.items() if count}


def next_in_line(sample: Sample, drawn: Sequence[Drawn], lost: Set[str]) -> dict[str, Unit]:
    """Who takes the place of each chosen unit that cannot be reached: the next lowest draw where that was drawn.

    By the key of the lost unit; without an entry where nobody is left.
    """
    waiting: defaultdict[tuple[str, Stratum], list[Drawn]] = defaultdict(list)
    for each in sorted(drawn, key=_by_draw):
        if not each.chosen and each.unit.key not in lost:
            waiting[_group(sample, each)].append(each)
    places = [each for each in drawn if each.chosen and each.unit.key in lost]
    return {
        each.unit.key: waiting[_group(sample, each)].pop(0).unit for each in places if waiting[_group(sample, each)]
    }


def _group(sample: Sample, each: Drawn) -> tuple[str, Stratum]:
    return each.unit.organisation if sample.organisations else "", each.stratum


def layers(sample: Sample, drawn: Sequence[Drawn], active: Set[str]) -> dict[str, Layer]:
    """The layer of each unit that was or could be drawn by lot, by its key.

    That is its stratum, within its organisation where organisations were drawn first; where units were added for the
    coverage, those of active customers and the others apart, if some of both were chosen.
    """
    groups: defaultdict[tuple[str, Stratum], list[Drawn]] = defaultdict(list)
    for each in drawn:
        if each.stratum != ALWAYS:
            groups[_group(sample, each)].append(each)
    found: dict[str, Layer] = {}
    for (organisation, stratum), members in groups.items():
        name = "/".join((*([organisation] if organisation else ()), *stratum)) or "all"
        for kind, units in _kinds(members, active).items():
            found |= {each.unit.key: Layer(f"{name}{kind}", len(units)) for each in units}
    return found


def _kinds(members: Sequence[Drawn], active: Set[str]) -> dict[str, list[Drawn]]:
    kinds: defaultdict[str, list[Drawn]] = defaultdict(list)
    for each in members:
        kinds[" (active)" if each.unit.customer in active else " (others)"].append(each)
    filled_up = any(each.cause == "coverage" for each in members)
    if filled_up and all(any(each.chosen for each in units) for units in kinds.values()):
        return kinds
    return {"": list(members)}


def _by_draw(each: Drawn) -> tuple[float, str]:
    return each.draw, each.unit.key


def active_customers(coverage: Coverage, customers: Iterable[Customer], today: date) -> frozenset[str]:
    """Those of whom a survey must reach a share, out of the customers whom it means."""
    first = since(coverage.active_within, today)
    return frozenset(
        each.id for each in customers if each.facts.last_active is not None and each.facts.last_active >= first
    )


def prove_coverage(coverage: Coverage, active: Set[str], customers: Iterable[str]) -> Proof:
    """Before a survey, whether its plan covers enough active customers; afterwards, whether it reached enough."""
    return Proof(_at_least(coverage.share, len(active)), len(active & set(customers)), len(active))


def cover(
    sample: Sample,
    coverage: Coverage,
    drawn: Sequence[Drawn],
    active: Set[str],
    lost: Set[str] = frozenset(),
) -> tuple[Drawn, ...]:
    """The draw with as many more active customers as the coverage lacks: the next lowest draws among theirs.

    `lost` are keys of units that cannot be reached: they neither count nor are added. Where units were added to a
    stratum, its active and its other units are weighted apart, so that its chosen units stand for as many as before.
    """
    covered = {each.unit.customer for each in drawn if each.chosen and each.unit.key not in lost}
    lacking = prove_coverage(coverage, active, covered)
    first: dict[str, str] = {}
    for each in sorted(drawn, key=_by_draw):
        if not each.chosen and each.unit.key not in lost and each.unit.customer in active:
            first.setdefault(each.unit.customer, each.unit.key)
    candidates = (key for customer, key in first.items() if customer not in covered)
    added = frozenset(islice(candidates, max(lacking.required - lacking.counted, 0)))
    return _weighed_anew(sample, drawn, active, added, lost)


def _weighed_anew(
    sample: Sample, drawn: Sequence[Drawn], active: Set[str], added: Set[str], lost: Set[str]
) -> tuple[Drawn, ...]:
    groups: defaultdict[tuple[str, Stratum], list[Drawn]] = defaultdict(list)
    for each in drawn:
        groups[_group(sample, each)].append(each)
    weight: dict[str, float] = {}
    for members in groups.values():
        if not added.isdisjoint(each.unit.key for each in members):
            asked = {each.unit.key for each in members if each.chosen and each.unit.key not in lost} | added
            weight |= _apart(members, asked, active)
    return tuple(
        each._replace(weight=weight.get(each.unit.key, each.weight)) if each.unit.key not in added
        else each._replace(chosen=True, weight=weight[each.unit.key], cause="coverage")
        for each in drawn
    )  # fmt: skip


def _apart(members: Sequence[Drawn], asked: Set[str], active: Set[str]) -> dict[str, float]:
    """The weights within one stratum: active and other units apart, together where none of one kind is asked."""
    whole = sum(each.weight or 0 for each in members) / len(members) or 1.0
    kinds = [[each for each in members if (each.unit.customer in active) == kind] for kind in (True, False)]
    counts = [sum(each.unit.key in asked for each in kind) for kind in kinds]
    if any(kind and not count for kind, count in zip(kinds, counts, strict=True)):
        kinds, counts = [list(members)], [sum(counts)]
    return {
        each.unit.key: whole * len(kind) / count
        for kind, count in zip(kinds, counts, strict=True)
        for each in kind
        if each.unit.key in asked
    }


def counts_as_followed_up(guarantee: Guarantee, channel: Channel | None) -> bool:
    """Whether a contact by that channel (None: an answer by the customer himself) keeps the guarantee."""
    return guarantee.by is None or channel in guarantee.by


def prove_guarantee(guarantee: Guarantee, cases: int, asked: int, followed_up: int) -> Proof:
    """Whether enough cases of a period were followed up."""
    total = cases if guarantee.of == "all" else asked
    return Proof(_at_least(guarantee.share, total), followed_up, total)


def top_up(draws: Mapping[str, float], asked: Set[str], missing: int) -> tuple[str, ...]:
    """Which further cases are asked about when a guarantee is in danger: the lowest draws not yet asked."""
    return tuple(sorted(draws.keys() - asked, key=lambda key: (draws[key], key))[: max(missing, 0)])


def _at_least(share: float, total: int) -> int:
    return ceil(Fraction(str(share)) * total)
