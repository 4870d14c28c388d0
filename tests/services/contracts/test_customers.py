"""Golden files: every version of an event that was ever said stays readable."""

from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from services.contracts.customers import CustomerChanged, CustomerContact, CustomerFacts, Occasion, Project
from services.contracts.envelope import Decoder, Event, encode
from services.contracts.tickets import Contact, TicketFacts

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 3, 2, 2, tzinfo=UTC)
PERSON = Contact(
    person=UUID("019cab2c-0000-7000-8000-000000000001"), channels=("email", "sms"), sealed=b"sealed", locale="zh-CN"
)
EXAMPLES: tuple[Event, ...] = (
    CustomerChanged(
        customer="C-1001",
        changed_at=AT,
        name="Example Ltd",
        facts=CustomerFacts(
            kind="organisation",
            tier="core",
            size="large",
            trade="bank",
            region="north",
            segments=("high-value",),
            active_since=date(2019, 5, 1),
            last_active=date(2026, 2, 20),
            owner="u-17",
            projects=(Project(id="P-7", manager="u-3", started=date(2025, 1, 6)),),
            figures={"revenue": 350.0},
        ),
        contacts=(CustomerContact(contact=PERSON, roles=("leader",), projects=("P-7",), consent=("email", "call")),),
    ),
    Occasion(
        source="crm",
        kind="project accepted",
        id="P-7",
        at=AT,
        facts=TicketFacts(type="project accepted", customer="C-1001", project="P-7"),
        contact=PERSON,
    ),
)
DECODER = Decoder({type(event).TYPE: type(event) for event in EXAMPLES})


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.TYPE)
def test_what_was_said_stays_readable(event: Event) -> None:
    written = (GOLDEN / f"{event.TYPE}.json").read_bytes()
    envelope, read = DECODER.decode(written)
    assert read == event
    assert envelope.subject == event.subject


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.TYPE)
def test_what_is_said_today_is_what_stands_in_the_golden_file(event: Event) -> None:
    said = encode(event, id=UUID("019cab2c-0000-7000-8000-0000000000ff"), room="ingest", time=AT)
    assert msgspec.json.decode(said) == msgspec.json.decode((GOLDEN / f"{event.TYPE}.json").read_bytes())
