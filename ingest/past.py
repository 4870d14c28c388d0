"""Past tickets and occasions from a file, as their systems would have reported them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from ingest.cloudevent import Reported
from ingest.contact import REMEDIES, refused
from ingest.ticket import REFUSALS, judge
from services.contracts.customers import OccasionReported
from services.contracts.sheet import Finding
from services.contracts.ticket_file import TICKET_CLOSED, Closing, TicketFile
from services.contracts.tickets import TicketReported


class Past(NamedTuple):
    """What a file tells: all of it can be reported, or nothing is, and `findings` name every row that is refused."""

    reports: tuple[Reported, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[str, ...]
    left_open: int

    def summary(self) -> Mapping[str, object]:
        """What would be reported, in numbers; times in UTC. `left_open` tickets have no closing to report."""
        tickets = [each for each in self.reports if isinstance(each, TicketReported)]
        times = sorted(each.at for each in self.reports)
        return {
            "tickets": len({each.ticket for each in tickets}),
            "closings": sum(each.state == "closed" for each in tickets),
            "reopenings": sum(each.state == "open" for each in tickets),
            "occasions": len(self.reports) - len(tickets),
            "left_open": self.left_open,
            "since": times[0].isoformat(" ", "minutes") if times else None,
            "until": times[-1].isoformat(" ", "minutes") if times else None,
            "unread_columns": list(self.unknown),
            "refused": [each._asdict() for each in self.findings],
        }


def look_back(file: TicketFile, source: str, now: datetime, place: Callable[[datetime], datetime], region: str) -> Past:
    """What is to be reported in the name of `source`. `place` puts an outside time on the clock that says `now`.

    `region` is the country of telephone numbers without a country code.
    """
    findings = list(file.findings)
    for closing in file.closings:
        faults = _faults(closing, source, now, place, region)
        findings += [each._replace(column=file.headers.get(each.column or "", each.column)) for each in faults]
    reports = () if findings else tuple(each for closing in file.closings for each in _reports(closing, source))
    return Past(reports, tuple(sorted(findings)), file.unknown, file.left_open)


def _faults(
    closing: Closing, source: str, now: datetime, place: Callable[[datetime], datetime], region: str
) -> Iterator[Finding]:
    last = closing.reopened_at or closing.closed_at
    refusal = judge(source, closing.ticket, closing.closed_at, now, place) or judge(
        source, closing.ticket, last, now, place
    )
    if refusal:
        column = "ticket" if refusal == "name" else "closed_at"
        yield Finding(closing.line, column, REFUSALS[refusal], "Correct it, or leave the row out")
    if closing.requester:
        for name in refused(closing.requester, region):
            yield Finding(closing.line, name, "it cannot be used", REMEDIES[name])


def _reports(closing: Closing, source: str) -> Iterator[Reported]:
    ticket, at, requester, facts = closing.ticket, closing.closed_at, closing.requester, closing.facts
    if closing.on != TICKET_CLOSED:
        yield OccasionReported(source=source, kind=closing.on, id=ticket, at=at, facts=facts, requester=requester)
        return
    yield TicketReported(source=source, ticket=ticket, state="closed", at=at, facts=facts, requester=requester)
    if closing.reopened_at:
        yield TicketReported(source=source, ticket=ticket, state="open", at=closing.reopened_at)
