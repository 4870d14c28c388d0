from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.ticket import Closure, Move, fold, judge, merge
from services.contracts.tickets import Contact, TicketFacts

START = datetime(2026, 3, 2, 2, tzinfo=UTC)
NOW = START + timedelta(days=1)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def closed(minutes: int, **rest: object) -> Move:
    return Move(at=at(minutes), state="closed", **rest)  # type: ignore[arg-type]


def opened(minutes: int, **rest: object) -> Move:
    return Move(at=at(minutes), state="open", **rest)  # type: ignore[arg-type]


def somebody(number: int, *channels: str) -> Contact:
    return Contact(person=UUID(int=number), channels=channels, sealed=b"x")  # type: ignore[arg-type]


def spans(closures: tuple[Closure, ...]) -> list[tuple[int, datetime, datetime | None]]:
    return [(each.number, each.closed_at, each.reopened_at) for each in closures]


def test_resolved_and_then_closed_is_one_closure_from_the_resolution() -> None:
    assert spans(fold([closed(5), closed(90)])) == [(1, at(5), None)]


def test_closed_reopened_and_closed_again_are_two() -> None:
    assert spans(fold([opened(0), closed(5), opened(7), closed(20)])) == [(1, at(5), at(7)), (2, at(20), None)]


def test_a_ticket_that_was_never_closed_has_none() -> None:
    assert fold([opened(0), opened(3)]) == ()


def test_opened_and_closed_in_the_same_instant_is_closed() -> None:
    assert spans(fold([closed(5), opened(5)])) == [(1, at(5), None)]


def test_facts_are_those_of_the_closing_itself() -> None:
    first, later = TicketFacts(agent="Li"), TicketFacts(agent="Wang")
    (closure,) = fold([closed(9, facts=later), closed(5, facts=first)])
    assert closure.facts == first


def test_who_can_be_reached_is_preferred_to_who_is_only_named() -> None:
    (closure,) = fold([closed(5, contact=somebody(1)), closed(6, contact=somebody(2, "email"))])
    assert closure.contact == somebody(2, "email")
    (closure,) = fold([closed(5, contact=somebody(1)), closed(6, contact=somebody(2))])
    assert closure.contact == somebody(1)


def test_the_person_may_have_been_named_before_the_closing_only() -> None:
    (closure,) = fold([opened(0, requester_id="7"), closed(5, staff=True)])
    assert (closure.requester_id, closure.staff) == ("7", True)


def test_times_are_those_on_our_clock() -> None:
    (closure,) = fold([closed(5, placed_at=at(500)), opened(6, placed_at=at(400))])
    assert (closure.closed_at, closure.reopened_at) == (at(500), at(500))


moves = st.lists(
    st.builds(
        Move,
        at=st.integers(0, 12).map(at),
        state=st.sampled_from(["open", "closed"]),
        requester_id=st.sampled_from([None, "a", "b"]),
    ),
    unique_by=lambda move: move.key,
    max_size=8,
)


@given(moves, st.data())
def test_any_order_and_any_duplication_give_the_same_closures(history: list[Move], data: st.DataObject) -> None:
    told = data.draw(
        st.permutations(history + data.draw(st.lists(st.sampled_from(history)) if history else st.just([])))
    )
    known: list[Move] = []
    for move in told:
        known = merge(known, [move])
    assert fold(known) == fold(history)


@given(moves, st.integers(0, 12), st.sampled_from(["open", "closed"]))
def test_closures_only_become_more(history: list[Move], minutes: int, state: str) -> None:
    further = Move(at=at(minutes), state=state)  # type: ignore[arg-type]
    assert len(fold(merge(history, [further]))) >= len(fold(history))


@given(moves)
def test_closures_follow_each_other(history: list[Move]) -> None:
    closures = fold(history)
    assert [each.number for each in closures] == list(range(1, len(closures) + 1))
    for earlier, later in pairwise(closures):
        assert earlier.reopened_at is not None
        assert earlier.closed_at <= earlier.reopened_at <= later.closed_at


def test_what_was_told_first_stays() -> None:
    first = closed(5, facts=TicketFacts(agent="Li"))
    assert merge([first], [closed(5, facts=TicketFacts(agent="Wang"))]) == [first]


@pytest.mark.parametrize(
    ("when", "word"),
    [
        (datetime(2026, 3, 2, 2), "zone"),  # noqa: DTZ001
        (datetime(1999, 12, 31, tzinfo=UTC), "past"),
        (datetime(1970, 1, 1, tzinfo=UTC), "past"),
        (datetime(2099, 1, 1, tzinfo=UTC), "future"),
        (NOW + timedelta(minutes=11), "future"),
        (NOW + timedelta(minutes=9), None),
        (START, None),
    ],
)
def test_row_18_times_that_cannot_be_believed(when: datetime, word: str | None) -> None:
    assert judge("jira", "T-1", when, NOW, lambda moment: moment) == word


@pytest.mark.parametrize(
    ("source", "ticket"),
    [("", "1"), ("jira", ""), ("jira", "x" * 201), ("jira", "a\0"), ("jira", "a\n"), ("j", " "), ("plan", "1")],
)
def test_names_that_are_none(source: str, ticket: str) -> None:
    assert judge(source, ticket, START, NOW, lambda moment: moment) == "name"
