import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from msgspec.structs import replace

from ingest import handlers, store
from ingest.commands import ensure_sources
from ingest.handlers import seal_person, sweep_closures, sweep_register, sweep_reports
from ingest.store import Registered
from services import metrics
from services.clock import DrivenClock, FastClock
from services.contracts.tickets import (
    Requester,
    TicketClosed,
    TicketDecided,
    TicketFacts,
    TicketPayload,
    TicketReopened,
    TicketReported,
)
from services.house import House
from services.seal import Personal
from tests.ingest import payloads
from tests.ingest.world import EMILY, START, closures, everything_stored, hear, reported, said, unheard

SECRET = "a secret of more than 24 bytes"
NO_PATIENCE = timedelta()


def decided(number: int = 1, *, ticket: str = "T-1", with_contact: bool = False) -> TicketDecided:
    return TicketDecided(
        source="generic",
        ticket=ticket,
        closure=number,
        outcome="skip",
        reason="no_contact",
        decided_at=START,
        with_contact=with_contact,
    )


async def emily(house: House) -> list[Personal | None]:
    async with house.database.transaction("ingest") as transaction:
        contact = await seal_person(house, transaction, "generic", EMILY)
        await store.save_contacts(transaction, {("generic", "u-1"): Registered(contact, "ACME", 0)})
        return await house.seal.open_contacts(transaction, [contact])


async def test_a_closed_ticket_is_said_once_with_its_facts_and_nobody_in_clear(house: House) -> None:
    heard = await hear(house, reported(requester=EMILY))
    (closed,) = heard.said
    assert isinstance(closed, TicketClosed)
    assert (closed.source, closed.ticket, closed.closure, closed.closed_at) == ("generic", "T-1", 1, START)
    assert closed.facts == TicketFacts(agent="a0")
    assert closed.contact is not None
    assert (closed.contact.channels, closed.contact.locale) == (("email", "sms", "call"), "en-GB")
    assert await closures(house) == [("generic", "T-1", 1, START, None, None, True)]
    async with house.database.reading() as transaction:
        (person,) = await house.seal.open_contacts(transaction, [closed.contact])
    assert person is not None
    assert (person.name, person.email, person.phone) == ("Emily Adams", "emily@example.com", "+8613800138000")


async def test_nothing_personal_is_stored_or_said_in_clear(house: House) -> None:
    veiled = Requester(id="emily@example.com", name="Emily Adams")
    await hear(house, reported(requester=EMILY), reported(ticket="T-2", requester=veiled))
    tables = [f"ingest.{name}" for name in ("ticket", "closure", "outbox", "report", "contact", "receipt")]
    found = await everything_stored(house, [*tables, "services.person_key"])
    for word in ("Emily", "emily@example.com", "13800138000", "Adams"):
        assert word not in found
        assert word.encode().hex() not in found


async def test_told_again_nothing_is_said(house: House) -> None:
    await hear(house, reported(requester=EMILY), reported(requester=EMILY))
    stored = await everything_stored(house, ["ingest.ticket", "ingest.closure"])
    assert (await hear(house, reported(requester=EMILY))).said == []
    assert await everything_stored(house, ["ingest.ticket", "ingest.closure"]) == stored


async def test_closed_reopened_and_closed_again(house: House) -> None:
    await hear(house, reported(minutes=0))
    reopened = await hear(house, reported("open", 5))
    # The closing is said beside the reopening, since it has the echo.
    closing, again = reopened.said
    assert isinstance(closing, TicketClosed)
    assert isinstance(again, TicketReopened)
    assert (again.closure, again.reopened_at) == (1, START + timedelta(minutes=5))
    second = await hear(house, reported(minutes=9))
    assert [(each.closure, each.facts.agent) for each in said(second, TicketClosed)] == [(2, "a9")]


async def test_row_26_reopened_before_it_was_closed(house: House) -> None:
    await hear(house, reported("open", 5))
    heard = await hear(house, reported(minutes=0))
    assert [type(event) for event in heard.said] == [TicketClosed, TicketReopened]
    assert await closures(house) == [("generic", "T-1", 1, START, START + timedelta(minutes=5), None, False)]


async def test_row_26_an_earlier_closing_moves_the_numbers_on(house: House) -> None:
    await hear(house, reported(minutes=9))
    heard = await hear(house, reported(minutes=0), reported("open", 5))
    assert [(each.closure, each.closed_at) for each in said(heard, TicketClosed)] == [
        (1, START),
        (2, START + timedelta(minutes=9)),
    ]


HISTORY = [reported("open", -9), *(reported(minutes=m, requester=EMILY) for m in (0, 3)), reported("open", 5)] + [
    reported(minutes=9, ticket=ticket) for ticket in ("T-1", "T-2")
]


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_row_26_any_order_any_duplication_and_any_batches_end_alike(house: House, data: st.DataObject) -> None:
    async def tell(events: Sequence[TicketReported], cut: int) -> list[tuple[object, ...]]:
        name = f"x{uuid4().hex}"
        told = [replace(event, source=name) for event in events]
        await hear(house, *told[:cut])
        await hear(house, *told[cut:])
        return [row[1:] for row in await closures(house) if row[0] == name]

    again = data.draw(st.lists(st.sampled_from(HISTORY), max_size=4))
    shuffled = data.draw(st.permutations([*HISTORY, *again]))
    assert await tell(shuffled, data.draw(st.integers(0, len(shuffled)))) == await tell(HISTORY, 0)


async def test_facts_are_frozen_at_the_closing(house: House) -> None:
    await hear(house, reported(minutes=3, facts=TicketFacts(agent="Wang")))
    (earlier,) = said(await hear(house, reported(minutes=0, facts=TicketFacts(agent="Li"))), TicketClosed)
    assert (earlier.closure, earlier.closed_at, earlier.facts.agent) == (1, START, "Li")
    assert (await hear(house, reported(minutes=7, facts=TicketFacts(agent="Zhao")))).said == []


async def test_where_only_an_id_names_the_person_the_register_tells(house: House) -> None:
    await emily(house)
    (closed,) = said(await hear(house, reported(requester=Requester(id="u-1"), requester_id="u-1")), TicketClosed)
    assert closed.contact is not None
    assert closed.contact.channels == ("email", "sms", "call")
    assert closed.facts.customer == "ACME"
    assert await closures(house) == [("generic", "T-1", 1, START, None, "u-1", True)]


async def test_our_own_people_stay_marked_when_the_register_tells_who_they_are(house: House) -> None:
    await emily(house)
    (closed,) = said(await hear(house, reported(requester=Requester(id="u-1", staff=True))), TicketClosed)
    assert closed.contact is not None
    assert closed.contact.staff


async def test_the_person_who_was_named_when_the_ticket_was_opened_is_asked(house: House) -> None:
    await emily(house)
    await hear(house, reported("open", -5, requester_id="u-1"))
    (closed,) = said(await hear(house, reported()), TicketClosed)
    assert closed.contact is not None


async def test_row_19_an_unusable_contact_is_kept_as_such_and_the_register_may_do_better(house: House) -> None:
    bad = Requester(id="u-1", name="Emily", email="a@@b", phone="+8613800138000;DROP")
    (closed,) = said(await hear(house, reported(requester=bad)), TicketClosed)
    assert closed.contact is not None
    assert closed.contact.channels == ()
    nameless = Requester(email="a@@b")
    (closed,) = said(await hear(house, reported(ticket="T-2", requester=nameless)), TicketClosed)
    assert closed.contact is not None
    assert closed.contact.channels == ()
    await emily(house)
    (closed,) = said(await hear(house, reported(ticket="T-3", requester=bad)), TicketClosed)
    assert closed.contact is not None
    assert closed.contact.channels == ("email", "sms", "call")


async def test_row_27_an_erased_person_stays_erased(house: House) -> None:
    (closed,) = said(await hear(house, reported(requester=EMILY)), TicketClosed)
    assert closed.contact is not None
    async with house.database.transaction("services") as transaction:
        await transaction.execute(
            "update services.person_key set key_id = null, wrapped = null, erased_at = now() where person = $1",
            closed.contact.person,
        )
    (later,) = said(await hear(house, reported(ticket="T-2", requester=EMILY)), TicketClosed)
    assert later.contact is not None
    assert (later.contact.channels, later.contact.sealed) == ((), b"")


async def test_row_18_what_cannot_be_believed_is_put_aside(house: House) -> None:
    events = [
        reported(ticket="zone", at=datetime(2026, 3, 2, 1)),  # noqa: DTZ001
        reported(ticket="past", at=datetime(1970, 1, 1, tzinfo=UTC)),
        reported(ticket="future", at=datetime(2099, 1, 1, tzinfo=UTC)),
        reported(ticket="name\0"),
        reported(ticket="good"),
    ]
    heard = await hear(house, *events)
    assert [(each.event, each.reason) for each in heard.aside] == list(
        zip(events[:4], ("zone", "past", "future", "name"), strict=True)
    )
    assert [event.subject for event in heard.said] == ["generic/good"]


async def test_an_itsm_s_own_json_is_mapped_by_the_source_s_mapping(house: House) -> None:
    async with house.database.transaction("ingest") as transaction:
        await ensure_sources(house, transaction, {"servicenow": SECRET})
    bodies = [
        json.dumps(payload).encode() for payload in (payloads.servicenow(), payloads.servicenow(sys_class_name="x"))
    ]
    events = [TicketPayload(source="servicenow", body=body) for body in (*bodies, b"{}", b"{", b"\xff")]
    events += [TicketPayload(source="nobody", body=bodies[0])]
    heard = await hear(house, *events)
    assert [event.subject for event in heard.said] == ["servicenow/INC0000060"]
    assert [(each.event, each.reason) for each in heard.aside] == list(
        zip(events[2:], ("unmappable", "unmappable", "unmappable", "unknown_source"), strict=True)
    )


async def test_new_closures_are_counted_once_and_strangers_together(house: House) -> None:
    async with house.database.transaction("ingest") as transaction:
        await ensure_sources(house, transaction, {"generic": SECRET})
    before = {name: metrics.TICKETS_CLOSED.labels(name)._value.get() for name in ("generic", "other")}
    await hear(house, reported(), reported(source="stranger"), reported(source="stranger2"))
    await hear(house, reported(), reported(minutes=3), reported("open", 4), reported(minutes=5))
    after = {name: metrics.TICKETS_CLOSED.labels(name)._value.get() for name in ("generic", "other")}
    assert {name: after[name] - before[name] for name in before} == {"generic": 2, "other": 2}


async def test_the_scheduler_s_decision_is_the_echo(house: House) -> None:
    await hear(house, reported(), reported(ticket="T-2"))
    await hear(house, decided(), decided(), decided(7))
    assert await unheard(house) == 1
    async with house.database.transaction("ingest") as transaction:
        assert await sweep_closures(house, transaction, NO_PATIENCE) == 1
    assert [event.subject for event in transaction.said] == ["generic/T-2"]


async def test_a_closure_without_an_echo_is_said_again_but_less_and_less_often(house: House) -> None:
    await hear(house, reported(), reported("open", 5))
    async with house.database.transaction("ingest") as transaction:
        assert await sweep_closures(house, transaction, NO_PATIENCE) == 1
        assert [type(event) for event in transaction.said] == [TicketClosed, TicketReopened]
        assert await sweep_closures(house, transaction, timedelta(hours=1)) == 0


async def test_a_decision_without_a_contact_is_no_echo_of_a_closure_with_one(house: House) -> None:
    await hear(house, reported(requester=EMILY))
    await hear(house, decided(with_contact=False))
    assert await unheard(house) == 1
    await hear(house, decided(with_contact=True))
    assert await unheard(house) == 0


async def test_a_reopening_waits_for_an_echo_again(house: House) -> None:
    await hear(house, reported())
    await hear(house, decided())
    await hear(house, reported("open", 5))
    assert await unheard(house) == 1


async def test_whoever_enters_the_register_while_his_ticket_closes_is_found_by_the_sweep(house: House) -> None:
    await hear(house, reported(requester_id="u-1"))
    await hear(house, decided())
    await emily(house)
    async with house.database.transaction("ingest") as transaction:
        assert await sweep_register(house, transaction, NO_PATIENCE) == 1
        (closed,) = said(transaction, TicketClosed)
        assert closed.contact is not None
        assert await sweep_register(house, transaction, NO_PATIENCE) == 0
    assert await unheard(house) == 1


async def test_a_promised_report_is_said_again_until_it_is_recorded(house: House) -> None:
    async with house.database.transaction("ingest") as transaction:
        await handlers.promise(house, transaction, [reported(requester=EMILY), reported("open", 5)])
    (closed, opened) = transaction.said
    assert isinstance(closed, TicketReported)
    assert (closed.requester, closed.requester_id) == (None, "u-1")
    assert closed.contact is not None
    async with house.database.transaction("ingest") as transaction:
        assert await sweep_reports(house, transaction, timedelta(hours=1)) == 0
        assert await sweep_reports(house, transaction, NO_PATIENCE) == 2
    assert sorted(event.subject for event in transaction.said) == ["generic/T-1", "generic/T-1"]
    await hear(house, closed)
    async with house.database.transaction("ingest") as transaction:
        assert await sweep_reports(house, transaction, NO_PATIENCE) == 1
    assert transaction.said == [opened]
    await hear(house, opened)
    async with house.database.transaction("ingest") as transaction:
        assert await sweep_reports(house, transaction, NO_PATIENCE) == 0
    assert await everything_stored(house, ["ingest.report"]) == ""


async def test_receipts_are_kept_for_a_week_and_a_day(house: House) -> None:
    async with house.database.transaction("ingest") as transaction:
        await store.insert_receipts(transaction, [("generic", str(number), bytes(32)) for number in range(3)])
        query = "update ingest.receipt set received_at = now() - make_interval(days => $1) where delivery = $2"
        await transaction.execute(query, 9, "0")
        await transaction.execute(query, 7, "1")
        assert await handlers.forget_receipts(house, transaction) == 1
        assert await handlers.forget_receipts(house, transaction) == 0


async def test_times_fall_where_they_do_on_a_clock_that_runs_fast(house: House) -> None:
    fast = replace_clock(house, FastClock(datetime(2030, 1, 1, tzinfo=UTC), 3_600))
    now = datetime.now(UTC)
    (closed,) = said(await hear(fast, reported(at=now - timedelta(minutes=1))), TicketClosed)
    assert timedelta() < fast.clock.now() - closed.closed_at < timedelta(hours=3)
    assert (await hear(fast, reported(at=now - timedelta(minutes=1)))).said == []


async def test_late_entries_into_the_register_do_not_stir_up_old_closures(house: House, clock: DrivenClock) -> None:
    await hear(house, reported(requester_id="u-1"))
    clock.advance(timedelta(days=31))
    async with house.database.transaction("ingest") as transaction:
        await handlers.say_for(transaction, "generic", "u-1")
    assert transaction.said == []


def replace_clock(house: House, clock: FastClock) -> House:
    return House(settings=house.settings, clock=clock, database=house.database, seal=house.seal)
