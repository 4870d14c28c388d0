from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from scheduler.simulation.past import ANY, File, PastError, read_past

SHANGHAI = ZoneInfo("Asia/Shanghai")


def tickets(text: str) -> File:
    return File("past.csv", text.encode())


def customers(text: str) -> File:
    return File("register.csv", text.encode())


def test_the_same_person_is_known_by_id_address_and_number() -> None:
    past = read_past(
        tickets(
            "ticket,closed_at,person,email,phone\n"
            "IT-1,2026-03-02 10:00,anna,,\n"
            "IT-2,2026-03-03 10:00,,anna@example.com,\n"
            "IT-3,2026-03-04 10:00,,,+8613800000001\n"
            "IT-4,2026-03-05 10:00,carl,,\n"
        ),
        customers(
            "customer,person,email,phone,roles,consent\nC-1,ANNA,Anna@Example.com,+8613800000001,leader,email;sms\n"
        ),
        SHANGHAI,
    )
    anna = past.customers["C-1"].contacts[0]
    contacts = [event.closing.contact for event in past.events]
    assert [contact.person if contact else None for contact in contacts[:3]] == [anna.contact.person] * 3
    assert contacts[0] is not None
    assert set(contacts[0].channels) == {"email", "sms", "call"}
    assert anna.consent == ("email", "sms")
    assert contacts[3] is not None
    assert (contacts[3].channels, past.assumed, past.derived) == (ANY, 1, False)
    assert contacts[3].person != anna.contact.person


def test_times_without_an_offset_are_the_companys_and_occasions_bear_their_kind() -> None:
    past = read_past(
        tickets("ticket,closed_at,occasion,customer\nE-1,2026-03-02 10:00,Project accepted,C-1\n"), None, SHANGHAI
    )
    ((closing, reopened_at),) = past.events
    assert closing.closed_at == datetime(2026, 3, 2, 2, tzinfo=UTC)
    assert (closing.on, closing.ticket, closing.facts.type) == (
        "project accepted",
        "project accepted/E-1",
        "project accepted",
    )
    assert (closing.contact, reopened_at) == (None, None)


def test_without_a_register_customers_are_those_of_the_tickets() -> None:
    past = read_past(
        tickets(
            "ticket,closed_at,customer,email\n"
            "IT-1,2026-03-02 10:00,C-1,anna@example.com\nIT-2,2026-05-02 10:00,C-1,bert@example.com\n"
        ),
        None,
        SHANGHAI,
    )
    customer = past.customers["C-1"]
    assert past.derived
    assert (customer.facts.active_since, customer.facts.last_active) == (date(2026, 3, 2), date(2026, 5, 2))
    assert [each.consent for each in customer.contacts] == [("email", "visit")] * 2


def test_every_fault_of_both_files_is_told_with_its_place_and_the_remedy() -> None:
    with pytest.raises(PastError) as wrong:
        read_past(
            tickets("ticket,closed_at\nIT-1,yesterday\n,2026-03-02 10:00\n"),
            customers("customer,last_active\nC-1,soon\n"),
            SHANGHAI,
        )
    lines = str(wrong.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "register.csv:2:last_active",
        "past.csv:2:closed_at",
        "past.csv:3:ticket",
    ]
    assert all(line.count(". ") >= 1 for line in lines)


def test_nothing_at_all_is_a_past_too() -> None:
    past = read_past(None, None, SHANGHAI)
    assert (past.events, dict(past.customers)) == ((), {})
