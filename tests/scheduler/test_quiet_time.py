"""Any zone, quiet time and holidays: nothing is sent in quiet time, nothing is lost, nothing comes late needlessly.

What is expected is worked out here by the minute, from what the clock on the wall shows, and not as the calendar does.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from scheduler.calendar import almanac
from scheduler.policy import Closing, Rule, Schedule, reachable, schedule, steps_of
from scheduler.survey import OPEN, come_up, planned, reported
from services.contracts.deliveries import DeliveryOutcome
from services.contracts.policy import Calendar, Survey
from services.contracts.quantities import Span, is_longer, read_span
from services.contracts.tickets import Channel, Contact, TicketFacts
from tests.scheduler.rules import rule

EXAMPLES = int(os.environ.get("HUIFANG_EXAMPLES", "200"))
ZONES = tuple(sorted(available_timezones() - {"localtime", "posixrules"}))
COUNTRIES = (None, "CN", "DE", "US", "IN", "IL", "SA", "BR", "AU", "JP", "NP")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CHANNELS: tuple[Channel, ...] = ("sms", "email", "call", "visit")
OUTCOMES: tuple[DeliveryOutcome | None, ...] = (
    None, "accepted", "delivered", "uncertain", "failed", "bounced", "suppressed", "listed",
)  # fmt: skip
START, END = datetime(2008, 1, 1, tzinfo=UTC), datetime(2033, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BASE = rule()


@cache
def jumps(zone: str) -> tuple[datetime, ...]:
    """When the zone's clocks are put forward or back, to the minute."""
    weeks = (START + number * 7 * DAY for number in range((END - START) // (7 * DAY)))
    wall = ZoneInfo(zone)
    return tuple(
        _jump(at, wall)
        for at in weeks
        if at.astimezone(wall).utcoffset() != (at + 7 * DAY).astimezone(wall).utcoffset()
    )


def _jump(at: datetime, wall: tzinfo) -> datetime:
    before, low, high = at.astimezone(wall).utcoffset(), 0, 7 * 1440
    while high - low > 1:
        middle = (low + high) // 2
        is_before = (at + middle * MINUTE).astimezone(wall).utcoffset() == before
        low, high = (middle, high) if is_before else (low, middle)
    return at + high * MINUTE


class Case(NamedTuple):
    """A policy's calendar and survey, a person, and a closing that is told at `now`."""

    rule: Rule
    quiet: str
    zone: tzinfo
    closing: Closing
    now: datetime


walls = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
quiets = st.one_of(
    st.builds("{}-{}".format, walls, walls),
    walls.map(lambda wall: f"{wall}-{wall}"),
    st.sampled_from(("21:00-08:30", "00:00-23:59", "03:00-02:59", "02:30-02:29", "02:00-03:00", "22:00-02:30")),
)
hours = st.sampled_from(("09:00-18:00", "00:00-23:59", "08:30-12:00", "22:00-23:30", "01:30-03:30", "14:00-15:00"))
calendars = st.fixed_dictionaries(
    {
        "timezone": st.sampled_from(ZONES),
        "holidays": st.sampled_from(COUNTRIES),
        "workdays": st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True),
        "hours": hours,
        "quiet": quiets,
    }
)
sends = st.one_of(
    st.tuples(st.integers(0, 300), st.integers(1, 4000)).map(
        lambda times: {"after": f"{times[0]}m", "within": f"{times[0] + times[1]}m"}
    ),
    st.integers(1, 20).map(lambda days: {"after": f"{days - 1}d", "within": f"{days}d"}),
    st.builds("{} {}".format, st.integers(1, 30), st.sampled_from(("working hours", "working days"))).map(
        lambda span: {"within": span}
    ),
)
spans = st.builds("{} {}".format, st.integers(0, 12), st.sampled_from(("hours", "working hours", "working days")))


@st.composite
def surveys(draw: st.DrawFn) -> dict[str, Any]:
    """What a policy says of one survey: promise, steps, and how long its page is open."""
    steps: list[dict[str, Any]] = [{"first": draw(st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True))}]
    waits = sorted(draw(st.sets(st.integers(1, 80), max_size=2)))
    steps += [{"reminder": f"after {wait}h"} for wait in waits]
    kinds = draw(st.sampled_from(((), ("call",), ("visit",), ("call", "visit"), ("visit", "call"))))
    send = draw(sends)
    # The language refuses calls and visits before the promise begins.
    fitting = spans.map(lambda span: "0 hours" if is_longer(read_span(span), read_span(send["within"])) else span)
    steps += [{kind: f"{draw(fitting)} before deadline"} for kind in kinds]
    # The language refuses pages that close before a call or a visit.
    least = max(hours_of(send["within"]) if kinds else 0, *waits, 0)
    return {"send": send, "steps": steps, "expires": f"{least + draw(st.integers(1, 400))}h"}


def hours_of(within: str) -> int:
    """About how many hours a span has, in a usual week of 40 hours on five days."""
    span = read_span(within)
    if span.plain is not None:
        return -(-span.plain // HOUR)
    return -(-span.amount * 168 // (5 if span.unit == "working days" else 40))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Closings at any time, best near a jump of the person's or the company's clock; told at once, or late."""
    calendar: dict[str, Any] = draw(calendars)
    own = draw(st.none() | st.sampled_from(ZONES))
    near = jumps(own or calendar["timezone"])
    is_near: bool = draw(st.booleans())
    if near and is_near:
        closed_at = draw(st.sampled_from(near)) + draw(st.integers(-3 * 1440, 1440)) * MINUTE
    else:
        closed_at = START + draw(st.integers(0, (END - START) // MINUTE)) * MINUTE
    closed_at += timedelta(seconds=draw(st.sampled_from((0, 0, 1, 59))), microseconds=draw(st.sampled_from((0, 7))))
    now = closed_at + draw(st.sampled_from((0, 0, 1, 1000)) | st.integers(0, 6000)) * MINUTE
    survey = Survey.model_validate(
        {"on": "ticket closed", "questionnaire": "incident", "late": "ask", **draw(surveys())}
    )
    times = almanac(Calendar.model_validate(calendar))
    asked = BASE._replace(survey=survey, steps=steps_of(survey), almanac=times)
    channels = tuple(draw(st.sets(st.sampled_from(CHANNELS[:3]))))
    contact = Contact(person=UUID(int=1), sealed=b"", channels=channels, timezone=own)
    closing = Closing("jira", "IT-1", 1, closed_at, TicketFacts(), contact)
    return Case(asked, calendar["quiet"], ZoneInfo(own or calendar["timezone"]), closing, now)


def is_quiet(case: Case, at: datetime) -> bool:
    start, end = case.quiet.split("-")
    wall = at.astimezone(case.zone).strftime("%H:%M")
    return start <= wall < end if start <= end else wall >= start or wall < end


def first_possible(case: Case, low: datetime, high: datetime) -> datetime | None:
    """The first moment of [low, high] that is not quiet: `low`, or else a whole minute. Four days are always enough."""
    return next((at for at in _minutes(low, min(high, low + 4 * DAY)) if not is_quiet(case, at)), None)


def _minutes(low: datetime, high: datetime) -> Iterator[datetime]:
    at = low
    while at <= high:
        yield at
        at = at.replace(second=0, microsecond=0) + MINUTE


def promise(case: Case) -> Schedule:
    """The plan, which must not be late or quiet where that can be avoided."""
    plan = schedule(case.rule, case.closing, case.now)
    low = max(case.closing.closed_at, case.now)
    assert plan.first_at >= low
    assert plan.first_at < plan.expires_at
    assert not is_quiet(case, plan.first_at)
    if first_possible(case, low, plan.promised_by) is not None:
        assert plan.first_at <= plan.promised_by
    elif plan.first_at - low < DAY:
        assert plan.first_at == first_possible(case, low, plan.first_at)
    return plan


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    case=cases(),
    fortune=st.lists(st.tuples(st.sampled_from(OUTCOMES), st.integers(0, 900)), min_size=9, max_size=9),
    delays=st.lists(st.sampled_from((0, 0, 0, 1, 30)) | st.integers(0, 3000), min_size=24, max_size=24),
)
def test_no_send_in_quiet_time_none_lost_none_late_that_could_have_been_in_time(
    case: Case, fortune: list[tuple[DeliveryOutcome | None, int]], delays: list[int]
) -> None:
    """A whole life, the first contact on time, what follows now and then late, as deliveries will have it."""
    plan, contact = promise(case), case.closing.contact
    assert contact is not None
    own = ZoneInfo(contact.timezone) if contact.timezone else None
    survey = planned(case.rule, plan, UUID(int=7), contact.channels, own, case.now)
    if not reachable(case.rule, contact.channels):
        assert survey.state == "unreachable"
        event("unreachable")
        return
    possible = first_possible(case, max(case.closing.closed_at, case.now), plan.promised_by) is not None
    said = list[int]()
    for delay in (0, *delays):
        if survey.state not in OPEN:
            break
        assert survey.next_at is not None
        assert survey.next_step is not None
        now = survey.next_at + delay * MINUTE
        turn = come_up(case.rule, survey, survey.next_step, now, opted_out=False, over_limit=False)
        survey = turn.survey
        if turn.step is None:
            continue
        assert not is_quiet(case, now)
        assert turn.step.channel == "visit" or turn.step.channel in contact.channels
        if not said:
            assert now <= plan.promised_by or not possible
            event("in time" if now <= plan.promised_by else "no moment before the deadline")
        said.append(turn.step.number)
        outcome, minutes = fortune[len(said)]
        if outcome is not None:
            at = now + minutes * MINUTE
            survey = reported(case.rule, survey, turn.step.number, outcome, at, at)
    assert said
    assert len(said) == len(set(said))
    assert survey.ended_at is not None


@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(), room=st.integers(0, 5000))
def test_people_are_called_in_working_hours_outside_quiet_time_or_else_outside_quiet_time(
    case: Case, room: int
) -> None:
    at = case.closing.closed_at + room * MINUTE
    found = case.rule.almanac.in_person_from(at, case.zone)
    assert found >= at
    assert not is_quiet(case, found)
    assert found == case.rule.almanac.working_from(found) or found == first_possible(case, at, at + 4 * DAY)


@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(), amount=st.integers(1, 24))
def test_working_hours_counted_forth_and_back_meet_at_working_time_in_every_zone(case: Case, amount: int) -> None:
    times, span = case.rule.almanac, Span(amount, "working hours")
    assert times.before(times.after(case.closing.closed_at, span), span) == times.working_from(case.closing.closed_at)
