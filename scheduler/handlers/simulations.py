"""What a trial of a policy reads from the scheduler's own ledger and register."""

from datetime import datetime

from scheduler.simulation.past import Past, recalled
from scheduler.simulation.world import Event
from scheduler.store import customers, simulations
from services.database import Transaction

MOST = 200_000
"""Of tickets and occasions in one trial."""


async def recall(transaction: Transaction, start: datetime | None, end: datetime | None) -> Past:
    """Tickets and occasions that happened in [start, end), with the register of today. None does not narrow."""
    events = [Event(*each) for each in await simulations.find_past(transaction, start, end, MOST)]
    return recalled(events, await customers.list_customers(transaction))
