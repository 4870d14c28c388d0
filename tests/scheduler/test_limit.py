"""The limit per person: kept also by workers that race each other."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from scheduler.handlers import HANDLERS
from scheduler.handlers.surveys import bring_up
from services.clock import DrivenClock
from services.contracts.surveys import SurveyDue
from services.contracts.tickets import TicketClosed
from services.house import House
from tests.scheduler.desk import Desk, closed, only, person, reopened
from tests.scheduler.rules import policy

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ANNA = person(1)


async def limited(house: House, clock: DrivenClock, limit: str = "1 in 14 days") -> Desk:
    desk = Desk(house, clock)
    await desk.install(policy(limit=limit))
    return desk


async def test_one_person_is_asked_once_in_the_period_and_again_after_it(house: House, clock: DrivenClock) -> None:
    desk = await limited(house, clock)
    await desk.hear(closed(MONDAY, ANNA), closed(MONDAY, ANNA, "IT-2"), closed(MONDAY, person(2), "IT-3"))
    assert await desk.verdicts("IT-2") == [(1, "skip", "person_limit")]
    assert sorted(str(due.ticket) for due in await desk.dues(2 * HOUR)) == ["IT-1", "IT-3"]
    clock.set(MONDAY + 13 * DAY)
    await desk.hear(closed(clock.now(), ANNA, "IT-4"))
    assert await desk.verdicts("IT-4") == [(1, "skip", "person_limit")]
    clock.set(MONDAY + 14 * DAY)
    await desk.hear(closed(clock.now(), ANNA, "IT-5"))
    assert await desk.verdicts("IT-5") == [(1, "survey", "matched")]


async def test_a_survey_that_ended_before_anything_was_said_does_not_count(house: House, clock: DrivenClock) -> None:
    desk = await limited(house, clock)
    await desk.hear(closed(MONDAY, ANNA))
    await desk.hear(reopened(MONDAY + HOUR))
    await desk.hear(closed(MONDAY + HOUR, ANNA, closure=2))
    assert await desk.verdicts() == [(1, "survey", "matched"), (2, "survey", "matched")]


async def test_surveys_without_limit_neither_obey_nor_count(house: House, clock: DrivenClock) -> None:
    desk = Desk(house, clock)
    await desk.install(policy(limit="1 in 14 days", limited=False))
    await desk.hear(closed(MONDAY, ANNA), closed(MONDAY, ANNA, "IT-2"))
    await desk.install(policy(limit="1 in 14 days"))
    await desk.hear(closed(MONDAY, ANNA, "IT-3"))
    assert await desk.verdicts("IT-2") == await desk.verdicts("IT-3") == [(1, "survey", "matched")]


async def test_surveys_that_a_standstill_brings_together_still_keep_the_limit(house: House, clock: DrivenClock) -> None:
    """Planned for Monday and Tuesday noon; but the first one goes out on Tuesday, too."""
    desk = await limited(house, clock, "1 in 1 days")
    await desk.hear(closed(MONDAY, ANNA))
    clock.set(MONDAY + DAY)
    await desk.hear(closed(MONDAY + DAY, ANNA, "IT-2"))
    assert await desk.verdicts("IT-2") == [(1, "survey", "matched")]
    (due,) = await desk.dues(MONDAY + DAY + 3 * HOUR)
    assert due.ticket == "IT-1"
    assert await desk.moves("IT-2") == [("planned", "cancelled", "person_limit")]


async def test_eight_workers_that_race_keep_the_limit(house: House, clock: DrivenClock) -> None:
    """200 closings of ten people, each heard by two of eight workers; and the same when they come due."""
    desk = await limited(house, clock, "3 in 14 days")
    events = [closed(MONDAY, person(1 + number % 10), f"IT-{number}") for number in range(200)]

    async def worker(ours: list[TicketClosed]) -> None:
        for start in range(0, len(ours), 7):
            batch = ours[start : start + 7]
            await house.database.run(
                "scheduler",
                lambda transaction, batch=batch: HANDLERS[TicketClosed](house, transaction, batch),  # type: ignore[misc]
            )

    async def retried(ours: list[TicketClosed]) -> None:
        while True:
            try:
                return await worker(ours)
            except Exception as error:
                if type(error).__name__ != "Unavailable":
                    raise

    shares = [[*events[number::8], *events[(number + 1) % 8 :: 8]] for number in range(8)]
    await asyncio.gather(*(retried(share) for share in shares))
    clock.set(MONDAY + 2 * HOUR)

    async def bringer() -> list[SurveyDue]:
        said: list[SurveyDue] = []
        done = 1
        while done:
            async with house.database.transaction("scheduler") as transaction:
                done = await bring_up(house, transaction)
                said += only(transaction.said, SurveyDue)
        return said

    dues = [due for said in await asyncio.gather(*(bringer() for _ in range(8))) for due in said]
    assert len({(due.survey, due.step) for due in dues}) == len(dues) == 30
    assert set(Counter(due.contact.person for due in dues).values()) == {3}
    reasons = Counter([verdict for number in range(200) for verdict in await desk.verdicts(f"IT-{number}")])
    assert reasons == {(1, "survey", "matched"): 30, (1, "skip", "person_limit"): 170}
