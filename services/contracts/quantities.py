"""Durations, rates, shares and hours of the day, as a policy writes them: `2h`, `8 working hours`, `1 in 14 days`.

Each is read from text, written back as the same text, and described by a pattern in the JSON Schema.
"""

import re
from datetime import time, timedelta
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from services.contracts.part import wrong

Unit = Literal["minutes", "hours", "days", "weeks", "months", "years", "working hours", "working days"]

_LETTERS: dict[Unit, str] = {"minutes": "m", "hours": "h", "days": "d", "weeks": "w"}
_LEAST: dict[Unit, timedelta] = {
    "working hours": timedelta(hours=1),
    "working days": timedelta(days=1),
    "months": timedelta(days=28),
    "years": timedelta(days=365),
}
_UNITS: dict[str, Unit] = {
    name: unit for unit in get_args(Unit) for name in (unit, unit.removesuffix("s"), _LETTERS.get(unit, unit))
}
_LARGEST = 100_000

_NUMBER = r"(0|[1-9][0-9]{0,5})"
_SPAN = re.compile(rf"{_NUMBER} ?([a-z]+(?: [a-z]+)?)")
_RATE = re.compile(rf"{_NUMBER} in ([^ ].*)")
_CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_HOURS = re.compile(rf"{_CLOCK}-{_CLOCK}")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
SPAN_PATTERN = rf"{_NUMBER} ?({'|'.join(sorted(_UNITS, key=len, reverse=True))})"
"""What `read_span` reads, for the JSON Schema."""


class Span(NamedTuple):
    """A length of time in the policy's own unit; working hours, working days, months and years need a calendar."""

    amount: int
    unit: Unit

    @property
    def plain(self) -> timedelta | None:
        """The length where it is the same on every calendar: minutes to weeks; else None."""
        return None if self.unit not in _LETTERS else timedelta(**{self.unit: self.amount})

    @property
    def least(self) -> timedelta:
        """What it comes to at least, on whatever calendar: a working day is no shorter than a day."""
        plain = self.plain
        return plain if plain is not None else self.amount * _LEAST[self.unit]

    def __str__(self) -> str:
        letter = _LETTERS.get(self.unit)
        if letter:
            return f"{self.amount}{letter}"
        return f"{self.amount} {self.unit if self.amount != 1 else self.unit.removesuffix('s')}"


def not_shorter(one: Span, other: Span) -> bool:
    """Whether `one` is on every calendar at least as long as `other`; False where that depends on the calendar."""
    if one.unit == other.unit:
        return one.amount >= other.amount
    return other.plain is not None and one.least >= other.plain


def is_longer(one: Span, other: Span) -> bool:
    """Whether `one` is on every calendar longer than `other`; False where that depends on the calendar."""
    if one.unit == other.unit:
        return one.amount > other.amount
    return other.plain is not None and one.least > other.plain


class Rate(NamedTuple):
    """At most `most` within any period of length `period`."""

    most: int
    period: timedelta

    def __str__(self) -> str:
        return f"{self.most} in {_write_period(self.period)}"


class Hours(NamedTuple):
    """From `start` until before `end` by the clock on the wall, across midnight where `end` is earlier."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


def read_span(text: Any) -> Span:
    """Reads `30m`, `2h`, `2d`, `1w`, `3 months`, `3 years`, `8 working hours`, `2 working days`."""
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None or int(match[1]) > _LARGEST:
        raise wrong(f"{text!r} is not a length of time", "Write it like 30m, 2h, 2d, 8 working hours or 3 years")
    return Span(int(match[1]), unit)


def read_duration(text: Any) -> timedelta:
    """Reads a span that is the same on every calendar: `30m`, `2h`, `14 days`, `1w`."""
    plain = read_span(text).plain
    if plain is None or plain <= timedelta(0):
        raise wrong(f"{text!r} is not a fixed length of time above 0", "Write it like 30m, 2h, 2d or 1w")
    return plain


def write_duration(duration: timedelta) -> str:
    """Writes a duration in the largest unit that fits."""
    minutes = duration // timedelta(minutes=1)
    for size, letter in ((1440, "d"), (60, "h")):
        if minutes % size == 0:
            return f"{minutes // size}{letter}"
    return f"{minutes}m"


def _write_period(period: timedelta) -> str:
    return f"{period.days} days" if period % timedelta(days=1) == timedelta(0) else write_duration(period)


def read_rate(text: Any) -> Rate:
    """Reads `1 in 14 days`."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[1]) < 1:
        raise wrong(f"{text!r} is not a limit of at least 1", "Write it like 1 in 14 days")
    return Rate(int(match[1]), read_duration(match[2]))


def read_hours(text: Any) -> Hours:
    """Reads `21:00-08:30`."""
    match = _HOURS.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise wrong(f"{text!r} is not a span of the day", "Write it in quotes like '21:00-08:30'")
    start, end = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    return Hours(start, end)


def read_working_hours(text: Any) -> Hours:
    """Reads `09:00-18:00`; working hours end on the day on which they began."""
    hours = read_hours(text)
    if hours.end <= hours.start:
        raise wrong(f"working hours {text!r} end before they begin", "Write them like '09:00-18:00'")
    return hours


def read_share(text: Any) -> float:
    """Reads `25%` as 0.25."""
    match = _SHARE.fullmatch(text) if isinstance(text, str) else None
    if match is None or float(match[1]) > 100:
        raise wrong(f"{text!r} is not a share", "Write a percentage from 0% to 100%")
    return float(match[1]) / 100


def write_share(share: float) -> str:
    """Writes 0.25 as `25%`."""
    return f"{round(share * 100, 6):.9g}%"


def _read_after(text: Any) -> Span:
    if not isinstance(text, str) or not text.startswith("after "):
        raise wrong(f"{text!r} does not say when", "Write it like after 24h: counted from the first contact")
    return read_span(text.removeprefix("after "))


def _read_before(text: Any) -> Span:
    if not isinstance(text, str) or not text.endswith(" before deadline"):
        raise wrong(f"{text!r} does not say when", "Write it like 8 working hours before deadline")
    return read_span(text.removesuffix(" before deadline"))


def described(pattern: str, *examples: str, number: bool = False) -> WithJsonSchema:
    """How the JSON Schema tells editors what such a text looks like; with `number` a bare one will do too."""
    text: dict[str, Any] = {"type": "string", "pattern": f"^(?:{pattern})$", "examples": list(examples)}
    return WithJsonSchema({"anyOf": [text, {"type": "integer", "minimum": 1}]} if number else text)


SpanText = Annotated[
    Span, PlainValidator(read_span), PlainSerializer(str), described(SPAN_PATTERN, "2h", "2d", "8 working hours")
]
AfterText = Annotated[
    Span,
    PlainValidator(_read_after),
    PlainSerializer(lambda span: f"after {span}"),
    described(f"after {SPAN_PATTERN}", "after 24h"),
]
BeforeText = Annotated[
    Span,
    PlainValidator(_read_before),
    PlainSerializer(lambda span: f"{span} before deadline"),
    described(f"{SPAN_PATTERN} before deadline", "8 working hours before deadline"),
]
DurationText = Annotated[
    timedelta,
    PlainValidator(read_duration),
    PlainSerializer(write_duration),
    described(SPAN_PATTERN, "30m", "2h", "7d"),
]
RateText = Annotated[
    Rate, PlainValidator(read_rate), PlainSerializer(str), described(f"{_NUMBER} in {SPAN_PATTERN}", "1 in 14 days")
]
HoursText = Annotated[Hours, PlainValidator(read_hours), PlainSerializer(str), described(_HOURS.pattern, "21:00-08:30")]
WorkingHoursText = Annotated[
    Hours, PlainValidator(read_working_hours), PlainSerializer(str), described(_HOURS.pattern, "09:00-18:00")
]
ShareText = Annotated[
    float, PlainValidator(read_share), PlainSerializer(write_share), described(_SHARE.pattern, "100%", "12.5%")
]
