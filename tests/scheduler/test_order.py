"""Whatever order a ticket's events come in, and however often: the same end."""

import os
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import store
from services.contracts.envelope import Event
from services.contracts.tickets import TicketClosed, TicketReopened
from tests.scheduler.desk import Desk, closed, person, reopened

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
EXAMPLES = int(os.environ.get("HUIFANG_EXAMPLES", "1000")) // 10
ANNA = person(1)

_numbers = count(1)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Closings and reopenings of one ticket in turn; a contact that may become known later; the last may last."""
    closings = draw(st.integers(1, 3))
    events: list[Event] = []
    at = MONDAY - draw(st.integers(0, 60)) * HOUR
    for closure in range(1, closings + 1):
        kind = draw(st.sampled_from(("incident", "request")))
        events.append(closed(at, ANNA, "", closure, type=kind))
        if draw(st.booleans()):
            events.append(closed(at, None, "", closure, type=kind))
        if draw(st.booleans()):
            events.append(closed(at + HOUR / 2, ANNA, "", closure, type=kind))
        if closure < closings or draw(st.booleans()):
            events.append(reopened(at + HOUR, "", closure))
        at += draw(st.integers(2, 20)) * HOUR
    return events


def about(event: Event, ticket: str) -> Event:
    if isinstance(event, TicketClosed):
        return closed(event.closed_at, event.contact, ticket, event.closure, type=event.facts.type)
    assert isinstance(event, TicketReopened)
    return reopened(event.reopened_at, ticket, event.closure)


async def ending(desk: Desk, heard: list[Event], batches: list[int]) -> list[object]:
    """The state of a new ticket after the events, heard in batches of these sizes."""
    ticket = f"IT-{next(_numbers)}"
    events, sizes = [about(event, ticket) for event in heard], iter([*batches, *([len(heard)] * len(heard))])
    while events:
        size = next(sizes)
        await desk.hear(*events[:size])
        del events[:size]
    async with desk.house.database.reading() as transaction:
        closures = await store.find_closures(transaction, [("jira", ticket)])
    surveys = {row["closure"]: row for row in await desk.surveys(ticket)}
    states: list[object] = []
    for key, closure in sorted(closures.items()):
        assert closure.closing is not None
        assert closure.verdict is not None
        survey = surveys.get(key.closure)
        is_open = survey is not None and survey["ended_at"] is None
        states.append(
            (
                key.closure,
                closure.closing.closed_at,
                closure.reopened_at,
                closure.verdict.outcome,
                closure.verdict.reason,
                (survey["promised_by"], survey["expires_at"], survey["next_at"]) if survey and is_open else None,
            )
        )
    return states


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), data=st.data())
async def test_any_order_and_any_repetition_of_a_tickets_events_come_to_the_same(
    desk: Desk, history: list[Event], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(history), max_size=3))
    shuffled = data.draw(st.permutations([*history, *repeated]))
    sizes = data.draw(st.lists(st.integers(1, 3), max_size=6))
    assert await ending(desk, shuffled, sizes) == await ending(desk, history, [1] * len(history))
