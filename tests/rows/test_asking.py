"""Rows on whom the policy asks and when: the packs as they stand, through the scheduler's handlers on PostgreSQL."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scheduler import store
from scheduler.handlers.surveys import measure
from scheduler.sample import draw
from scheduler.wording import lint, read_lexicon
from services import metrics
from services.contracts.customers import CustomerChanged, CustomerContact, CustomerFacts, Occasion
from services.contracts.deliveries import OptedOut
from services.contracts.surveys import SurveyDue, SurveyEnded
from services.contracts.tickets import Contact, TicketClosed, TicketFacts
from tests.rows.packs import PACKS, pack
from tests.scheduler.client import Client
from tests.scheduler.desk import Desk, answer, closed, only, person, report
from tests.scheduler.rules import policy

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)  # 10:00 in Shanghai
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
ANNA = person(1)


def accepted(contact: Contact, at: datetime = MONDAY, id: str = "P-7") -> Occasion:
    return Occasion(source="crm", kind="project accepted", id=id, at=at, facts=TicketFacts(), contact=contact)


async def passes(scheduler: Desk, time: timedelta, step: timedelta = HOUR) -> list[tuple[datetime, SurveyDue]]:
    """Lets the time pass, messages be accepted, calls and visits be listed. Returns what was said, and when."""
    said: list[tuple[datetime, SurveyDue]] = []
    for _ in range(time // step):
        for due in await scheduler.dues(step):
            said.append((scheduler.clock.now(), due))
            outcome = "accepted" if due.channel in ("sms", "email") else "listed"
            await scheduler.hear(report(due, outcome, scheduler.clock.now()))  # type: ignore[arg-type]
    return said


async def test_s0_1_every_closed_incident_is_surveyed_by_the_desk_within_two_days_and_compliance_is_a_figure(
    scheduler: Desk,
) -> None:
    """Ten days around the holiday of Labour Day, a closing every 95 minutes by day and by night."""
    await scheduler.install(pack("itss-incident"))
    start = datetime(2026, 4, 27, tzinfo=UTC)
    scheduler.clock.set(start)
    closings = [closed(start + number * 95 * MINUTE, person(number + 1), f"IT-{number}") for number in range(150)]
    coming, contacts = list(closings), dict[str, datetime]()
    while coming or len(contacts) < len(closings):
        heard = [each for each in coming if each.closed_at <= scheduler.clock.now()]
        coming = [each for each in coming if each.closed_at > scheduler.clock.now()]
        if heard:
            await scheduler.hear(*heard)
        for _, due in await passes(scheduler, HOUR):
            contacts.setdefault(str(due.ticket), due.due_at)
        assert scheduler.clock.now() < start + 20 * DAY
    in_time = sum(contacts[each.ticket] - each.closed_at <= 2 * DAY for each in closings)
    assert (in_time, len(contacts)) == (150, 150)
    await scheduler.tick(measure)
    assert metrics.SURVEYS_OVERDUE._value.get() == 0
    assert pack("itss-incident").surveys["incident"].by == "service desk"


async def test_s0_1_a_broken_promise_shows_in_the_figure(scheduler: Desk) -> None:
    await scheduler.install(pack("itss-incident"))
    await scheduler.hear(closed(MONDAY, ANNA))
    scheduler.clock.set(MONDAY + 3 * DAY)
    await scheduler.tick(measure)
    assert metrics.SURVEYS_OVERDUE._value.get() == 1


@pytest.mark.parametrize(
    ("week", "called"),
    [
        (date(2026, 3, 2), date(2026, 3, 9)),
        (date(2026, 3, 30), date(2026, 4, 7)),  # Monday the 6th is the day off for Qingming
    ],
)
async def test_s1_3_every_event_of_a_week_is_called_back_on_the_following_monday(
    scheduler: Desk, week: date, called: date
) -> None:
    await scheduler.install(pack("itss-0405"))
    start = datetime(week.year, week.month, week.day, tzinfo=SHANGHAI)
    times = [start + number * 12 * HOUR + 59 * MINUTE for number in range(14)]
    for number, at in enumerate(times):
        scheduler.clock.set(at)
        await scheduler.hear(closed(at.astimezone(UTC), person(number + 1), f"IT-{number}"))
        assert await scheduler.dues(timedelta(0)) == []
    said = await passes(scheduler, 9 * DAY)
    first = {str(due.ticket): (at, due.channel) for at, due in reversed(said) if due.step == 0}
    assert set(first) == {f"IT-{number}" for number in range(14)}
    nine = datetime(called.year, called.month, called.day, 9, tzinfo=SHANGHAI)
    assert all(nine <= at <= nine + HOUR and channel == "call" for at, channel in first.values())


async def test_s1_4_the_dissatisfied_are_asked_again_next_month_about_those_items(scheduler: Desk) -> None:
    await scheduler.install(pack("itss-0405"))
    scheduler.clock.set(MONDAY)
    await scheduler.hear(*(closed(MONDAY, person(number), f"IT-{number}") for number in (1, 2, 3)))
    first = {due.contact.person.int: due for due in await scheduler.dues(8 * DAY)}
    items = [item.id for item in pack("itss-0405").questionnaires["event"].items if item.scale == "ten-bands"]
    good = dict.fromkeys(items, 9.0)
    at = scheduler.clock.now()
    single = answer(first[1], at, {**good, items[1]: 7.0}, satisfied=True, channel="telephone")
    bad = answer(first[2], at, {**good, items[0]: 4.0}, satisfied=False, channel="telephone")
    await scheduler.hear(single, bad, answer(first[3], at, good, satisfied=True, channel="telephone"))
    await scheduler.hear(bad, single)
    again = await scheduler.dues(datetime(2026, 4, 1, 2, tzinfo=UTC))
    asked = {due.contact.person.int: due.items for due in again}
    assert set(asked) == {1, 2}
    texts = {item.id for item in pack("itss-0405").questionnaires["event"].items if item.kind == "text"}
    assert [set(asked[number]) - texts for number in (1, 2)] == [{items[1]}, {items[0]}]
    opened = {due.due_at.astimezone(SHANGHAI).date() for due in again}
    assert opened == {date(2026, 4, 1)}


async def test_s1_6_visit_telephone_and_questionnaire_each_at_its_time(scheduler: Desk) -> None:
    await scheduler.install(pack("itss-0405"))
    people = CustomerContact(contact=ANNA, roles=("key person",), consent=("sms", "email", "call"))
    facts = TicketFacts(customer="C-1")
    await scheduler.hear(CustomerChanged(customer="C-1", changed_at=MONDAY, facts=CustomerFacts(), contacts=(people,)))
    await scheduler.hear(
        Occasion(source="crm", kind="project accepted", id="P-7", at=MONDAY, facts=facts, contact=None)
    )
    said = await passes(scheduler, 14 * DAY)
    assert [due.kind for _, due in said] == ["first", "reminder", "call", "visit"]
    assert [due.channel for _, due in said] == ["email", "email", "call", "visit"]
    local = [at.astimezone(SHANGHAI).date() for at, _ in said]
    deadline = date(2026, 3, 16)  # 10 working days after Monday the 2nd
    assert local == [date(2026, 3, 3), date(2026, 3, 6), date(2026, 3, 10), date(2026, 3, 12)]
    assert all(due.promised_by.astimezone(SHANGHAI).date() == deadline for _, due in said)
    last = said[-1][1]
    (ended,) = only(
        await scheduler.hear(answer(last, scheduler.clock.now(), {"overall": 9}, True, "visit")), SurveyEnded
    )
    assert ended.state == "answered"


async def test_s3_10_nobody_is_pressed_and_declining_is_one_step(scheduler: Desk) -> None:
    await scheduler.install(pack("creative-agency"))
    await scheduler.hear(accepted(ANNA), accepted(person(2), id="P-8"), accepted(person(3), id="P-9"))
    said = await passes(scheduler, 3 * DAY)
    assert {due.contact.person.int for _, due in said} == {1, 2, 3}
    declined = next(due for _, due in said if due.contact.person.int == 2)
    now = scheduler.clock.now()
    await scheduler.hear(OptedOut(person=person(2).person, survey=declined.survey, scope="survey", opted_out_at=now))
    await scheduler.hear(OptedOut(person=person(3).person, survey=None, scope="all", opted_out_at=now))
    said = await passes(scheduler, 20 * DAY, 6 * HOUR)
    assert [(due.contact.person.int, due.kind) for _, due in said] == [(1, "reminder")]  # one, and then no more
    later = scheduler.clock.now() + 20 * DAY
    scheduler.clock.set(later)
    await scheduler.hear(accepted(person(2), later, "P-10"), accepted(person(3), later, "P-11"))
    assert {due.contact.person.int for _, due in await passes(scheduler, 4 * DAY)} == {2}  # for good is for good


def test_s3_10_no_pack_presses_and_each_says_that_nobody_has_to_answer() -> None:
    lexicon = read_lexicon(files("scheduler").joinpath("wording.yaml").read_text(encoding="utf-8"))
    for name in PACKS:
        assert not [remark for remark in lint(pack(name), lexicon) if remark.rule == "pressure"]
        for questionnaire in pack(name).questionnaires.values():
            assert any(words in questionnaire.purpose.zh for words in ("可以不", "自愿"))
            assert any(words in questionnaire.purpose.en for words in ("free not to", "voluntary"))


async def test_f_3_tickets_are_skipped_by_rule_and_single_ones_skipped_or_sent_by_hand(
    scheduler: Desk, agent: Client
) -> None:
    await scheduler.install(pack("itss-incident"))
    ways = ("agent", "customer", "auto", "merged", "spam", "bot")
    events = [closed(MONDAY, person(place + 1), way, closed_by=way) for place, way in enumerate(ways)]
    await scheduler.hear(*events, closed(MONDAY, person(8), "request", type="request"))
    reasons = {way: (await scheduler.verdicts(way))[0][2] for way in (*ways, "request")}
    assert reasons == {
        **dict.fromkeys(ways, "filtered_out"),
        "request": "filtered_out",
        "agent": "matched",
        "customer": "matched",
    }
    wish: dict[str, Any] = {"reason": "as the team wished"}
    assert (await agent.post("/v1/tickets/jira/agent/skip", json=wish)).status_code == 200
    assert (await agent.post("/v1/tickets/jira/auto/survey", json=wish)).status_code == 200
    assert sorted(str(due.ticket) for due in await scheduler.dues(3 * HOUR)) == ["auto", "customer"]


async def test_f_6_a_sample_is_random_reproducible_and_stored_with_the_decision(scheduler: Desk) -> None:
    await scheduler.install(policy(share="25%"))
    tickets = [f"IT-{number}" for number in range(1000)]
    events = [closed(MONDAY, person(place + 1), ticket) for place, ticket in enumerate(tickets)]
    await scheduler.hear(*events)
    verdicts = await kept(scheduler, events)
    chosen = {ticket for ticket, (_, reason) in verdicts.items() if reason == "matched"}
    assert Counter(reason for _, reason in verdicts.values()).keys() == {"matched", "not_sampled"}
    assert 200 < len(chosen) < 300
    assert {number for number, _ in verdicts.values()} == {draw("test/incident", "jira", each, 1) for each in tickets}
    assert chosen == {ticket for ticket, (number, _) in verdicts.items() if number < 0.25}
    await scheduler.hear(*events)
    assert await kept(scheduler, events) == verdicts
    halves = sum(number < 0.125 for ticket, (number, _) in verdicts.items() if ticket in chosen)
    assert 0.35 < halves / len(chosen) < 0.65


async def kept(scheduler: Desk, events: list[TicketClosed]) -> dict[str, tuple[float, str]]:
    """The draw and the reason that stand in the ledger for each ticket."""
    async with scheduler.house.database.reading() as transaction:
        closures = await store.find_closures(transaction, [("jira", event.ticket) for event in events])
    verdicts = {key.ticket: closure.verdict for key, closure in closures.items()}
    return {ticket: (each.draw or 0.0, each.reason) for ticket, each in verdicts.items() if each is not None}


async def test_f_7_reminders_come_in_their_time_and_then_the_survey_expires(scheduler: Desk) -> None:
    await scheduler.install(pack("itss-incident"))
    await scheduler.hear(closed(MONDAY, ANNA))
    said = await passes(scheduler, 3 * DAY)
    assert [due.kind for _, due in said] == ["first", "call", "reminder"]
    assert said[2][0] - said[0][0] == DAY
    (ended,) = only(await scheduler.come(8 * DAY), SurveyEnded)
    assert (ended.state, ended.cause) == ("expired", "no_answer")


async def test_f_7_nothing_is_sent_in_quiet_hours_of_the_persons_own_zone(scheduler: Desk) -> None:
    await scheduler.install(pack("itss-incident"))
    zones = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
    people = [person(number + 1, timezone=zones[number % 4]) for number in range(48)]
    said: list[tuple[datetime, SurveyDue]] = []
    for number, contact in enumerate(people):
        await scheduler.hear(closed(scheduler.clock.now(), contact, f"IT-{number}"))
        said += await passes(scheduler, HOUR, 30 * MINUTE)
    said += await passes(scheduler, 3 * DAY, 30 * MINUTE)
    assert {due.contact.person.int for _, due in said} == set(range(1, 49))
    for at, due in said:
        wall = at.astimezone(ZoneInfo(due.contact.timezone or "")).strftime("%H:%M")
        assert "08:30" <= wall < "21:00"


async def test_f_7_one_limit_holds_for_a_person_across_all_surveys(scheduler: Desk) -> None:
    await scheduler.install(pack("enterprise"))
    occasions = ("goods delivered", "repair done", "service delivered")
    for number in range(24):
        scheduler.clock.set(MONDAY + number * 2 * DAY)
        kind = occasions[number % len(occasions)]
        at = scheduler.clock.now()
        await scheduler.hear(
            Occasion(source="crm", kind=kind, id=str(number), at=at, facts=TicketFacts(), contact=ANNA)
        )
        await passes(scheduler, DAY, 6 * HOUR)
    async with scheduler.house.database.reading() as transaction:
        rows = await store.find_asked(transaction, {ANNA.person}, MONDAY - DAY)
    times = sorted(rows[ANNA.person].values())
    assert 3 < len(times) < 24
    assert all(late - early >= 30 * DAY for early, late in zip(times, times[3:], strict=False))
