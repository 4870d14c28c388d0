from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.audience import Customer, frame, means, means_person, people_asked, reachable, segments_of, since
from services.contracts.customers import CustomerContact, CustomerFacts, Project
from services.contracts.language.timing import read_back
from services.contracts.policy import Ask, ContactFilter, CustomerFilter
from services.contracts.tickets import Channel, Contact

TODAY = date(2026, 3, 2)
BY_MAIL: frozenset[Channel] = frozenset({"email"})


def wanted(**fields: object) -> CustomerFilter:
    return CustomerFilter.model_validate(fields)


def person(number: int, *roles: str, consent: tuple[Channel, ...] = ("email",), **more: object) -> CustomerContact:
    contact = Contact(person=UUID(int=number), channels=("email", "sms"), sealed=b"", locale="zh-CN")
    return CustomerContact(contact=contact, roles=roles, consent=consent, projects=tuple(more.get("projects", ())))  # type: ignore[arg-type]


CORE = Customer(
    "C-1",
    CustomerFacts(
        tier="core",
        region="north",
        active_since=date(2020, 1, 1),
        last_active=date(2026, 1, 15),
        segments=("gold",),
        projects=(Project(id="P-1"), Project(id="P-2")),
        served_by="Park A",
    ),
    (person(1, "leader"), person(2, "administrator", projects=("P-1",)), person(3, "leader", consent=())),
    complained=date(2026, 1, 3),
    grade="A",
)


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({}, True),
        ({"tier": ["CORE", "important"]}, True),
        ({"tier": ["ordinary"]}, False),
        ({"tier": ["core"], "region": ["south"]}, False),
        ({"size": ["large"]}, False),  # not known
        ({"grade": ["A"]}, True),
        ({"segment": ["gold"]}, True),
        ({"segment": ["active"]}, True),
        ({"segment": ["new"]}, False),
        ({"project": ["P-2"]}, True),
        ({"kind": ["consumer"]}, False),
        ({"served_by": ["park a"]}, True),
        ({"active_within": "3 months"}, True),
        ({"active_within": "30 days"}, False),
        ({"new_within": "1 year"}, False),
        ({"customer_for": "5 years"}, True),
        ({"customer_for": "7 years"}, False),
        ({"complained_within": "this year"}, True),
        ({"complained_within": "1 month"}, False),
        ({"not": {"tier": ["core"]}}, False),
        ({"not": {"tier": ["core"], "region": ["south"]}}, True),
    ],
)
def test_customers_are_meant_by_fields_and_values(fields: dict[str, object], meant: bool) -> None:
    segments = {"active": wanted(active_within="6 months"), "new": wanted(new_within="3 months")}
    assert means(wanted(**fields), CORE, TODAY, segments) is meant


def test_a_customer_without_dates_is_neither_active_nor_new_nor_long_standing() -> None:
    unknown = Customer("C-2", CustomerFacts())
    for name in ("active_within", "new_within", "customer_for", "complained_within"):
        assert not means(wanted(**{name: "1 year"}), unknown, TODAY, {})


def test_row_s2_12_segments_of_the_policy_stand_before_those_of_the_register() -> None:
    segments = {"active": wanted(active_within="6 months"), "circle": wanted(segment=["circle"])}
    assert segments_of(CORE, TODAY, segments) == ("active", "gold")


@pytest.mark.parametrize(
    ("back", "day"),
    [("this year", "2026-01-01"), ("10 days", "2026-02-20"), ("1 month", "2026-02-02"), ("3 years", "2023-03-02")],
)
def test_looking_back(back: str, day: str) -> None:
    assert since(read_back(back), TODAY) == date.fromisoformat(day)


def test_looking_back_to_a_shorter_month_ends_with_it() -> None:
    assert since(read_back("1 month"), date(2026, 3, 31)) == date(2026, 2, 28)


def test_nobody_is_reached_by_a_channel_that_he_did_not_consent_to() -> None:
    assert reachable(person(1), BY_MAIL)
    assert not reachable(person(1), frozenset[Channel]({"sms"}))
    assert not reachable(person(1, consent=()), frozenset[Channel]({"email", "sms", "call", "visit"}))
    assert not reachable(person(1, consent=("call",)), frozenset[Channel]({"call"}))  # has no telephone
    assert reachable(person(1, consent=("visit",)), frozenset[Channel]({"visit"}))


def test_row_s4_4_people_are_meant_by_their_part_in_the_project() -> None:
    leaders = ContactFilter(role=("leader", "administrator"))
    assert means_person(leaders, person(1, "Leader"))
    assert not means_person(leaders, person(1, "user"))
    assert not means_person(leaders, person(2, "administrator", projects=("P-1",)), "P-2")
    assert not means_person(ContactFilter(locale=("en",)), person(1))
    assert not means_person(ContactFilter.model_validate({"not": {"role": ["leader"]}}), person(1, "leader"))


def test_units_are_customers_or_their_projects_with_the_people_who_can_be_asked() -> None:
    whole = frame(Ask(), [CORE], TODAY, {}, ("tier", "size"), BY_MAIL)
    assert [(unit.key, unit.stratum, unit.organisation) for unit in whole.units] == [("C-1", ("core", "-"), "Park A")]
    assert whole.units[0].people == (UUID(int=1), UUID(int=2))
    parts = frame(Ask(per="project"), [CORE], TODAY, {}, ("project",), BY_MAIL)
    assert [(unit.stratum, len(unit.people)) for unit in parts.units] == [(("P-1",), 2), (("P-2",), 1)]


def test_who_is_meant_but_cannot_be_reached_is_not_forgotten() -> None:
    mute = Customer("C-3", CustomerFacts(tier="core"), (person(9, consent=()),))
    found = frame(Ask(customers=wanted(tier=["core"])), [mute, CORE], TODAY, {}, (), BY_MAIL)
    assert [unit.key for unit in found.units] == ["C-1"]
    assert [unit.key for unit in found.unreachable] == ["C-3"]


@given(order=st.permutations(range(6)), most=st.integers(1, 8))
def test_the_people_of_a_unit_are_drawn_alike_in_any_order(order: list[int], most: int) -> None:
    people = tuple(person(number + 1) for number in order)
    units = frame(Ask(), [Customer("C", CustomerFacts(), people)], TODAY, {}, (), BY_MAIL).units
    chosen = people_asked(units[0], most, "seed")
    assert len(chosen) == min(most, 6)
    straight = frame(
        Ask(),
        [Customer("C", CustomerFacts(), tuple(sorted(people, key=lambda each: each.contact.person)))],
        TODAY,
        {},
        (),
        BY_MAIL,
    )
    assert chosen == people_asked(straight.units[0], most, "seed")
