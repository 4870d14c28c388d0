"""The statements of `plans.sql`: plans of surveys by the calendar, and the units that they draw."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from scheduler.allocation import Drawn
from scheduler.audience import Unit, key_of
from scheduler.plan import Standing, Term, Wave
from scheduler.store.columns import columns
from scheduler.wave import Draft, Result, ticket_of
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("scheduler")

Turn = tuple[UUID, int]
"""A plan and the number of a unit in it."""

_UNIT_COLUMNS = (
    *("plan", "number", "customer", "project", "organisation", "stratum", "active", "people", "draw", "chosen"),
    *("cause", "weight", "layer", "layer_size", "ticket"),
)


class NewPlan(NamedTuple):
    """A plan to be kept. `ready_by` is None where the policy sets no time, `approver` where nobody must approve."""

    id: UUID
    policy: str
    version: int
    wave: Wave
    ready_by: datetime | None
    promised_by: datetime
    draft: Draft
    approver: str | None


class Change(NamedTuple):
    """When the register changed first, of all that it still says, and last."""

    first: datetime
    last: datetime


class PlanQuery(NamedTuple):
    """Which plans a list shows; None does not narrow. `after` is the opening and the id of the last one shown."""

    policy: str | None
    survey: str | None
    standing: Standing | None
    opens_from: datetime | None
    opens_until: datetime | None
    after: tuple[datetime, UUID] | None


async def find_successions(transaction: Transaction) -> list[Record]:
    """The approved versions of every policy that have taken effect, policy by policy, the latest last; no documents."""
    return await transaction.fetch(SQL["find_successions"], transaction.now)


async def find_drawn_terms(transaction: Transaction) -> set[tuple[str, str, str]]:
    """Of which (policy, survey, term) there are plans."""
    return {tuple(row) for row in await transaction.fetch(SQL["find_drawn_terms"])}


async def find_register_changes(transaction: Transaction) -> Change | None:
    """When the register changed; None while it is empty."""
    row = await transaction.fetchrow(SQL["find_register_changes"])
    return Change(*row) if row is not None and row["last"] is not None else None


async def find_all_opted_out(transaction: Transaction) -> set[UUID]:
    """Everybody who wants never to be asked."""
    return {row["person"] for row in await transaction.fetch(SQL["find_all_opted_out"])}


async def insert_plan(transaction: Transaction, new: NewPlan) -> bool:
    """Keeps a plan with its units, numbered in the order of their keys; False where another worker was faster."""
    wave, draft, coverage = new.wave, new.draft, new.draft.coverage
    plan = await transaction.fetchval(
        SQL["insert_plan"],
        *(new.id, new.policy, new.version, wave.survey, wave.term.period, wave.term.key, wave.term.start),
        *(wave.term.end, wave.draw_from, new.ready_by, wave.opens, new.promised_by, draft.seed, transaction.now),
        *((coverage.required, coverage.counted, coverage.total) if coverage is not None else (None, None, None)),
        *(new.approver, wave.opens if new.approver is None else None),
    )
    if plan is None:
        return False
    everybody = sorted((*draft.drawn, *draft.unreachable), key=lambda each: each.unit.key)
    rows = [(new.id, number, *_unit(new, each)) for number, each in enumerate(everybody, 1)]
    await transaction.copy("scheduler.plan_unit", _UNIT_COLUMNS, rows)
    return True


def _unit(new: NewPlan, each: Drawn) -> tuple[object, ...]:
    unit = each.unit
    return (
        *(unit.customer, unit.project, unit.organisation, list(each.stratum), unit.customer in new.draft.active),
        *(list(unit.people), each.draw, each.chosen, each.cause, each.weight),
        *(new.draft.layers.get(unit.key) or (None, None)),
        ticket_of(new.policy, new.wave, unit),
    )


async def claim_turns(transaction: Transaction, most: int) -> list[Record]:
    """Units whose turn has come, with their plans, kept from other workers until the commit."""
    return await transaction.fetch(SQL["claim_turns"], transaction.now, most)


async def save_asked(transaction: Transaction, turns: Iterable[Turn]) -> None:
    """Notes that units were asked now."""
    await transaction.execute(SQL["save_asked"], transaction.now, *columns(turns, 2))


async def find_silent_units(transaction: Transaction, most: int) -> list[Record]:
    """Asked units, of plans that can keep their promise, of whom nobody was reached and nobody is being asked."""
    return await transaction.fetch(SQL["find_silent_units"], transaction.now, most)


async def find_results(transaction: Transaction, tickets: Iterable[str]) -> dict[str, list[Result]]:
    """What came of the turns under tickets of the ledger."""
    results: dict[str, list[Result]] = {}
    for row in await transaction.fetch(SQL["find_results"], list(tickets)):
        results.setdefault(row["ticket"], []).append(Result(row["outcome"], row["state"], row["reached"]))
    return results


async def lock_plan(transaction: Transaction, plan: UUID) -> Record | None:
    """One plan, kept from other workers until the commit."""
    return await transaction.fetchrow(SQL["lock_plan"], plan)


async def find_plan(transaction: Transaction, plan: UUID) -> Record | None:
    """One plan."""
    return await transaction.fetchrow(SQL["find_plan"], plan)


async def list_plans(transaction: Transaction, query: PlanQuery, most: int) -> list[Record]:
    """A page of plans, those that open last first."""
    *narrow, after = query
    return await transaction.fetch(SQL["list_plans"], transaction.now, *narrow, *(after or (None, None)), most)


async def find_open_plans(transaction: Transaction) -> list[Record]:
    """Plans that are not settled, as far as it matters how they stand."""
    return await transaction.fetch(SQL["find_open_plans"])


async def save_approval(
    transaction: Transaction, plan: UUID, by: str, note: str | None, begins_at: datetime, promised_by: datetime
) -> None:
    """Notes that a plan is approved now, and from when it is carried out."""
    await transaction.execute(SQL["save_approval"], plan, transaction.now, by, note, begins_at, promised_by)


async def find_units(transaction: Transaction, plan: UUID) -> list[Record]:
    """Every unit of a plan; `read_drawn` reads one."""
    return await transaction.fetch(SQL["find_units"], plan)


async def list_units(
    transaction: Transaction, plan: UUID, after: int, most: int, *, chosen: bool | None = None
) -> list[Record]:
    """A page of a plan's units; `people` is their number."""
    return await transaction.fetch(SQL["list_units"], plan, after, chosen, most)


async def save_draws(transaction: Transaction, plan: UUID, units: Mapping[int, Drawn]) -> None:
    """Keeps how units, by their numbers, are drawn now."""
    rows = [(number, each.chosen, each.cause, each.weight) for number, each in units.items()]
    await transaction.execute(SQL["save_draws"], plan, *columns(rows, 4))


async def save_lost(transaction: Transaction, plan: UUID, lost: Mapping[int, int | None]) -> None:
    """Notes units, by their numbers, that were lost now, and the numbers of those that took their places."""
    await transaction.execute(SQL["save_lost"], plan, transaction.now, *columns(lost.items(), 2))


async def count_strata(transaction: Transaction, plan: UUID) -> list[Record]:
    """How many units a plan's strata have, and how many of them were chosen."""
    return await transaction.fetch(SQL["count_strata"], plan)


async def count_progress(transaction: Transaction, plans: Sequence[UUID]) -> dict[UUID, Record]:
    """How far plans have come, in units."""
    return {row["plan"]: row for row in await transaction.fetch(SQL["count_progress"], list(plans))}


async def settle_plans(transaction: Transaction, grace: timedelta) -> list[Record]:
    """Settles the plans whose promise has passed for `grace`, and tells whom they reached."""
    return await transaction.fetch(SQL["settle_plans"], transaction.now, grace)


def read_wave(row: Record) -> Wave:
    """The wave of a plan, which is in time while it can be carried out where the policy sets no time for it."""
    term = Term(row["period"], row["starts"], row["ends"])
    return Wave(row["survey"], term, row["opens_at"], row["draw_from"], row["ready_by"] or row["promised_by"])


def read_unit(row: Record) -> Unit:
    """The unit in a row with its columns; its stratum is that from which it was, or would have been, drawn."""
    key = key_of(row["customer"], row["project"])
    return Unit(key, row["customer"], row["project"], row["organisation"], tuple(row["stratum"]), tuple(row["people"]))


def read_drawn(row: Record) -> Drawn:
    """A unit with its draw."""
    unit = read_unit(row)
    return Drawn(unit, unit.stratum, row["draw"], row["chosen"], row["weight"], row["cause"])
