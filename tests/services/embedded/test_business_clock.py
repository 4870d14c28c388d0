import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clock import FastClock, SystemClock
from services.embedded.business_clock import keep_clock, open_clock, sample_morning

HOUR_A_SECOND = 3600.0


async def kept_for_a_moment(path: Path, clock: FastClock) -> None:
    task = asyncio.create_task(keep_clock(path, clock, clock.speed))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_without_speed_it_is_the_machines_clock(tmp_path: Path) -> None:
    assert isinstance(open_clock(tmp_path / "clock.json", speed=None), SystemClock)


def test_with_speed_it_begins_now(tmp_path: Path) -> None:
    clock = open_clock(tmp_path / "clock.json", speed=HOUR_A_SECOND)
    assert isinstance(clock, FastClock)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(hours=12)


async def test_business_time_goes_on_after_an_end_and_never_back(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    ahead = datetime.now(UTC) + timedelta(days=30)
    first = FastClock(ahead, HOUR_A_SECOND)
    await kept_for_a_moment(path, first)
    for speed in (None, 1.0, HOUR_A_SECOND):
        again = open_clock(path, speed=speed)
        assert isinstance(again, FastClock)
        assert again.speed == (speed or 1.0)
        assert ahead <= again.now() < ahead + timedelta(days=5)


async def test_what_was_told_before_a_kill_is_not_told_again(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    clock = FastClock(datetime.now(UTC), HOUR_A_SECOND)
    killed = asyncio.create_task(keep_clock(path, clock, clock.speed))
    await asyncio.sleep(0.3)
    told = clock.now()
    assert open_clock(path, speed=HOUR_A_SECOND).now() > told
    killed.cancel()


async def test_the_machines_clock_needs_no_state(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    await keep_clock(path, SystemClock(), 1.0)
    assert not os.access(path, os.F_OK)


def test_a_state_that_the_machines_time_has_overtaken(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    path.write_text('{"goes_on_at":"2020-01-01T00:00:00Z","speed":3600}')
    assert isinstance(open_clock(path, speed=None), SystemClock)
    assert open_clock(path, speed=2).now() > datetime.now(UTC) - timedelta(minutes=1)


@pytest.mark.parametrize("state", ["", "{", "[]", '{"goes_on_at":"soon","speed":1}'])
def test_a_broken_state_is_no_state(tmp_path: Path, state: str) -> None:
    path = tmp_path / "clock.json"
    path.write_text(state)
    assert isinstance(open_clock(path, speed=None), SystemClock)


@settings(deadline=None)
@given(st.timedeltas(timedelta(0), timedelta(days=2_000)))
def test_the_samples_morning_is_followed_by_working_days(later: timedelta) -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC) + later
    morning = sample_morning(now)
    local = morning.astimezone(ZoneInfo("Asia/Shanghai"))
    assert now <= morning <= now + timedelta(days=16)
    assert (local.hour, local.minute) == (9, 30)
    assert local.weekday() < 3


def test_the_sample_does_not_begin_before_a_festival() -> None:
    # Spring Festival 2026: 15 to 23 February are free.
    morning = sample_morning(datetime(2026, 2, 13, 8, tzinfo=UTC))
    assert morning.date().isoformat() == "2026-02-24"
