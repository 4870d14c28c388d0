"""Toy events and handlers: a room that notes in `scheduler.heard` how often it heard of each subject."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.contracts.envelope import Event
from services.contracts.tickets import TicketClosed, TicketFacts
from services.database import Database, Record, Transaction
from services.house import House

NOTE = """insert into scheduler.heard select $1, subject, count(*) from unnest($2::text[]) as subject group by subject
on conflict (kind, subject) do update set times = scheduler.heard.times + excluded.times"""


def closed(number: int, **changes: object) -> TicketClosed:
    values: dict[str, object] = {
        "source": "jira", "ticket": f"T-{number}", "closure": 1,
        "closed_at": datetime(2026, 3, 2, tzinfo=UTC), "facts": TicketFacts(),
    }  # fmt: skip
    return TicketClosed(**{**values, **changes})  # type: ignore[arg-type]


async def note(_: House, transaction: Transaction, events: Sequence[Event]) -> None:
    """Notes what it hears."""
    await transaction.execute(NOTE, type(events[0]).__name__, [event.subject for event in events])


async def noted(database: Database) -> dict[str, int]:
    """How often each subject was heard."""

    async def read(transaction: Transaction) -> list[Record]:
        return await transaction.fetch("select subject, sum(times)::int as times from scheduler.heard group by 1")

    return {row["subject"]: row["times"] for row in await database.run("scheduler", read)}
