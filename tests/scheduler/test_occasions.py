"""Occasions and `ask` filters, through the handlers on PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.contracts.customers import (
    CustomerChanged,
    CustomerContact,
    CustomerFacts,
    CustomerNoted,
    Occasion,
    OccasionDecided,
    Project,
)
from services.contracts.policy import Policy
from services.contracts.surveys import Respondent
from services.contracts.tickets import Contact, TicketFacts
from tests.scheduler.desk import Desk, closed, only, person
from tests.scheduler.rules import policy

AT = datetime(2026, 3, 2, 2, tzinfo=UTC)  # Monday, 10:00 in Shanghai


def of(number: int, role: str, *projects: str, **fields: Any) -> CustomerContact:
    consent = fields.pop("consent", ("sms", "email", "call"))
    return CustomerContact(contact=person(number, **fields), roles=(role,), projects=projects, consent=consent)


def customer(*contacts: CustomerContact, at: datetime = AT, name: str = "C-1", **facts: Any) -> CustomerChanged:
    return CustomerChanged(customer=name, changed_at=at, facts=CustomerFacts(**facts), contacts=contacts)


def occasion(
    contact: Contact | None = None, kind: str = "project accepted", id: str = "P-7", **fields: Any
) -> Occasion:
    facts = TicketFacts(**{"customer": "C-1", "project": "P-7", **fields.pop("facts", {})})
    return Occasion(source="jira", kind=kind, id=id, at=fields.pop("at", AT), facts=facts, contact=contact)


def accepted(**survey: Any) -> Policy:
    return policy(on="project accepted", **survey)


KEY_PEOPLE = {"contacts": {"role": ["leader", "administrator"]}}
P7 = "project accepted/P-7"


async def asked(desk: Desk, ticket: str = P7) -> set[int]:
    """The numbers of the people who are asked."""
    to = desk.clock.now() + timedelta(days=1)
    return {due.contact.person.int for due in await desk.dues(to) if due.ticket == ticket}


async def test_an_occasion_is_surveyed_and_echoed_like_a_closing(desk: Desk) -> None:
    await desk.install(accepted())
    said = await desk.hear(occasion(person(1)))
    (echo,) = only(said, OccasionDecided)
    assert (echo.source, echo.kind, echo.id, echo.outcome, echo.reason) == (
        *("jira", "project accepted", "P-7"),
        *("survey", "matched"),
    )
    (due,) = await desk.dues(timedelta(hours=3))
    assert (due.source, due.ticket, due.closure, due.facts.type) == ("jira", P7, 1, "project accepted")
    assert due.due_at == AT + timedelta(hours=2)


async def test_an_occasion_without_a_rule_or_a_person_is_a_decision_too(desk: Desk) -> None:
    await desk.install(accepted())
    said = await desk.hear(occasion(person(1), kind="repair done"), occasion(None, id="P-8", facts={"project": "P-8"}))
    assert {(echo.kind, echo.outcome, echo.reason) for echo in only(said, OccasionDecided)} == {
        ("repair done", "skip", "filtered_out"),
        ("project accepted", "skip", "no_contact"),
    }


async def test_tickets_and_occasions_keep_to_their_own_rules(desk: Desk) -> None:
    await desk.install(accepted())
    await desk.hear(closed(AT, person(1)))
    assert await desk.verdicts() == [(1, "skip", "filtered_out")]


async def test_any_other_occasion_is_named_by_its_kind(desk: Desk) -> None:
    await desk.install(policy(on="occasion", where={"type": ["contract renewed"]}))
    said = await desk.hear(occasion(person(1), kind="contract renewed"), occasion(person(1), kind="contract lost"))
    assert {(echo.kind, echo.outcome) for echo in only(said, OccasionDecided)} == {
        ("contract renewed", "survey"),
        ("contract lost", "skip"),
    }


async def test_the_key_people_of_the_project_are_asked_instead_of_the_person_served(desk: Desk) -> None:
    await desk.install(accepted(ask=KEY_PEOPLE))
    people = (
        of(1, "leader"),
        of(2, "administrator", "P-7"),
        of(3, "administrator", "P-8"),
        of(4, "user"),
        of(5, "leader", consent=()),
        of(6, "leader", staff=True),
    )
    (echo,) = only(await desk.hear(customer(*people)), CustomerNoted)
    assert (echo.customer, echo.changed_at) == ("C-1", AT)
    await desk.hear(occasion(person(9)))
    assert await asked(desk) == {1, 2}
    assert [verdict[1:] for verdict in await desk.verdicts(P7)] == [("survey", "matched")] * 2


async def test_where_nobody_of_them_is_known_the_person_served_is_asked(desk: Desk) -> None:
    await desk.install(accepted(ask=KEY_PEOPLE))
    await desk.hear(customer(of(4, "user")))
    await desk.hear(occasion(person(9)))
    assert await asked(desk) == {9}


async def test_at_most_so_many_are_drawn_and_always_the_same(desk: Desk) -> None:
    await desk.install(accepted(ask={**KEY_PEOPLE, "most": 2}))
    await desk.hear(customer(*(of(number, "leader") for number in range(1, 8))))
    for _ in range(3):
        await desk.hear(occasion(person(9)))
    assert len(await asked(desk)) == 2
    assert len(await desk.surveys(P7)) == 2


async def test_an_occasion_told_again_asks_only_who_is_new(desk: Desk) -> None:
    await desk.install(accepted(ask=KEY_PEOPLE))
    await desk.hear(customer(of(1, "leader")))
    await desk.hear(occasion(person(9)))
    await desk.hear(customer(of(2, "administrator"), of(1, "leader"), at=AT + timedelta(hours=1)))
    await desk.hear(occasion(person(9)), occasion(person(9)))
    numbers = {row["closure"]: row["state"] for row in await desk.surveys(P7)}
    assert numbers == {1: "planned", 2: "planned"}
    assert await asked(desk) == {1, 2}


async def test_an_older_word_about_a_customer_changes_nothing(desk: Desk) -> None:
    await desk.install(accepted(ask=KEY_PEOPLE))
    await desk.hear(customer(of(1, "leader"), at=AT))
    await desk.hear(customer(of(2, "leader"), at=AT - timedelta(days=1)))
    await desk.hear(occasion())
    assert await asked(desk) == {1}


async def test_only_customers_whom_the_policy_means(desk: Desk) -> None:
    await desk.install(policy(ask={"customers": {"tier": ["core"]}}))
    await desk.hear(customer(tier="core"), customer(name="C-2", tier="ordinary"))
    for name in ("C-1", "C-2", "C-3"):
        await desk.hear(closed(AT, person(1), ticket=name, customer=name))
    found = [(await desk.verdicts(name))[0][1:] for name in ("C-1", "C-2", "C-3")]
    assert found == [("survey", "matched"), ("skip", "filtered_out"), ("skip", "filtered_out")]


async def test_about_a_ticket_one_of_the_customers_people_is_asked(desk: Desk) -> None:
    await desk.install(policy(ask=KEY_PEOPLE))
    await desk.hear(customer(of(1, "leader"), of(2, "leader")))
    await desk.hear(closed(AT, person(9), customer="C-1"))
    people = await asked(desk, "IT-1")
    assert len(people) == 1
    assert people <= {1, 2}


async def test_who_complained_lately_is_known_by_the_occasion(desk: Desk) -> None:
    await desk.install(policy(ask={"customers": {"complained_within": "30 days"}}))
    await desk.hear(customer())
    await desk.hear(occasion(kind="complaint handled", id="X-1", at=AT - timedelta(days=3)))
    await desk.hear(closed(AT, person(1), customer="C-1"))
    assert await desk.verdicts() == [(1, "survey", "matched")]


@pytest.mark.parametrize(("by", "owner"), [("project manager", "u-3"), ("sales", "u-17"), ("service desk", None)])
async def test_who_owes_the_visit_is_told(desk: Desk, by: str, owner: str | None) -> None:
    await desk.install(accepted(by=by))
    project = Project(id="P-7", manager="u-3", started=date(2025, 1, 6))
    await desk.hear(customer(owner="u-17", projects=(project,)))
    await desk.hear(occasion(person(1)))
    (due,) = await desk.dues(timedelta(hours=3))
    assert due.owner == owner


async def test_who_is_asked_is_told_in_the_registers_words(desk: Desk) -> None:
    await desk.install(accepted())
    await desk.hear(customer(of(1, "leader"), tier="core", region="north", segments=("high-value",)))
    await desk.hear(occasion(person(1)))
    (due,) = await desk.dues(timedelta(hours=3))
    assert due.respondent == Respondent(roles=("leader",), kind="organisation", tier="core", segments=("high-value",))


async def test_everything_of_a_week_is_asked_about_on_monday(desk: Desk) -> None:
    await desk.install(policy(every="week, on monday", send={"within": "1d"}, steps=[{"first": ["sms"]}]))
    for day in range(7):
        await desk.hear(closed(AT + timedelta(days=day), person(day + 1), ticket=f"IT-{day}"))
        desk.clock.set(AT + timedelta(days=day))
    assert await desk.dues(datetime(2026, 3, 8, 23, tzinfo=UTC)) == []
    dues = await desk.dues(datetime(2026, 3, 9, 1, tzinfo=UTC))
    assert {due.ticket for due in dues} == {f"IT-{day}" for day in range(7)}
    assert {due.promised_by for due in dues} == {datetime(2026, 3, 10, 1, tzinfo=UTC)}
