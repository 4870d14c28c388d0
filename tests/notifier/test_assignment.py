from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from notifier.assignment import Candidate, assign, judge
from notifier.message import Mail, PreparedMail, PreparedText, Text, mark
from tests.notifier.rules import policy

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
LINKS = "https://hf.example.cn/s/a", "https://hf.example.cn/u/b"
FINE = Candidate(
    delivery=UUID(int=1),
    fence=1,
    survey=UUID(int=2),
    step=0,
    attempt=1,
    kind="first",
    about="incident",
    questionnaire="incident",
    items=(),
    ticket="INC1",
    expires_at=NOW + timedelta(days=7),
    ended=None,
    opted_out=False,
    erased=False,
    name="李雷",
    address="li@example.com",
    address_hash=UUID(int=3),
    locale="zh-CN",
    timezone=None,
    version=1,
    policy=policy(),
)
NIGHT_IN_SHANGHAI = datetime(2026, 3, 2, 15, tzinfo=UTC)


def judged(now: datetime = NOW, **changes: Any) -> tuple[str, datetime | None] | None:
    settlement = judge(replace(FINE, **changes), now=now, dead=False, provider=True)
    return (settlement.state, settlement.next_at) if settlement else None


def test_nothing_speaks_against_it() -> None:
    assert judged() is None


def test_it_waits_for_the_end_of_the_quiet_hours_where_the_person_is() -> None:
    assert judged(NIGHT_IN_SHANGHAI) == ("planned", datetime(2026, 3, 3, 0, 30, tzinfo=UTC))
    assert judged(NIGHT_IN_SHANGHAI, timezone="Europe/Berlin") is None
    assert judged(NIGHT_IN_SHANGHAI, timezone="Nowhere/At_All") == ("planned", datetime(2026, 3, 3, 0, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"ended": "answered"}, "suppressed"),
        ({"opted_out": True}, "suppressed"),
        ({"expires_at": NOW}, "suppressed"),
        ({"erased": True}, "suppressed"),
        ({"address": None}, "failed"),
        ({"questionnaire": "gone"}, "failed"),
    ],
)
def test_what_speaks_against_it(changes: dict[str, Any], state: str) -> None:
    assert judged(**changes) == (state, None)


def test_a_policy_that_cannot_be_read_is_left_to_newer_code() -> None:
    assert judged(policy=None) == ("planned", NOW + timedelta(minutes=1))


def test_a_refusal_does_not_wait_for_the_morning() -> None:
    assert judged(NIGHT_IN_SHANGHAI, opted_out=True) == ("suppressed", None)


def test_an_assignment_writes_its_message() -> None:
    mail = PreparedMail(
        sender="care@example.com",
        sender_name="x",
        language="zh-CN",
        subject=mark("ticket"),
        text=f"{mark('greeting')} {mark('expires')}",
        html=mark("link"),
    )
    written = assign(FINE, mail, links=LINKS, at=NOW, deadline=1.0).message()
    assert isinstance(written, Mail)
    assert written.message_id == f"<{UUID(int=2)}.0@example.com>"
    text = assign(FINE, PreparedText([f"{mark('opt_out')}"]), links=LINKS, at=NOW, deadline=1.0).message()
    assert isinstance(text, Text)
    assert (text.text, text.reference) == (LINKS[1], str(UUID(int=1)))


def test_its_shape_is_what_its_message_depends_on() -> None:
    shape = FINE.shape(policy())
    assert shape[:5] == ("desk", 1, "incident", "first", "zh")
    assert (shape.matter.is_ticket, shape.whole) == (True, True)
    assert replace(FINE, name="other", step=3, ticket="INC2").shape(policy()) == shape
    assert replace(FINE, locale="en").shape(policy()).locale == "en"
    assert not replace(FINE, ticket=None).shape(policy()).matter.is_ticket
    assert replace(FINE, about="quarterly", ticket=None).shape(policy()) != shape


def test_only_some_items_are_asked() -> None:
    assert replace(FINE, items=("overall",)).shape(policy()).whole
    assert not replace(FINE, items=("speed",)).shape(policy()).whole
    assert not replace(FINE, questionnaire="visit", items=("comment",)).shape(policy()).whole


def test_an_occasion_s_key_is_no_number_for_the_customer() -> None:
    text = PreparedText([f"{mark('ticket')}!"])
    written = assign(replace(FINE, about="repair", ticket="repair done/7"), text, links=LINKS, at=NOW, deadline=1.0)
    message = written.message()
    assert isinstance(message, Text)
    assert message.text == "!"


def test_no_assignment_without_an_address() -> None:
    with pytest.raises(ValueError, match="address"):
        assign(replace(FINE, address=None), PreparedText(["x"]), links=LINKS, at=NOW, deadline=1.0)
