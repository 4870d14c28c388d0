"""A version of a policy on its way into force: proposed, reviewed and approved, by three different people."""

from datetime import UTC, date, datetime, time
from typing import Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from services.contracts.policy import Policy

State = Literal["proposed", "reviewed", "approved", "rejected", "withdrawn"]
Step = Literal["reviewed", "approved", "rejected", "withdrawn"]
Cause = Literal["installed", "rest", "console"]
"""By which door a step came: with the installation's files, by a key, or by the command line."""

STATES: tuple[State, ...] = get_args(State)

LARGEST = 100_000
"""Characters of a policy that is proposed; reading one much larger would keep everybody waiting."""

_FROM: dict[Step, frozenset[State]] = {
    "reviewed": frozenset({"proposed"}),
    "approved": frozenset({"reviewed"}),
    "rejected": frozenset({"proposed", "reviewed"}),
    "withdrawn": frozenset({"proposed", "reviewed"}),
}
_FIRST, _LAST = date(1970, 1, 1), date(2999, 12, 31)


class Entry(NamedTuple):
    """A step that was taken: which, when, by whom and by which door, and what he wrote to it."""

    step: State
    at: datetime
    actor: str
    note: str | None
    cause: Cause


class Revision(NamedTuple):
    """A version and how far it has come.

    `effective_from` is when it takes effect: as wished, and once it is approved as it is.
    """

    policy: str
    version: int
    state: State
    effective_from: datetime
    history: tuple[Entry, ...]

    @property
    def tag(self) -> str:
        """What of it a reviewer has seen; it changes with every step."""
        return f"{self.version}-{self.state}-{len(self.history)}"


Refused = Literal["own-change", "wrong-state", "identical", "stale", "unknown"]


class Refusal(ValueError):
    """A step that may not be taken; `kind` tells why, for programs, and `version` which one is meant instead."""

    def __init__(self, kind: Refused, message: str, version: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.version = version


def same_person(one: str, other: str) -> bool:
    """Whether two names are one; letters compare without regard to case, and blanks around them do not count."""
    return one.strip().casefold() == other.strip().casefold()


def is_repeated(revision: Revision, step: Step, actor: str) -> bool:
    """Whether the last step was this one, by the same person: he asks twice for the same thing."""
    last = revision.history[-1] if revision.history else None
    return last is not None and last.step == step and same_person(last.actor, actor)


def advance(revision: Revision, entry: Entry) -> Revision:
    """The version after a step. A time to take effect that has passed becomes that of the approval.

    Raises `Refusal` where another step is due, or where it takes a person who has not had the version in hands yet.
    """
    step = entry.step
    if step == "proposed" or revision.state not in _FROM[step]:
        raise Refusal("wrong-state", f"{_title(revision)} is {revision.state}; it cannot be {step}.")
    _check_person(revision, entry)
    effective_from = revision.effective_from
    if step == "approved":
        effective_from = max(effective_from, entry.at)
    return revision._replace(state=step, effective_from=effective_from, history=(*revision.history, entry))


def _check_person(revision: Revision, entry: Entry) -> None:
    earlier = [each for each in revision.history if same_person(each.actor, entry.actor)]
    if entry.step == "withdrawn":
        if not any(each.step == "proposed" for each in earlier):
            raise Refusal("own-change", f"Only who proposed {_title(revision)} withdraws it; others reject it.")
        return
    if entry.step == "rejected":
        earlier = [each for each in earlier if each.step == "proposed"]
    if earlier:
        raise Refusal(
            "own-change",
            f"{entry.actor!r} has {earlier[0].step} {_title(revision)} already; it must be {entry.step} by another.",
        )


def _title(revision: Revision) -> str:
    return f"version {revision.version} of {revision.policy!r}"


def installed(policy: Policy, at: datetime) -> tuple[Entry, ...]:
    """The history of a version that comes as a file of the installation: its own `approval` block."""
    block = policy.approval
    steps: tuple[tuple[State, str], ...] = (
        ("proposed", block.author), ("reviewed", block.reviewer), ("approved", block.approver),
    )  # fmt: skip
    return tuple(Entry(step, at, actor, None, "installed") for step, actor in steps)


def first_moment(policy: Policy) -> datetime:
    """When a policy takes effect by its own `effective`: midnight in its zone, in UTC (1970 to 2999)."""
    day = min(max(policy.approval.effective, _FIRST), _LAST)
    return datetime.combine(day, time(), ZoneInfo(policy.calendar.timezone)).astimezone(UTC)
