from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.cloudevent import CloudEventsError, read_events
from services.contracts.tickets import TicketReported


def event(**changes: Any) -> dict[str, Any]:
    data = {"source": "erp", "ticket": "T-1", "state": "closed", "at": "2026-03-02T02:00:00Z", "further": "field"}
    whole = {"specversion": "1.0", "id": "e-1", "source": "/erp", "type": "huifang.ticket.reported.v1", "data": data}
    return whole | changes


def test_one_event_or_a_batch() -> None:
    (report,) = read_events(event())
    assert isinstance(report, TicketReported)
    assert (report.source, report.ticket, report.state) == ("erp", "T-1", "closed")
    assert report.at == datetime(2026, 3, 2, 2, tzinfo=UTC)
    assert len(read_events([event(), event(id="e-2")])) == 2


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": None}, "source"),
        ({"type": "huifang.ticket.reported.v2"}, "type"),
        ({"type": "huifang.ticket.closed.v1"}, "type"),
        ({"data": {}}, "data"),
        ({"data": None}, "data"),
        ({"data": {"source": "a", "ticket": "1", "state": "ajar", "at": "2026-03-02T02:00:00Z"}}, "data"),
    ],
)
def test_what_is_wrong_is_named_at_its_place(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(CloudEventsError) as refusal:
        read_events([event(), event(**changes)])
    (fault,) = refusal.value.faults
    assert fault.place == 1
    assert fault.what.startswith(word)


def test_nobody_else_seals() -> None:
    sealed = {"person": "0190e0d2-0000-7000-8000-000000000000", "channels": [], "sealed": ""}
    with pytest.raises(CloudEventsError) as refusal:
        read_events(event(data=event()["data"] | {"contact": sealed}))
    assert "requester" in refusal.value.faults[0].what


@pytest.mark.parametrize("document", [[], [event()] * 1_001, "x", 1, None, [[]]])
def test_what_is_no_batch(document: object) -> None:
    with pytest.raises(CloudEventsError):
        read_events(document)
