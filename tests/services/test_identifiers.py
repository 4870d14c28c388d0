import time
from uuid import RFC_4122

import pytest

from services.identifiers import uuid7


def test_it_is_a_uuid_of_version_seven_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= after


def test_no_two_are_the_same_and_later_ones_sort_after(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({uuid7() for _ in range(100_000)}) == 100_000
    moments = [1_772_416_800_000_000_000 + nanoseconds for nanoseconds in range(0, 5_000_000, 250)]
    made = []
    for moment in moments:
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment)
        made.append(uuid7())
    assert made == sorted(made)
