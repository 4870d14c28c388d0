from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.calendar import zone_of
from scheduler.policy import Closing, PlannedStep, Rule, schedule
from scheduler.survey import (
    OPEN,
    Survey,
    Turn,
    answered,
    come_up,
    ended,
    planned,
    replanned,
    reported,
    unanswered_steps,
)
from services.contracts.deliveries import DeliveryOutcome
from services.contracts.surveys import SurveyEnd
from services.contracts.tickets import Channel, Contact, TicketFacts
from tests.scheduler.rules import rule, steps_within
from tests.scheduler.test_calendar import EXAMPLES, ZONES, moments, quiets

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # 10:00 in Shanghai
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ALL: tuple[Channel, ...] = ("sms", "email", "call")
OUTCOMES: tuple[DeliveryOutcome, ...] = get_args(DeliveryOutcome)


CLOSED_AT_TEN = Closing("jira", "IT-1", 1, MONDAY, TicketFacts(), Contact(person=UUID(int=1), sealed=b"", channels=ALL))


def new(
    asked: Rule, channels: tuple[Channel, ...] = ALL, closed_at: datetime = MONDAY, zone: str | None = None
) -> Survey:
    contact = Contact(person=UUID(int=1), sealed=b"", channels=channels, timezone=zone)
    closing = Closing("jira", "IT-1", 1, closed_at, TicketFacts(), contact)
    plan = schedule(asked, closing, closed_at)
    return planned(asked, plan, UUID(int=7), channels, zone_of(zone), closed_at)


def turn(
    asked: Rule, survey: Survey, now: datetime | None = None, *, opted_out: bool = False, over: bool = False
) -> Turn:
    assert survey.next_step is not None
    assert survey.next_at is not None
    return come_up(asked, survey, survey.next_step, now or survey.next_at, opted_out=opted_out, over_limit=over)


def said(asked: Rule, survey: Survey) -> tuple[Survey, PlannedStep, datetime]:
    """The survey once its next step was said on time, the step, and when that was."""
    assert survey.next_at is not None
    after = turn(asked, survey)
    assert after.step is not None
    return after.survey, after.step, survey.next_at


def told(asked: Rule, survey: Survey, step: PlannedStep, outcome: DeliveryOutcome, at: datetime) -> Survey:
    return reported(asked, survey, step.number, outcome, at, at)


def test_a_call_is_not_left_to_the_moment_of_the_deadline() -> None:
    asked = rule({"quiet": "20:00-09:00", "hours": "10:00-16:00"}, send={"within": "1d"}, steps=[{"first": ["call"]}])
    at_ten = new(asked, closed_at=MONDAY)  # work begins at the deadline to the minute
    late = replanned(asked, at_ten, schedule(asked, CLOSED_AT_TEN, MONDAY + 15 * HOUR), MONDAY + 15 * HOUR)
    assert late.promised_by == MONDAY + DAY
    assert late.next_at == MONDAY + 23 * HOUR  # nine o'clock, when quiet time ends


def test_without_an_answer_there_follow_a_reminder_the_call_list_and_the_end() -> None:
    asked = rule(send={"after": "2h", "within": "3d"})
    survey, step, at = said(asked, new(asked))
    assert (step.kind, step.channel, at) == ("first", "sms", MONDAY + 2 * HOUR)
    assert survey.state == "due"
    survey = told(asked, survey, step, "accepted", at)
    assert (survey.state, survey.contacted_at) == ("sent", at)
    survey, step, at = said(asked, survey)
    assert (step.kind, step.channel, at) == ("reminder", "sms", MONDAY + 26 * HOUR)
    survey = told(asked, survey, step, "accepted", at)
    survey, step, at = said(asked, survey)
    assert (step.kind, step.channel, at) == ("call", "call", MONDAY + 2 * DAY + HOUR)  # 11:00, 8 working hours before
    survey = told(asked, survey, step, "listed", at)
    last = turn(asked, survey)
    assert (last.survey.state, last.cause, last.survey.ended_at) == ("expired", "no_answer", survey.expires_at)
    assert last.survey.contacted_at == MONDAY + 2 * HOUR


@pytest.mark.parametrize("failure", ["failed", "bounced", "suppressed"])
def test_the_next_channel_goes_out_where_the_first_fails(failure: DeliveryOutcome) -> None:
    asked = rule(send={"after": "2h", "within": "4d"})
    survey, step, at = said(asked, new(asked))
    survey = told(asked, survey, step, failure, at + HOUR)
    assert survey.state == "due"
    survey, step, at = said(asked, survey)
    assert (step.kind, step.channel, at) == ("first", "email", MONDAY + 3 * HOUR)
    survey = told(asked, survey, step, "delivered", at)
    _, step, _ = said(asked, survey)
    assert (step.kind, step.channel) == ("reminder", "email")


def test_a_channel_that_the_person_lacks_is_left_out() -> None:
    asked = rule()
    _, step, _ = said(asked, new(asked, ("email",)))
    assert (step.number, step.channel) == (1, "email")


def test_a_bounce_after_acceptance_undoes_the_contact() -> None:
    asked = rule()
    survey, step, at = said(asked, new(asked))
    survey = told(asked, survey, step, "accepted", at)
    survey = told(asked, survey, step, "bounced", at + HOUR)
    assert (survey.state, survey.contacted_at) == ("due", None)
    _, step, _ = said(asked, survey)
    assert step.channel == "email"


def test_an_uncertain_end_counts_as_contact_and_is_not_tried_again() -> None:
    asked = rule()
    survey, step, at = said(asked, new(asked))
    survey = told(asked, survey, step, "uncertain", at)
    assert (survey.state, survey.contacted_at) == ("sent", at)
    _, step, _ = said(asked, survey)
    assert step.kind == "call"  # due an hour before the reminder


def test_where_nothing_gets_through_the_desk_calls_in_time() -> None:
    asked = rule()
    survey, step, at = said(asked, new(asked))
    survey, step, at = said(asked, told(asked, survey, step, "failed", at))
    survey, step, at = said(asked, told(asked, survey, step, "failed", at))
    assert (step.kind, at) == ("call", MONDAY + 2 * HOUR)


def test_a_call_to_somebody_unreached_comes_before_the_deadline_even_on_a_weekend() -> None:
    asked = rule()
    friday_evening = datetime(2026, 3, 6, 10, tzinfo=UTC)
    survey, step, at = said(asked, new(asked, closed_at=friday_evening))
    survey, step, at = said(asked, told(asked, survey, step, "failed", at))
    survey, step, at = said(asked, told(asked, survey, step, "failed", at))
    assert step.kind == "call"
    assert at < survey.promised_by
    assert not asked.almanac.is_quiet(at)


IN_PERSON = [
    {"first": ["sms", "email"]},
    {"reminder": "after 24h"},
    {"call": "5 working days before deadline"},
    {"visit": "3 working days before deadline"},
]
THREE_WEEKS = {"after": "2h", "within": "21d"}
DEADLINE = MONDAY + 21 * DAY  # Monday the 23rd, 10:00


def test_the_call_and_the_visit_come_each_at_its_own_time() -> None:
    asked = rule(send=THREE_WEEKS, expires="30d", steps=IN_PERSON)
    survey, step, at = said(asked, new(asked))
    survey = told(asked, survey, step, "accepted", at)
    survey, step, at = said(asked, survey)
    survey = told(asked, survey, step, "accepted", at)
    survey, step, at = said(asked, survey)
    assert (step.kind, step.channel, at) == ("call", "call", DEADLINE - 7 * DAY)
    survey = told(asked, survey, step, "listed", at)
    survey, step, at = said(asked, told(asked, survey, step, "failed", at + HOUR))
    assert (step.kind, step.channel, at) == ("visit", "visit", DEADLINE - 5 * DAY)
    assert turn(asked, told(asked, survey, step, "listed", at)).survey.state == "expired"


def test_after_a_call_in_place_of_failed_messages_the_visit_keeps_its_time() -> None:
    asked = rule(send=THREE_WEEKS, expires="30d", steps=IN_PERSON)
    survey, step, at = said(asked, new(asked))
    survey, step, at = said(asked, told(asked, survey, step, "failed", at))
    survey, step, at = said(asked, told(asked, survey, step, "bounced", at))
    assert (step.kind, at) == ("call", MONDAY + 2 * HOUR)
    survey = told(asked, survey, step, "listed", at)
    assert survey.next_at == DEADLINE - 5 * DAY
    survey, step, at = said(asked, told(asked, survey, step, "failed", at + 6 * DAY))
    assert (step.kind, at) == ("visit", DEADLINE - 5 * DAY)
    survey = told(asked, survey, step, "failed", at + DAY)
    assert (survey.state, survey.ended_at) == ("unreachable", at + DAY)


def test_who_has_no_channel_at_all_is_visited_at_once() -> None:
    asked = rule(send=THREE_WEEKS, expires="30d", steps=IN_PERSON)
    survey, step, at = said(asked, new(asked, ()))
    assert (step.kind, step.channel, at) == ("visit", "visit", MONDAY + 2 * HOUR)
    assert told(asked, survey, step, "failed", at + HOUR).state == "unreachable"


def test_a_visit_can_be_the_first_contact_and_a_call_stand_in_for_it() -> None:
    asked = rule(steps=[{"first": ["visit", "call"]}])
    survey, step, at = said(asked, new(asked, ("call",)))
    assert (step.kind, step.channel, at) == ("first", "visit", MONDAY + 2 * HOUR)
    survey = told(asked, survey, step, "listed", at)
    assert survey.next_at == survey.expires_at
    survey, step, _ = said(asked, told(asked, survey, step, "failed", at + DAY))
    assert (step.kind, step.channel) == ("first", "call")
    assert told(asked, survey, step, "failed", at + DAY).state == "unreachable"


def test_a_visit_whose_time_has_come_already_leaves_the_call_two_hours() -> None:
    in_person = [{"call": "2d before deadline"}, {"visit": "47h before deadline"}]
    asked = rule(steps=[{"first": ["sms", "email"]}, *in_person])  # promised in two days, asked after two hours
    survey, step, at = said(asked, new(asked))
    survey, step, at = said(asked, told(asked, survey, step, "accepted", at))
    assert (step.kind, at) == ("call", MONDAY + 4 * HOUR)
    survey, step, at = said(asked, told(asked, survey, step, "listed", at))
    assert (step.kind, at) == ("visit", MONDAY + 6 * HOUR)


def test_without_a_telephone_and_with_every_message_failed_the_person_is_unreachable() -> None:
    asked = rule()
    survey, step, at = said(asked, new(asked, ("email",)))
    survey = told(asked, survey, step, "failed", at)
    assert (survey.state, survey.ended_at, survey.next_step) == ("unreachable", at, None)


def test_silence_of_the_notifier_leads_to_a_call_not_to_a_second_message() -> None:
    asked = rule()
    survey, step, _ = said(asked, new(asked))
    assert unanswered_steps(asked, survey) == [step]
    _, step, _ = said(asked, survey)
    assert step.kind == "call"


def test_what_was_planned_is_checked_again_when_it_comes_up() -> None:
    asked = rule(limit="1 in 14 days")
    survey = new(asked)
    assert survey.next_at is not None
    quiet = MONDAY + 13 * HOUR
    assert turn(asked, survey, opted_out=True).survey.state == "declined"
    limited = turn(asked, survey, over=True)
    assert (limited.survey.state, limited.cause, limited.survey.asked_at) == ("cancelled", "person_limit", None)
    postponed = turn(asked, survey, quiet)
    assert postponed.step is None
    assert postponed.survey.next_at == asked.almanac.allowed_from(quiet)
    assert turn(asked, survey, MONDAY + 30 * DAY).survey.state == "expired"
    early = come_up(asked, survey, 0, MONDAY, opted_out=False, over_limit=False)
    assert early.survey is survey
    stale = come_up(asked, turn(asked, survey).survey, 0, survey.next_at, opted_out=False, over_limit=False)
    assert stale.step is None


def test_a_closing_that_was_earlier_moves_the_promise_and_an_unsaid_first_contact() -> None:
    asked, earlier = rule(), MONDAY - HOUR
    plan = schedule(asked, Closing("jira", "IT-1", 1, earlier, TicketFacts(), None), MONDAY)
    moved = replanned(asked, new(asked), plan, MONDAY)
    assert (moved.next_at, moved.promised_by) == (earlier + 2 * HOUR, earlier + 2 * DAY)
    survey, _, at = said(asked, new(asked))
    kept = replanned(asked, survey, plan, at)
    assert (kept.asked_at, kept.promised_by) == (at, earlier + 2 * DAY)


def test_reminders_missed_in_a_standstill_come_once() -> None:
    asked = rule(steps=[{"first": ["email"]}, {"reminder": "after 24h"}, {"reminder": "after 48h"}])
    survey, step, at = said(asked, new(asked))
    survey = told(asked, survey, step, "accepted", at)
    survey = reported(asked, survey, step.number, "delivered", at, MONDAY + 3 * DAY)
    assert survey.next_step == 2


def test_nothing_leaves_an_answer() -> None:
    asked = rule()
    survey, _, at = said(asked, new(asked))
    answered = ended(survey, "answered", at + HOUR)
    assert answered.contacted_at == at + HOUR
    assert ended(answered, "cancelled", at) == answered
    assert ended(ended(survey, "cancelled", at), "answered", at + HOUR) == answered


COURSES: tuple[tuple[DeliveryOutcome, ...], ...] = (
    ("accepted", "delivered"),
    ("accepted", "bounced"),
    ("uncertain", "delivered"),
    ("uncertain", "bounced"),
    ("failed",),
    ("suppressed",),
)
End = tuple[SurveyEnd, int]
Report = tuple[int, DeliveryOutcome, int]

ends = st.tuples(st.sampled_from(("answered", "declined", "cancelled")), st.integers(0, 3))
courses = st.tuples(
    st.sampled_from(COURSES), st.sampled_from(COURSES), st.lists(st.integers(0, 3), min_size=4, max_size=4)
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(courses=courses, others=st.lists(ends, max_size=1), order=st.randoms(use_true_random=False))
def test_whatever_is_heard_in_whatever_order_and_however_often_leads_to_the_same_survey(
    courses: tuple[tuple[DeliveryOutcome, ...], tuple[DeliveryOutcome, ...], list[int]],
    others: list[End],
    order: Random,
) -> None:
    asked = rule(steps=[{"first": ["sms", "email"]}, {"reminder": "after 24h"}])
    start, _, at = said(asked, new(asked))
    hours = iter(courses[2])
    told: list[Report] = [(0, outcome, next(hours)) for outcome in courses[0]]
    told += [(1, outcome, next(hours)) for outcome in courses[1]]

    def ending(heard: Sequence[Report | End]) -> tuple[object, ...]:
        survey = start
        for each in heard:
            if len(each) == 2:
                survey = ended(survey, each[0], at + each[1] * HOUR)
            else:
                survey = reported(asked, survey, each[0], each[1], at + each[2] * HOUR, at + DAY)
        return survey.state, survey.contacted_at, survey.steps, survey.next_step, survey.next_at

    heard: list[Report | End] = [*told, *others]
    shuffled = [*heard, *heard]
    order.shuffle(shuffled)
    assert ending(shuffled) == ending(heard)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    quiet=quiets,
    zone=st.sampled_from(ZONES),
    closed_at=moments,
    within=st.integers(3, 96),
    channels=st.sets(st.sampled_from(ALL), min_size=1),
    fortune=st.lists(st.tuples(st.sampled_from((None, *OUTCOMES)), st.integers(0, 600)), min_size=9, max_size=9),
    delays=st.lists(st.integers(0, 90) | st.integers(0, 4000), min_size=12, max_size=12),
)
def test_every_survey_ends_says_each_step_once_and_nothing_in_quiet_time(
    quiet: str,
    zone: str,
    closed_at: datetime,
    within: int,
    channels: set[Channel],
    fortune: list[tuple[DeliveryOutcome | None, int]],
    delays: list[int],
) -> None:
    """A whole life: steps come up late by some minutes, and deliveries go as fortune will have it."""
    send = {"after": "2h", "within": f"{within}h"}
    asked = rule({"quiet": quiet, "timezone": zone, "holidays": None}, send=send, steps=steps_within(within))
    survey, steps = new(asked, tuple(sorted(channels)), closed_at), list[int]()
    for delay in (*delays, 0, 0, 0, 0, 0, 0, 0, 0):
        if survey.state not in OPEN:
            break
        assert survey.next_at is not None
        now = survey.next_at + timedelta(minutes=delay)
        taken = turn(asked, survey, now)
        survey = taken.survey
        if taken.step is not None:
            assert not asked.almanac.is_quiet(now)
            assert taken.step.channel in channels
            steps.append(taken.step.number)
            outcome, minutes = fortune[len(steps)]
            if outcome is not None:
                at = now + timedelta(minutes=minutes)
                survey = reported(asked, survey, taken.step.number, outcome, at, at)
    assert len(steps) == len(set(steps))
    assert survey.state in ("expired", "unreachable")


@pytest.mark.parametrize("listed", [True, False])
def test_an_answer_in_a_talk_makes_the_call_arrive(listed: bool) -> None:
    asked = rule(steps=[{"first": ["call"]}])
    survey, step, at = said(asked, new(asked))
    if listed:
        survey = reported(asked, survey, step.number, "listed", at, at)
    spoken = answered(asked, survey, "telephone", at + HOUR)
    assert (spoken.state, spoken.steps, spoken.contacted_at) == ("answered", ("delivered",), at + HOUR)
    assert reported(asked, spoken, step.number, "listed", at, at) == spoken
    assert answered(asked, spoken, "telephone", at + HOUR) == spoken


def test_an_answer_by_the_customer_himself_is_no_talk() -> None:
    asked = rule(steps=[{"first": ["call"]}])
    survey, _, at = said(asked, new(asked))
    assert answered(asked, survey, "self", at + HOUR).steps == ("said",)
