from datetime import UTC, datetime, time, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery import (
    ENDS,
    JITTER,
    RETRIES,
    Outcome,
    Settlement,
    Stage,
    State,
    after_receipt,
    http_reply,
    quiet_until,
    refusal,
    retry_at,
    settle,
    smtp_reply,
)

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
LATER = NOW + timedelta(days=7)
TEMPORARY = Outcome("temporary", "smtp recipient 450")


@pytest.mark.parametrize(
    ("ending", "state"), [("accepted", "accepted"), ("permanent", "failed"), ("uncertain", "uncertain")]
)
def test_a_definite_end_and_an_ambiguous_one_are_never_tried_again(ending: str, state: str) -> None:
    outcome = Outcome(ending, "why")  # type: ignore[arg-type]
    assert settle(outcome, attempts=1, now=NOW, until=LATER, jitter=0.5) == Settlement(state, "why")  # type: ignore[arg-type]


def test_what_was_never_begun_is_due_again_at_once() -> None:
    outcome = Outcome("unstarted", "smtp no time")
    assert settle(outcome, attempts=1, now=NOW, until=LATER, jitter=0.5).next_at == NOW


@given(attempt=st.integers(1, len(RETRIES)), jitter=st.floats(0, 1))
def test_retries_follow_the_schedule_within_its_jitter(attempt: int, jitter: float) -> None:
    at = retry_at(attempt, NOW, jitter)
    wait = RETRIES[attempt - 1]
    assert at is not None
    assert wait * (1 - JITTER) <= at - NOW <= wait * (1 + JITTER) + timedelta(microseconds=1)


def test_a_used_up_schedule_fails() -> None:
    end = settle(TEMPORARY, attempts=len(RETRIES) + 1, now=NOW, until=LATER, jitter=0.5)
    assert end == Settlement("failed", "gave up: smtp recipient 450")


def test_no_retry_is_planned_for_after_the_survey() -> None:
    until = NOW + timedelta(minutes=1)
    assert settle(TEMPORARY, attempts=1, now=NOW, until=until, jitter=0.5).state == "failed"
    assert settle(TEMPORARY, attempts=1, now=NOW, until=until + timedelta(seconds=1), jitter=0.5).state == "planned"


@given(asked=st.integers(0, 10**8), attempt=st.integers(1, len(RETRIES)), jitter=st.floats(0, 1))
def test_retry_after_is_never_undercut(asked: int, attempt: int, jitter: float) -> None:
    wait = timedelta(seconds=asked)
    at = retry_at(attempt, NOW, jitter, wait)
    assert at is not None
    assert at - NOW >= min(wait, timedelta(days=365))


@pytest.mark.parametrize(
    ("stage", "code", "text", "ending", "dead"),
    [
        ("answer", 250, "2.0.0 Ok: queued as 4F", "accepted", False),
        ("answer", 354, "go on", "uncertain", False),
        ("answer", 421, "4.3.0 closing", "temporary", False),
        ("answer", 451, "4.7.1 greylisted", "temporary", False),
        ("answer", 554, "5.7.1 spam", "permanent", False),
        ("answer", 550, "refused", "permanent", False),
        ("answer", 550, "5.1.1 unknown", "permanent", True),
        ("answer", 552, "message too large", "temporary", False),
        ("recipient", 550, "5.1.1 <x@example.com> unknown", "permanent", True),
        ("recipient", 550, "no such user", "permanent", True),
        ("recipient", 550, "5.7.1 refused by policy", "permanent", False),
        ("recipient", 556, "5.1.10 null MX", "permanent", True),
        ("recipient", 552, "5.2.2 mailbox full", "temporary", False),
        ("recipient", 452, "4.2.2 mailbox full", "temporary", False),
        ("recipient", 550, "4.2.0 contradiction", "temporary", False),
        ("recipient", 450, "5.1.1 contradiction", "permanent", True),
        ("recipient", 530, "5.7.0 authentication required", "temporary", False),
        ("sender", 553, "sender not allowed", "permanent", False),
        ("content", 503, "bad sequence", "permanent", False),
        ("login", 535, "5.7.8 credentials invalid", "temporary", False),
        ("connect", 554, "5.7.1 blocked", "temporary", False),
        ("recipient", 550, "5.1.1x shapeless", "permanent", True),
    ],
)
def test_smtp_replies(stage: Stage, code: int, text: str, ending: str, dead: bool) -> None:
    outcome = smtp_reply(stage, code, text)
    assert (outcome.ending, outcome.address_dead) == (ending, dead)
    assert "@" not in outcome.detail


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        *((status, "temporary") for status in (302, 401, 403, 404, 408, 425, 429, 500, 503)),
        *((status, "permanent") for status in (400, 409, 422)),
        *((status, "uncertain") for status in (100, 200, 502, 504, 520)),
    ],
)
def test_http_statuses(status: int, ending: str) -> None:
    assert http_reply("http", status).ending == ending


@pytest.mark.parametrize("order", [*permutations(("accepted", "delivered", "uncertain"))])
def test_the_order_of_answers_and_receipts_does_not_matter(order: tuple[State, ...]) -> None:
    state: State = "sending"
    for each in (*order, *order):
        state = after_receipt(state, each)
    assert state == "delivered"


@given(st.sampled_from(sorted(ENDS)), st.lists(st.sampled_from(["planned", "accepted", "delivered", "bounced"])))
def test_an_end_is_never_left(end: State, receipts: list[State]) -> None:
    state = end
    for receipt in receipts:
        state = after_receipt(state, receipt)
    assert state == end


@pytest.mark.parametrize(
    ("state", "after"),
    [("uncertain", "planned"), ("sending", "sending"), ("accepted", "accepted"), ("failed", "failed")],
)
def test_only_what_is_uncertain_is_planned_again_when_the_provider_never_had_it(state: State, after: State) -> None:
    assert after_receipt(state, "planned") == after


SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
NIGHT = time(21), time(8, 30)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-02T12:59:59+00:00", None),
        ("2026-03-02T13:00:00+00:00", "2026-03-03T00:30:00+00:00"),
        ("2026-03-02T23:00:00+00:00", "2026-03-03T00:30:00+00:00"),
        ("2026-03-03T00:30:00+00:00", None),
    ],
)
def test_quiet_hours_over_midnight(at: str, until: str | None) -> None:
    expected = datetime.fromisoformat(until) if until else None
    assert quiet_until(datetime.fromisoformat(at), SHANGHAI, NIGHT) == expected


@given(
    at=st.integers(0, 730 * 86_400).map(lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
    zone=st.sampled_from([SHANGHAI, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
    start=st.times(),
    end=st.times(),
)
def test_quiet_hours_end_outside_themselves(at: datetime, zone: ZoneInfo, start: time, end: time) -> None:
    moments = 0
    until: datetime | None = at
    while until is not None:
        reached = until
        until = quiet_until(reached, zone, (start, end))
        assert until is None or until > reached
        moments += 1
        assert moments < 200  # an hour that comes twice is left minute by minute
    local = reached.astimezone(zone).time()
    inside = start <= local < end if start <= end else local >= start or local < end
    assert start == end or not inside


def test_equal_ends_are_never_quiet() -> None:
    assert quiet_until(NOW, SHANGHAI, (time(22), time(22))) is None
    assert quiet_until(NOW, SHANGHAI, None) is None


FINE = {
    "ended": None,
    "opted_out": False,
    "expired": False,
    "erased": False,
    "address": "li@example.com",
    "dead": False,
    "provider": True,
}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, None),
        ({"opted_out": True, "ended": "answered"}, "suppressed"),
        ({"ended": "answered"}, "suppressed"),
        ({"expired": True, "address": None}, "suppressed"),
        ({"erased": True, "address": None}, "suppressed"),
        ({"address": None}, "failed"),
        ({"dead": True}, "failed"),
        ({"provider": False}, "failed"),
    ],
)
def test_what_must_not_be_sent(change: dict[str, object], state: str | None) -> None:
    refused = refusal(**{**FINE, **change})  # type: ignore[arg-type]
    assert (refused.state if refused else None) == state
