"""A company's time: quiet hours, working days and hours, and moments counted in them.

Everything takes and returns aware moments and answers in UTC. Wall-clock times are those of the zone that applies, so
that clocks put forward or back are right: a quiet time that ends at 02:30 in a night without a 02:30 ends when the
clock jumps, and one that is entered twice is kept twice.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from services.contracts.policy import Calendar
from services.contracts.quantities import Hours, Span

MARGIN = timedelta(minutes=30)
"""How far from quiet time a moment is kept that had to be brought forward because of it."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST_REST = 400
_MEETINGS = 10


@lru_cache(maxsize=1024)
def zone_of(name: str | None) -> ZoneInfo | None:
    """The IANA zone of that name; None where there is none (an ITSM may call it anything)."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


@lru_cache(maxsize=1024)
def _plain(span: Span) -> timedelta | None:
    return span.plain


class Almanac:
    """What a policy's `calendar` says, ready to be asked."""

    def __init__(self, calendar: Calendar) -> None:
        self.zone: tzinfo = ZoneInfo(calendar.timezone)
        self.quiet = calendar.quiet
        self._hours = calendar.hours
        self._workdays = frozenset(_WEEKDAYS.index(day) for day in calendar.workdays)
        self._holidays = holidays.country_holidays(calendar.holidays) if calendar.holidays else holidays.HolidayBase()
        self._working: dict[date, bool] = {}
        self._shift_of: dict[date, tuple[datetime, datetime]] = {}

    def is_quiet(self, at: datetime, zone: tzinfo | None = None) -> bool:
        """Whether nobody may be disturbed at that moment, in the person's zone where it is known."""
        return _holds(self.quiet, at.astimezone(zone or self.zone).time())

    def allowed_from(self, at: datetime, zone: tzinfo | None = None) -> datetime:
        """The earliest moment at or after `at` outside quiet time."""
        zone = zone or self.zone
        if not self.is_quiet(at, zone):
            return at.astimezone(UTC)
        ends = (moment for moment in _changes(at, at + 2 * _DAY, self.quiet.end, zone) if moment >= at)
        return min(moment for moment in ends if not self.is_quiet(moment, zone))

    def allowed_before(self, at: datetime, low: datetime, zone: tzinfo | None = None) -> datetime | None:
        """A late moment at or before `at`, but not before `low`, outside quiet time; None where all of it is quiet.

        Where quiet time is what stands in the way, the moment keeps `MARGIN` from its beginning if there is room.
        """
        zone = zone or self.zone
        if at < low:
            return None
        if not self.is_quiet(at, zone):
            return at.astimezone(UTC)
        begins = (moment for moment in _changes(at - 2 * _DAY, at, self.quiet.start, zone) if low < moment <= at)
        for begin in sorted(begins, reverse=True):
            if not self.is_quiet(begin - _SECOND, zone):
                moment = self.allowed_from(max(low, begin - MARGIN), zone)
                return moment if moment < begin else None
        return low.astimezone(UTC) if not self.is_quiet(low, zone) else None

    def is_working_day(self, day: date) -> bool:
        """Whether the company works that day: its weekdays, less the holidays, plus make-up days set by decree."""
        known = self._working.get(day)
        if known is None:
            holiday = day in self._holidays
            known = not holiday and (day.weekday() in self._workdays or day in self._holidays.weekend_workdays)
            self._working[day] = known
        return known

    def working_from(self, at: datetime) -> datetime:
        """The earliest moment at or after `at` in working hours."""
        return next(max(at.astimezone(UTC), start) for start, end in self._shifts(at, 1) if at < end)

    def in_person_from(self, at: datetime, zone: tzinfo | None = None) -> datetime:
        """The earliest moment at or after `at` when somebody of the company may call on the person or visit him.

        That is in working hours and outside quiet time; where the two do not meet for days, outside quiet time.
        """
        moment = at
        for _ in range(_MEETINGS):
            working = self.working_from(moment)
            moment = self.allowed_from(working, zone)
            if moment == working:
                return moment
        return self.allowed_from(at, zone)

    def working_before(self, at: datetime, low: datetime) -> datetime | None:
        """The latest moment before `at`, but not before `low`, in working hours, on the whole second; None without."""
        end = next(end for start, end in self._shifts(at, -1) if start < at)
        moment = min(at.astimezone(UTC), end) - _SECOND
        return moment if moment >= low else None

    def after(self, at: datetime, span: Span) -> datetime:
        """The moment that lies `span` after `at`."""
        plain = _plain(span)
        if plain is not None:
            return at.astimezone(UTC) + plain
        if span.unit == "working hours":
            return self._after_hours(at, timedelta(hours=span.amount))
        return self._same_time_on(at, self._day_after(at.astimezone(self.zone).date(), span))

    def before(self, at: datetime, span: Span) -> datetime:
        """The moment that lies `span` before `at`."""
        plain = _plain(span)
        if plain is not None:
            return at.astimezone(UTC) - plain
        if span.unit == "working hours":
            return self._before_hours(at, timedelta(hours=span.amount))
        back = Span(-span.amount, span.unit)
        return self._same_time_on(at, self._day_after(at.astimezone(self.zone).date(), back))

    def _after_hours(self, at: datetime, left: timedelta) -> datetime:
        shifts = self._shifts(at, 1)
        while True:
            start, end = next(shifts)
            begin = max(at.astimezone(UTC), start)
            if end - begin >= left:
                return begin + left
            left -= max(end - begin, timedelta(0))

    def _before_hours(self, at: datetime, left: timedelta) -> datetime:
        shifts = self._shifts(at, -1)
        while True:
            start, end = next(shifts)
            finish = min(at.astimezone(UTC), end)
            if finish - start >= left:
                return finish - left
            left -= max(finish - start, timedelta(0))

    def _shifts(self, at: datetime, step: int) -> Iterator[tuple[datetime, datetime]]:
        """Working hours of the day of `at` and of every working day after it (`step` 1) or before it (-1)."""
        day = at.astimezone(self.zone).date()
        while True:
            if self.is_working_day(day):
                yield self._shift(day)
            day = self._next_working_day(day, step)

    def _shift(self, day: date) -> tuple[datetime, datetime]:
        if day not in self._shift_of:
            start, end = (_moments(day, wall, self.zone) for wall in self._hours)
            self._shift_of[day] = start[0], end[-1]
        return self._shift_of[day]

    def _next_working_day(self, day: date, step: int) -> date:
        for _ in range(_LONGEST_REST):
            day += step * _DAY
            if self.is_working_day(day):
                return day
        raise ValueError(f"no working day within {_LONGEST_REST} days of {day}")

    def _day_after(self, day: date, span: Span) -> date:
        if span.unit == "working days":
            for _ in range(abs(span.amount)):
                day = self._next_working_day(day, 1 if span.amount > 0 else -1)
            return day
        months = span.amount * (12 if span.unit == "years" else 1) + day.year * 12 + day.month - 1
        first = date(months // 12, months % 12 + 1, 1)
        last = ((first + 31 * _DAY).replace(day=1) - _DAY).day
        return first.replace(day=min(day.day, last))

    def _same_time_on(self, at: datetime, day: date) -> datetime:
        return _moments(day, at.astimezone(self.zone).time(), self.zone)[0]


@lru_cache(maxsize=64)
def almanac(calendar: Calendar) -> Almanac:
    """The almanac of a calendar, made once."""
    return Almanac(calendar)


def _holds(hours: Hours, at: time) -> bool:
    if hours.start <= hours.end:
        return hours.start <= at < hours.end
    return at >= hours.start or at < hours.end


def _changes(low: datetime, high: datetime, wall: time, zone: tzinfo) -> list[datetime]:
    """Moments of [low, high] at which quiet time may begin or end: `wall` on each day, and the clock's own jump."""
    first, last = low.astimezone(zone).date(), high.astimezone(zone).date()
    days = [first + number * _DAY for number in range((last - first).days + 1)]
    moments = [moment for day in days for moment in _moments(day, wall, zone)]
    jump = _jump(low, high, zone)
    return moments if jump is None else [*moments, jump]


def _moments(day: date, wall: time, zone: tzinfo) -> tuple[datetime, ...]:
    """When the clock on the wall shows that time: once, twice when it is put back, or, when it never does, the jump."""
    early, late = (datetime.combine(day, wall.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))
    if early == late:
        return (early,)
    if early < late:
        return early, late
    return (_jump(late - _DAY, early + _DAY, zone) or early,)


def _jump(low: datetime, high: datetime, zone: tzinfo) -> datetime | None:
    """When the clock is put forward or back in (low, high], to the second; None where it is not."""
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return None
    low, high = low.astimezone(UTC).replace(microsecond=0), high.astimezone(UTC).replace(microsecond=0) + _SECOND
    while high - low > _SECOND:
        middle = low + (high - low) // 2 // _SECOND * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
