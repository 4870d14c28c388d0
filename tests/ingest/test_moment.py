from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.moment import MomentError, read_moment

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2019-02-15T19:15:40.470-0800", datetime(2019, 2, 16, 3, 15, 40, 470_000, UTC)),
        ("2025-01-08T16:45:20.987654321Z", datetime(2025, 1, 8, 16, 45, 20, 987_654, UTC)),
        ("2020-11-13T14:34:35.333Z", datetime(2020, 11, 13, 14, 34, 35, 333_000, UTC)),
        ("2026-03-02T10:00:00+08:00", datetime(2026, 3, 2, 2, tzinfo=UTC)),
        (" 2026-03-02 10:00+08:00 ", datetime(2026, 3, 2, 2, tzinfo=UTC)),
        (1_550_286_940_507, datetime(2019, 2, 16, 3, 15, 40, 507_000, UTC)),
        ("1550286940507", datetime(2019, 2, 16, 3, 15, 40, 507_000, UTC)),
        (1_550_286_940, datetime(2019, 2, 16, 3, 15, 40, tzinfo=UTC)),
        (1_550_286_940.5, datetime(2019, 2, 16, 3, 15, 40, 500_000, UTC)),
    ],
)
def test_times_as_systems_write_them(written: object, meant: datetime) -> None:
    assert read_moment(written, None) == meant


def test_a_time_without_a_zone_is_meant_in_the_source_s() -> None:
    assert read_moment("2016-12-14 02:46:44", UTC) == datetime(2016, 12, 14, 2, 46, 44, tzinfo=UTC)
    assert read_moment("2016-12-14 10:46:44", SHANGHAI) == datetime(2016, 12, 14, 2, 46, 44, tzinfo=UTC)
    with pytest.raises(MomentError, match="no zone"):
        read_moment("2016-12-14 02:46:44", None)


NO_TIMES = ["", "soon", "2026-02-30T00:00:00Z", "2026-03-02", "2026-W09-1", "20260302T100000Z", "2026-03-02T25:00:00Z"]
NO_TIMES += ["0001-01-01T00:00:00+10:00", "２０２６", "1" * 30, "9" * 20]


@pytest.mark.parametrize("written", [*NO_TIMES, True, None, {}, float("nan"), float("inf"), 10**19])
def test_row_18_what_is_no_time(written: object) -> None:
    with pytest.raises(MomentError):
        read_moment(written, UTC)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_what_iso_8601_says_is_what_is_read(moment: datetime) -> None:
    assert read_moment(moment.isoformat(), None) == moment.astimezone(UTC)
