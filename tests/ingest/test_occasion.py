"""What is told of an occasion, joined."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.occasion import REFUSALS, Told, judge, merge, normal, read
from services.contracts.customers import OccasionReported
from services.contracts.tickets import Contact, Requester, TicketFacts

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)
FANG = Contact(person=UUID(int=1), channels=("email",), sealed=b"1")
WEI = Contact(person=UUID(int=2), channels=("email", "sms", "call"), sealed=b"2", locale="zh-CN")
NOBODY = Contact(person=UUID(int=3), channels=(), sealed=b"3")


def report(**changes: object) -> OccasionReported:
    told: dict[str, object] = {"source": "crm", "kind": "project accepted", "id": "P-7", "at": AT}
    return OccasionReported(**(told | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, None),
        ({"kind": " Project  Accepted "}, None),
        ({"kind": "客户投诉"}, None),
        ({"kind": ""}, "kind"),
        ({"kind": " \t"}, "kind"),
        ({"kind": "x" * 101}, "kind"),
        ({"kind": "a\x00b"}, "kind"),
        ({"kind": "Ticket Closed"}, "kind"),
        ({"kind": "calendar"}, "kind"),
        ({"id": ""}, "name"),
        ({"id": "x" * 201}, "name"),
        ({"source": "again"}, "name"),
        ({"at": AT.replace(tzinfo=None)}, "zone"),
        ({"at": AT.replace(year=1999)}, "past"),
        ({"at": AT + timedelta(minutes=11)}, "future"),
        ({"at": AT + timedelta(minutes=9)}, None),
    ],
)
def test_what_can_be_believed(changes: dict[str, object], refusal: str | None) -> None:
    found = judge(report(**changes), AT, lambda at: at)
    assert found == refusal
    assert found is None or REFUSALS[found]


def test_kinds_are_compared_in_lower_case_with_single_spaces() -> None:
    assert normal(report(kind=" Project  ACCEPTED")) == report()
    assert normal(normal(report())) == report()


def test_what_a_report_tells() -> None:
    placed = AT - timedelta(hours=1)
    told = read(
        report(
            facts=TicketFacts(customer="C-1", type="x"),
            contact=FANG,
            requester_id="u-1",
            requester=Requester(staff=True),
        ),
        lambda at: placed,
    )
    facts = TicketFacts(type="project accepted", customer="C-1")
    assert told == Told(at=AT, placed_at=placed, facts=facts, contact=FANG, requester_id="u-1", staff=True)
    assert told.time == placed
    assert read(report(), lambda at: at).placed_at is None


def test_the_earliest_time_counts_and_who_can_be_reached() -> None:
    first = Told(at=AT, facts=TicketFacts(customer="C-1"))
    later = Told(at=AT + timedelta(hours=1), facts=TicketFacts(customer="C-2", project="P"), contact=FANG)
    assert merge(first, later) == merge(later, first) == Told(at=AT, facts=TicketFacts(customer="C-1"), contact=FANG)
    assert merge(Told(at=AT, contact=NOBODY), Told(at=AT, contact=FANG)).contact == FANG
    assert merge(Told(at=AT, contact=FANG), Told(at=AT, contact=WEI)).contact == WEI


def test_of_two_tellings_for_one_time_the_fuller_counts() -> None:
    short, full = TicketFacts(customer="C-1"), TicketFacts(customer="C-1", project="P-7")
    assert merge(Told(at=AT, facts=short), Told(at=AT, facts=full)).facts == full
    assert merge(Told(at=AT, facts=full), Told(at=AT, facts=short)).facts == full


def test_the_same_person_sealed_again_is_nothing_new() -> None:
    known = Told(at=AT, contact=FANG)
    again = Contact(person=FANG.person, channels=FANG.channels, sealed=b"sealed anew")
    assert merge(known, Told(at=AT, contact=again)) == known


TOLD = st.builds(
    Told,
    at=st.integers(0, 2).map(lambda hours: AT + timedelta(hours=hours)),
    facts=st.builds(TicketFacts, customer=st.sampled_from([None, "C-1", "C-2"]), project=st.sampled_from([None, "P"])),
    contact=st.sampled_from([None, NOBODY, FANG, WEI]),
    requester_id=st.sampled_from([None, "u-1", "u-2"]),
    staff=st.booleans(),
)


@given(st.lists(TOLD, min_size=1, max_size=4))
def test_neither_order_nor_repetition_matters(every: list[Told]) -> None:
    found = set()
    for order in permutations(every):
        known = order[0]
        for told in (*order, *every):
            known = merge(known, told)
        found.add(known)
        assert all(merge(known, told) == known for told in every)
    assert len(found) == 1
