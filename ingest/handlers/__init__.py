"""What ingest does on hearing and on the clock: the whole room as two tables."""

from collections.abc import Mapping

from ingest import store
from ingest.handlers.customers import hear_notes, sweep_customers
from ingest.handlers.customers import say_customers as say_customers
from ingest.handlers.occasions import hear_occasion_decisions, hear_occasions, sweep_occasions
from ingest.handlers.people import blind as blind
from ingest.handlers.people import seal_person as seal_person
from ingest.handlers.promises import promise as promise
from ingest.handlers.promises import refuse as refuse
from ingest.handlers.promises import sweep_reports as sweep_reports
from ingest.handlers.register import say_for as say_for
from ingest.handlers.register import sweep_register as sweep_register
from ingest.handlers.tickets import hear_decisions, hear_payloads, hear_reports
from ingest.handlers.tickets import read_payload as read_payload
from ingest.handlers.tickets import sweep_closures as sweep_closures
from services.contracts.customers import CustomerNoted, OccasionDecided, OccasionReported
from services.contracts.envelope import Event
from services.contracts.tickets import TicketDecided, TicketPayload, TicketReported
from services.database import Transaction
from services.house import House
from services.room import Handler
from services.tick import Sweep, Tick

FORGET_MOST = 5_000


async def forget_receipts(house: House, transaction: Transaction) -> int:
    """Drops receipts after eight days."""
    return await store.forget_receipts(transaction, FORGET_MOST)


HANDLERS: Mapping[type[Event], Handler] = {
    TicketReported: hear_reports,
    TicketPayload: hear_payloads,
    TicketDecided: hear_decisions,
    OccasionReported: hear_occasions,
    OccasionDecided: hear_occasion_decisions,
    CustomerNoted: hear_notes,
}

TICKS = (
    Sweep(name="reports", every=15, say_again=sweep_reports),
    Sweep(name="closures", every=15, say_again=sweep_closures),
    Sweep(name="occasions", every=15, say_again=sweep_occasions),
    Sweep(name="customers", every=15, say_again=sweep_customers),
    Sweep(name="register", every=60, say_again=sweep_register),
    Tick(name="receipts", every=600, run=forget_receipts),
)
