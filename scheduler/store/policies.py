"""The versions of policies, and how each came into force."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from scheduler.revision import Entry, Revision
from scheduler.store.columns import columns
from services.database import Record, Transaction
from services.statements import Statements

SQL = Statements("scheduler")

Version = tuple[str, int]
"""A policy and the number of its version."""


class NewVersion(NamedTuple):
    """A policy file that shall come into force."""

    policy: str
    title: str
    document: str
    text: str
    checksum: bytes
    effective_from: datetime


async def insert_policy_version(transaction: Transaction, new: NewVersion, history: Sequence[Entry] = ()) -> int | None:
    """Puts a file of the installation in force and returns its version; None where it was the last that was installed.

    Where a version is in force already, it takes effect now at the earliest: nothing changes in the past.
    """
    await _lock_policy(transaction, new.policy)
    version: int | None = await transaction.fetchval(SQL["insert_policy_version"], *new, transaction.now)
    if version is not None:
        await _insert_steps(transaction, new.policy, version, 0, history)
    return version


async def insert_proposal(transaction: Transaction, new: NewVersion, entry: Entry) -> int:
    """Keeps a proposal, whose `lock_proposals` is held, and returns its version."""
    version: int = await transaction.fetchval(SQL["insert_proposal"], *new, transaction.now, entry.cause)
    await _insert_steps(transaction, new.policy, version, 0, [entry])
    return version


async def lock_proposals(transaction: Transaction, policy: str, checksum: bytes) -> int | None:
    """Keeps other workers from proposing until the commit.

    Returns the version with the same file that is in force, is to come, or is on its way.
    """
    await _lock_policy(transaction, policy)
    version: int | None = await transaction.fetchval(SQL["find_equal_version"], policy, checksum, transaction.now)
    return version


async def find_policies_in_force(transaction: Transaction) -> list[Record]:
    """The version of each policy that applies now: of the approved ones that took effect last."""
    return await transaction.fetch(SQL["find_policies_in_force"], transaction.now)


async def find_policies(transaction: Transaction, versions: Iterable[Version]) -> dict[Version, str]:
    """The documents of policy versions."""
    rows = await transaction.fetch(SQL["find_policies"], *columns(versions, 2))
    return {(row["policy"], row["version"]): row["document"] for row in rows}


async def list_policies(transaction: Transaction) -> list[Record]:
    """Every version of every policy."""
    return await transaction.fetch(SQL["list_policies"])


async def find_policy_version(transaction: Transaction, policy: str, version: int) -> Record | None:
    """One version whole; `effective_from` is as wished until it is approved."""
    return await transaction.fetchrow(SQL["find_policy_version"], policy, version)


async def find_former_version(transaction: Transaction, policy: str, version: int) -> int | None:
    """The last approved version before one."""
    former: int | None = await transaction.fetchval(SQL["find_former_version"], policy, version)
    return former


async def lock_policy_version(transaction: Transaction, policy: str, version: int) -> None:
    """Keeps other workers off a version until the commit."""
    await transaction.execute(SQL["lock_policy_version"], policy, version)


async def list_policy_steps(transaction: Transaction, policy: str, version: int) -> tuple[Entry, ...]:
    """The steps of a version, in their order."""
    return tuple(Entry(**row) for row in await transaction.fetch(SQL["list_policy_steps"], policy, version))


async def save_policy_version(transaction: Transaction, revision: Revision) -> None:
    """Keeps the last step of a version, and what it has become."""
    policy, version, state, effective_from, history = revision
    await transaction.execute(SQL["save_policy_version"], policy, version, state, effective_from)
    await _insert_steps(transaction, policy, version, len(history) - 1, history[-1:])


async def _insert_steps(
    transaction: Transaction, policy: str, version: int, first: int, history: Sequence[Entry]
) -> None:
    rows = [(first + place, *entry) for place, entry in enumerate(history)]
    await transaction.execute(SQL["insert_policy_steps"], policy, version, *columns(rows, 6))


async def _lock_policy(transaction: Transaction, policy: str) -> None:
    await transaction.execute(SQL["lock_policy"], policy)
