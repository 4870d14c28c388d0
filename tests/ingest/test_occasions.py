"""Occasions from the door to what the scheduler hears, on PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from asyncpg import UniqueViolationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import store
from ingest.handlers import sweep_register, sweep_reports
from ingest.handlers.occasions import sweep_occasions
from services.contracts.customers import Occasion, OccasionDecided, OccasionReported
from services.contracts.tickets import Contact, Requester, TicketFacts, TicketReported
from services.database import Transaction
from services.house import House
from tests.ingest.test_cloudevent import event
from tests.ingest.webhooks import JSON
from tests.ingest.world import EMILY, START, everything_stored, hear, reported, said

NOW = timedelta()
CONTACT = {"name": "Emily Adams", "email": "emily@example.com"}


def accepted(minutes: int = 0, **changes: Any) -> OccasionReported:
    at = START + timedelta(minutes=minutes)
    told: dict[str, Any] = {"source": "crm", "kind": "project accepted", "id": "P-7", "at": at}
    return OccasionReported(**({"facts": TicketFacts(customer="C-1", project="P-7")} | told | changes))


def decided(occasion: Occasion, with_contact: bool) -> OccasionDecided:
    return OccasionDecided(
        source=occasion.source,
        kind=occasion.kind,
        id=occasion.id,
        outcome="survey",
        reason="due",
        decided_at=occasion.at,
        with_contact=with_contact,
    )


async def stored(house: House) -> list[tuple[Any, ...]]:
    """What is kept of occasions, without technical times."""
    columns = "source, kind, id, at, registered, with_contact, heard_at is not null"
    async with house.database.reading() as transaction:
        rows = await transaction.fetch(f"select {columns} from ingest.occasion order by source, kind, id")
    return [tuple(row) for row in rows]


async def swept(house: House, sweep: Any) -> Transaction:
    async with house.database.transaction("ingest") as transaction:
        await sweep(house, transaction, NOW)
    return transaction


async def test_an_occasion_is_said_once_with_its_facts_and_nobody_in_clear(house: House) -> None:
    told = accepted(kind=" Project Accepted", requester=EMILY)
    transaction = await hear(house, told, told)
    (occasion,) = said(transaction, Occasion)
    assert (occasion.source, occasion.kind, occasion.id, occasion.at) == ("crm", "project accepted", "P-7", START)
    assert occasion.facts == TicketFacts(type="project accepted", customer="C-1", project="P-7")
    assert occasion.contact is not None
    assert occasion.contact.channels == ("email", "sms", "call")
    assert (await hear(house, told)).said == []
    text = await everything_stored(house, ["ingest.occasion", "ingest.outbox"])
    assert not any(clear in text for clear in ("Emily", "emily@", "13800138000"))


async def test_only_what_is_new_is_said_again(house: House) -> None:
    await hear(house, accepted(5))
    (earlier,) = said(await hear(house, accepted(3)), Occasion)
    assert (earlier.at, earlier.contact) == (START + timedelta(minutes=3), None)
    assert (await hear(house, accepted(4))).said == []
    (reachable,) = said(await hear(house, accepted(4, requester=EMILY)), Occasion)
    assert reachable.at == earlier.at
    assert reachable.contact is not None
    assert (await hear(house, accepted(4, requester=EMILY))).said == []
    assert await stored(house) == [("crm", "project accepted", "P-7", START + timedelta(minutes=3), None, True, False)]


async def test_without_a_person_the_customer_s_people_are_the_scheduler_s_affair(house: House) -> None:
    (occasion,) = said(await hear(house, accepted()), Occasion)
    assert occasion.contact is None
    await hear(house, decided(occasion, with_contact=True))
    assert (await stored(house))[0][-1] is True


async def test_what_cannot_be_believed_goes_to_the_dead_letters_and_the_rest_goes_on(house: House) -> None:
    wrong = [accepted(kind="calendar"), accepted(60 * 24 * 365), accepted(id="\n"), accepted(source="plan")]
    transaction = await hear(house, *wrong, accepted())
    assert [each[1] for each in transaction.aside] == ["kind", "future", "name", "name"]
    assert len(said(transaction, Occasion)) == 1


async def test_echoes_and_what_is_said_again_without_one(house: House) -> None:
    (occasion,) = said(await hear(house, accepted(requester=EMILY)), Occasion)
    await hear(house, decided(occasion, with_contact=False))
    assert said(await swept(house, sweep_occasions), Occasion) == [occasion]
    await hear(house, decided(occasion, with_contact=True))
    assert (await swept(house, sweep_occasions)).said == []
    # A change wants an echo of its own.
    await hear(house, accepted(-5, requester=EMILY))
    (again,) = said(await swept(house, sweep_occasions), Occasion)
    assert again.at == START - timedelta(minutes=5)


async def test_the_register_completes_occasions_before_and_after(house: House, client: httpx.AsyncClient) -> None:
    (first,) = said(await hear(house, accepted(requester_id="u-1", facts=TicketFacts())), Occasion)
    assert first.contact is None
    assert (await stored(house))[0][4:6] == ("u-1", False)
    answer = await client.put("/v1/contacts/crm/u-1", json=CONTACT | {"customer": "ACME"})
    assert answer.status_code == 201
    (again,) = said(await swept(house, sweep_occasions), Occasion)
    assert again.contact is not None
    assert (again.facts.customer, again.contact.channels) == ("ACME", ("email",))
    assert (await stored(house))[0][4:6] == ("u-1", True)
    (second,) = said(await hear(house, accepted(id="P-8", requester_id="u-1")), Occasion)
    assert second.contact is not None
    assert second.facts.customer == "C-1"


async def test_an_old_occasion_is_left_alone_when_its_person_is_entered(
    house: House, client: httpx.AsyncClient
) -> None:
    await hear(house, accepted(-60 * 24 * 31, requester_id="u-1"))
    await client.put("/v1/contacts/crm/u-1", json=CONTACT)
    assert (await stored(house))[0][5] is False


async def test_an_occasion_whose_person_was_entered_at_the_same_moment_is_said_again(
    house: House, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/contacts/crm/u-1", json=CONTACT)
    await hear(house, accepted(requester_id="u-1"))
    async with house.database.transaction("ingest") as transaction:
        await transaction.execute("update ingest.occasion set with_contact = false")
    (occasion,) = said(await swept(house, sweep_register), Occasion)
    assert occasion.contact is not None
    assert (await swept(house, sweep_register)).said == []


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    order=st.permutations(range(5)),
    again=st.lists(st.integers(0, 4), max_size=4),
    number=st.uuids(),
)
async def test_any_order_and_any_repetition_end_the_same(
    house: House, order: list[int], again: list[int], number: object
) -> None:
    sealed = Contact(person=house.seal.person_of("a@example.com", None, "crm", "a"), channels=("email",), sealed=b"x")
    told = [
        accepted(5, id=str(number), facts=TicketFacts(project="P-1")),
        accepted(3, id=str(number), requester_id="u-9"),
        accepted(4, id=str(number), contact=sealed),
        accepted(3, id=str(number), facts=TicketFacts(customer="C-2")),
        accepted(9, id=str(number), requester=EMILY),
    ]
    for place in (*order, *again):
        await hear(house, told[place])
    key = ("crm", "project accepted", str(number))
    async with house.database.reading() as transaction:
        known = (await store.find_occasions(transaction, [key]))[key]
    assert (known.at, known.requester_id) == (START + timedelta(minutes=3), "u-1")
    assert known.facts == TicketFacts(type="project accepted", customer="C-1", project="P-7")
    assert known.contact is not None
    assert known.contact.channels == ("email", "sms", "call")


async def test_two_hear_of_one_occasion_at_the_same_moment(house: House) -> None:
    async def take(event: OccasionReported) -> None:
        """As the frame does: what failed for another's sake is tried again."""
        try:
            await hear(house, event)
        except UniqueViolationError:
            await take(event)

    every = [accepted(minutes, requester=EMILY if minutes == 4 else None) for minutes in (5, 4, 3, 6)]
    await asyncio.gather(*(take(each) for each in every))
    async with house.database.reading() as transaction:
        found = await store.find_occasions(transaction, [("crm", "project accepted", "P-7")])
    (known,) = found.values()
    assert known.at == START + timedelta(minutes=3)
    assert known.contact is not None


def occasion_event(**changes: Any) -> dict[str, Any]:
    data = {"source": "crm", "kind": "Project accepted", "id": "P-7", "at": "2026-03-02T01:00:00Z"}
    return event(type=OccasionReported.TYPE, data=data | changes)


async def test_the_door_takes_occasions_among_tickets_and_promises_them(
    house: House, client: httpx.AsyncClient
) -> None:
    person = {"id": "u-1", "name": "Emily Adams", "email": "emily@example.com"}
    batch = [occasion_event(requester=person), event(), occasion_event(kind="repair done")]
    answer = await client.post("/v1/events", json=batch, headers=JSON)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)
    assert "emily" not in (await everything_stored(house, ["ingest.report", "ingest.outbox"])).lower()
    # Kafka is down: nothing was heard, and what was promised is said again.
    again = await swept(house, sweep_reports)
    assert len(said(again, TicketReported)) == 1
    assert {each.kind for each in said(again, OccasionReported)} == {"project accepted", "repair done"}
    heard = await hear(house, *again.said)
    assert len(said(heard, Occasion)) == 2
    await _let_time_pass(house)
    assert (await swept(house, sweep_reports)).said == []
    async with house.database.reading() as transaction:
        assert await transaction.fetchval("select count(*) from ingest.report") == 0


async def _let_time_pass(house: House) -> None:
    async with house.database.transaction("ingest") as transaction:
        await transaction.execute("update ingest.report set said_at = said_at - interval '1 day'")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"kind": ""}, "a kind of occasion has 1–100 characters"),
        ({"kind": "x" * 101}, "write one like `project accepted`"),
        ({"kind": "again"}, "is none of again, calendar, ticket closed"),
        ({"kind": 7}, "kind"),
        ({"id": ""}, "named by"),
        ({"at": "2099-01-01T00:00:00Z"}, "future"),
        ({"at": "1970-01-01T00:00:00Z"}, "before the year 2000"),
        ({"at": "2026-03-02T01:00:00"}, "no zone"),
        ({"contact": {"person": "0190e0d2-0000-7000-8000-000000000000", "channels": [], "sealed": ""}}, "requester"),
    ],
)
async def test_a_wrong_occasion_is_named_and_none_of_its_batch_is_taken(
    changes: dict[str, Any], word: str, house: House, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/v1/events", json=[occasion_event(), occasion_event(**changes)], headers=JSON)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["where"] == "body.1"
    assert word in error["what"]
    assert (await swept(house, sweep_reports)).said == []


async def test_tickets_and_occasions_do_not_meet(house: House) -> None:
    transaction = await hear(house, accepted(), reported(source="crm", ticket="project accepted/P-7"))
    assert len(transaction.said) == 2


async def test_an_address_in_place_of_an_id_is_kept_under_its_hash(house: House) -> None:
    await hear(house, accepted(requester=Requester(id="emily@example.com")))
    assert "@" not in await everything_stored(house, ["ingest.occasion"])
