from datetime import UTC, datetime, timedelta, timezone

from services import clock as module
from services.clock import Clock, DrivenClock, FastClock, SystemClock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHANGHAI = timezone(timedelta(hours=8))


class Machine:
    """The machine's clocks, driven."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.wall = datetime(2026, 7, 1, 9, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def now(self, _: object) -> datetime:
        return self.wall

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)


def fast(monkeypatch, speed: float) -> tuple[Machine, FastClock]:  # type: ignore[no-untyped-def]
    machine = Machine()
    monkeypatch.setattr(module, "time", machine)
    monkeypatch.setattr(module, "datetime", machine)
    return machine, FastClock(NOON, speed)


def test_every_clock_tells_aware_utc() -> None:
    clocks: list[Clock] = [SystemClock(), FastClock(NOON, 60), DrivenClock(NOON)]
    early = datetime(2026, 3, 2, 8, tzinfo=SHANGHAI)
    for each in clocks:
        assert each.now().tzinfo is UTC
        assert each.place(early).utcoffset() == timedelta(0)


def test_honest_clocks_leave_time_stamps_where_they_are() -> None:
    early = datetime(2026, 3, 2, 8, tzinfo=SHANGHAI)
    assert SystemClock().place(early) == DrivenClock(NOON).place(early) == early


def test_a_fast_clock_runs_at_its_speed(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    machine, clock = fast(monkeypatch, 3_600)
    assert clock.now() == NOON
    machine.advance(2)
    assert clock.now() == NOON + timedelta(hours=2)


def test_what_happens_now_outside_happens_now_on_a_fast_clock(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    machine, clock = fast(monkeypatch, 3_600)
    machine.advance(10)
    assert clock.place(machine.wall) == clock.now() == NOON + timedelta(hours=10)
    assert clock.place(machine.wall - timedelta(minutes=30)) == clock.now() - timedelta(minutes=30)


def test_a_time_of_the_fast_clock_itself_stays(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    machine, clock = fast(monkeypatch, 3_600)
    machine.advance(24 * 365)
    assert clock.now() > machine.wall
    assert clock.place(clock.now()) == clock.now()


def test_a_driven_clock_goes_where_it_is_told() -> None:
    clock = DrivenClock(NOON)
    clock.advance(timedelta(minutes=5))
    assert clock.now() == NOON + timedelta(minutes=5)
    clock.set(datetime(2026, 1, 1, 8, tzinfo=SHANGHAI))
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
