"""REST: plans of surveys by the calendar, everybody whom they could draw, and their approval."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from scheduler import store
from scheduler.api.approval import Moment
from scheduler.api.doors import Cursor, Limit, Readers, SchedulerTransaction, must_be_in_order
from scheduler.api.plan_items import (
    ApprovalBody,
    ApprovalItem,
    CoverageItem,
    PlanItem,
    PlanStory,
    StratumItem,
    TargetItem,
    TermItem,
    UnitItem,
    UnitsItem,
)
from scheduler.calendar import almanac
from scheduler.plan import Standing, standing
from scheduler.store import plans
from scheduler.wave import begins, progress_of
from services.auth import CallerOf, Role, requires
from services.contracts.policy import Policy, read_policy
from services.database import Record, Transaction
from services.errors import Problem
from services.web import Page, decode_cursor, encode_cursor

router = APIRouter(prefix="/v1", tags=["scheduler"])

Approvers = Depends(requires(Role.quality, Role.manager))


@router.get("/plans", dependencies=[Readers])
async def list_plans(
    transaction: SchedulerTransaction,
    policy: str | None = None,
    survey: str | None = None,
    standing: Annotated[Standing | None, Query(description="How the plan stands now.")] = None,
    from_: Annotated[Moment | None, Query(alias="from", description="Opens at or after.")] = None,
    to: Annotated[Moment | None, Query(description="Opens before.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[PlanItem]:
    """Plans that were drawn up, those that open last first."""
    must_be_in_order(from_, to)
    after = decode_cursor(cursor, tuple[datetime, UUID]) if cursor is not None else None
    query = plans.PlanQuery(policy, survey, standing, from_, to, after)
    rows = await plans.list_plans(transaction, query, limit + 1)
    items = await _items(transaction, rows[:limit])
    return Page(
        items=items, next=encode_cursor(items[-1].opens_at, items[-1].id) if len(rows) > limit and items else None
    )


@router.get("/plans/{plan}", dependencies=[Readers])
async def read_plan(plan: UUID, transaction: SchedulerTransaction) -> PlanStory:
    """One plan: target, time, scope, method and size of the sample, and how it stands."""
    return await _story(transaction, _known(await plans.find_plan(transaction, plan)))


@router.get("/plans/{plan}/units", dependencies=[Readers])
async def list_units(
    plan: UUID,
    transaction: SchedulerTransaction,
    chosen: Annotated[bool | None, Query(description="Only those that were chosen, or were not.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[UnitItem]:
    """Everybody whom the plan could draw, and could not, with the draws: by customer and project."""
    _known(await plans.find_plan(transaction, plan))
    after = decode_cursor(cursor, tuple[int])[0] if cursor is not None else 0
    if not 0 <= after < 2**31:
        raise Problem(422, "cursor", "`cursor` is not one that a list here gave out; begin without it.")
    rows = await plans.list_units(transaction, plan, after, limit + 1, chosen=chosen)
    results = await plans.find_results(transaction, {row["ticket"] for row in rows if row["asked_at"] is not None})
    items = [
        UnitItem(**{**row, "progress": progress_of(*_marks(row), results.get(row["ticket"], ()))})
        for row in rows[:limit]
    ]
    return Page(items=items, next=encode_cursor(items[-1].number) if len(rows) > limit else None)


@router.post("/plans/{plan}/approve", dependencies=[Approvers])
async def approve_plan(
    plan: UUID, caller: CallerOf, transaction: SchedulerTransaction, wish: ApprovalBody | None = None
) -> PlanStory:
    """Approves a plan. From then on, or from its opening, its people are asked; said again by the same, it stays so."""
    row = _known(await plans.lock_plan(transaction, plan))
    note = wish.note if wish is not None else None
    if row["approved_at"] is not None and row["approved_by"] == caller.name:
        return await _story(transaction, row)
    if row["approver"] is None:
        raise Problem(409, "no-approval", "The policy demands no approval of this plan.")
    if row["approved_at"] is not None:
        raise Problem(409, "approved", f"The plan was approved by {row['approved_by']} already.")
    if row["settled_at"] is not None or row["promised_by"] <= transaction.now:
        raise Problem(409, "over", "The plan's promise can no longer be kept; its survey is not opened any more.")
    if note is None and (row["covered"] or 0) < (row["required"] or 0):
        raise Problem(
            422,
            "note",
            "The plan covers too few active customers: a `note` must say why it is approved all the same.",
            required=row["required"],
            covered=row["covered"],
        )
    (policy,) = (await _policies(transaction, [row])).values()
    begins_at = begins(plans.read_wave(row), transaction.now)
    promised_by = almanac(policy.calendar).after(begins_at, policy.surveys[row["survey"]].send.within)
    await plans.save_approval(transaction, plan, caller.name, note, begins_at, promised_by)
    return await read_plan(plan, transaction)


def _known(row: Record | None) -> Record:
    if row is None:
        raise Problem(404, "unknown", "There is no such plan.")
    return row


def _marks(row: Record) -> tuple[bool, bool, bool, bool]:
    return row["people"] > 0, row["chosen"], row["asked_at"] is not None, row["lost_at"] is not None


async def _policies(transaction: Transaction, rows: Iterable[Record]) -> Mapping[tuple[str, int], Policy]:
    documents = await store.find_policies(transaction, {(row["policy"], row["version"]) for row in rows})
    return {version: read_policy(document) for version, document in documents.items()}


async def _items(transaction: Transaction, rows: Sequence[Record]) -> list[PlanItem]:
    if not rows:
        return []
    policies = await _policies(transaction, rows)
    progress = await plans.count_progress(transaction, [row["id"] for row in rows])
    return [
        _item(row, policies[row["policy"], row["version"]], progress.get(row["id"]), transaction.now) for row in rows
    ]


def _item(row: Record, policy: Policy, progress: Record | None, now: datetime) -> PlanItem:
    survey, role = policy.surveys[row["survey"]], row["approver"]
    ready_at = row["approved_at"] if role is not None else row["drawn_at"]
    told = {
        "title": survey.title or policy.questionnaires[survey.questionnaire].title,
        "term": TermItem(key=row["term"], period=row["period"], start=row["starts"], end=row["ends"]),
        "standing": standing(plans.read_wave(row), row["drawn_at"], ready_at, now),
        "approval": ApprovalItem(**{**row, "role": role, "title": policy.role(role) if role is not None else None}),
        "units": UnitsItem(**{name: progress[name] if progress else 0 for name in UnitsItem.model_fields}),
        "coverage": _coverage(row, policy),
    }
    return PlanItem(**{**row, **told})


def _coverage(row: Record, policy: Policy) -> CoverageItem | None:
    coverage, required, reached = policy.coverage_of(row["survey"]), row["required"], row["covered_after"]
    if coverage is None or required is None:
        return None
    return CoverageItem(
        share=coverage.share,
        required=required,
        active=row["active"],
        covered=row["covered"],
        met=row["covered"] >= required,
        reached=reached,
        met_after=reached >= required if reached is not None else None,
    )


async def _story(transaction: Transaction, row: Record) -> PlanStory:
    (item,) = await _items(transaction, [row])
    (policy,) = (await _policies(transaction, [row])).values()
    survey, scores = policy.surveys[row["survey"]], policy.scores_of(row["survey"])
    written = survey.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return PlanStory(
        **{name: getattr(item, name) for name in PlanItem.model_fields},
        goal=survey.goal,
        method=policy.plans.method,
        target=TargetItem(figure=scores.target, period=scores.period, method=scores.method),
        by=survey.by,
        questionnaire=survey.questionnaire,
        within=str(survey.send.within),
        expires=str(survey.expires),
        steps=written["steps"],
        scope=written["ask"],
        sample=policy.sample_of(row["survey"]).model_dump(mode="json", by_alias=True, exclude_defaults=True),
        strata=[StratumItem(**each) for each in await plans.count_strata(transaction, row["id"])],
        seed=row["seed"],
    )
