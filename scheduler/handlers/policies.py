"""How a version of a policy comes into force: every step is a row, and the approval is said."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from importlib.resources import files

from scheduler.revision import Cause, Entry, Refusal, Revision, Step, advance, first_moment, is_repeated
from scheduler.store.policies import (
    NewVersion,
    find_policies,
    find_policy_version,
    insert_proposal,
    list_policy_steps,
    lock_policy_version,
    lock_proposals,
    save_policy_version,
)
from scheduler.wording import Lexicon, lint, read_lexicon
from services.contracts.policy import Policy
from services.contracts.surveys import PolicyApproved
from services.database import Transaction

MOST_VERSIONS = 2**31 - 1


def new_version(text: str, policy: Policy, effective_from: datetime | None = None) -> NewVersion:
    """A policy file with what is kept of it; without a time it takes effect on its own `effective`."""
    checksum = hashlib.sha256(text.encode()).digest()
    title, from_ = policy.title.model_dump_json(), effective_from or first_moment(policy)
    return NewVersion(policy.policy, title, policy.document(), text, checksum, from_)


@lru_cache(maxsize=1)
def _lexicon() -> Lexicon:
    return read_lexicon(files("scheduler").joinpath("wording.yaml").read_text(encoding="utf-8"))


def remarks_on(policy: Policy) -> list[dict[str, str]]:
    """What a person should look at in a policy's wording, as plain rows: where, by which rule, what, and advice."""
    return [
        {
            "at": ".".join(str(part) for part in each.at),
            "rule": each.rule,
            "found": each.found,
            "advice": each.advice.en,
            "advice_zh": each.advice.zh,
        }
        for each in lint(policy, _lexicon())
    ]


async def propose(transaction: Transaction, new: NewVersion, actor: str, note: str | None, cause: Cause) -> Revision:
    """Keeps a proposal. Raises `Refusal` where a version that counts has the same file."""
    equal = await lock_proposals(transaction, new.policy, new.checksum)
    if equal is not None:
        raise Refusal("identical", f"The file is version {equal} of {new.policy!r}, to the letter.", equal)
    entry = Entry("proposed", transaction.now, actor, note, cause)
    version = await insert_proposal(transaction, new, entry)
    return Revision(new.policy, version, "proposed", new.effective_from, (entry,))


async def find_revision(transaction: Transaction, policy: str, version: int) -> Revision:
    """How far a version has come. Raises `Refusal` where there is none."""
    row = await find_policy_version(transaction, policy, version) if 0 < version <= MOST_VERSIONS else None
    if row is None:
        raise Refusal("unknown", "There is no such version of such a policy.")
    history = await list_policy_steps(transaction, policy, version)
    return Revision(row["policy"], row["version"], row["state"], row["effective_from"], history)


def anything(revision: Revision) -> bool:
    """For who need not prove which state of the version he has seen."""
    return True


async def take_step(
    transaction: Transaction,
    policy: str,
    version: int,
    step: Step,
    actor: str,
    note: str,
    cause: Cause,
    seen: Callable[[Revision], bool] = anything,
) -> Revision:
    """Takes a step and returns the version after it; the same step by the same person again changes nothing.

    Raises `Refusal`: no such version, another state than was `seen`, another step due, or not this person's.
    """
    if 0 < version <= MOST_VERSIONS:
        await lock_policy_version(transaction, policy, version)
    revision = await find_revision(transaction, policy, version)
    if is_repeated(revision, step, actor):
        return revision
    if not seen(revision):
        raise Refusal("stale", f"It has changed since: it is {revision.state} now. Read it again.")
    after = advance(revision, Entry(step, transaction.now, actor, note, cause))
    await save_policy_version(transaction, after)
    if after.state == "approved":
        (document,) = (await find_policies(transaction, [(policy, version)])).values()
        transaction.say(
            PolicyApproved(policy=policy, version=version, effective_from=after.effective_from, document=document)
        )
    return after
