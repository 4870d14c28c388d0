from datetime import UTC, datetime, timedelta

import pytest

from notifier.handlers import plan_deliveries
from scheduler.handlers import open_surveys
from scheduler.handlers.open_surveys import OpenSurveys
from scoring import store as pages
from scoring.handlers import open_pages
from services.contracts.deliveries import DeliveryReported
from services.contracts.surveys import SurveyDue
from services.seal import token_hash
from tests.scheduler.desk import Desk, closed, only, person, reopened, report
from tests.scheduler.rules import policy

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # 10:00 in Shanghai
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def told(desk: Desk, start: OpenSurveys, rounds: int = 5) -> list[SurveyDue]:
    """What a start says again within so many rounds."""
    dues: list[SurveyDue] = []
    for _ in range(rounds):
        async with desk.house.database.transaction("scheduler") as transaction:
            assert await start.say(desk.house, transaction) == 0
        dues += only(transaction.said, SurveyDue)
    return dues


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_surveys, "MOST", 2)


async def test_a_start_says_once_of_every_open_survey_how_its_page_was_opened(desk: Desk) -> None:
    await desk.hear(*(closed(MONDAY, person(number), f"IT-{number}") for number in range(1, 6)))
    dues = await desk.dues(2 * HOUR)
    await desk.hear(*(report(due, "delivered", MONDAY + 2 * HOUR) for due in dues))
    await desk.hear(closed(MONDAY, person(6), "IT-6"), reopened(MONDAY + 3 * HOUR, "IT-1"))
    desk.clock.advance(HOUR)
    start = OpenSurveys()
    again = await told(desk, start)
    assert sorted(again, key=lambda due: due.ticket or "") == [due for due in dues if due.ticket != "IT-1"]
    assert await told(desk, start) == []
    assert len(await told(desk, OpenSurveys())) == 4


async def test_a_reminder_is_not_said_again_but_the_message_before_it(desk: Desk) -> None:
    await desk.install(policy(steps=[{"first": ["sms", "email"]}, {"reminder": "after 24h"}]))
    await desk.hear(closed(MONDAY, person(1)))
    (first,) = await desk.dues(2 * HOUR)
    await desk.hear(report(first, "accepted", MONDAY + 2 * HOUR))
    assert [due.kind for due in await desk.dues(DAY)] == ["reminder"]
    await desk.hear(report(first, "bounced", MONDAY + DAY))
    (again,) = await told(desk, OpenSurveys())
    assert (again.step, again.channel) == (first.step, first.channel)


async def test_in_quiet_time_nothing_is_said_again_that_may_still_have_to_be_sent(desk: Desk) -> None:
    await desk.hear(closed(MONDAY, person(1)), closed(MONDAY, person(2), "IT-2"))
    heard, _ = await desk.dues(2 * HOUR)
    await desk.hear(report(heard, "accepted", MONDAY + 2 * HOUR))
    desk.clock.set(MONDAY + 12 * HOUR)
    assert [due.survey for due in await told(desk, OpenSurveys())] == [heard.survey]
    desk.clock.set(MONDAY + 3 * HOUR)
    assert len(await told(desk, OpenSurveys())) == 2


async def test_scoring_opens_the_page_that_it_missed_and_the_notifier_sends_nothing_anew(desk: Desk) -> None:
    called = person(2, channels=("call",))
    await desk.hear(closed(MONDAY, person(1)), closed(MONDAY, called, "IT-2"))
    dues = await desk.dues(2 * HOUR)
    heard = await by_the_notifier(desk, dues)
    assert [(each.channel, each.outcome) for each in heard] == [("call", "listed")]
    await desk.hear(*heard)
    again = await told(desk, OpenSurveys())
    assert {due.survey for due in again} == {due.survey for due in dues}
    assert await by_the_notifier(desk, again) == heard
    async with desk.house.database.transaction("scoring") as transaction:
        await open_pages(desk.house, transaction, again)
        links = [token_hash(desk.house.seal.link_token("survey", due.survey)) for due in dues]
        found = await pages.find_pages(transaction, links)
    assert {found[link].survey for link in links} == {due.survey for due in dues}


async def by_the_notifier(desk: Desk, dues: list[SurveyDue]) -> list[DeliveryReported]:
    """What the notifier says on hearing them."""
    async with desk.house.database.transaction("notifier") as transaction:
        await plan_deliveries(desk.house, transaction, dues)
        return only(transaction.said, DeliveryReported)
