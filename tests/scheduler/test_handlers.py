from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from scheduler.handlers.surveys import say_due_again
from services.clock import DrivenClock
from services.contracts.deliveries import OptedOut
from services.contracts.responses import ResponseChannel, ResponseGiven
from services.contracts.surveys import SurveyDue, SurveyEnded
from services.contracts.tickets import TicketDecided, TicketFacts
from services.errors import Unavailable
from services.house import House
from tests.scheduler.desk import Desk, closed, only, person, reopened, report
from tests.scheduler.rules import policy

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # 10:00 in Shanghai
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ANNA = person(1)


def answer(survey: UUID, at: datetime, channel: ResponseChannel = "self") -> ResponseGiven:
    return ResponseGiven(
        response=UUID(int=9), survey=survey, version=1, channel=channel, answered_at=at,
        policy="test", policy_version=1, questionnaire="incident", name="incident",
        validity="valid", values={}, score=None, satisfied=None, commented=False,
    )  # fmt: skip


async def test_a_closed_ticket_is_decided_and_surveyed_in_time(desk: Desk) -> None:
    (decided,) = await desk.hear(closed(MONDAY, ANNA, category="network"))
    assert decided == TicketDecided(
        source="jira",
        ticket="IT-1",
        closure=1,
        outcome="survey",
        reason="matched",
        decided_at=MONDAY,
        with_contact=True,
    )
    assert await desk.come(HOUR) == []
    (due,) = await desk.come(HOUR)
    survey = await desk.survey()
    assert due == SurveyDue(
        survey=survey["id"], step=0, kind="first", channel="sms", name="incident", policy="test", version=1,
        questionnaire="incident", due_at=MONDAY + 2 * HOUR, promised_by=MONDAY + 2 * DAY,
        expires_at=MONDAY + 7 * DAY + 2 * HOUR,
        contact=ANNA, source="jira", ticket="IT-1", closure=1, closed_at=MONDAY, facts=TicketFacts(category="network"),
    )  # fmt: skip
    assert await desk.come(HOUR) == []


async def test_the_same_closing_again_is_only_echoed(desk: Desk) -> None:
    first = await desk.hear(closed(MONDAY, ANNA))
    assert await desk.hear(closed(MONDAY, ANNA), closed(MONDAY, ANNA)) == first
    assert len(await desk.dues(3 * HOUR)) == 1


async def test_a_whole_life_is_kept_move_by_move(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    (first,) = await desk.dues(2 * HOUR)
    await desk.hear(report(first, "failed", MONDAY + 3 * HOUR))
    (second,) = await desk.dues(2 * HOUR)
    assert (second.step, second.channel) == (1, "email")
    await desk.hear(report(second, "accepted", MONDAY + 5 * HOUR))
    kinds = [due.kind for hour in range(40) for due in await desk.dues(HOUR)]
    assert kinds == ["call", "reminder"]
    (ended,) = await desk.hear(answer(first.survey, MONDAY + 3 * DAY))
    assert ended == SurveyEnded(survey=first.survey, state="answered", cause="response", ended_at=MONDAY + 3 * DAY)
    assert await desk.moves() == [
        ("planned", "due", "due"),
        ("due", "sent", "delivery"),
        ("sent", "answered", "response"),
    ]
    assert await desk.come(30 * DAY) == []


async def test_without_an_answer_the_survey_expires(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    (first,) = await desk.dues(2 * HOUR)
    await desk.hear(report(first, "delivered", MONDAY + 2 * HOUR))
    (ended,) = only(await desk.come(8 * DAY), SurveyEnded)
    assert (ended.state, ended.cause) == ("expired", "no_answer")


async def test_a_reopening_before_sending_cancels_without_a_word(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    assert await desk.hear(reopened(MONDAY + HOUR)) == []
    assert await desk.moves() == [("planned", "cancelled", "reopened")]
    assert await desk.come(3 * DAY) == []


async def test_a_reopening_after_sending_ends_the_survey_and_the_next_closing_is_asked_about(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    (first,) = await desk.dues(2 * HOUR)
    await desk.hear(report(first, "accepted", MONDAY + 2 * HOUR))
    (ended,) = await desk.hear(reopened(MONDAY + 3 * HOUR))
    assert ended == SurveyEnded(survey=first.survey, state="cancelled", cause="reopened", ended_at=MONDAY + 3 * HOUR)
    await desk.hear(closed(MONDAY + 4 * HOUR, ANNA, closure=2))
    (second,) = await desk.dues(5 * HOUR)
    assert (second.closure, second.step) == (2, 0)
    assert await desk.verdicts() == [(1, "survey", "matched"), (2, "survey", "matched")]


async def test_a_reopening_heard_before_its_closing_counts(desk: Desk) -> None:
    await desk.hear(reopened(MONDAY + HOUR))
    assert await desk.verdicts() == []
    await desk.hear(closed(MONDAY, ANNA))
    assert await desk.verdicts() == [(1, "survey", "matched")]
    assert (await desk.survey())["state"] == "cancelled"
    assert await desk.come(3 * DAY) == []


async def test_an_answer_stays_when_the_ticket_is_reopened(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    (due,) = await desk.dues(2 * HOUR)
    await desk.hear(answer(due.survey, MONDAY + 3 * HOUR, "telephone"), reopened(MONDAY + 4 * HOUR))
    survey = await desk.survey()
    assert (survey["state"], survey["contacted_at"]) == ("answered", MONDAY + 3 * HOUR)


async def test_no_contact_is_decided_anew_when_one_arrives_in_time(desk: Desk) -> None:
    (decided,) = await desk.hear(closed(MONDAY, None))
    assert (decided.outcome, decided.reason, decided.with_contact) == ("skip", "no_contact", False)  # type: ignore[attr-defined]
    desk.clock.advance(DAY)
    (decided,) = await desk.hear(closed(MONDAY, ANNA))
    assert (decided.outcome, decided.with_contact) == ("survey", True)  # type: ignore[attr-defined]
    assert len(await desk.dues(HOUR)) == 1
    await desk.hear(closed(MONDAY, None))
    assert await desk.verdicts() == [(1, "survey", "matched")]


async def test_no_contact_stays_where_one_arrives_too_late(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, None))
    desk.clock.advance(3 * DAY)
    (decided,) = await desk.hear(closed(MONDAY, ANNA))
    assert (decided.reason, decided.with_contact) == ("no_contact", True)  # type: ignore[attr-defined]


async def test_an_earlier_closing_moves_the_promise(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    await desk.hear(closed(MONDAY - HOUR, ANNA))
    survey = await desk.survey()
    assert survey["promised_by"] == MONDAY - HOUR + 2 * DAY
    assert len(await desk.dues(HOUR)) == 1
    assert await desk.dues(2 * HOUR) == []


async def test_a_closing_that_proves_to_be_too_old_is_decided_anew(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    await desk.hear(closed(MONDAY - 5 * DAY, ANNA))
    assert await desk.verdicts() == [(1, "skip", "too_late")]
    assert await desk.moves() == [("planned", "cancelled", "too_late")]


async def test_opting_out_for_good_ends_what_runs_and_keeps_others_from_beginning(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA), closed(MONDAY, ANNA, "IT-2"), closed(MONDAY, person(2), "IT-3"))
    await desk.hear(OptedOut(person=ANNA.person, survey=None, scope="all", opted_out_at=MONDAY + HOUR))
    assert [due.ticket for due in await desk.dues(2 * HOUR)] == ["IT-3"]
    assert await desk.moves("IT-2") == [("planned", "declined", "opted_out")]
    await desk.hear(closed(MONDAY, ANNA, "IT-4"))
    assert await desk.verdicts("IT-4") == [(1, "skip", "opted_out")]


async def test_declining_ends_one_survey(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA), closed(MONDAY, ANNA, "IT-2"))
    dues = await desk.dues(2 * HOUR)
    declined = OptedOut(person=ANNA.person, survey=dues[0].survey, scope="survey", opted_out_at=MONDAY + 3 * HOUR)
    (ended,) = await desk.hear(declined)
    assert (ended.survey, ended.state) == (dues[0].survey, "declined")  # type: ignore[attr-defined]


async def test_before_a_policy_is_installed_nothing_is_decided(house: House, clock: DrivenClock) -> None:
    with pytest.raises(Unavailable, match="policy"):
        await Desk(house, clock).hear(closed(MONDAY, ANNA))


async def test_a_new_version_decides_what_comes_and_leaves_what_runs(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    assert await desk.install(policy()) is None
    assert await desk.install(policy(steps=[{"first": ["email"]}])) == 2
    await desk.hear(closed(MONDAY, person(2), "IT-2"))
    dues = await desk.dues(2 * HOUR)
    assert sorted((due.ticket, due.version, due.channel) for due in dues) == [("IT-1", 1, "sms"), ("IT-2", 2, "email")]


async def test_events_about_unknown_surveys_do_no_harm(desk: Desk) -> None:
    assert await desk.hear(answer(UUID(int=5), MONDAY)) == []


async def test_a_step_without_an_echo_is_said_again_but_not_in_quiet_time(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, ANNA))
    (due,) = await desk.dues(2 * HOUR)

    async def sweep() -> list[SurveyDue]:
        async with desk.house.database.transaction("scheduler") as transaction:
            await say_due_again(desk.house, transaction, timedelta(0))
            return only(transaction.said, SurveyDue)

    (again,) = await sweep()
    assert (again.survey, again.step, again.channel) == (due.survey, due.step, due.channel)
    desk.clock.set(MONDAY + 12 * HOUR)
    assert await sweep() == []
    desk.clock.set(MONDAY + 3 * HOUR)
    await desk.hear(report(due, "accepted", MONDAY + 2 * HOUR))
    assert await sweep() == []
