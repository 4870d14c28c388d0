"""Liveness as progress: every loop of the process beats here, and one that stands still shows."""

import time
from collections.abc import Mapping

STANDSTILL_SECONDS = 90.0


class Pulse:
    """The last beat of each loop, on the monotonic clock."""

    def __init__(self) -> None:
        self._beats: dict[str, float] = {}
        self._troubles: dict[str, str] = {}

    def beat(self, loop: str) -> None:
        """The loop has come round."""
        self._beats[loop] = time.monotonic()

    def trouble(self, part: str, what: str | None) -> None:
        """Notes why a part cannot do its work for now, or (None) that it can again; readiness shows it."""
        if what is None:
            self._troubles.pop(part, None)
        else:
            self._troubles[part] = what

    @property
    def troubles(self) -> Mapping[str, str]:
        """What cannot do its work, and why."""
        return dict(self._troubles)

    def stopped(self) -> dict[str, float]:
        """Loops that have not come round for too long, with the seconds since their last beat."""
        now = time.monotonic()
        return {loop: now - beat for loop, beat in self._beats.items() if now - beat > STANDSTILL_SECONDS}
