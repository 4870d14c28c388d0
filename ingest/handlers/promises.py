"""What was promised to its sender (202) is kept, whatever becomes of Kafka."""

from collections.abc import Sequence
from datetime import timedelta

from ingest import store
from ingest.handlers.people import seal
from services.contracts.tickets import TicketReported
from services.database import Transaction
from services.house import House
from services.identifiers import uuid7

SWEEP_MOST = 500


async def promise(house: House, transaction: Transaction, reports: Sequence[TicketReported]) -> None:
    """Takes reports in at the door: sealed, kept until they are recorded, and said to `itsm.tickets`."""
    sealed = await seal(house, transaction, reports)
    await store.promise_reports(transaction, [(uuid7(), report) for report in sealed])
    for report in sealed:
        transaction.say(report)


async def sweep_reports(house: House, transaction: Transaction, patience: timedelta) -> int:
    """Says again the promised reports that have not arrived; those that have need no promise any more."""
    overdue = await store.claim_overdue_reports(transaction, patience, SWEEP_MOST)
    known = await store.find_tickets(transaction, {(report.source, report.ticket) for _, report in overdue})
    arrived, missing = [], []
    for number, report in overdue:
        moves = known.get((report.source, report.ticket), ())
        if any(move.key == (report.at, report.state) for move in moves):
            arrived.append(number)
        else:
            missing.append(number)
            transaction.say(report)
    await store.delete_reports(transaction, arrived)
    await store.say_reports_again(transaction, missing)
    return len(missing)
