from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.customer import (
    Standing,
    examine,
    facts_after,
    name_after,
    name_of,
    person_after,
    standing_after,
)
from services.contracts.customer_cells import KNOWN
from services.contracts.customer_file import CustomerFile, ListedCustomer, ListedPerson, read_customers
from services.contracts.customers import CustomerFacts, Project
from services.contracts.tickets import Requester

ALL = {column: column for column in KNOWN} | {"figure:revenue": "figure:revenue"}
WORDS = st.sampled_from(["a", "b", "c"])
FACTS = st.builds(
    CustomerFacts,
    kind=st.sampled_from(["organisation", "consumer"]),
    tier=st.none() | WORDS,
    grade=st.none() | WORDS,
    segments=st.lists(WORDS, unique=True, max_size=2).map(tuple),
    last_active=st.none() | st.dates(date(2020, 1, 1), date(2026, 1, 1)),
    projects=st.lists(
        st.builds(Project, id=WORDS, manager=st.none() | WORDS), max_size=2, unique_by=lambda each: each.id
    ).map(tuple),
    figures=st.dictionaries(st.sampled_from(["revenue"]), st.floats(0, 9), max_size=1),
)
CUSTOMERS = st.builds(
    ListedCustomer, customer=st.just("C-1"), name=st.none() | WORDS, facts=FACTS, people=st.just(()), line=st.just(2)
)
GIVEN = st.sets(st.sampled_from(sorted(ALL))).map(lambda columns: {column: column for column in columns})


def listed(**who: Any) -> ListedPerson:
    return ListedPerson(None, Requester(**who), ("leader",), ("P-1",), ("email",), 2)


def file_of(*rows: str) -> CustomerFile:
    return read_customers("\n".join(("customer,source,person,email,phone,locale,consent", *rows)).encode())


@given(CUSTOMERS, FACTS, GIVEN)
def test_the_same_file_twice_is_once(told: ListedCustomer, known: CustomerFacts, columns: Mapping[str, str]) -> None:
    once = facts_after(told, known, columns)
    assert facts_after(told, once, columns) == once
    name = name_after(told, "N", once, columns)
    assert name_after(told, name, once, columns) == name


@given(CUSTOMERS, FACTS)
def test_a_file_with_every_column_tells_everything_but_other_projects(
    told: ListedCustomer, known: CustomerFacts
) -> None:
    after = facts_after(told, known, ALL)
    assert {each.id for each in after.projects} == {each.id for each in (*told.facts.projects, *known.projects)}
    assert (after.kind, after.tier, after.figures) == (told.facts.kind, told.facts.tier, told.facts.figures)


@given(CUSTOMERS, FACTS)
def test_a_file_without_a_column_tells_nothing_of_it(told: ListedCustomer, known: CustomerFacts) -> None:
    told = told._replace(facts=CustomerFacts())
    assert facts_after(told, known, {"customer": "customer"}) == known


def test_a_consumers_name_is_kept_nowhere() -> None:
    told = ListedCustomer("C-1", "Emily Adams", CustomerFacts(), (), 2)
    assert name_after(told, None, CustomerFacts(kind="consumer"), {"customer_name": "x"}) is None


def test_a_person_keeps_what_the_file_does_not_tell() -> None:
    known = Requester(name="Emily", email="emily@example.com", staff=True)
    after = person_after(listed(id="u-1", phone="13800138000"), known, {"phone": "phone", "email": "email"})
    assert after == Requester(name="Emily", phone="13800138000", staff=True)


def test_a_person_begins_anew_with_another_customer() -> None:
    known = Standing("C-1", ("user",), ("P-9",), ("sms",))
    assert standing_after("C-1", listed(id="u-1"), known, {"roles": "x"}) == Standing(
        "C-1", ("leader",), ("P-9",), ("sms",)
    )
    assert standing_after("C-2", listed(id="u-1"), known, {}) == Standing("C-2")


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ({"id": "u-1", "email": "a@b.co"}, "u-1"),
        ({"email": "Emily@Example.com", "phone": "13800138000"}, "emily@example.com"),
        ({"phone": "138 0013 8000"}, "+8613800138000"),
        ({"phone": "nonsense"}, "nonsense"),
    ],
)
def test_a_person_without_an_id_goes_by_his_address(who: dict[str, str], name: str) -> None:
    assert name_of(listed(**who), "CN") == name


def test_everything_that_is_wrong_with_people_is_named() -> None:
    file = file_of(
        "C-1,,u-1,a@@b,,,",
        "C-1,Zen Desk,u-2,,110,,",
        "C-1,,,emily@example.com,,../etc,",
        "C-2,,,Emily@example.com,,,",
    )
    assert [(each.line, each.column) for each in examine(file, "CN")] == [
        (2, "email"),
        (3, "source"),
        (3, "phone"),
        (4, "locale"),
        (5, None),
    ]
