"""When surveys by the calendar open, when their plans must be ready, and which closings a collecting survey asks about.

Periods are those of the calendar in the policy's zone: weeks begin on Monday, quarters in January, April, July and
October, the business year is the calendar year. Days are days of that zone; moments are aware and in UTC.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple

from scheduler.calendar import Almanac
from services.contracts.language.timing import Every, Ready
from services.contracts.policy import Again, Period, Policy, Survey
from services.contracts.quantities import Span

Standing = Literal["too early", "to draw up", "to approve", "ready", "late"]

_DAY = timedelta(days=1)
_MONTHS: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}


class Term(NamedTuple):
    """One period of the calendar: from `start` until before `end`."""

    period: Period
    start: date
    end: date

    @property
    def key(self) -> str:
        """Its name, which sorts by time within its kind: 2026-W10, 2026-03, 2026-Q1, 2026."""
        if self.period == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02}"
        if self.period == "month":
            return f"{self.start:%Y-%m}"
        return f"{self.start.year}-Q{self.start.month // 3 + 1}" if self.period == "quarter" else f"{self.start.year}"

    @property
    def last(self) -> date:
        """Its last day."""
        return self.end - _DAY


def term_of(period: Period, day: date) -> Term:
    """The week, month, quarter or year in which a day lies."""
    if period == "week":
        start = day - day.weekday() * _DAY
        return Term(period, start, start + 7 * _DAY)
    length = _MONTHS[period]
    start = date(day.year, (day.month - 1) // length * length + 1, 1)
    return Term(period, start, _months_after(start, length))


def next_term(term: Term) -> Term:
    """The period after it."""
    return term_of(term.period, term.end)


def previous_term(term: Term) -> Term:
    """The period before it."""
    return term_of(term.period, term.start - _DAY)


def _months_after(first: date, months: int) -> date:
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


class Wave(NamedTuple):
    """One time that a survey is carried out: its period, when it opens, and between when its plan must come about.

    A plan may be drawn up from `draw_from` on and must be approved by `ready_by`; without a rule both are `opens`.
    """

    survey: str
    term: Term
    opens: datetime
    draw_from: datetime
    ready_by: datetime


def seed_of(policy: str, version: int, wave: Wave) -> str:
    """The seed of a wave's draws; it is kept in the plan, so that anybody can draw again."""
    return f"{policy}/{version}/{wave.survey}/{wave.term.key}"


def opening(every: Every, term: Term, almanac: Almanac) -> datetime:
    """When a survey opens in a period: at the start of working hours on its day.

    A day on which nobody works gives way to the next working day of the period, or else to the last one before it; in a
    period without any, to the first after it.
    """
    day = _working_day(_day(every, term, almanac), term, almanac)
    return almanac.working_from(_midnight(day, almanac))


def _day(every: Every, term: Term, almanac: Almanac) -> date:
    if every.weekday is not None:
        return term.start + every.weekday * _DAY
    anchor = term.end if every.before_end else term.start
    step = -every.days if every.before_end else every.days
    if every.unit == "days" or not step:
        day = anchor + step * _DAY
    else:
        span, at = Span(every.days, "working days"), _midnight(anchor, almanac)
        moved = almanac.before(at, span) if every.before_end else almanac.after(at, span)
        day = moved.astimezone(almanac.zone).date()
    return min(max(day, term.start), term.last)


def _working_day(day: date, term: Term, almanac: Almanac) -> date:
    later = (day + number * _DAY for number in range((term.end - day).days))
    earlier = (day - number * _DAY for number in range((day - term.start).days + 1))
    return next((each for each in (*later, *earlier) if almanac.is_working_day(each)), term.end)


def _midnight(day: date, almanac: Almanac) -> datetime:
    return datetime.combine(day, time(), almanac.zone)


def wave_of(policy: Policy, name: str, term: Term, almanac: Almanac) -> Wave:
    """The wave of a survey in a period. Raises `ValueError` where the survey does not go by the calendar."""
    every = policy.surveys[name].every
    if every is None or every.period != term.period:
        raise ValueError(f"survey {name!r} has no {term.period}s")
    opens = opening(every, term, almanac)
    ready = policy.plans.ready if policy.surveys[name].planned else None
    if ready is None:
        return Wave(name, term, opens, opens, opens)
    return Wave(name, term, opens, *_readiness(ready, opens, almanac))


def _readiness(ready: Ready, opens: datetime, almanac: Almanac) -> tuple[datetime, datetime]:
    return (
        almanac.before(opens, Span(ready.earliest, ready.unit)),
        almanac.before(opens, Span(ready.latest, ready.unit)),
    )


def waves(policy: Policy, name: str, almanac: Almanac, start: datetime, end: datetime) -> Iterator[Wave]:
    """The waves of a survey by the calendar whose plan may first be drawn up in [start, end), in order.

    A wave whose plan should have been begun before a policy took effect is therefore none of that policy's.
    """
    every = policy.surveys[name].every
    if every is None or start >= end:
        return
    term = previous_term(term_of(every.period, start.astimezone(almanac.zone).date()))
    while (wave := wave_of(policy, name, term, almanac)).draw_from < end:
        if wave.draw_from >= start:
            yield wave
        term = next_term(term)


def standing(wave: Wave, drawn_at: datetime | None, approved_at: datetime | None, now: datetime) -> Standing:
    """How a wave's plan stands. `late` means not approved, or approved later than the policy demands."""
    if (approved_at or now) > wave.ready_by:
        return "late"
    if approved_at is not None:
        return "ready"
    if drawn_at is not None:
        return "to approve"
    return "to draw up" if now >= wave.draw_from else "too early"


def asked_at(survey: Survey, at: datetime, almanac: Almanac) -> datetime:
    """When a survey on a ticket or an occasion turns to one of that moment: from then on its `send` counts.

    That is the moment itself, or, where the survey collects a period's cases, its opening in the following period.
    """
    if survey.every is None:
        return at
    term = term_of(survey.every.period, at.astimezone(almanac.zone).date())
    return opening(survey.every, next_term(term), almanac)


def collected(every: Every, term: Term, almanac: Almanac) -> tuple[datetime, datetime]:
    """From when until before when a case must lie to be asked about in this period: the whole period before it."""
    return _midnight(previous_term(term).start, almanac), _midnight(term.start, almanac)


def asked_again_at(again: Again, answered_at: datetime, almanac: Almanac) -> datetime:
    """When somebody is asked again who answered at that moment: the following period's first working day."""
    term = next_term(term_of(again.next, answered_at.astimezone(almanac.zone).date()))
    return opening(Every(again.next), term, almanac)
