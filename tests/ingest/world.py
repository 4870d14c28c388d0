"""A little world outside the room: what it is told, and what it says."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from ingest.handlers import HANDLERS
from services.contracts.envelope import Event
from services.contracts.tickets import Requester, TicketFacts, TicketReported
from services.database import Transaction
from services.house import House

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
EMILY = Requester(id="u-1", name="Emily Adams", email="emily@example.com", phone="+8613800138000", locale="en-GB")

Said = TypeVar("Said", bound=Event)


def reported(state: str = "closed", minutes: int = 0, ticket: str = "T-1", **rest: Any) -> TicketReported:
    at = START + timedelta(minutes=minutes)
    told: dict[str, Any] = {"source": "generic", "ticket": ticket, "state": state, "at": at}
    return TicketReported(**({"facts": TicketFacts(agent=f"a{minutes}")} | told | rest))


async def hear(house: House, *events: Event) -> Transaction:
    """Hands events to the room as the listener does, and returns the transaction, done."""
    async with house.database.transaction("ingest") as transaction:
        for kind, handler in HANDLERS.items():
            ours = [event for event in events if type(event) is kind]
            if ours:
                await handler(house, transaction, ours)
    return transaction


def said(transaction: Transaction, kind: type[Said]) -> list[Said]:
    return [event for event in transaction.said if isinstance(event, kind)]


async def closures(house: House) -> list[tuple[Any, ...]]:
    """What is stored of closures, without technical times."""
    columns = "source, ticket, closure, closed_at, reopened_at, registered, with_contact"
    async with house.database.reading() as transaction:
        rows = await transaction.fetch(f"select {columns} from ingest.closure order by source, ticket, closure")
    return [tuple(row) for row in rows]


async def unheard(house: House) -> int:
    async with house.database.reading() as transaction:
        found: int = await transaction.fetchval("select count(*) from ingest.closure where heard_at is null")
    return found


async def everything_stored(house: House, tables: Sequence[str]) -> str:
    """All rows of tables as text, bytes as hex and as text: what a curious reader could find."""
    parts = []
    async with house.database.reading() as transaction:
        for table in tables:
            for row in await transaction.fetch(f"select * from {table}"):
                parts += [f"{value!r} {value.hex() if isinstance(value, bytes) else ''}" for value in row.values()]
    return "\n".join(parts)
