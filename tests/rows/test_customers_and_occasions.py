"""Rows on customers and on occasions: the packs as they stand, through the scheduler's handlers on PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

from scheduler import store
from scheduler.audience import segments_of
from scheduler.guarantee import prove, tally
from scheduler.handlers.customers import grade_customers
from scheduler.handlers.guarantees import keep_guarantees, span_of, terms_now
from scheduler.policy import rules_of
from scheduler.store import customers, guarantees
from scheduler.wording import lint, read_lexicon
from services.contracts.customers import CustomerChanged, CustomerContact, CustomerFacts, Occasion, Project
from services.contracts.policy import Policy
from services.contracts.surveys import SurveyDue
from services.contracts.tickets import Contact, TicketFacts
from tests.rows.packs import PACKS, pack
from tests.scheduler.desk import Desk, answer, closed, person, report

AT = datetime(2026, 3, 3, 2, tzinfo=UTC)  # Tuesday, 10:00 in Shanghai
DAY = timedelta(days=1)


def of(number: int, *roles: str) -> CustomerContact:
    return CustomerContact(contact=person(number), roles=roles, consent=("sms", "email", "call"))


def customer(name: str, *contacts: CustomerContact, **facts: Any) -> CustomerChanged:
    return CustomerChanged(customer=name, changed_at=AT, facts=CustomerFacts(**facts), contacts=contacts)


def occasion(kind: str, id: str, contact: Contact | None, at: datetime = AT, **facts: Any) -> Occasion:
    return Occasion(source="crm", kind=kind, id=id, at=at, facts=TicketFacts(**facts), contact=contact)


async def asked(scheduler: Desk, to: timedelta) -> set[tuple[str, int]]:
    """The surveys whose first step comes until then, with the numbers of the people."""
    return {(due.name, due.contact.person.int) for due in await scheduler.dues(to) if due.kind == "first"}


async def test_s1_2_the_key_people_of_a_project_are_asked_once_after_its_acceptance(scheduler: Desk) -> None:
    await scheduler.install(pack("itss-0405"))
    people = of(1, "key person"), of(2, "leader"), of(3, "user")
    await scheduler.hear(customer("C-1", *people, projects=(Project(id="P-7", accepted=date(2026, 3, 3)),)))
    accepted = occasion("project accepted", "P-7", None, customer="C-1", project="P-7")
    await scheduler.hear(accepted)
    await scheduler.hear(accepted, accepted)
    assert await asked(scheduler, 3 * DAY) == {("project", 1), ("project", 2)}
    await scheduler.hear(accepted)
    assert await asked(scheduler, 60 * DAY) == set()


async def test_s2_1_consumers_and_business_customers_are_both_asked_each_by_their_own_survey(scheduler: Desk) -> None:
    found = pack("enterprise").surveys
    kinds = {name: each.ask.customers.kind for name, each in found.items() if not isinstance(each.ask, str)}
    assert kinds["consumers-quarter"] == ("consumer",)
    assert kinds["business-quarter"] == ("organisation",)
    assert found["consumers-quarter"].questionnaire != found["business-quarter"].questionnaire


async def test_s2_2_after_a_delivery_a_repair_and_a_complaint(scheduler: Desk) -> None:
    await scheduler.install(pack("enterprise"))
    await scheduler.hear(
        occasion("goods delivered", "1", person(1)),
        occasion("repair done", "1", person(2)),
        occasion("complaint handled", "1", person(3)),
        occasion("goods sent back", "1", person(4)),
    )
    assert await asked(scheduler, 4 * DAY) == {("delivery", 1), ("repair", 2), ("complaint", 3)}
    assert {each.every.period for each in pack("enterprise").surveys.values() if each.every} == {"quarter", "year"}


def test_s2_3_leading_and_loaded_wording_is_caught() -> None:
    lexicon = read_lexicon(files("scheduler").joinpath("wording.yaml").read_text(encoding="utf-8"))
    assert {name: lint(pack(name), lexicon) for name in PACKS} == dict.fromkeys(PACKS, ())
    loaded = reworded(
        pack("enterprise"), "您对我们优质的服务是否满意？", "How satisfied are you with our excellent service?"
    )
    assert {remark.rule for remark in lint(loaded, lexicon)} == {"leading"}


def test_s2_5_a_long_question_is_warned_of() -> None:
    lexicon = read_lexicon(files("scheduler").joinpath("wording.yaml").read_text(encoding="utf-8"))
    long = reworded(
        pack("enterprise"), "您对服务是否满意" * 12 + "？", "How satisfied are you " + "with it " * 60 + "?"
    )
    assert "length" in {remark.rule for remark in lint(long, lexicon)}


def reworded(policy: Policy, zh: str, en: str) -> Policy:
    """The policy with another first question."""
    document = policy.model_dump(by_alias=True, exclude_none=True)
    next(iter(document["questionnaires"].values()))["items"][0]["text"] = {"zh": zh, "en": en}
    return Policy.model_validate(document)


async def test_s2_9_after_complaints_everybody_is_followed_up_by_proof(scheduler: Desk) -> None:
    policy = pack("enterprise")
    await scheduler.install(policy)
    said: list[SurveyDue] = []
    for number in range(1, 13):
        contact = person(number, channels=("call",) if number % 3 == 0 else ("sms", "call"))
        await scheduler.hear(occasion("complaint handled", str(number), contact, customer=f"C-{number}"))
    for _ in range(14):
        for due in await scheduler.dues(timedelta(hours=6)):
            said.append(due)
            await scheduler.hear(report(due, "listed" if due.channel == "call" else "accepted", scheduler.clock.now()))
            if due.channel == "call":
                await scheduler.hear(answer(due, scheduler.clock.now(), channel="telephone"))
    assert {due.contact.person.int for due in said} == set(range(1, 13))
    (rule,) = (each for each in rules_of("enterprise", 1, policy.document()) if each.name == "complaint")
    assert rule.survey.guarantee is not None
    async with scheduler.house.database.reading() as transaction:
        span = span_of(rule, terms_now(rule, AT)[1])
        groups = await guarantees.count_cases(transaction, rule.title, rule.name, *span)
    assert prove(rule.survey.guarantee, tally(rule, rule.survey.guarantee, groups)) == (12, 12, 12)


async def test_s2_12_segments_are_the_policys_choice(scheduler: Desk) -> None:
    await scheduler.hear(
        customer("C-1", last_active=date(2026, 2, 1), active_since=date(2020, 1, 1)),
        customer("C-2", last_active=date(2024, 2, 1), active_since=date(2020, 1, 1)),
        customer("C-3", last_active=date(2026, 2, 1), active_since=date(2026, 2, 1), tier="core"),
    )
    async with scheduler.house.database.reading() as transaction:
        register = await customers.list_customers(transaction)
    segments = pack("enterprise").segments
    assert {each.id: segments_of(each, AT.date(), segments) for each in register} == {
        "C-1": ("active",),
        "C-2": (),
        "C-3": ("active", "new", "high-value"),
    }


async def surveyed_by(scheduler: Desk, source: str, ticket: str) -> str | None:
    async with scheduler.house.database.reading() as transaction:
        closures = await store.find_closures(transaction, [(source, ticket)])
    (verdict,) = (each.verdict for each in closures.values())
    return verdict.rule if verdict is not None else None


async def test_s4_1_spot_checks_by_telephone_keep_their_guaranteed_rate(scheduler: Desk) -> None:
    policy = pack("project-operations")
    await scheduler.install(policy)
    tickets = [f"IT-{number}" for number in range(60)]
    await scheduler.hear(*(closed(AT, person(place + 1), ticket=each) for place, each in enumerate(tickets)))
    for _ in range(12):
        await scheduler.tick(keep_guarantees)
        for place, due in enumerate(await scheduler.dues(timedelta(hours=6))):
            await scheduler.hear(report(due, "listed", scheduler.clock.now()))
            if place % 2:
                await scheduler.hear(report(due, "failed", scheduler.clock.now()))
            else:
                await scheduler.hear(answer(due, scheduler.clock.now(), channel="telephone"))
    (rule,) = (each for each in rules_of("project-operations", 1, policy.document()) if each.name == "telephone")
    assert rule.survey.guarantee is not None
    async with scheduler.house.database.reading() as transaction:
        span = span_of(rule, terms_now(rule, AT)[1])
        groups = await guarantees.count_cases(transaction, rule.title, rule.name, *span)
    proof = prove(rule.survey.guarantee, tally(rule, rule.survey.guarantee, groups))
    assert (proof.total, proof.required, proof.met) == (60, 12, True)
    reasons = {(await scheduler.verdicts(ticket))[0][2] for ticket in tickets}
    assert reasons >= {"matched", "not_sampled"}


async def test_s4_10_customers_are_graded_yearly_and_the_grade_drives_the_policy(scheduler: Desk) -> None:
    await scheduler.install(pack("customer-grading"))
    best = {"revenue": 2000.0, "margin": 30.0, "late_payments": 0.0, "orders": 30.0, "share": 70.0, "years": 10.0}
    await scheduler.hear(
        customer("C-1", figures=best, size="large", tier="core"),
        *(customer(f"C-{number}", figures={"revenue": 10.0}, size="small") for number in range(2, 11)),
    )
    scheduler.clock.set(AT + timedelta(hours=2))
    await scheduler.tick(grade_customers)
    async with scheduler.house.database.reading() as transaction:
        grades = {each.id: each.grade for each in await customers.list_customers(transaction)}
    assert grades["C-1"] == "A"
    assert sorted({grade or "" for name, grade in grades.items() if name != "C-1"}) == ["C", "D"]
    now = scheduler.clock.now()
    await scheduler.hear(
        closed(now, person(1), ticket="IT-1", customer="C-1"), closed(now, person(2), ticket="IT-2", customer="C-2")
    )
    rules = [await surveyed_by(scheduler, "jira", ticket) for ticket in ("IT-1", "IT-2")]
    assert rules == ["customer-grading/ticket-a", "customer-grading/ticket-other"]
