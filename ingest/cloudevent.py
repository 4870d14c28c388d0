"""Events from outside in the canonical form: CloudEvents 1.0 in structured JSON, one or a batch."""

from typing import Any, NamedTuple

import msgspec

from services.contracts.customers import OccasionReported
from services.contracts.tickets import TicketReported

Reported = TicketReported | OccasionReported
"""Whatever a company's systems report."""

TYPES: dict[str, type[Reported]] = {event.TYPE: event for event in (TicketReported, OccasionReported)}
MOST_EVENTS = 1_000
LONGEST_ATTRIBUTE = 256


class Fault(NamedTuple):
    """What is wrong with the event at a place of the batch."""

    place: int
    what: str


class CloudEventsError(ValueError):
    """Some events of a batch cannot be taken, so none is."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} events cannot be taken")
        self.faults = faults


def read_events(document: Any) -> list[Reported]:
    """The reports in a CloudEvent or an array of them. Raises `CloudEventsError` that names each faulty one."""
    events = document if isinstance(document, list) else [document]
    if not 0 < len(events) <= MOST_EVENTS:
        raise CloudEventsError([Fault(0, f"a batch has 1 to {MOST_EVENTS} events")])
    reports, faults = [], []
    for place, event in enumerate(events):
        try:
            reports.append(_read(event))
        except ValueError as error:
            faults.append(Fault(place, str(error)))
    if faults:
        raise CloudEventsError(faults)
    return reports


def _read(event: Any) -> Reported:
    if not isinstance(event, dict):
        raise ValueError("a CloudEvent is an object")
    if event.get("specversion") != "1.0":
        raise ValueError("specversion: must be 1.0")
    for name in ("id", "source", "type"):
        value = event.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ATTRIBUTE:
            raise ValueError(f"{name}: must be text of 1 to {LONGEST_ATTRIBUTE} characters")
    if event["type"] not in TYPES:
        raise ValueError(f"type: only {' and '.join(TYPES)} are taken here")
    try:
        report: Reported = msgspec.convert(event.get("data"), TYPES[event["type"]])
    except msgspec.ValidationError as error:
        raise ValueError(f"data: {error}") from None
    if report.contact is not None:
        raise ValueError("data.contact: a person comes as `requester`; sealing is our own affair")
    return report
