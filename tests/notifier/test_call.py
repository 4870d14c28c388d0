from datetime import UTC, datetime, timedelta

import pytest

from notifier.call import CallEnd, CallWord, call_outcome

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "ends_as", "ends_as_last"),
    [
        ("talked", "talked", "talked"),
        ("refused", "refused", "refused"),
        ("wrong_number", "wrong_number", "wrong_number"),
        ("no_answer", None, "no_answer"),
        ("busy", None, "no_answer"),
        ("call_back", None, None),
    ],
)
def test_what_ends_a_call(said: CallWord, ends_as: CallEnd | None, ends_as_last: CallEnd | None) -> None:
    outcome = call_outcome(said, NOW, None)
    assert (outcome.ends_as, outcome.ends_as_last) == (ends_as, ends_as_last)


def test_the_customer_is_called_when_he_said() -> None:
    named = NOW + timedelta(days=1)
    assert call_outcome("call_back", NOW, named).next_at == named


def test_nobody_is_called_again_at_once() -> None:
    assert call_outcome("busy", NOW, None).next_at > NOW
    assert call_outcome("no_answer", NOW, None).next_at > NOW
