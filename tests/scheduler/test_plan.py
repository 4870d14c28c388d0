import os
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.calendar import Almanac
from scheduler.calendar import almanac as almanac_of
from scheduler.plan import (
    Standing,
    Term,
    asked_again_at,
    asked_at,
    collected,
    next_term,
    opening,
    previous_term,
    seed_of,
    standing,
    term_of,
    wave_of,
    waves,
)
from services.contracts.language.timing import Every, read_every
from services.contracts.policy import Calendar, Period, Policy, parse_policy
from tests.services.contracts.drafts import CALENDAR_SURVEY, DRAFT

EXAMPLES = int(os.environ.get("HUIFANG_EXAMPLES", "300"))
SHANGHAI = ZoneInfo("Asia/Shanghai")
CHINA = Almanac(Calendar.model_validate({"timezone": "Asia/Shanghai", "holidays": "CN"}))
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "UTC")

periods: st.SearchStrategy[Period] = st.sampled_from(get_args(Period))
days = st.dates(date(2024, 1, 1), date(2027, 12, 31))
moments = st.integers(0, 4 * 365 * 1440).map(
    lambda minute: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
)


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@cache
def policy(extra: str = "plans: {ready: 7-10 days before, approve: director}\n") -> Policy:
    return parse_policy(DRAFT + CALENDAR_SURVEY + extra, "draft.yaml")


@given(period=periods, day=days)
def test_every_day_lies_in_one_period_and_periods_follow_each_other(period: Period, day: date) -> None:
    term = term_of(period, day)
    assert term.start <= day < term.end
    assert next_term(term).start == term.end
    assert previous_term(next_term(term)) == term
    assert previous_term(term).key < term.key < next_term(term).key


@pytest.mark.parametrize(
    ("period", "day", "key", "start", "end"),
    [
        ("week", date(2026, 1, 1), "2026-W01", date(2025, 12, 29), date(2026, 1, 5)),
        ("month", date(2026, 12, 31), "2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("quarter", date(2026, 11, 24), "2026-Q4", date(2026, 10, 1), date(2027, 1, 1)),
        ("year", date(2026, 6, 1), "2026", date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_periods_of_the_calendar(period: Period, day: date, key: str, start: date, end: date) -> None:
    term = term_of(period, day)
    assert (term.key, term.start, term.end) == (key, start, end)


@pytest.mark.parametrize(
    ("every", "day", "opens"),
    [
        ("week, on monday", "2026-03-04", "2026-03-02 09:00"),
        ("quarter, from 10 days before its end", "2026-02-01", "2026-03-23 09:00"),  # the 22nd is a Sunday
        ("quarter, from 10 working days before its end", "2026-02-01", "2026-03-18 09:00"),
        ("month, from 3 days after its start", "2026-04-15", "2026-04-07 09:00"),  # the 4th to 6th: Qingming
        ("year", "2026-05-01", "2026-01-04 09:00"),  # New Year's holiday ends on a Sunday that is worked
        ("week, on monday", "2026-10-08", "2026-10-08 09:00"),  # Golden Week
    ],
)
def test_surveys_open_on_working_days_at_the_start_of_work(every: str, day: str, opens: str) -> None:
    rule = read_every(every)
    assert opening(rule, term_of(rule.period, date.fromisoformat(day)), CHINA) == shanghai(opens)


def test_an_opening_that_has_no_working_day_left_moves_back_within_its_period() -> None:
    term = term_of("month", date(2026, 2, 1))  # its last day is a Saturday that is worked in China, not in Berlin
    berlin = Almanac(Calendar.model_validate({"timezone": "Europe/Berlin", "holidays": "DE"}))
    opens = opening(read_every("month, from 1 day before its end"), term, berlin)
    assert opens.astimezone(ZoneInfo("Europe/Berlin")).date() == date(2026, 2, 27)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    period=periods, days_from=st.integers(0, 400), back=st.booleans(), working=st.booleans(), day=days,
    zone=st.sampled_from(ZONES),
)  # fmt: skip
def test_every_opening_is_in_working_time_and_in_its_period_where_anybody_works(
    period: Period, days_from: int, back: bool, working: bool, day: date, zone: str
) -> None:
    almanac = almanac_of(Calendar.model_validate({"timezone": zone, "holidays": "DE"}))
    term = term_of(period, day)
    every = Every(period, None, days_from, "working days" if working else "days", back)
    opens = opening(every, term, almanac).astimezone(ZoneInfo(zone))
    assert opens.hour == 9
    assert almanac.is_working_day(opens.date())
    assert term.start <= opens.date() <= term.last


def test_row_s2_11_plans_are_drawn_up_and_ready_before_the_survey_opens() -> None:
    wave = wave_of(policy(), "quarter", term_of("quarter", date(2026, 1, 1)), CHINA)
    assert wave.opens == shanghai("2026-03-23 09:00")
    assert wave.draw_from == shanghai("2026-03-13 09:00")
    assert wave.ready_by == shanghai("2026-03-16 09:00")
    assert seed_of("draft", 3, wave) == "draft/3/quarter/2026-Q1"


def test_without_a_rule_a_plan_is_ready_when_the_survey_opens() -> None:
    wave = wave_of(policy(""), "quarter", term_of("quarter", date(2026, 1, 1)), CHINA)
    assert wave.draw_from == wave.ready_by == wave.opens


def test_waves_begin_with_the_first_plan_that_can_be_ready_in_time() -> None:
    found = list(waves(policy(), "quarter", CHINA, shanghai("2026-03-14"), shanghai("2027-01-01")))
    assert [wave.term.key for wave in found] == ["2026-Q2", "2026-Q3", "2026-Q4"]
    assert list(waves(policy(), "ticket", CHINA, shanghai("2026-03-14"), shanghai("2027-01-01"))) == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    start=moments, middle=st.timedeltas(timedelta(0), timedelta(400)), rest=st.timedeltas(timedelta(0), timedelta(400))
)
def test_no_wave_is_lost_or_doubled_where_the_time_is_cut(start: datetime, middle: timedelta, rest: timedelta) -> None:
    cut, end = start + middle, start + middle + rest
    whole = list(waves(policy(), "quarter", CHINA, start, end))
    parts = [*waves(policy(), "quarter", CHINA, start, cut), *waves(policy(), "quarter", CHINA, cut, end)]
    assert whole == parts


@pytest.mark.parametrize(
    ("drawn", "approved", "now", "expected"),
    [
        (None, None, "2026-03-01", "too early"),
        (None, None, "2026-03-14", "to draw up"),
        ("2026-03-14", None, "2026-03-15", "to approve"),
        ("2026-03-14", "2026-03-15", "2026-04-01", "ready"),
        ("2026-03-14", None, "2026-03-17", "late"),
        ("2026-03-14", "2026-03-17", "2026-03-18", "late"),
    ],
)
def test_how_a_plan_stands(drawn: str | None, approved: str | None, now: str, expected: Standing) -> None:
    wave = wave_of(policy(), "quarter", term_of("quarter", date(2026, 1, 1)), CHINA)
    at = [None if text is None else shanghai(text) for text in (drawn, approved)]
    assert standing(wave, at[0], at[1], shanghai(now)) == expected


WEEKLY = parse_policy(
    DRAFT.replace("on: ticket closed", "on: ticket closed\n    every: week, on monday"), "weekly.yaml"
).surveys["ticket"]


@pytest.mark.parametrize(
    ("closed", "asked"),
    [
        ("2026-03-02 00:00", "2026-03-09 09:00"),
        ("2026-03-08 23:59", "2026-03-09 09:00"),
        ("2026-03-09 00:00", "2026-03-16 09:00"),
        ("2026-09-30 12:00", "2026-10-08 09:00"),  # the Monday is in Golden Week
    ],
)
def test_row_s1_3_the_weeks_closings_are_asked_about_on_the_following_monday(closed: str, asked: str) -> None:
    assert asked_at(WEEKLY, shanghai(closed), CHINA) == shanghai(asked)


def test_without_a_period_a_ticket_is_asked_about_from_its_closing_on() -> None:
    at = shanghai("2026-03-02 00:00")
    assert asked_at(policy().surveys["ticket"], at, CHINA) == at


@settings(max_examples=EXAMPLES, deadline=None)
@given(at=moments, zone=st.sampled_from(ZONES))
def test_each_closing_is_collected_once_and_asked_about_after_its_week(at: datetime, zone: str) -> None:
    almanac = almanac_of(Calendar.model_validate({"timezone": zone}))
    assert WEEKLY.every is not None
    asked = asked_at(WEEKLY, at, almanac)
    term = term_of("week", asked.astimezone(ZoneInfo(zone)).date())
    around: list[Term] = [previous_term(term), term, next_term(term)]
    spans = [collected(WEEKLY.every, each, almanac) for each in around]
    assert [low <= at < high for low, high in spans] == [False, True, False]
    assert asked >= spans[1][1]


def test_row_s1_4_the_dissatisfied_are_asked_again_on_the_next_months_first_working_day() -> None:
    text = DRAFT + "    again: {when: {response: dissatisfied}, next: month}\n"
    again = parse_policy(text, "again.yaml").surveys["ticket"].again
    assert again is not None
    assert asked_again_at(again, shanghai("2026-03-31 23:59"), CHINA) == shanghai("2026-04-01 09:00")
    assert asked_again_at(again, shanghai("2026-04-30 10:00"), CHINA) == shanghai("2026-05-06 09:00")
