"""Business time. What a policy speaks of is measured by one of these clocks, never by the machine's directly."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells business time, aware and in UTC."""

    def now(self) -> datetime:
        """The present moment."""
        ...

    def place(self, at: datetime) -> datetime:
        """Where a time stamp from outside falls on this clock."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def place(self, at: datetime) -> datetime:
        return at.astimezone(UTC)


class FastClock:
    """Time that runs `speed` times as fast as the machine's, from `start` on (embedded mode only)."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = start.astimezone(UTC)
        self.speed = speed
        self._started = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._started) * self.speed)

    def place(self, at: datetime) -> datetime:
        """As old on this clock as `at` is by the machine's, so that what happens now outside happens now in here.

        A time stamp that is still to come outside can only be one of this clock's own, and stays.
        """
        outside = datetime.now(UTC)
        return self.now() - (outside - at) if at <= outside else at.astimezone(UTC)


class DrivenClock:
    """Time that stands still until it is told to go on: for tests and simulation."""

    def __init__(self, at: datetime) -> None:
        self._now = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def place(self, at: datetime) -> datetime:
        return at.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Lets time pass."""
        self._now += by

    def set(self, to: datetime) -> None:
        """Moves to a moment, also backwards."""
        self._now = to.astimezone(UTC)
