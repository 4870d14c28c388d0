"""What waited for a person is said again when the register gets to know him."""

from datetime import timedelta

from ingest import store
from ingest.handlers.occasions import say_occasions
from ingest.handlers.tickets import say_closures
from services.database import Transaction
from services.house import House

SWEEP_MOST = 500
REGISTER_REACHES_BACK = timedelta(days=30)
"""What is older is not said again for a change of the register: no promise reaches that far."""


async def say_for(transaction: Transaction, source: str, id: str) -> None:
    """Says the recent closures and occasions again that depend on the register for a person, who was just entered."""
    since = transaction.now - REGISTER_REACHES_BACK
    await say_closures(transaction, await store.find_registered_closures(transaction, source, id, since))
    await say_occasions(transaction, await store.find_registered_occasions(transaction, source, id, since))


async def sweep_register(house: House, transaction: Transaction, patience: timedelta) -> int:
    """Says again what was being counted while its person was entered: neither side saw the other."""
    closures = await store.find_missed_contacts(transaction, patience, SWEEP_MOST)
    occasions = await store.find_missed_occasions(transaction, patience, SWEEP_MOST)
    return await say_closures(transaction, closures) + await say_occasions(transaction, occasions)
