from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler.calendar import zone_of
from scheduler.policy import Closing, Decision, Person, Rule, decide, decide_by_hand, fits, rules_of, schedule
from scheduler.sample import draw
from services.contracts.quantities import Rate
from services.contracts.tickets import Contact, TicketFacts
from tests.scheduler.rules import policy, rule, steps_within
from tests.scheduler.test_calendar import EXAMPLES, ZONES, moments, quiets

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # 10:00 in Shanghai
DAY = timedelta(days=1)
NOBODY = Person()


def contact(timezone: str | None = None, **fields: Any) -> Contact:
    return Contact(person=UUID(int=1), sealed=b"", timezone=timezone, **{"channels": ("sms", "email"), **fields})


SOMEBODY = contact()


def closing(closed_at: datetime = MONDAY, who: Contact | None = SOMEBODY, **facts: Any) -> Closing:
    return Closing("jira", "IT-1", 1, closed_at, TicketFacts(**facts), who)


def judged(rule: Rule, case: Closing, person: Person = NOBODY, now: datetime = MONDAY) -> Decision:
    return decide([rule], case, person, now)


def test_a_closed_ticket_is_surveyed_with_its_draw_and_its_schedule() -> None:
    decision = judged(rule(), closing())
    assert (decision.outcome, decision.reason) == ("survey", "matched")
    assert decision.rule is not None
    assert decision.rule.title == "test/incident"
    assert decision.draw == draw("test/incident", "jira", "IT-1", 1)
    assert decision.schedule is not None
    assert decision.schedule.first_at == MONDAY + timedelta(hours=2)
    assert decision.schedule.promised_by == MONDAY + 2 * DAY
    assert decision.schedule.expires_at == decision.schedule.first_at + 7 * DAY


@pytest.mark.parametrize(
    ("reason", "case", "person"),
    [
        ("filtered_out", closing(type="request"), NOBODY),
        ("filtered_out", closing(closed_by="merged"), NOBODY),
        ("too_late", closing(MONDAY - 3 * DAY), NOBODY),
        ("no_contact", closing(who=None), NOBODY),
        ("no_contact", closing(who=contact(channels=())), NOBODY),
        ("staff", closing(who=contact(staff=True)), NOBODY),
        ("opted_out", closing(), Person(opted_out=True)),
        ("person_limit", closing(), Person(asked=(MONDAY - 3 * DAY,))),
    ],
)
def test_skips_say_why(reason: str, case: Closing, person: Person) -> None:
    asked = rule(limit="1 in 14 days", where={"type": ["incident"], "not": {"closed_by": ["merged", "spam"]}})
    decision = judged(asked, case, person)
    assert (decision.outcome, decision.reason, decision.schedule) == ("skip", reason, None)


def test_without_a_policy_nobody_is_asked() -> None:
    assert decide([], closing(), NOBODY, MONDAY) == Decision("skip", "no_policy")


def test_the_first_rule_that_matches_decides() -> None:
    vip, rest = rule(where={"tags": ["VIP"]}), rule(share="0%")
    assert decide([vip, rest], closing(tags=("vip", "east")), NOBODY, MONDAY).rule == vip
    assert decide([vip, rest], closing(), NOBODY, MONDAY).reason == "not_sampled"


def test_a_late_closure_is_asked_where_the_policy_says_so() -> None:
    decision = judged(rule(late="ask"), closing(MONDAY - 5 * DAY))
    assert decision.schedule is not None
    assert decision.schedule.first_at == MONDAY


def test_the_share_decides_by_the_draw() -> None:
    number = draw("test/incident", "jira", "IT-1", 1)
    assert judged(rule(share=f"{number * 100 + 1:.4f}%"), closing()).outcome == "survey"
    assert judged(rule(share=f"{number * 100 - 1:.4f}%"), closing()).reason == "not_sampled"


def test_by_hand_overrides_filters_sample_and_lateness_but_protects_people() -> None:
    strict = rule(where={"type": ["incident"]}, share="0%")
    late = closing(MONDAY - 5 * DAY, type="request")
    assert decide_by_hand([strict], late, NOBODY, MONDAY).reason == "by_hand"
    assert decide_by_hand([strict], late, Person(opted_out=True), MONDAY).reason == "opted_out"
    assert decide_by_hand([], late, NOBODY, MONDAY).reason == "no_policy"


def test_rules_are_compiled_once_a_version() -> None:
    document = policy().document()
    assert rules_of("test", 1, document) is rules_of("test", 1, "".join(document))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    quiet=quiets,
    zone=st.sampled_from(ZONES),
    closed_at=moments,
    after=st.integers(0, 47),
    longer=st.integers(1, 48),
    waited=st.integers(0, 3000),
)
def test_no_first_contact_is_planned_in_quiet_time_and_none_late_that_could_be_in_time(
    quiet: str, zone: str, closed_at: datetime, after: int, longer: int, waited: int
) -> None:
    send = {"after": f"{after}h", "within": f"{after + longer}h"}
    asked = rule({"quiet": quiet}, late="ask", send=send, steps=steps_within(after + longer))
    now = closed_at + timedelta(minutes=waited)
    plan = schedule(asked, closing(closed_at, contact(zone)), now)
    assert plan.first_at >= now
    assert plan.promised_by == closed_at + timedelta(hours=after + longer)
    assert not asked.almanac.is_quiet(plan.first_at, zone_of(zone))
    minutes = range(max(0, (plan.promised_by - now) // timedelta(minutes=1)) + 1)
    allowed = any(not asked.almanac.is_quiet(now + timedelta(minutes=each), zone_of(zone)) for each in minutes)
    assert (plan.first_at <= plan.promised_by) is (allowed and now <= plan.promised_by)


def test_a_first_contact_is_brought_forward_where_quiet_time_lasts_beyond_the_deadline() -> None:
    asked = rule(send={"after": "2h", "within": "12h"})
    evening = datetime(2026, 3, 2, 11, 30, tzinfo=UTC)  # 19:30 in Shanghai
    assert schedule(asked, closing(evening), evening).first_at == datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@given(
    most=st.integers(1, 4),
    days=st.integers(1, 20),
    tries=st.lists(st.integers(0, 60 * 24), min_size=1, max_size=40),
)
def test_whatever_is_tried_no_period_holds_more_than_the_limit(most: int, days: int, tries: list[int]) -> None:
    limit, asked = Rate(most, days * DAY), list[datetime]()
    for hour in tries:
        at = MONDAY + timedelta(hours=hour)
        if fits(limit, asked, at):
            asked.append(at)
    for start in asked:
        assert sum(start <= at < start + limit.period for at in asked) <= most


@given(asked=st.lists(st.integers(0, 100), max_size=6), at=st.integers(0, 100), most=st.integers(1, 3))
def test_the_limit_refuses_only_what_would_break_it(asked: list[int], at: int, most: int) -> None:
    times = [MONDAY + day * DAY for day in asked]
    inside = [start for start in range(at - 13, at + 1) if sum(start <= day < start + 14 for day in asked) >= most]
    assume(not any(sum(day <= other < day + 14 for other in asked) > most for day in asked))
    assert fits(Rate(most, 14 * DAY), times, MONDAY + at * DAY) is not bool(inside)
