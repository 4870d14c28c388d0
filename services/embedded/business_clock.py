"""Business time in embedded mode: it may run faster than the machine's, goes on after any end, and never goes back."""

import asyncio
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays
import msgspec

from services.clock import Clock, FastClock, SystemClock
from services.embedded.folder import write_whole

SAVE_SECONDS = 1.0
AHEAD_SECONDS = 3.0
"""What is kept lies this far ahead: business time told shortly before a kill is not told again after it."""

SAMPLE_ZONE = ZoneInfo("Asia/Shanghai")
SAMPLE_HOUR = time(9, 30)
SAMPLE_DAYS = 3


class ClockState(msgspec.Struct, frozen=True):
    """What `clock.json` keeps: where business time goes on after the next start, and how fast it ran."""

    goes_on_at: datetime
    speed: float


def open_clock(path: Path, *, speed: float | None, sample: bool = False) -> Clock:
    """The clock that goes on from the state in `path`; where there is none it begins now, or on the sample's morning.

    Without `speed` it is the machine's clock, or as fast as that one where an earlier fast run is ahead of it.
    """
    now = SystemClock().now()
    kept = _read(path)
    start = kept.goes_on_at if kept else sample_morning(now) if sample else now
    if speed is None and start <= now:
        return SystemClock()
    return FastClock(max(start, now), speed or 1.0)


async def keep_clock(path: Path, clock: Clock, speed: float) -> None:
    """Keeps a fast clock's state once a second, for ever, and exactly at the end; the machine's clock needs none."""
    if isinstance(clock, SystemClock):
        return
    try:
        while True:
            _write(path, clock.now() + timedelta(seconds=AHEAD_SECONDS * speed), speed)
            await asyncio.sleep(SAVE_SECONDS)
    finally:
        _write(path, clock.now(), speed)


def sample_morning(now: datetime) -> datetime:
    """The next 9:30 in China after which three working days follow each other, so that no pause stalls the sample."""
    rest = holidays.country_holidays("CN")

    def works(day: date) -> bool:
        return day.weekday() < 5 and day not in rest

    morning = datetime.combine(now.astimezone(SAMPLE_ZONE).date(), SAMPLE_HOUR, SAMPLE_ZONE)
    while morning < now or not all(works(morning.date() + timedelta(days=days)) for days in range(SAMPLE_DAYS)):
        morning += timedelta(days=1)
    return morning


def _read(path: Path) -> ClockState | None:
    with suppress(FileNotFoundError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=ClockState)
    return None


def _write(path: Path, goes_on_at: datetime, speed: float) -> None:
    write_whole(path, msgspec.json.encode(ClockState(goes_on_at, speed)).decode(), durably=False)
