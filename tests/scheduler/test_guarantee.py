"""Guaranteed follow-up: the counts, and the cases that are asked about besides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.guarantee import Cases, Group, decide_further, missing, open_from, prove, tally
from scheduler.handlers.guarantees import keep_guarantees
from scheduler.policy import Closing, Person
from scheduler.sample import draw
from scheduler.survey import State, StepState
from services.contracts.policy import Guarantee
from services.contracts.tickets import TicketFacts
from tests.scheduler.client import Client
from tests.scheduler.desk import Desk, closed, person, report
from tests.scheduler.rules import policy, rule

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)  # Monday, 10:00 in Shanghai
CALLS: dict[str, Any] = {"steps": [{"first": ["call"]}], "send": {"after": "2h", "within": "3 working days"}}


def guarantee(**fields: Any) -> Guarantee:
    return Guarantee.model_validate({"share": "20%", **fields})


@pytest.mark.parametrize(
    ("by", "state", "steps", "counts"),
    [
        (None, "answered", ("accepted", None, None), True),
        (None, "sent", ("accepted", None, None), False),
        (None, "declined", ("accepted", None, None), True),
        (None, "declined", (None, None, None), False),
        (None, "expired", ("accepted", None, "delivered"), True),
        (["call"], "answered", ("accepted", None, None), False),
        (["call"], "answered", ("accepted", None, "delivered"), True),
        (["call"], "sent", ("accepted", None, "listed"), False),
        (["visit"], "sent", ("accepted", None, "delivered"), False),
    ],
)
def test_what_counts_as_followed_up(
    by: list[str] | None, state: State, steps: tuple[StepState | None, ...], counts: bool
) -> None:
    asking = rule(steps=[{"first": ["sms"]}, {"reminder": "after 24h"}, {"call": "8 working hours before deadline"}])
    cases = tally(asking, guarantee(by=by), [Group(state, steps, 3), Group(None, (), 4)])
    assert cases == Cases(7, 3, 3 if counts else 0, 0 if counts or state != "sent" else 3)


@given(total=st.integers(0, 500), followed=st.integers(0, 500), way=st.integers(0, 500), share=st.integers(1, 100))
def test_as_many_are_missing_as_keep_the_guarantee(total: int, followed: int, way: int, share: int) -> None:
    cases = Cases(total, followed + way, followed, way)
    promised = guarantee(share=f"{share}%")
    more = missing(promised, cases)
    assert prove(promised, cases._replace(followed_up=followed + way + more)).met
    assert not more or not prove(promised, cases._replace(followed_up=followed + way + more - 1)).met


def test_of_those_asked_nobody_more_can_be_asked() -> None:
    promised = guarantee(share="100%", of="asked")
    assert missing(promised, Cases(10, 5, 1, 0)) == 0
    assert prove(promised, Cases(10, 5, 4, 0)) == (5, 4, 5)


async def decisions(desk: Desk, tickets: int) -> dict[str, str]:
    found = [await desk.verdicts(f"IT-{number}") for number in range(tickets)]
    return {f"IT-{number}": reason for number, ((_, _, reason),) in enumerate(found)}


async def close(desk: Desk, tickets: int) -> None:
    await desk.hear(*(closed(AT, person(number + 1), ticket=f"IT-{number}") for number in range(tickets)))


async def test_cases_with_the_lowest_draws_are_asked_when_too_few_were_drawn(desk: Desk) -> None:
    await desk.install(policy(share="0%", guarantee={"share": "25%", "by": ["call"]}, **CALLS))
    await close(desk, 12)
    assert set((await decisions(desk, 12)).values()) == {"not_sampled"}
    await desk.tick(keep_guarantees)
    reasons = await decisions(desk, 12)
    asked = {ticket for ticket, reason in reasons.items() if reason == "guaranteed"}
    assert len(asked) == 3
    draws = {f"IT-{number}": draw("test/incident", "jira", f"IT-{number}", 1) for number in range(12)}
    assert asked == set(sorted(draws, key=lambda ticket: draws[ticket])[:3])
    await desk.tick(keep_guarantees)
    assert await decisions(desk, 12) == reasons


async def test_who_could_not_be_reached_is_replaced_while_there_is_time(desk: Desk) -> None:
    await desk.install(policy(share="0%", guarantee={"share": "25%", "by": ["call"]}, **CALLS))
    await close(desk, 4)
    await desk.tick(keep_guarantees)
    (due,) = await desk.dues(AT + timedelta(hours=3))
    await desk.hear(report(due, "failed", desk.clock.now()))
    await desk.tick(keep_guarantees)
    assert list((await decisions(desk, 4)).values()).count("guaranteed") == 2


async def test_after_the_promise_nobody_is_asked_any_more(desk: Desk) -> None:
    await desk.install(policy(share="0%", guarantee={"share": "25%"}, **CALLS))
    await close(desk, 4)
    desk.clock.set(AT + timedelta(days=8))
    await desk.tick(keep_guarantees)
    assert set((await decisions(desk, 4)).values()) == {"not_sampled"}


async def test_the_count_can_be_read(desk: Desk, client: Client) -> None:
    await desk.install(policy(share="0%", guarantee={"share": "25%", "by": ["call"]}, **CALLS))
    await close(desk, 8)
    await desk.tick(keep_guarantees)
    items = (await client.get("/v1/guarantees")).json()["items"]
    assert [item["period"] for item in items] == ["2025-Q4", "2026-Q1"]
    assert items[1] == {
        "policy": "test",
        "survey": "incident",
        "period": "2026-Q1",
        "total": 8,
        "asked": 2,
        "required": 2,
        "followed_up": 0,
        "under_way": 2,
        "met": False,
    }


MORE = rule(share="10%", send={"within": "1d"}, steps=[{"first": ["call"]}], guarantee={"share": "50%"})
NIGHT = datetime(2026, 3, 3, 0, 45, tzinfo=UTC)  # 8:45 in Shanghai, fifteen minutes after quiet time


def test_a_further_case_is_asked_about_only_if_its_promise_can_well_be_kept() -> None:
    closed_at = NIGHT - timedelta(hours=20)
    case = Closing("jira", "IT-1", 1, closed_at, TicketFacts(), person(1))
    assert decide_further(MORE, case, Person(), NIGHT).reason == "guaranteed"
    late = decide_further(MORE, case, Person(), closed_at + timedelta(days=1, minutes=-10))
    assert (late.outcome, late.reason, late.schedule) == ("skip", "too_late", None)
    asked = rule(late="ask", send={"within": "1d"}, steps=[{"first": ["call"]}], guarantee={"share": "50%"})
    assert decide_further(asked, case, Person(), closed_at + timedelta(days=1, minutes=-10)).outcome == "survey"


@pytest.mark.parametrize(
    ("survey", "earliest"),
    [
        ({"send": {"within": "2d"}}, NIGHT - timedelta(days=3)),
        ({"send": {"within": "2d"}, "late": "ask"}, None),
        # Of a week, cases are asked about in the following one: those of the week before the last may still be open.
        ({"send": {"within": "2d"}, "every": "week, on monday"}, datetime(2026, 2, 15, 16, tzinfo=UTC)),
    ],
)
def test_cases_are_looked_for_from_when_they_can_still_be_asked_about(
    survey: dict[str, Any], earliest: datetime | None
) -> None:
    assert open_from(rule(**survey), NIGHT) == earliest
