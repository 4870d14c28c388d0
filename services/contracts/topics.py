"""The whole flow on one page: every wire between rooms, who says it, where it travels, and who hears it."""

from typing import NamedTuple

from services.contracts.customers import (
    CustomerChanged,
    CustomerNoted,
    Occasion,
    OccasionDecided,
    OccasionReported,
)
from services.contracts.deliveries import DeliveryReported, OptedOut
from services.contracts.envelope import Event
from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.surveys import PolicyApproved, SurveyDue, SurveyEnded
from services.contracts.tickets import TicketClosed, TicketDecided, TicketPayload, TicketReopened, TicketReported

ITSM = "itsm.tickets"


class Wire(NamedTuple):
    """One event on its way: `said_by` and `heard_by` are rooms; `world` is everybody outside the house."""

    event: type[Event]
    topic: str
    said_by: tuple[str, ...]
    heard_by: tuple[str, ...]


WIRES = (
    #    event              topic                said by               heard by
    Wire(TicketPayload,     ITSM,                ("world",),           ("ingest",)),
    Wire(TicketReported,    ITSM,                ("world", "ingest"),  ("ingest",)),
    Wire(OccasionReported,  ITSM,                ("world", "ingest"),  ("ingest",)),
    Wire(TicketClosed,      "huifang.ingest",    ("ingest",),          ("scheduler",)),
    Wire(TicketReopened,    "huifang.ingest",    ("ingest",),          ("scheduler",)),
    Wire(Occasion,          "huifang.ingest",    ("ingest",),          ("scheduler",)),
    Wire(CustomerChanged,   "huifang.ingest",    ("ingest",),          ("scheduler",)),
    Wire(PolicyApproved,    "huifang.scheduler", ("scheduler",),       ("notifier", "scoring")),
    Wire(TicketDecided,     "huifang.scheduler", ("scheduler",),       ("ingest",)),
    Wire(OccasionDecided,   "huifang.scheduler", ("scheduler",),       ("ingest",)),
    Wire(CustomerNoted,     "huifang.scheduler", ("scheduler",),       ("ingest",)),
    Wire(SurveyDue,         "huifang.scheduler", ("scheduler",),       ("notifier", "scoring")),
    Wire(SurveyEnded,       "huifang.scheduler", ("scheduler",),       ("notifier", "scoring")),
    Wire(DeliveryReported,  "huifang.notifier",  ("notifier",),        ("scheduler",)),
    Wire(OptedOut,          "huifang.notifier",  ("notifier",),        ("scheduler",)),
    Wire(ResponseGiven,     "huifang.scoring",   ("scoring",),         ("scheduler",)),
    Wire(ResponseCorrected, "huifang.scoring",   ("scoring",),         ("scheduler",)),
)  # fmt: skip

EVENTS: dict[str, type[Event]] = {wire.event.TYPE: wire.event for wire in WIRES}


def topic_of(event: type[Event]) -> str:
    """The topic on which an event travels. Raises `KeyError` for an event that no wire carries."""
    return _TOPICS[event]


def heard_by(room: str) -> dict[str, frozenset[type[Event]]]:
    """What a room hears: the events it has an ear for, by topic."""
    topics: dict[str, set[type[Event]]] = {}
    for wire in WIRES:
        if room in wire.heard_by:
            topics.setdefault(wire.topic, set()).add(wire.event)
    return {topic: frozenset(events) for topic, events in topics.items()}


def topics() -> tuple[str, ...]:
    """Every topic of the flow, without the dead-letter topics (`<topic>.dead`)."""
    return tuple(dict.fromkeys(wire.topic for wire in WIRES))


_TOPICS = {wire.event: wire.topic for wire in WIRES}
