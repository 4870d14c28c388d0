"""Grades of customers: points by a policy's criteria, ranks, and the cut by points and quota. For a calendar year."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import floor
from typing import NamedTuple

from services.contracts.customers import CustomerFacts
from services.contracts.language.grading import Criterion, Grade, Grading


class Graded(NamedTuple):
    """A customer's grade with its reasons.

    `missing` are criteria of which the register knows nothing; they earned no points. `tied` tells that another
    customer with the same points in everything got another grade: a person should look at both.
    """

    customer: str
    rank: int
    points: float
    earned: Mapping[str, float]
    missing: tuple[str, ...]
    grade: str
    tied: bool


def grade(grading: Grading, customers: Mapping[str, CustomerFacts]) -> tuple[Graded, ...]:
    """Grades all customers, best first.

    Equal points are decided by the criteria in the policy's order, then by the customers' ids. Going down the ranks, a
    customer gets the first grade from the present one on whose quota has room and for which he has the points; so
    nobody is graded better than one before him. A quota is rounded down.
    """
    earned = {customer: _earned(grading, facts) for customer, facts in customers.items()}
    ranked = sorted(earned, key=lambda customer: (-_sum(earned[customer]), _lowest_first(earned[customer]), customer))
    names = _cut(grading, [float(_sum(earned[customer])) for customer in ranked])
    graded = [
        Graded(
            customer,
            rank,
            float(_sum(earned[customer])),
            {name: points or 0.0 for name, points in earned[customer].items()},
            tuple(name for name, points in earned[customer].items() if points is None),
            name,
            tied=False,
        )
        for rank, (customer, name) in enumerate(zip(ranked, names, strict=True), 1)
    ]
    return _with_ties(graded)


def _earned(grading: Grading, facts: CustomerFacts) -> dict[str, float | None]:
    return {name: _points(criterion, facts) for name, criterion in grading.criteria.items()}


def _points(criterion: Criterion, facts: CustomerFacts) -> float | None:
    """What a criterion earns; None where the register does not know."""
    if criterion.field is not None:
        word = getattr(facts, criterion.field)
        values = {value.casefold(): points for value, points in (criterion.values or {}).items()}
        return None if word is None else values.get(word.casefold(), 0.0)
    value = facts.figures.get(criterion.figure or "")
    if value is None:
        return None
    return next((step.points for step in reversed(criterion.steps or ()) if step.from_ <= value), 0.0)


def _sum(earned: Mapping[str, float | None]) -> Fraction:
    return sum((Fraction(str(points)) for points in earned.values() if points), Fraction(0))


def _lowest_first(earned: Mapping[str, float | None]) -> tuple[float, ...]:
    return tuple(-(points or 0.0) for points in earned.values())


def _cut(grading: Grading, points: list[float]) -> list[str]:
    """The grade of each rank."""
    free = [_places(each, len(points)) for each in grading.grades]
    names: list[str] = []
    now = 0
    for value in points:
        while now < len(free) - 1 and (free[now] == 0 or value < grading.grades[now].from_):
            now += 1
        free[now] -= 1
        names.append(grading.grades[now].grade)
    return names


def _places(each: Grade, customers: int) -> int:
    return customers if each.quota is None else floor(Fraction(str(each.quota)) * customers)


def _with_ties(graded: Iterable[Graded]) -> tuple[Graded, ...]:
    grades: defaultdict[tuple[float, ...], set[str]] = defaultdict(set)
    for each in graded:
        grades[tuple(each.earned.values())].add(each.grade)
    return tuple(each._replace(tied=len(grades[tuple(each.earned.values())]) > 1) for each in graded)
