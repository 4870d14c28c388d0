"""A trial's outcome as the charts of a page."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from scheduler.simulation.chart import Chart, columns, days
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.plan_tally import Share

OFTEN = 15
"""From how many surveys on people are shown together."""
_WIDE, _HALF = 90, 460


class Meter(NamedTuple):
    """A share as a bar of `wide` by 10, with a mark where it must reach."""

    text: str
    filled: float
    mark: float
    met: bool
    wide: int = _WIDE


class Poster(NamedTuple):
    """The charts of a page."""

    surveys: Chart
    contact: Chart
    people: Chart
    calls: Chart
    visits: Chart


def poster(outcome: Outcome) -> Poster:
    """The charts of an outcome."""
    first, last = outcome.start.date(), outcome.end.date()
    by_kind = {load.kind: days(load.days, first, last) for load in outcome.days}
    return Poster(
        surveys=by_kind["survey"],
        contact=columns(outcome.first_contact.by_hours, _HALF),
        people=columns(_people(outcome.per_person.people), _HALF),
        calls=by_kind["call"],
        visits=by_kind["visit"],
    )


def _people(counted: Iterable[tuple[int, int]]) -> list[tuple[str, float]]:
    people: Counter[int] = Counter()
    for surveys, number in counted:
        people[min(surveys, OFTEN)] += number
    last = max(people, default=0)
    return [(f"{each}+" if each == OFTEN else str(each), people[each]) for each in range(1, last + 1)]


def meter(share: Share | None) -> Meter | None:
    """A condition as a bar; None without one."""
    if share is None:
        return None
    whole = max(share.total, 1)
    percent = 100 * share.counted / whole if share.total else 100
    return Meter(
        f"{share.counted} / {share.total} · {percent:.4g} %",
        round(_WIDE * share.counted / whole, 1),
        round(_WIDE * share.required / whole, 1),
        share.met,
    )
