"""A survey by the calendar, from the draw of its plan to its settlement, on PostgreSQL."""

import asyncio
from collections import Counter
from datetime import timedelta
from hashlib import blake2b
from typing import Any, get_args

import pytest

from scheduler.audience import people_asked
from scheduler.handlers.plans import Planner, open_plans, replace_lost_units
from scheduler.plan import Standing
from scheduler.store import plans
from services import metrics
from services.clock import DrivenClock
from services.contracts.customers import CustomerChanged
from services.contracts.deliveries import OptedOut
from services.contracts.surveys import SurveyDue
from services.database import Record
from services.errors import Unavailable
from services.house import House
from tests.scheduler.desk import closed, only, person, report
from tests.scheduler.quarter import DRAWN, OPENS, PROMISED, READY, TIERS, Quarter, customers, people, quarter

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FREE = {"approve": None}


def lowest(seed: str, keys: list[str], count: int) -> set[str]:
    """The draw as anybody can redo it, with nothing of ours."""

    def draw(key: str) -> int:
        text = b"".join(part.encode() + b"\0" for part in (seed, key))
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 11

    return set(sorted(keys, key=draw)[:count])


def names(units: list[Record], *causes: str) -> set[str]:
    return {each["customer"] for each in units if each["cause"] in (causes or ("draw", "coverage", "replacement"))}


async def drawn(house: House, clock: DrivenClock, plan: dict[str, Any] | None = None, **survey: Any) -> Quarter:
    """A quarter in which the plan was just drawn up."""
    desk = await Quarter.begin(house, clock, quarter(plan, **survey))
    await desk.at(DRAWN)
    return desk


async def test_the_plan_is_drawn_up_when_it_is_time_and_keeps_everybody_who_could_be_drawn(
    house: House, clock: DrivenClock
) -> None:
    desk = await Quarter.begin(house, clock, quarter())
    await desk.at(DRAWN - HOUR)
    assert await desk.plans() == []
    await desk.at(DRAWN)
    plan, units = await desk.plan(), await desk.units()
    assert (plan["survey"], plan["term"], plan["opens_at"], plan["ready_by"]) == ("incident", "2026-Q1", OPENS, READY)
    assert [each["customer"] for each in units] == [f"C-{number:02}" for number in range(60)]
    assert Counter(each["stratum"][0] for each in units if each["chosen"]) == {"core": 4, "important": 4, "ordinary": 6}
    assert {each["weight"] for each in units if each["stratum"] == ["core"]} == {None, 2.5}


async def test_anybody_can_redo_the_draw_from_the_seed_in_the_plan(house: House, clock: DrivenClock) -> None:
    desk = await drawn(house, clock)
    seed, units = (await desk.plan())["seed"], await desk.units()
    for tier, count in (("core", 4), ("important", 4), ("ordinary", 6)):
        members = [f"C-{number:02}" for number in range(60) if TIERS[number] == tier]
        assert names([each for each in units if each["stratum"] == [tier]]) == lowest(seed, members, count)


async def test_an_approved_plan_opens_on_its_day_and_asks_everybody_chosen_once(
    house: House, clock: DrivenClock
) -> None:
    desk = await drawn(house, clock, by="project manager")
    await desk.approve(at=READY)
    assert await desk.at(OPENS - HOUR) == []
    dues = await desk.at(OPENS)
    chosen = await desk.units(chosen=True)
    assert {due.facts.customer for due in dues} == names(chosen)
    assert len(dues) == len(chosen) == 14
    first = next(due for due in dues if due.facts.customer == chosen[0]["customer"])
    assert (first.source, first.ticket, first.facts.type, first.owner) == (None, None, "survey", "pm-2")
    assert (first.due_at, first.promised_by) == (OPENS, PROMISED)
    assert first.contact.channels == ("email", "call")  # SMS, too, but he did not consent to it
    assert (first.respondent.stratum, first.respondent.population) == ("test/incident/2026-Q1/core", 10)
    plan = await desk.plan()
    assert (plan["begins_at"], plan["opened_at"]) == (OPENS, OPENS)
    assert await desk.at(OPENS + HOUR) == []
    (turn,) = (await desk.turns())[chosen[0]["customer"]]
    assert turn.key == ("plan", f"test/incident/2026-Q1/{chosen[0]['customer']}", 1)


async def test_the_ticks_of_workers_that_race_draw_one_plan_and_ask_nobody_twice(
    house: House, clock: DrivenClock
) -> None:
    desk = await Quarter.begin(house, clock, quarter({**FREE, "sample": {"size": "all"}}))
    clock.set(OPENS)

    async def work(run: Any) -> None:
        for _ in range(3):
            try:
                await house.database.run("scheduler", lambda transaction: run(house, transaction))
            except Unavailable:  # a deadlock, at worst: the tick's next round does it
                await asyncio.sleep(0)

    await asyncio.gather(*(work(Planner().draw_plans) for _ in range(6)))
    await desk.plan()
    await asyncio.gather(*(work(open_plans) for _ in range(6)), *(work(replace_lost_units) for _ in range(2)))
    dues = await desk.round()
    assert len(dues) == len({due.contact.person for due in dues}) == 60


async def test_a_plan_without_approval_is_never_opened_and_is_settled_as_missed(
    house: House, clock: DrivenClock
) -> None:
    desk = await drawn(house, clock, {"coverage": {"share": "30%", "active_within": "6 months"}})
    assert [each["id"] for each in await desk.plans("to approve")] == [(await desk.plan())["id"]]
    for moment in (READY + HOUR, OPENS, PROMISED + DAY):
        assert await desk.at(moment) == []
        assert len(await desk.plans("late")) == 1
    plan = await desk.plan()
    assert (plan["opened_at"], plan["reached"], plan["covered_after"]) == (None, 0, 0)
    assert await desk.turns() == {}


async def test_a_plan_approved_after_its_opening_opens_then_and_its_promise_counts_from_there(
    house: House, clock: DrivenClock
) -> None:
    desk = await drawn(house, clock)
    await desk.at(OPENS)
    await desk.approve(at=OPENS + 2 * DAY)
    dues = await desk.round()
    assert len(dues) == 14
    assert {due.promised_by for due in dues} == {PROMISED + 2 * DAY}
    assert len(await desk.plans("late")) == 1


async def test_where_nobody_must_approve_a_plan_opens_by_itself(house: House, clock: DrivenClock) -> None:
    desk = await drawn(house, clock, FREE)
    assert len(await desk.plans("ready")) == 1
    assert len(await desk.at(OPENS)) == 14


async def test_where_no_time_is_set_the_plan_is_drawn_when_the_survey_opens(house: House, clock: DrivenClock) -> None:
    desk = await Quarter.begin(house, clock, quarter({"ready": None, "approve": None}))
    await desk.at(OPENS - HOUR)
    assert await desk.plans() == []
    assert len(await desk.at(OPENS + timedelta(minutes=1))) == 14
    plan = await desk.plan()
    assert (plan["begins_at"], plan["promised_by"]) == (OPENS, PROMISED)
    assert len(await desk.plans("ready")) == 1


async def test_a_policy_in_force_too_late_for_the_period_begins_as_soon_as_a_promise_can_be_kept(
    house: House, clock: DrivenClock
) -> None:
    clock.set(PROMISED + HOUR)
    desk = await Quarter.begin(house, clock, quarter(FREE))
    await desk.round()
    assert await desk.plans() == []
    clock.set(PROMISED - HOUR)
    await desk.round()
    assert len(await desk.plans("late")) == 1


async def test_a_register_that_is_being_filled_is_not_drawn_from(house: House, clock: DrivenClock) -> None:
    desk = await Quarter.begin(house, clock, quarter(), [])
    await desk.at(DRAWN)
    await desk.hear(*customers(range(30), at=DRAWN))
    await desk.at(DRAWN + HOUR)
    await desk.hear(*customers(range(30, 60), at=DRAWN + HOUR))
    await desk.at(DRAWN + 2 * HOUR)
    assert await desk.plans() == []
    await desk.at(DRAWN + 3 * HOUR)
    assert len(await desk.units()) == 60


async def test_a_new_version_neither_draws_again_nor_changes_what_was_drawn(house: House, clock: DrivenClock) -> None:
    desk = await drawn(house, clock, FREE)
    clock.set(DRAWN + DAY)
    await desk.install(quarter({**FREE, "sample": {"size": "all"}}))
    dues = await desk.at(OPENS)
    assert (len(dues), {due.version for due in dues}) == (14, {1})


async def test_a_plan_that_nobody_drew_before_a_new_version_is_drawn_by_it(house: House, clock: DrivenClock) -> None:
    desk = await Quarter.begin(house, clock, quarter(FREE))
    clock.set(DRAWN + DAY)
    await desk.install(quarter({**FREE, "sample": {"size": "all"}}))
    await desk.round()
    plan = await desk.plan()
    assert (plan["version"], plan["drawn_at"], len(await desk.units(chosen=True))) == (2, DRAWN + DAY, 60)


async def test_what_keeps_somebody_from_being_asked_stands_in_the_ledger_and_others_take_the_places(
    house: House, clock: DrivenClock
) -> None:
    desk = await Quarter.begin(house, clock, quarter(FREE, limit="1 in 14 days"))
    await desk.at(DRAWN)
    gone, refuses, staff, busy = [each["customer"] for each in await desk.units(chosen=True)][:4]
    facts = {each.customer: each.facts for each in customers()}

    def changed(name: str, **fields: Any) -> CustomerChanged:
        return CustomerChanged(customer=name, changed_at=DRAWN + HOUR, facts=facts[name], **fields)

    clock.set(OPENS - 3 * HOUR)
    await desk.hear(changed(gone, ended=True), changed(staff, contacts=people(int(staff[2:]), staff=True)))
    refusing = person(10 * int(refuses[2:])).person
    await desk.hear(OptedOut(person=refusing, survey=None, scope="all", opted_out_at=OPENS - 3 * HOUR))
    other = quarter(FREE, limit="1 in 14 days", on="ticket closed", every=None, ask="requester", send={"within": "2d"})
    await desk.install(other.model_copy(update={"policy": "tickets"}))
    await desk.hear(closed(OPENS - 3 * HOUR, person(10 * int(busy[2:]))))
    await desk.at(OPENS)
    reasons = {name: turns[0].verdict.reason for name, turns in (await desk.turns()).items() if turns[0].verdict}
    assert {name: reasons[name] for name in (gone, refuses, staff, busy)} == {
        gone: "no_contact",
        refuses: "opted_out",
        staff: "staff",
        busy: "person_limit",
    }
    units = {each["number"]: each for each in await desk.units()}
    lost = [each for each in units.values() if each["lost_at"] is not None]
    assert {each["customer"] for each in lost} == {gone, refuses, staff, busy}
    for each in lost:
        instead = units[each["replaced_by"]]
        assert (instead["stratum"], instead["cause"], instead["weight"]) == (each["stratum"], "replacement", 2.5)
        assert reasons[instead["customer"]] == "matched"
    assert len([name for name, reason in reasons.items() if reason == "matched"]) == 14


async def test_who_cannot_be_reached_in_the_end_is_replaced_by_the_next_draw_while_the_promise_can_be_kept(
    house: House, clock: DrivenClock
) -> None:
    desk = await drawn(house, clock, FREE)
    first = names(await desk.units())
    dues = {due.facts.customer: due for due in await desk.at(OPENS)}
    lost = sorted(first)[0]
    await desk.hear(*(report(due, "accepted", OPENS) for name, due in dues.items() if name != lost))
    await desk.hear(report(dues[lost], "failed", OPENS))
    (call,) = [due for due in await desk.at(OPENS + HOUR) if due.kind == "call"]
    await desk.hear(report(call, "failed", OPENS + 2 * HOUR))
    (due,) = await desk.at(OPENS + 3 * HOUR)
    units = await desk.units()
    unit = next(each for each in units if each["customer"] == lost)
    instead = units[unit["replaced_by"] - 1]
    members = [each["customer"] for each in units if each["stratum"] == unit["stratum"]]
    assert lowest((await desk.plan())["seed"], members, 5) - first == {instead["customer"]} == {due.facts.customer}
    assert due.promised_by == PROMISED
    assert (unit["weight"], instead["weight"]) == (None, 2.5)


async def test_in_whatever_order_refusal_and_opening_come_nobody_is_asked_who_refused(
    house: House, clock: DrivenClock
) -> None:
    desk = await drawn(house, clock, FREE)
    before, after, *_ = [each["customer"] for each in await desk.units(chosen=True)]

    def refusal(name: str) -> OptedOut:
        return OptedOut(person=person(10 * int(name[2:])).person, survey=None, scope="all", opted_out_at=OPENS)

    await desk.hear(refusal(before))
    clock.set(OPENS)
    await desk.tick(open_plans)
    await desk.hear(refusal(after))
    dues = await desk.round()
    assert not {before, after} & {due.facts.customer for due in dues}
    assert len(dues) == 14  # the next draws in their places
    turns = await desk.turns()
    verdicts = [turns[name][0].verdict for name in (before, after)]
    assert [each.reason for each in verdicts if each is not None] == ["opted_out", "matched"]


async def test_a_plan_that_covers_too_few_active_customers_is_filled_up_and_proved_before_and_after(
    house: House, clock: DrivenClock
) -> None:
    desk = await drawn(house, clock, {**FREE, "coverage": {"share": "60%", "active_within": "6 months"}})
    plan, units = await desk.plan(), await desk.units()
    assert (plan["required"], plan["covered"], plan["active"]) == (24, 24, 40)
    assert sum(each["active"] for each in units) == 40
    assert names(units, "draw") < names(units)
    assert all(each["active"] for each in units if each["cause"] == "coverage")
    assert sum(each["weight"] or 0 for each in units) == pytest.approx(60)
    silent = sorted(each["customer"] for each in units if each["chosen"] and each["active"])[:3]
    for due in await desk.at(OPENS):
        if due.facts.customer not in silent:
            await desk.hear(report(due, "accepted", OPENS))
    await desk.at(PROMISED + HOUR)
    assert (await desk.plan())["settled_at"] is None
    await desk.at(PROMISED + 2 * HOUR)
    plan = await desk.plan()
    assert (plan["covered_after"], plan["reached"]) == (21, len(names(units)) - 3)


async def test_a_coverage_that_cannot_be_had_is_told_in_the_plan(house: House, clock: DrivenClock) -> None:
    unasked = [each for each in customers() if each.customer < "C-30"]
    mute = [CustomerChanged(customer=each.customer, changed_at=each.changed_at, facts=each.facts) for each in unasked]
    register = [*mute, *customers(range(30, 60))]
    desk = await Quarter.begin(
        house, clock, quarter({"coverage": {"share": "60%", "active_within": "6 months"}}), register
    )
    await desk.at(DRAWN)
    plan, units = await desk.plan(), await desk.units()
    assert (plan["required"], plan["covered"], plan["active"]) == (24, 20, 40)
    assert sum(each["people"] == 0 for each in units) == 30


async def test_most_people_of_each_unit_are_drawn_by_lot(house: House, clock: DrivenClock) -> None:
    desk = await drawn(house, clock, FREE, ask={"per": "project", "most": 1})
    plan = await desk.plan()
    async with house.database.reading() as transaction:
        rows = [row for row in await plans.find_units(transaction, plan["id"]) if row["chosen"]]
    dues = await desk.at(OPENS)
    assert len(rows) == len(dues) == 28  # a fifth of 120 projects, and twice as many of the core's
    asked = {(due.facts.customer, due.facts.project): due.contact.person for due in dues}
    for row in rows:
        unit = plans.read_unit(row)
        assert len(unit.people) == 2
        assert (asked[unit.customer, unit.project],) == people_asked(unit, 1, plan["seed"])


async def test_the_gauge_tells_how_plans_stand(house: House, clock: DrivenClock) -> None:
    desk = await Quarter.begin(house, clock, quarter())

    async def stands() -> dict[str, float]:
        await house.database.run("scheduler", lambda transaction: desk.planner.measure_plans(house, transaction))
        samples = [each for family in metrics.PLANS.collect() for each in family.samples]
        return {each.labels["standing"]: each.value for each in samples if each.value}

    assert await stands() == {}
    clock.set(DRAWN)
    assert await stands() == {"to draw up": 1}
    clock.set(READY + HOUR)
    assert await stands() == {"late": 1}
    await desk.at(DRAWN)
    assert await stands() == {"to approve": 1}
    clock.set(READY + HOUR)
    assert await stands() == {"late": 1}
    await desk.approve(at=READY)
    assert await stands() == {"ready": 1}
    await desk.at(PROMISED + DAY)
    assert await stands() == {}


async def test_lists_by_standing_agree_with_the_rule(house: House, clock: DrivenClock) -> None:
    desk = await drawn(house, clock)
    seen: list[tuple[str, ...]] = []
    for moment, approve in ((DRAWN, False), (READY, True), (READY + HOUR, False)):
        if approve:
            await desk.approve(at=moment)
        clock.set(moment)
        seen.append(tuple([each for each in get_args(Standing) if await desk.plans(each)]))
    assert seen == [("to approve",), ("ready",), ("ready",)]


async def test_what_was_said_of_turns_names_no_ticket(house: House, clock: DrivenClock) -> None:
    desk = await drawn(house, clock, FREE)
    clock.set(OPENS)
    for run in (desk.planner.draw_plans, open_plans):
        assert await desk.tick(run) == []
    said = await desk.come(timedelta(0))
    assert all(due.ticket is None for due in only(said, SurveyDue))
