import os
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.calendar import MARGIN, Almanac, zone_of
from services.contracts.policy import Calendar
from services.contracts.quantities import Span

EXAMPLES = int(os.environ.get("HUIFANG_EXAMPLES", "1000"))
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
JUMPS = (
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 10, 3, 15, tzinfo=UTC),
)
MINUTE = timedelta(minutes=1)


def almanac(quiet: str = "21:00-08:30", timezone: str = "Asia/Shanghai", country: str | None = "CN") -> Almanac:
    return Almanac(Calendar.model_validate({"timezone": timezone, "holidays": country, "quiet": quiet}))


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))


walls = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
quiets = st.builds("{}-{}".format, walls, walls)
near_a_jump = st.builds(
    lambda jump, minutes: jump + timedelta(minutes=minutes), st.sampled_from(JUMPS), st.integers(-3000, 3000)
)
moments = near_a_jump | st.integers(0, 2 * 365 * 1440).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def quiet_by_the_wall(quiet: str, at: datetime, zone: tzinfo) -> bool:
    start, end = quiet.split("-")
    wall = at.astimezone(zone).strftime("%H:%M")
    return start <= wall < end if start <= end else wall >= start or wall < end


@settings(max_examples=EXAMPLES, deadline=None)
@given(quiet=quiets, at=moments, zone=st.sampled_from(ZONES))
def test_the_earliest_allowed_moment_is_the_first_minute_outside_quiet_time(
    quiet: str, at: datetime, zone: str
) -> None:
    found = almanac(quiet).allowed_from(at, ZoneInfo(zone))
    by_the_minute = at
    while quiet_by_the_wall(quiet, by_the_minute, ZoneInfo(zone)):
        by_the_minute += MINUTE
    assert found == by_the_minute


@settings(max_examples=EXAMPLES, deadline=None)
@given(quiet=quiets, at=moments, zone=st.sampled_from(ZONES), room=st.integers(0, 2000))
def test_a_moment_before_is_found_exactly_where_there_is_one(quiet: str, at: datetime, zone: str, room: int) -> None:
    low = at - room * MINUTE
    found = almanac(quiet).allowed_before(at, low, ZoneInfo(zone))
    last = next(
        (
            at - back * MINUTE
            for back in range(room + 1)
            if not quiet_by_the_wall(quiet, at - back * MINUTE, ZoneInfo(zone))
        ),
        None,
    )
    if last is None or found is None:
        assert found == last
    else:
        assert low <= found <= at
        assert not quiet_by_the_wall(quiet, found, ZoneInfo(zone))
        assert last - found <= MARGIN


def test_equal_ends_are_never_quiet() -> None:
    assert almanac("08:00-08:00").allowed_from(shanghai("2026-03-02 08:00")) == shanghai("2026-03-02 08:00")


def test_quiet_time_is_the_persons_own() -> None:
    evening_in_shanghai = shanghai("2026-03-02 22:00")
    assert almanac().is_quiet(evening_in_shanghai)
    assert not almanac().is_quiet(evening_in_shanghai, ZoneInfo("Europe/Berlin"))


def test_a_wall_time_that_the_clock_skips_is_the_jump_itself() -> None:
    berlin = almanac("22:00-02:30", "Europe/Berlin", "DE")
    assert berlin.allowed_from(datetime(2026, 3, 29, 0, 30, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-03-02", True),  # a Monday
        ("2026-03-01", False),  # a Sunday
        ("2026-10-01", False),  # National Day, a Thursday
        ("2026-10-10", True),  # a Saturday, made up for the holiday by decree
    ],
)
def test_working_days_follow_the_country(day: str, works: bool) -> None:
    assert almanac().is_working_day(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("at", "span", "expected"),
    [
        ("2026-03-06 17:00", Span(2, "working hours"), "2026-03-09 10:00"),
        ("2026-03-07 12:00", Span(1, "working hours"), "2026-03-09 10:00"),
        ("2026-03-06 17:00", Span(2, "working days"), "2026-03-10 17:00"),
        ("2026-03-07 12:00", Span(1, "working days"), "2026-03-09 12:00"),
        ("2026-01-31 12:00", Span(1, "months"), "2026-02-28 12:00"),
        ("2026-03-06 17:00", Span(3, "years"), "2029-03-06 17:00"),
        ("2026-03-06 17:00", Span(2, "days"), "2026-03-08 17:00"),
    ],
)
def test_spans_count_in_their_own_unit(at: str, span: Span, expected: str) -> None:
    assert almanac().after(shanghai(at), span) == shanghai(expected)


def test_counting_back_skips_the_weekend() -> None:
    assert almanac().before(shanghai("2026-03-09 10:00"), Span(8, "working hours")) == shanghai("2026-03-06 11:00")
    assert almanac().before(shanghai("2026-03-09 10:00"), Span(2, "working days")) == shanghai("2026-03-05 10:00")


@given(at=moments, hours=st.integers(1, 100))
@settings(max_examples=EXAMPLES // 10, deadline=None)
def test_working_hours_counted_forth_and_back_meet_at_working_time(at: datetime, hours: int) -> None:
    calendar, span = almanac(), Span(hours, "working hours")
    assert calendar.before(calendar.after(at, span), span) == calendar.working_from(at)


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        ("2026-03-02 10:00", None, "2026-03-02 10:00"),
        ("2026-03-02 19:00", None, "2026-03-03 09:00"),  # not quiet yet, but nobody works any more
        ("2026-03-06 19:00", None, "2026-03-09 09:00"),
        ("2026-03-02 10:00", "Europe/Berlin", "2026-03-02 15:30"),  # 8:30 there
        ("2026-03-30 10:00", "Europe/Berlin", "2026-03-30 14:30"),  # in summer time
        ("2026-03-02 10:00", "America/New_York", "2026-03-03 09:00"),  # 20:00 there
        ("2026-03-02 10:00", "America/Sao_Paulo", "2026-03-02 19:30"),  # 8:30 there: the two days never meet
    ],
)
def test_people_are_called_when_the_company_works_and_they_are_not_at_rest(
    at: str, zone: str | None, expected: str
) -> None:
    assert almanac().in_person_from(shanghai(at), zone_of(zone)) == shanghai(expected)


def test_the_latest_working_moment_lies_before_the_limit() -> None:
    calendar = almanac()
    limit, low = shanghai("2026-03-08 10:00"), shanghai("2026-03-06 09:00")
    assert calendar.working_before(limit, low) == shanghai("2026-03-06 17:59:59")
    assert calendar.working_before(limit, shanghai("2026-03-06 20:00")) is None


@pytest.mark.parametrize("name", [None, "", "Nowhere/Land", "../etc/passwd", "Asia/Shanghai\n", "/etc/localtime"])
def test_unknown_zones_are_none(name: str | None) -> None:
    assert zone_of(name) is None
