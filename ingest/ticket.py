"""A ticket as the facts that were told about it, and the closures that follow from them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from services.contracts.tickets import Contact, TicketFacts

State = Literal["open", "closed"]
Refusal = Literal["zone", "past", "future", "name"]

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=10)
LONGEST_NAME = 200
OWN_SOURCES = frozenset({"plan", "again"})
"""Under these the service itself keeps what it asks about."""

REFUSALS: Mapping[str, str] = {
    "zone": "the time has no zone",
    "past": "the time is before the year 2000",
    "future": "the time is more than ten minutes in the future",
    "name": f"a source, ticket or occasion is named by 1–{LONGEST_NAME} characters, none of them a control character; "
    f"no source is called {' or '.join(sorted(OWN_SOURCES))}",
}
"""What is wrong, in words for people."""


class Move(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A ticket entered a state. Its natural key is (`at`, `state`): told twice, it is still one move.

    `at` is the ITSM's own time; `placed_at` is where that falls on our clock, where the two differ. Who was served and
    the facts are kept with the moves to `closed`; `requester_id`, and whether he is `staff`, with every move.
    """

    at: datetime
    state: State
    placed_at: datetime | None = None
    facts: TicketFacts | None = None
    contact: Contact | None = None
    requester_id: str | None = None
    staff: bool = False

    @property
    def key(self) -> tuple[datetime, State]:
        return self.at, self.state

    @property
    def time(self) -> datetime:
        """The time on our clock."""
        return self.placed_at or self.at


class Closure(NamedTuple):
    """One closing of a ticket, until it is opened again. `number` counts from 1 in the order of the times."""

    number: int
    closed_at: datetime
    reopened_at: datetime | None
    facts: TicketFacts
    contact: Contact | None
    requester_id: str | None
    staff: bool


def fold(moves: Sequence[Move]) -> tuple[Closure, ...]:
    """The closures of a ticket: each a run of `closed` moves, from the earliest of them to the next `open` one.

    Resolved and then closed without an opening between is one closure. Depends on the set of moves only, not on their
    order or number. Of an opening and a closing at the same instant the opening comes first: a ticket that is created
    and solved within one tick of the ITSM's clock is closed.
    """
    closures: list[Closure] = []
    run: list[Move] = []
    known: str | None = None
    for move in sorted(moves, key=_order) if len(moves) > 1 else moves:
        if move.state == "closed":
            run.append(move)
        elif run:
            closures.append(_close(len(closures) + 1, run, move, known))
            run = []
        known = move.requester_id or known
    if run:
        closures.append(_close(len(closures) + 1, run, None, known))
    return tuple(closures)


def merge(moves: Sequence[Move], told: Iterable[Move]) -> list[Move]:
    """The moves with those that were told and not yet known. What was known first stays as it was (F.5)."""
    found = {move.key: move for move in moves}
    for move in told:
        found.setdefault(move.key, move)
    return list(found.values())


def judge(
    source: str, ticket: str, at: datetime, now: datetime, place: Callable[[datetime], datetime]
) -> Refusal | None:
    """Why a report cannot be believed, or None. `place` puts an outside time on the clock that says `now`."""
    if at.tzinfo is None:
        return "zone"
    if at < EARLIEST:
        return "past"
    if place(at) > now + AHEAD:
        return "future"
    return None if _is_name(source) and source not in OWN_SOURCES and _is_name(ticket) else "name"


def _order(move: Move) -> tuple[datetime, bool]:
    return move.at, move.state == "closed"


def _close(number: int, run: Sequence[Move], reopening: Move | None, known: str | None) -> Closure:
    first = run[0]
    contact, requester_id, staff = first.contact, first.requester_id, first.staff
    for move in run[1:]:
        # The first who can be reached; otherwise the first who is named at all.
        if move.contact and (contact is None or (move.contact.channels and not contact.channels)):
            contact = move.contact
        requester_id = requester_id or move.requester_id
        staff = staff or move.staff
    return Closure(
        number,
        first.time,
        # On a clock that runs fast, moves that arrive out of order are placed out of order too.
        max(reopening.time, first.time) if reopening else None,
        first.facts or TicketFacts(),
        contact,
        requester_id or known,
        staff,
    )


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and text.isprintable() and not text.isspace()
