"""When something recurs or must be ready, as a policy writes it: `quarter, from 10 days before its end`."""

import re
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import PlainSerializer, PlainValidator

from services.contracts.language.names import Period
from services.contracts.part import wrong
from services.contracts.quantities import SPAN_PATTERN, Span, described, read_span

DayUnit = Literal["days", "working days"]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LONGEST: dict[Period, int] = {"week": 6, "month": 27, "quarter": 89, "year": 364}

_PERIODS = "|".join(get_args(Period))
_EVERY = (
    rf"({_PERIODS})(?:, (?:on ({'|'.join(WEEKDAYS)})|from ([0-9]{{1,3}}) (working days?|days?) "
    r"(before its end|after its start)))?"
)
_READY = r"([0-9]{1,3})-([0-9]{1,3}) (working days|days) before"
_BACK = rf"this year|{SPAN_PATTERN}"


class Every(NamedTuple):
    """Once in each period of the calendar: on a weekday, or from a day counted from its start or back from its end.

    Without more words it is the period's first day. Quarters and years are those of the calendar.
    """

    period: Period
    weekday: int | None = None
    """0 is Monday; only within weeks."""
    days: int = 0
    unit: DayUnit = "days"
    before_end: bool = False

    def __str__(self) -> str:
        if self.weekday is not None:
            return f"{self.period}, on {WEEKDAYS[self.weekday]}"
        if not self.days and not self.before_end:
            return self.period
        unit = self.unit if self.days != 1 else self.unit.removesuffix("s")
        return f"{self.period}, from {self.days} {unit} {'before its end' if self.before_end else 'after its start'}"


class Ready(NamedTuple):
    """A plan is drawn up `earliest` days before the survey opens and is approved at the latest `latest` days before."""

    latest: int
    earliest: int
    unit: DayUnit

    def __str__(self) -> str:
        return f"{self.latest}-{self.earliest} {self.unit} before"


class Back(NamedTuple):
    """How far back something counts: `span` from today, or, without one, since the first day of this year."""

    span: Span | None

    def __str__(self) -> str:
        return "this year" if self.span is None else str(self.span)


def read_every(text: Any) -> Every:
    """Reads `week, on monday`, `quarter`, `quarter, from 10 days before its end`, `year, from 5 days after its start`.

    Raises `PydanticCustomError`, as all readers here.
    """
    match = re.fullmatch(_EVERY, text) if isinstance(text, str) else None
    if match is None:
        usual = "Write it like `week, on monday`, `month`, `quarter, from 10 days before its end` or `year`"
        remedy = "There is no half-year: write `quarter` or `year`" if "half" in str(text).lower() else usual
        raise wrong(f"{text!r} does not say when in which period", remedy)
    period: Period = next(each for each in get_args(Period) if each == match[1])
    if match[2] is not None:
        return _on_weekday(period, match[2])
    days = int(match[3] or 0)
    if days > _LONGEST[period]:
        raise wrong(f"a {period} has no {days} days", f"Write at most {_LONGEST[period]} days")
    unit: DayUnit = "working days" if (match[4] or "").startswith("working") else "days"
    return Every(period, None, days, unit, match[5] == "before its end")


def _on_weekday(period: Period, day: str) -> Every:
    if period != "week":
        raise wrong(f"a {period} has many {day}s", f"Write `week, on {day}`, or count days: `{period}, from 5 days …`")
    return Every(period, WEEKDAYS.index(day))


def read_ready(text: Any) -> Ready:
    """Reads `7-10 days before` or `5-8 working days before`."""
    match = re.fullmatch(_READY, text) if isinstance(text, str) else None
    if match is None or int(match[1]) >= int(match[2]):
        raise wrong(
            f"{text!r} does not say between which days",
            "Write it like 7-10 days before: drawn up 10 days before the survey opens, approved 7 days before",
        )
    return Ready(int(match[1]), int(match[2]), "working days" if match[3].startswith("working") else "days")


def read_back(text: Any) -> Back:
    """Reads `6 months`, `90 days`, `3 years` or `this year`."""
    if text == "this year":
        return Back(None)
    span = read_span(text)
    if span.amount == 0 or span.unit in ("minutes", "hours", "working hours", "working days"):
        raise wrong(f"{text!r} is not a number of days, months or years", "Write it like 6 months, or this year")
    return Back(span)


EveryText = Annotated[
    Every,
    PlainValidator(read_every),
    PlainSerializer(str),
    described(_EVERY, "week, on monday", "month", "quarter, from 10 days before its end", "year"),
]
ReadyText = Annotated[Ready, PlainValidator(read_ready), PlainSerializer(str), described(_READY, "7-10 days before")]
BackText = Annotated[
    Back, PlainValidator(read_back), PlainSerializer(str), described(_BACK, "6 months", "this year", "90 days")
]
