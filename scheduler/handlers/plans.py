"""What the scheduler does by the calendar: it draws plans up, opens surveys, replaces lost units, closes the books."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import get_args
from uuid import UUID

import structlog

from scheduler import store
from scheduler.calendar import almanac
from scheduler.handlers.closures import find_people, record
from scheduler.handlers.surveys import pinned_rules
from scheduler.ledger import enter
from scheduler.plan import Standing, Wave, standing
from scheduler.policy import Closing, Rule
from scheduler.store import customers, plans
from scheduler.survey import GRACE
from scheduler.wave import decide_turn, draw_up, is_at_rest, is_lost, known_since, replace_lost, to_draw, turns
from services import metrics
from services.contracts.policy import Ask, Policy, read_policy
from services.database import Record, Transaction
from services.house import House
from services.identifiers import uuid7

log = structlog.get_logger(__name__)

MOST = 200
"""Units that are asked, or looked after, in one transaction."""


class Planner:
    """Draws plans up, one at a time. Keeps the versions of policies in mind, which never change."""

    def __init__(self) -> None:
        self._policies: dict[tuple[str, int, bytes], Policy] = {}

    async def draw_plans(self, house: House, transaction: Transaction) -> int:
        """Draws up one plan for which it is time; returns 1 where there was one."""
        missing = await self._missing(transaction)
        changed = await plans.find_register_changes(transaction) if missing else None
        for policy, version, wave in missing:
            if changed is not None and is_at_rest(wave, *changed, transaction.now):
                return int(await _draw_up(transaction, policy, version, wave))
        return 0

    async def measure_plans(self, house: House, transaction: Transaction) -> int:
        """Sets the gauge of how plans stand, those that should have been drawn up among them."""
        now = transaction.now
        stands: Counter[Standing] = Counter()
        for row in await plans.find_open_plans(transaction):
            approved_at = row["approved_at"] if row["approver"] is not None else row["drawn_at"]
            stands[standing(plans.read_wave(row), row["drawn_at"], approved_at, now)] += 1
        for policy, _, wave in await self._missing(transaction):
            ready_by = wave.ready_by if policy.plans.ready is not None else _promised_by(policy, wave)
            stands[standing(wave._replace(ready_by=ready_by), None, None, now)] += 1
        for each in get_args(Standing):
            metrics.PLANS.labels(each).set(stands[each])
        return 0

    async def _missing(self, transaction: Transaction) -> list[tuple[Policy, int, Wave]]:
        """The waves for whose plans it is time, and which have none."""
        waves = await self._waves(transaction)
        drawn = await plans.find_drawn_terms(transaction) if waves else set()
        return [each for each in waves if (each[0].policy, each[2].survey, each[2].term.key) not in drawn]

    async def _waves(self, transaction: Transaction) -> list[tuple[Policy, int, Wave]]:
        """The waves of all policies in force whose plans may be drawn up by now."""
        found = []
        rows = await plans.find_successions(transaction)
        await self._read(transaction, rows)
        for _, group in groupby(rows, key=lambda row: str(row["policy"])):
            versions = [(row["effective_from"], self._policies[_key(row)], int(row["version"])) for row in group]
            _, policy, version = versions[-1]
            for name in policy.surveys:
                since = known_since([each[:2] for each in versions], name)
                if since is not None:
                    waves = to_draw(policy, name, almanac(policy.calendar), since, transaction.now)
                    found += [(policy, version, wave) for wave in waves]
        return found

    async def _read(self, transaction: Transaction, rows: Sequence[Record]) -> None:
        unknown = [row for row in rows if _key(row) not in self._policies]
        documents = await store.find_policies(transaction, [_key(row)[:2] for row in unknown]) if unknown else {}
        for row in unknown:
            self._policies[_key(row)] = read_policy(documents[_key(row)[:2]])


def _key(row: Record) -> tuple[str, int, bytes]:
    return row["policy"], row["version"], row["checksum"]


def _promised_by(policy: Policy, wave: Wave) -> datetime:
    return almanac(policy.calendar).after(wave.opens, policy.surveys[wave.survey].send.within)


async def _draw_up(transaction: Transaction, policy: Policy, version: int, wave: Wave) -> bool:
    today = transaction.now.astimezone(almanac(policy.calendar).zone).date()
    register = await customers.list_customers(transaction)
    opted_out = await plans.find_all_opted_out(transaction)
    # A register of 100,000 takes seconds, in which everything else goes on.
    draft = await asyncio.to_thread(draw_up, policy, version, wave, register, opted_out, today)
    new = plans.NewPlan(
        uuid7(),
        policy.policy,
        version,
        wave,
        wave.ready_by if policy.plans.ready is not None else None,
        _promised_by(policy, wave),
        draft,
        policy.plans.approve,
    )
    if not await plans.insert_plan(transaction, new):
        return False
    about = {"policy": policy.policy, "survey": wave.survey, "term": wave.term.key}
    log.info("plan_drawn", **about, units=len(draft.drawn), chosen=sum(each.chosen for each in draft.drawn))
    if draft.coverage is not None and not draft.coverage.met:
        log.warning("plan_falls_short", **about, required=draft.coverage.required, covered=draft.coverage.counted)
    return True


async def open_plans(house: House, transaction: Transaction) -> int:
    """Decides on the people of units whose turn has come, as on closings; returns how many units it was."""
    units = await plans.claim_turns(transaction, MOST)
    if not units:
        return 0
    rules = await pinned_rules(transaction, units)
    register = await customers.find_customers(transaction, {row["customer"] for row in units})
    asked: list[tuple[Rule, Closing, tuple[str, int] | None]] = []
    for row in units:
        rule = rules[row["policy"], row["version"], row["survey"]]
        most = rule.survey.ask.most if isinstance(rule.survey.ask, Ask) else None
        unit, customer = plans.read_unit(row), register.get(row["customer"])
        theirs = turns(row["policy"], plans.read_wave(row), unit, customer, most, row["seed"], row["begins_at"])
        asked += [(rule, closing, _layer(row)) for closing in theirs]
    people = await find_people(transaction, list(rules.values()), [closing for _, closing, _ in asked], register)
    now = transaction.now
    entries = [
        enter(decide_turn(rule, closing, people.person(closing), now), closing, people, uuid7(), now, drawn=drawn)
        for rule, closing, drawn in asked
    ]
    await record(transaction, entries)
    await plans.save_asked(transaction, ((row["plan"], row["number"]) for row in units))
    return len(units)


def _layer(row: Record) -> tuple[str, int] | None:
    """Out of what a unit was drawn, under a name of its own among all plans."""
    if row["layer"] is None:
        return None
    return f"{row['policy']}/{row['survey']}/{row['term']}/{row['layer']}", row["layer_size"]


async def replace_lost_units(house: House, transaction: Transaction) -> int:
    """Puts the next draws in the place of units of which nobody was or can be reached; returns how many were lost."""
    silent = await plans.find_silent_units(transaction, MOST)
    if not silent:
        return 0
    results = await plans.find_results(transaction, {row["ticket"] for row in silent})
    lost: dict[UUID, set[int]] = {}
    for row in silent:
        if is_lost(results.get(row["ticket"], ())):
            lost.setdefault(row["plan"], set()).add(row["number"])
    return sum([await _replace(transaction, plan, numbers) for plan, numbers in sorted(lost.items())])


async def _replace(transaction: Transaction, plan: UUID, numbers: set[int]) -> int:
    row = await plans.lock_plan(transaction, plan)
    if row is None:
        raise ValueError(f"plan {plan} is gone")
    ((_, document),) = (await store.find_policies(transaction, [(row["policy"], row["version"])])).items()
    policy = read_policy(document)
    rows = await plans.find_units(transaction, plan)
    before = {each["number"]: plans.read_drawn(each) for each in rows if each["people"]}
    number_of = {each.unit.key: number for number, each in before.items()}
    gone = {before[each["number"]].unit.key for each in rows if each["lost_at"] is not None}
    lost = {before[number].unit.key for number in numbers} - gone
    relief = replace_lost(
        policy.sample_of(row["survey"]),
        policy.coverage_of(row["survey"]),
        list(before.values()),
        {each["customer"] for each in rows if each["active"]},
        lost,
        gone,
    )
    changed = {number_of[each.unit.key]: each for each in relief.drawn if each != before[number_of[each.unit.key]]}
    await plans.save_draws(transaction, plan, changed)
    await plans.save_lost(
        transaction, plan, {number_of[key]: number_of.get(relief.instead.get(key, "")) for key in lost}
    )
    log.info("units_replaced", plan=plan, lost=len(lost), replaced=len(relief.instead))
    return len(lost)


async def settle_plans(house: House, transaction: Transaction) -> int:
    """Closes the books on plans whose promise has passed: whom they reached."""
    settled = await plans.settle_plans(transaction, GRACE)
    for row in settled:
        log.info("plan_settled", **dict(row))
    return 0
