"""REST: policies and their versions."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from scheduler import store
from scheduler.api.doors import Readers, SchedulerTransaction
from services.contracts.questionnaire import Words
from services.database import Record
from services.errors import Problem
from services.web import Page

router = APIRouter()


class VersionItem(BaseModel):
    """One version of a policy."""

    version: int
    effective_from: datetime
    installed_at: datetime


class PolicyItem(BaseModel):
    """A policy with its versions; the one in force is the last that is effective."""

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


@router.get("/policies", dependencies=[Readers])
async def list_policies(transaction: SchedulerTransaction) -> Page[PolicyItem]:
    """Every policy with its versions."""
    rows = await store.list_policies(transaction)
    grouped = groupby(rows, key=lambda row: str(row["policy"]))
    return Page(items=[_policy(name, list(versions), transaction.now) for name, versions in grouped])


def _policy(name: str, rows: Sequence[Record], now: datetime) -> PolicyItem:
    effective = [row["version"] for row in rows if row["effective_from"] <= now]
    return PolicyItem(
        policy=name,
        title=Words.model_validate_json(rows[-1]["title"]),
        versions=[VersionItem(**row) for row in rows],
        in_force=max(effective, default=None),
    )


@router.get("/policies/{policy}/{version}", dependencies=[Readers])
async def read_policy_version(policy: str, version: int, transaction: SchedulerTransaction) -> PolicyText:
    """One version of a policy, as it was written and as it is understood."""
    row = await store.find_policy_version(transaction, policy, version) if 0 < version < 2**31 else None
    if row is None:
        raise Problem(404, "unknown", "There is no such version of such a policy.")
    document, title = json.loads(row["document"]), Words.model_validate_json(row["title"])
    return PolicyText(**{**row, "title": title, "sha256": row["checksum"].hex(), "document": document})
