import pytest

from services import pulse as module
from services.pulse import STANDSTILL_SECONDS, Pulse


class Clock:
    def __init__(self) -> None:
        self.seconds = 5.0

    def monotonic(self) -> float:
        return self.seconds


def test_a_loop_that_stands_still_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    pulse = Pulse()
    pulse.beat("ingest.relay")
    pulse.beat("ingest.listener")
    clock.seconds += STANDSTILL_SECONDS
    assert pulse.stopped() == {}
    pulse.beat("ingest.relay")
    clock.seconds += 1
    assert pulse.stopped() == {"ingest.listener": STANDSTILL_SECONDS + 1}


def test_troubles_come_and_go() -> None:
    pulse = Pulse()
    pulse.trouble("topics", "Kafka is gone")
    assert pulse.troubles == {"topics": "Kafka is gone"}
    pulse.trouble("topics", None)
    pulse.trouble("topics", None)
    assert pulse.troubles == {}
