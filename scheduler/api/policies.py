"""REST: policies and their versions, as they were written, as they are understood, and as they differ."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from scheduler import store
from scheduler.api.doors import Readers, SchedulerTransaction
from scheduler.difference import differences, text_difference
from scheduler.handlers.policies import MOST_VERSIONS, find_revision
from scheduler.revision import Cause, Entry, Refusal, Revision, State
from scheduler.store.policies import find_former_version
from services.contracts.questionnaire import Words
from services.database import Record, Transaction
from services.errors import Problem
from services.web import Page

router = APIRouter(prefix="/v1", tags=["scheduler"])

_STATUS = {"own-change": 403, "unknown": 404, "wrong-state": 409, "identical": 409, "stale": 412}


class VersionItem(BaseModel):
    """One version of a policy. `effective_from` is as wished until it is approved, and then as it is."""

    version: int
    state: State
    effective_from: datetime
    proposed_at: datetime


class PolicyItem(BaseModel):
    """A policy with its versions; the one in force is the approved one that took effect last."""

    policy: str
    title: Words
    versions: list[VersionItem]
    in_force: int | None


class PolicyText(VersionItem):
    """One version whole: the file as it was written, its SHA-256, and what it says, defaults included."""

    policy: str
    title: Words
    sha256: str
    text: str
    document: dict[str, Any]


class StepItem(BaseModel):
    """One step of a version: who took it, when, by which door, and what he wrote to it."""

    step: State
    at: datetime
    actor: str
    note: str | None
    cause: Cause


class RevisionItem(BaseModel):
    """How far a version has come, with every step."""

    policy: str
    version: int
    state: State
    effective_from: datetime
    history: list[StepItem]


class DifferenceItem(BaseModel):
    """One place where two versions differ; null: nothing stands there. `line` says it in one line."""

    path: str
    before: str | None
    after: str | None
    line: str


class DifferenceOfVersions(BaseModel):
    """What a version says differently: by place, and as the unified difference of the two files."""

    policy: str
    version: int
    against: int
    changes: list[DifferenceItem]
    text: str


def refused(refusal: Refusal) -> Problem:
    """A refusal as HTTP tells it."""
    further = {"version": refusal.version} if refusal.version is not None else {}
    return Problem(_STATUS[refusal.kind], refusal.kind, str(refusal), **further)


def revision_item(revision: Revision, response: Response) -> RevisionItem:
    """A version with its steps; the response gets its ETag."""
    response.headers["etag"] = etag_of(revision)
    return RevisionItem(**{**revision._asdict(), "history": [_step(each) for each in revision.history]})


def etag_of(revision: Revision) -> str:
    """The state of a version as HTTP writes it."""
    return f'"{revision.tag}"'


def _step(entry: Entry) -> StepItem:
    return StepItem(**entry._asdict())


@router.get("/policies", dependencies=[Readers])
async def list_policies(transaction: SchedulerTransaction) -> Page[PolicyItem]:
    """Every policy with its versions."""
    rows = await store.list_policies(transaction)
    grouped = groupby(rows, key=lambda row: str(row["policy"]))
    return Page(items=[_policy(name, list(versions), transaction.now) for name, versions in grouped])


def _policy(name: str, rows: Sequence[Record], now: datetime) -> PolicyItem:
    effective = [row for row in rows if row["state"] == "approved" and row["effective_from"] <= now]
    latest = max(effective, key=lambda row: (row["effective_from"], row["version"]), default=None)
    return PolicyItem(
        policy=name,
        title=Words.model_validate_json((latest or rows[-1])["title"]),
        versions=[VersionItem(**row) for row in rows],
        in_force=latest["version"] if latest else None,
    )


@router.get("/policies/{policy}/{version}", dependencies=[Readers])
async def read_policy_version(
    policy: str, version: int, transaction: SchedulerTransaction, response: Response
) -> PolicyText:
    """One version of a policy, as it was written and as it is understood. Its ETag is what a step is taken on."""
    row = await _version(transaction, policy, version)
    revision = await find_revision(transaction, policy, version)
    response.headers["etag"] = etag_of(revision)
    document, title = json.loads(row["document"]), Words.model_validate_json(row["title"])
    return PolicyText(**{**row, "title": title, "sha256": row["checksum"].hex(), "document": document})


@router.get("/policies/{policy}/{version}/history", dependencies=[Readers])
async def read_policy_history(
    policy: str, version: int, transaction: SchedulerTransaction, response: Response
) -> RevisionItem:
    """Who proposed, reviewed and approved a version, or turned it down, and when."""
    try:
        return revision_item(await find_revision(transaction, policy, version), response)
    except Refusal as refusal:
        raise refused(refusal) from None


@router.get("/policies/{policy}/{version}/diff", dependencies=[Readers])
async def compare_policy_versions(
    policy: str,
    version: int,
    transaction: SchedulerTransaction,
    against: Annotated[
        int | None, Query(description="The version to compare with; without it the last approved one before.")
    ] = None,
) -> DifferenceOfVersions:
    """What a version says differently from another one."""
    after = await _version(transaction, policy, version)
    other = against if against is not None else await _former(transaction, policy, version)
    before = await _version(transaction, policy, other)
    named = (f"{policy} version {other}", f"{policy} version {version}")
    texts = (before["text"], after["text"])
    changes, text = await asyncio.gather(
        asyncio.to_thread(differences, *texts), asyncio.to_thread(text_difference, *texts, named)
    )
    items = [DifferenceItem(**each._asdict(), line=str(each)) for each in changes]
    return DifferenceOfVersions(policy=policy, version=version, against=other, changes=items, text=text)


async def _version(transaction: Transaction, policy: str, version: int) -> Record:
    row = await store.find_policy_version(transaction, policy, version) if 0 < version <= MOST_VERSIONS else None
    if row is None:
        raise Problem(404, "unknown", f"There is no version {version} of a policy {policy!r}.")
    return row


async def _former(transaction: Transaction, policy: str, version: int) -> int:
    former = await find_former_version(transaction, policy, version)
    if former is None:
        raise Problem(422, "against", f"No version before {version} was approved; name one with `against`.")
    return former
