from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.period import begins, is_of, name_of
from services.contracts.language.names import Period

SHANGHAI = ZoneInfo("Asia/Shanghai")
PERIODS: tuple[Period, ...] = ("week", "month", "quarter", "year")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_periods_have_names_by_the_zones_own_clock() -> None:
    moment = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    assert [name_of(moment, period, SHANGHAI) for period in PERIODS] == ["2026-W14", "2026-04", "2026-Q2", "2026"]
    assert [name_of(moment, period, UTC) for period in PERIODS] == ["2026-W14", "2026-03", "2026-Q1", "2026"]
    assert name_of(at("2027-01-01"), "week", SHANGHAI) == "2026-W53"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-01", ("month", "quarter", "year")),
        ("2026-04-01", ("month", "quarter")),
        ("2026-06-01", ("week", "month")),
        ("2026-03-02", ("week",)),
        ("2026-01-01T00:00:01", ()),
        ("2026-01-02", ()),
    ],
)
def test_when_periods_begin(moment: str, expected: tuple[Period, ...]) -> None:
    assert tuple(period for period in PERIODS if begins(at(moment), period, SHANGHAI)) == expected


@pytest.mark.parametrize(
    ("since", "until", "period", "expected"),
    [
        ("2026-01-01", "2027-01-01", "year", True),
        ("2026-01-01", "2026-05-05", "year", True),
        ("2026-02-01", "2027-01-01", "year", False),
        ("2026-01-01", "2027-01-02", "year", False),
        ("2026-04-01", "2026-07-01", "quarter", True),
        ("2026-04-01", "2026-07-01", "year", False),
    ],
)
def test_a_figure_is_of_a_period_when_it_runs_from_its_beginning(
    since: str, until: str, period: Period, expected: bool
) -> None:
    assert is_of(at(since), at(until), period, SHANGHAI) is expected


def test_a_figure_without_an_end_is_of_no_period() -> None:
    assert not is_of(None, at("2026-01-01"), "year", SHANGHAI)
    assert not is_of(at("2026-01-01"), None, "year", SHANGHAI)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(PERIODS))
def test_a_period_begins_exactly_where_its_name_changes(day: date, period: Period) -> None:
    midnight = datetime.combine(day, time(tzinfo=UTC))
    before = name_of(midnight - timedelta(microseconds=1), period, UTC)
    assert begins(midnight, period, UTC) is (before != name_of(midnight, period, UTC))
