"""Golden files: every event that was ever said stays readable, and is said today as it was then.

A new optional field goes into the example and its file; what changes otherwise is a new version with a file of its own.
"""

from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from services.contracts.envelope import Decoder, Event, encode
from services.contracts.tickets import TicketPayload
from services.contracts.topics import EVENTS
from tests.services.contracts.examples import AT, EXAMPLES

GOLDEN = Path(__file__).parent / "golden"
NUMBER = UUID("019cab2c-0000-7000-8000-0000000000ff")
BARE = {TicketPayload.TYPE}
"""Travels as the ITSM's own JSON, without an envelope of ours; tests/ingest has real ones."""

every_example = pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.TYPE)


def test_no_wire_lacks_an_example_and_none_has_two() -> None:
    assert sorted(event.TYPE for event in EXAMPLES) == sorted(EVENTS.keys() - BARE)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_what_was_said_stays_readable(file: Path) -> None:
    envelope, event = Decoder(EVENTS).decode(file.read_bytes())
    assert file.name.startswith(envelope.type)
    assert envelope.subject == event.subject


@every_example
def test_what_is_said_today_is_what_stands_in_the_golden_file(event: Event) -> None:
    written = (GOLDEN / f"{event.TYPE}.json").read_bytes()
    said = encode(event, id=NUMBER, room="golden", time=AT)
    assert msgspec.json.decode(said) == msgspec.json.decode(written)
    assert Decoder(EVENTS).decode(written)[1] == event


@every_example
def test_an_example_leaves_no_field_out(event: Event) -> None:
    assert set(msgspec.to_builtins(event)) == set(event.__struct_fields__)
