"""An occasion as everything that was told of it, whatever the order and however often."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from ingest import ticket
from services.contracts.customers import LONGEST_KIND, OWN_KINDS, OccasionReported, read_kind
from services.contracts.tickets import Contact, TicketFacts

OccasionKey = tuple[str, str, str]
"""Source, kind and id."""

Refusal = ticket.Refusal | Literal["kind"]

REFUSALS: Mapping[str, str] = {
    **ticket.REFUSALS,
    "kind": f"a kind of occasion has 1–{LONGEST_KIND} characters and is none of {', '.join(sorted(OWN_KINDS))}; "
    "write one like `project accepted`",
}
"""What is wrong, in words for people."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of an occasion.

    `at` is the source's own time; `placed_at` is where that falls on our clock, where the two differ.
    """

    at: datetime
    placed_at: datetime | None = None
    facts: TicketFacts = TicketFacts()
    contact: Contact | None = None
    requester_id: str | None = None
    staff: bool = False

    @property
    def time(self) -> datetime:
        """The time on our clock."""
        return self.placed_at or self.at


def read(report: OccasionReported, place: Callable[[datetime], datetime]) -> Told:
    """What a sealed report tells; `place` puts an outside time on our clock."""
    placed_at = place(report.at)
    return Told(
        at=report.at,
        placed_at=None if placed_at == report.at else placed_at,
        facts=replace(report.facts, type=report.kind),
        contact=report.contact,
        requester_id=report.requester_id,
        staff=report.requester is not None and report.requester.staff,
    )


def merge(known: Told, told: Told) -> Told:
    """Both together: the earliest time with its facts (of two for one time, the fuller), and who is reached best.

    Depends on the set of what was told only, not on its order or number; equal to `known` where nothing is new.
    """
    first = told if _order(told) < _order(known) else known
    ids = {each.requester_id for each in (known, told) if each.requester_id}
    return Told(
        at=first.at,
        placed_at=first.placed_at,
        facts=first.facts,
        contact=told.contact if _reach(told.contact) > _reach(known.contact) else known.contact,
        requester_id=min(ids, default=None),
        staff=known.staff or told.staff,
    )


def judge(report: OccasionReported, now: datetime, place: Callable[[datetime], datetime]) -> Refusal | None:
    """Why a report cannot be believed, or None; times are judged as those of tickets."""
    kind = read_kind(report.kind)
    if kind is None or kind in OWN_KINDS:
        return "kind"
    return ticket.judge(report.source, report.id, report.at, now, place)


def normal(report: OccasionReported) -> OccasionReported:
    """The report with its kind as it is kept and compared."""
    kind = read_kind(report.kind)
    return report if kind in (None, report.kind) else replace(report, kind=kind)


def _order(told: Told) -> tuple[datetime, int, bytes]:
    written = _encode(told.facts)
    return told.at, -len(msgspec.to_builtins(told.facts)), written


def _reach(contact: Contact | None) -> tuple[object, ...]:
    """How well somebody can be reached; what is equal in this is the same person told again."""
    if contact is None:
        return ()
    names = (str(contact.person), contact.locale or "", contact.timezone or "")
    return (len(contact.channels), *names, contact.staff)
