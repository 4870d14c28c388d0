"""Asked again because of an answer: through the real handlers, on PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from scheduler import store
from scheduler.handlers import HANDLERS
from services.clock import DrivenClock
from services.contracts.deliveries import OptedOut
from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.surveys import SurveyDue, SurveyEnded
from services.errors import Unavailable
from services.house import House
from tests.scheduler.desk import Desk, closed, only, person
from tests.scheduler.rules import OVERALL, WORDS, policy

MARCH = datetime(2026, 3, 9, 2, tzinfo=UTC)  # a Monday, 10:00 in Shanghai
APRIL = datetime(2026, 4, 1, 1, tzinfo=UTC)  # a Wednesday, 9:00
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ANNA = person(1)
AGAIN = {"when": {"response": "dissatisfied", "or": {"any_item": "dissatisfied"}}, "next": "month"}
ITEMS = (
    OVERALL,
    {"id": "speed", "scale": "likert5", "text": WORDS},
    {"id": "skill", "scale": "likert5", "text": WORDS},
    {"id": "comment", "kind": "text", "text": WORDS},
)


def answer(survey: UUID, at: datetime, values: dict[str, float], satisfied: bool = True) -> ResponseGiven:
    return ResponseGiven(
        response=UUID(int=9), survey=survey, version=1, channel="self", answered_at=at, policy="test",
        policy_version=1, questionnaire="incident", name="incident", validity="valid", values=values, score=None,
        satisfied=satisfied, commented=False,
    )  # fmt: skip


@pytest.fixture
async def asking(house: House, clock: DrivenClock) -> Desk:
    """A scheduler whose policy asks the dissatisfied items again, twice at most."""
    return await installed(house, clock, again={**AGAIN, "items": "dissatisfied", "times": 2})


async def installed(house: House, clock: DrivenClock, limit: str | None = None, **survey: Any) -> Desk:
    desk = Desk(house, clock)
    await desk.install(policy(limit=limit, items=ITEMS, **survey))
    clock.set(MARCH)
    return desk


async def asked(desk: Desk) -> SurveyDue:
    """The first contact about a ticket closed in March."""
    await desk.hear(closed(MARCH, ANNA, category="network"))
    (due,) = await desk.dues(MARCH + 2 * HOUR)
    return due


async def verdicts(desk: Desk, first: UUID) -> list[tuple[int, str, str]]:
    """The decisions on asking again after a survey."""
    async with desk.house.database.reading() as transaction:
        closures = await store.find_closures(transaction, [("again", str(first))])
    found = ((each.key.closure, each.verdict) for each in closures.values())
    return [(closure, verdict.outcome, verdict.reason) for closure, verdict in found if verdict is not None]


async def test_dissatisfied_items_are_asked_again_on_the_next_months_first_working_day(asking: Desk) -> None:
    first = await asked(asking)
    given = answer(first.survey, MARCH + DAY, {"overall": 4, "speed": 2, "skill": 5})
    (ended,) = await asking.hear(given)
    assert isinstance(ended, SurveyEnded)
    assert await asking.dues(APRIL + 2 * HOUR - timedelta(seconds=1)) == []
    (due,) = await asking.dues(APRIL + 2 * HOUR)
    assert (due.items, due.again) == (("speed", "comment"), 1)
    assert (due.source, due.ticket, due.closure, due.closed_at) == (None, None, None, None)
    assert (due.contact, due.facts, due.questionnaire) == (ANNA, first.facts, "incident")
    assert due.promised_by == APRIL + 2 * DAY
    assert await verdicts(asking, first.survey) == [(1, "survey", "matched")]


async def test_however_often_and_in_whatever_order_an_answer_is_told_it_is_asked_again_once(asking: Desk) -> None:
    first = await asked(asking)
    given = answer(first.survey, MARCH + DAY, {"overall": 4, "speed": 2})
    corrected = ResponseCorrected(
        **{**{name: getattr(given, name) for name in given.__struct_fields__}, "version": 2, "values": {"overall": 5}}
    )
    await asking.hear(corrected)
    assert await verdicts(asking, first.survey) == []
    await asking.hear(given, given, corrected)
    await asking.hear(corrected, given)
    asking.clock.advance(DAY)
    await asking.hear(given)
    (due,) = only(await asking.come(APRIL + 2 * HOUR), SurveyDue)
    assert due.items == ("speed", "comment")


async def test_workers_that_hear_the_same_answer_at_once_ask_again_once(asking: Desk) -> None:
    first = await asked(asking)
    given = answer(first.survey, MARCH + DAY, {"overall": 1}, satisfied=False)

    async def worker() -> None:
        try:
            await asking.house.database.run(
                "scheduler", lambda transaction: HANDLERS[ResponseGiven](asking.house, transaction, [given])
            )
        except Unavailable:
            await worker()

    await asyncio.gather(*(worker() for _ in range(8)))
    assert len(await asking.dues(APRIL + 2 * HOUR)) == 1


async def test_who_is_satisfied_is_not_asked_again(asking: Desk) -> None:
    first = await asked(asking)
    await asking.hear(answer(first.survey, MARCH + DAY, {"overall": 5, "speed": 4}))
    assert await verdicts(asking, first.survey) == []
    assert await asking.dues(APRIL + 5 * DAY) == []


async def test_a_chain_ends_with_satisfaction_or_with_its_times(asking: Desk) -> None:
    first = await asked(asking)
    await asking.hear(answer(first.survey, MARCH + DAY, {"overall": 1}, satisfied=False))
    (second,) = await asking.dues(APRIL + 2 * HOUR)
    await asking.hear(answer(second.survey, APRIL + DAY, {"overall": 2}, satisfied=False))
    (third,) = await asking.dues(datetime(2026, 5, 6, 3, tzinfo=UTC))  # May begins after its holiday, at 9:00
    assert (third.items, third.again) == (("overall", "comment"), 2)
    await asking.hear(answer(third.survey, third.due_at + DAY, {"overall": 1}, satisfied=False))
    assert await verdicts(asking, first.survey) == [(1, "survey", "matched"), (2, "survey", "matched")]
    assert await asking.dues(30 * DAY) == []


async def test_the_lot_falls_once_and_not_again_for_who_was_dissatisfied(house: House, clock: DrivenClock) -> None:
    desk = await installed(house, clock, again=AGAIN, share="50%")
    await desk.hear(*(closed(MARCH, person(number), f"IT-{number}") for number in range(40)))
    dues = await desk.dues(2 * HOUR)
    assert 5 < len(dues) < 35
    await desk.hear(*(answer(due.survey, MARCH + DAY, {"overall": 1}, satisfied=False) for due in dues))
    again = await desk.dues(APRIL + 2 * HOUR)
    assert len(again) == len(dues)
    assert {due.items for due in again} == {()}


async def test_opting_out_in_between_ends_it(asking: Desk) -> None:
    first = await asked(asking)
    await asking.hear(answer(first.survey, MARCH + DAY, {"overall": 1}, satisfied=False))
    await asking.hear(OptedOut(person=ANNA.person, survey=None, scope="all", opted_out_at=MARCH + 2 * DAY))
    assert await asking.dues(APRIL + 5 * DAY) == []


async def test_who_opted_out_before_his_answer_is_told_is_not_asked_again(asking: Desk) -> None:
    first = await asked(asking)
    await asking.hear(OptedOut(person=ANNA.person, survey=None, scope="all", opted_out_at=MARCH + 2 * DAY))
    await asking.hear(answer(first.survey, MARCH + DAY, {"overall": 1}, satisfied=False))
    assert await verdicts(asking, first.survey) == [(1, "skip", "opted_out")]
    assert await asking.dues(APRIL + 5 * DAY) == []


async def test_the_limit_per_person_holds_for_it_and_counts_it(house: House, clock: DrivenClock) -> None:
    desk = await installed(house, clock, limit="1 in 14 days", again=AGAIN)
    first = await asked(desk)
    await desk.hear(answer(first.survey, MARCH + DAY, {"overall": 1}, satisfied=False))
    desk.clock.set(APRIL - 3 * DAY)
    await desk.hear(closed(desk.clock.now(), ANNA, "IT-2"))
    assert await desk.verdicts("IT-2") == [(1, "skip", "person_limit")]
    (due,) = await desk.dues(APRIL + 2 * HOUR)
    assert due.ticket is None


async def test_an_answer_too_late_for_the_next_opening_is_noted_as_too_late(asking: Desk) -> None:
    first = await asked(asking)
    asking.clock.set(APRIL + 10 * DAY)
    await asking.hear(answer(first.survey, MARCH + DAY, {"overall": 1}, satisfied=False))
    assert await verdicts(asking, first.survey) == [(1, "skip", "too_late")]
