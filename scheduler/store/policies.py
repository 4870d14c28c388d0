"""The versions of policies."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from scheduler.store.columns import columns
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("scheduler")

Version = tuple[str, int]
"""A policy and the number of its version."""


class NewVersion(NamedTuple):
    """A policy file to be put in force."""

    policy: str
    title: str
    document: str
    text: str
    checksum: bytes
    effective_from: datetime


async def insert_policy_version(transaction: Transaction, new: NewVersion) -> int | None:
    """Puts a policy file in force and returns its version; None where the latest version is that file."""
    version: int | None = await transaction.fetchval(SQL["insert_policy_version"], *new, transaction.now)
    return version


async def find_policies_in_force(transaction: Transaction) -> list[Record]:
    """The version of each policy that applies now."""
    return await transaction.fetch(SQL["find_policies_in_force"], transaction.now)


async def find_policies(transaction: Transaction, versions: Iterable[Version]) -> dict[Version, str]:
    """The documents of policy versions."""
    rows = await transaction.fetch(SQL["find_policies"], *columns(versions, 2))
    return {(row["policy"], row["version"]): row["document"] for row in rows}


async def list_policies(transaction: Transaction) -> list[Record]:
    """Every version of every policy."""
    return await transaction.fetch(SQL["list_policies"])


async def find_policy_version(transaction: Transaction, policy: str, version: int) -> Record | None:
    """One version whole."""
    return await transaction.fetchrow(SQL["find_policy_version"], policy, version)
