"""Bar charts as geometry, for a template that draws them as SVG."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from math import ceil, log10
from typing import NamedTuple

WIDTH, HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 10, 26
_STEPS = (1, 2, 5, 10)
_LINES = 4
_DAY = timedelta(days=1)


class Bar(NamedTuple):
    """One bar, with what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    says: str


class Mark(NamedTuple):
    """A label on an axis."""

    at: float
    text: str


class Chart(NamedTuple):
    """A chart of `width` by `height`; `total` tells whether there is anything to see."""

    bars: tuple[Bar, ...]
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    total: float
    width: int
    height: int = HEIGHT
    left: int = _LEFT
    bottom: int = HEIGHT - _BOTTOM


def columns(values: Sequence[tuple[str, float]], width: int = WIDTH) -> Chart:
    """One bar for each value, with its name below."""
    return _drawn(values, [(place, name) for place, (name, _) in enumerate(values)], 0.25, width)


def days(counted: Iterable[tuple[date, int]], first: date, last: date) -> Chart:
    """One bar for each day of [first, last] and of what lies beyond, with the months below."""
    known = dict(counted)
    first, last = min((first, *known)), max((last, *known))
    every = [first + number * _DAY for number in range((last - first).days + 1)]
    months = [(place, f"{day:%Y-%m}") for place, day in enumerate(every) if day.day == 1]
    apart = ceil(len(months) / 7) or 1
    return _drawn([(str(day), known.get(day, 0)) for day in every], months[::apart], 0.1, WIDTH)


def _drawn(values: Sequence[tuple[str, float]], names: Iterable[tuple[int, str]], gap: float, width: int) -> Chart:
    across, down = width - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    most = max((value for _, value in values), default=0)
    step = _step(most)
    top = max(step, ceil(most / step) * step)
    each = across / max(len(values), 1)
    bars = tuple(
        Bar(
            round(_LEFT + each * (place + gap / 2), 2),
            round(HEIGHT - _BOTTOM - down * value / top, 2),
            round(each * (1 - gap), 2),
            round(down * value / top, 2),
            f"{name}: {value:g}",
        )
        for place, (name, value) in enumerate(values)
        if value
    )
    marks = tuple(Mark(round(_LEFT + each * (place + 0.5), 2), name) for place, name in names)
    lines = (number * step for number in range(round(top / step) + 1))
    up = tuple(Mark(round(HEIGHT - _BOTTOM - down * value / top, 2), f"{value:g}") for value in lines)
    return Chart(bars, marks, up, sum(value for _, value in values), width)


def _step(most: float) -> float:
    """A round distance between lines, so that there are about `_LINES` of them."""
    if most <= _LINES:
        return 1
    size = float(10 ** int(log10(most / _LINES)))
    return next(size * step for step in _STEPS if size * step * _LINES >= most)
