"""What was promised to its sender (202) is kept, whatever becomes of Kafka."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from ingest import store
from ingest.cloudevent import Reported
from ingest.handlers.occasions import refuse_occasion
from ingest.handlers.people import seal
from ingest.handlers.tickets import refuse_ticket
from ingest.occasion import REFUSALS, merge, normal, read
from services.contracts.customers import OccasionReported
from services.contracts.tickets import TicketReported
from services.database import Transaction
from services.house import House
from services.identifiers import uuid7

SWEEP_MOST = 500


def refuse(house: House, report: Reported) -> str | None:
    """Why a report cannot be believed, in words for people, or None."""
    if isinstance(report, OccasionReported):
        return REFUSALS.get(refuse_occasion(house, report) or "")
    return REFUSALS.get(refuse_ticket(house, report) or "")


async def promise(house: House, transaction: Transaction, reports: Sequence[Reported]) -> None:
    """Takes believable reports in at the door: sealed, kept until they are recorded, and said to `itsm.tickets`."""
    plain = [normal(report) if isinstance(report, OccasionReported) else report for report in reports]
    sealed = await seal(house, transaction, plain)
    await store.promise_reports(transaction, [(uuid7(), report) for report in sealed])
    for report in sealed:
        transaction.say(report)


async def sweep_reports(house: House, transaction: Transaction, patience: timedelta) -> int:
    """Says again the promised reports that have not arrived; those that have need no promise any more."""
    overdue = await store.claim_overdue_reports(transaction, patience, SWEEP_MOST)
    is_recorded = await _look_up(house, transaction, [report for _, report in overdue])
    arrived = [number for number, report in overdue if is_recorded(report)]
    missing = [(number, report) for number, report in overdue if not is_recorded(report)]
    for _, report in missing:
        transaction.say(report)
    await store.delete_reports(transaction, arrived)
    await store.say_reports_again(transaction, [number for number, _ in missing])
    return len(missing)


async def _look_up(house: House, transaction: Transaction, reports: Sequence[Reported]) -> Callable[[Reported], bool]:
    """Whether a report is among what is known."""
    tickets = [report for report in reports if isinstance(report, TicketReported)]
    occasions = [report for report in reports if isinstance(report, OccasionReported)]
    moves = await store.find_tickets(transaction, {(each.source, each.ticket) for each in tickets})
    told = await store.find_occasions(transaction, {(each.source, each.kind, each.id) for each in occasions})

    def is_recorded(report: Reported) -> bool:
        if isinstance(report, TicketReported):
            every = moves.get((report.source, report.ticket), ())
            return any(move.key == (report.at, report.state) for move in every)
        known = told.get((report.source, report.kind, report.id))
        return known is not None and merge(known, read(report, house.clock.place)) == known

    return is_recorded
