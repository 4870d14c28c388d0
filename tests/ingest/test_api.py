import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ingest import store
from services.auth import Role
from services.contracts.tickets import TicketClosed, TicketReported
from services.house import House
from tests.ingest.test_cloudevent import event
from tests.ingest.webhooks import JSON
from tests.ingest.world import hear, reported, said

EMILY = {"name": "Emily Adams", "email": "emily@example.com", "phone": "138 0013 8000", "locale": "en-GB"}
CONTACT = "/v1/contacts/zendesk/8811"


async def promised(house: House) -> list[TicketReported]:
    async with house.database.transaction("ingest") as transaction:
        every = await store.claim_overdue_reports(transaction, timedelta(), 100)
    return [report for _, report in every if isinstance(report, TicketReported)]


def ticket(name: str = "T-1", **changes: Any) -> dict[str, Any]:
    requester = {"id": "u-1", "name": "Emily Adams", "email": "emily@example.com"}
    data = {"source": "erp", "ticket": name, "state": "closed", "at": "2026-03-02T01:00:00Z", "requester": requester}
    return event(id=name, data=data | changes)


@pytest.mark.parametrize("kind", ["application/cloudevents+json", "application/json; charset=utf-8"])
async def test_one_event_is_sealed_and_promised(kind: str, house: House, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/events", json=ticket(), headers={"content-type": kind})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "accepted": 1})
    (report,) = await promised(house)
    assert (report.ticket, report.requester, report.requester_id) == ("T-1", None, "u-1")
    assert report.contact is not None
    assert report.contact.channels == ("email",)


async def test_a_batch_is_taken_whole_or_not_at_all(house: House, client: httpx.AsyncClient) -> None:
    batch = {"content-type": "application/cloudevents-batch+json"}
    good = await client.post("/v1/events", json=[ticket("T-1"), ticket("T-2")], headers=batch)
    assert (good.status_code, good.json()["accepted"]) == (202, 2)
    wrong = [ticket("T-3"), ticket("T-4", state="ajar"), ticket("T-5"), event(type="x")]
    answer = await client.post("/v1/events", json=wrong, headers=batch)
    assert answer.status_code == 422
    assert [each["where"] for each in answer.json()["errors"]] == ["body.1", "body.3"]
    assert {report.ticket for report in await promised(house)} == {"T-1", "T-2"}


@pytest.mark.parametrize("at", ["2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-03-02T01:00:00"])
async def test_events_from_the_future_or_the_past(at: str, house: House, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/events", json=[ticket("T-1"), ticket("T-2", at=at)], headers=JSON)
    assert answer.status_code == 422
    assert [each["where"] for each in answer.json()["errors"]] == ["body.1"]
    assert await promised(house) == []


async def test_events_that_cannot_be_read(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/events", content=b"{}", headers={"content-type": "text/plain"})).status_code == 415
    twice = json.dumps(ticket()).replace('"id": "u-1"', '"id": "u-1", "id": "u-2"')
    assert (await client.post("/v1/events", content=twice, headers=JSON)).status_code == 400
    assert (await client.post("/v1/events", content=b"[]", headers=JSON)).status_code == 422


async def test_a_contact_is_entered_and_read_again(client: httpx.AsyncClient) -> None:
    assert (await client.get(CONTACT)).status_code == 404
    entered = await client.put(CONTACT, json=EMILY | {"customer": "ACME", "timezone": "Europe/London"})
    assert (entered.status_code, entered.headers["etag"]) == (201, '"1"')
    assert entered.json() == EMILY | {
        "phone": "+8613800138000",
        "timezone": "Europe/London",
        "customer": "ACME",
        "staff": False,
        "roles": [],
        "projects": [],
        "consent": [],
        "channels": ["email", "sms", "call"],
    }
    read = await client.get(CONTACT)
    assert (read.json(), read.headers["etag"]) == (entered.json(), '"1"')


async def test_an_entry_is_replaced_only_by_who_has_seen_it(client: httpx.AsyncClient) -> None:
    await client.put(CONTACT, json=EMILY)
    other = {"email": "emily.adams@example.com"}
    assert (await client.put(CONTACT, json=other)).status_code == 428
    assert (await client.put(CONTACT, json=other, headers={"if-match": '"7"'})).status_code == 412
    replaced = await client.put(CONTACT, json=other, headers={"if-match": '"1"'})
    assert (replaced.status_code, replaced.headers["etag"]) == (200, '"2"')
    assert replaced.json()["name"] is None
    assert (await client.put(CONTACT, json=EMILY, headers={"if-match": '"1"'})).status_code == 412
    assert (await client.put(CONTACT, json=EMILY, headers={"if-match": "*"})).headers["etag"] == '"3"'


async def test_the_same_entry_again_changes_nothing(client: httpx.AsyncClient) -> None:
    await client.put(CONTACT, json=EMILY)
    again = await client.put(CONTACT, json=EMILY)
    assert (again.status_code, again.headers["etag"]) == (200, '"1"')


async def test_there_is_nothing_to_match_before_the_first_entry(client: httpx.AsyncClient) -> None:
    assert (await client.put(CONTACT, json=EMILY, headers={"if-match": '"1"'})).status_code == 412


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({"email": "a@@b"}, ["body.email"]),
        ({"phone": "110", "email": "a@b.co\r\nBcc: x@y.z"}, ["body.email", "body.phone"]),
        ({"locale": "../../etc", "timezone": "Asia/NoWhere"}, ["body.locale", "body.timezone"]),
        ({"name": "\r\n"}, ["body.name"]),
    ],
)
async def test_an_entry_that_could_not_be_used_is_refused(
    form: dict[str, str], fields: list[str], client: httpx.AsyncClient
) -> None:
    answer = await client.put(CONTACT, json=form)
    assert answer.status_code == 422
    assert [each["where"] for each in answer.json()["errors"]] == fields


async def test_an_entry_with_fields_that_nobody_knows_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.put(CONTACT, json=EMILY | {"person": "x"})).status_code == 422
    assert (await client.put("/v1/contacts/No%20Source/1", json=EMILY)).status_code == 422
    assert (await client.put(f"/v1/contacts/zendesk/{'x' * 201}", json=EMILY)).status_code == 422


async def test_whoever_was_erased_is_not_entered_again(house: House, client: httpx.AsyncClient) -> None:
    await client.put(CONTACT, json=EMILY)
    async with house.database.transaction("services") as transaction:
        await transaction.execute("update services.person_key set key_id = null, wrapped = null, erased_at = now()")
    assert (await client.get(CONTACT)).status_code == 404
    assert (await client.put(CONTACT, json=EMILY, headers={"if-match": "*"})).status_code == 409


async def test_tickets_that_waited_for_a_contact_are_said_again(house: House, client: httpx.AsyncClient) -> None:
    (closed,) = said(await hear(house, reported(source="zendesk", requester_id="8811")), TicketClosed)
    assert closed.contact is None
    await hear(house, reported(source="zendesk", ticket="T-2", requester_id="8811"))
    await hear(house, reported("open", 5, source="zendesk", ticket="T-2"))
    await client.put(CONTACT, json=EMILY)
    async with house.database.reading() as transaction:
        rows = await transaction.fetch("select value from ingest.outbox order by position desc")
    last = json.loads(rows[0]["value"])
    assert (last["type"], last["data"]["ticket"]) == ("huifang.ticket.closed.v1", "T-1")
    assert last["data"]["contact"]["channels"] == ["email", "sms", "call"]
    assert [json.loads(row["value"])["data"]["ticket"] for row in rows] == ["T-1", "T-2", "T-2", "T-2", "T-1"]


async def test_a_person_named_by_an_address_is_kept_under_its_hash(house: House, client: httpx.AsyncClient) -> None:
    path = "/v1/contacts/generic/emily@example.com"
    assert (await client.put(path, json=EMILY)).status_code == 201
    assert (await client.get(path)).json()["email"] == "emily@example.com"
    async with house.database.reading() as transaction:
        assert "@" not in await transaction.fetchval("select id from ingest.contact")
    report = reported(requester_id="emily@example.com")
    (closed,) = said(await hear(house, report), TicketClosed)
    assert closed.contact is not None


@pytest.mark.parametrize("role", Role)
async def test_who_may_use_the_doors(role: Role, client: httpx.AsyncClient) -> None:
    headers = {"authorization": f"Bearer hf_{role}"}
    allowed = role in (Role.administrator, Role.integration)
    answers = [
        await client.get(CONTACT, headers=headers),
        await client.put(CONTACT, json=EMILY, headers=headers),
        await client.post("/v1/events", json=ticket(), headers=headers),
    ]
    assert [answer.status_code for answer in answers] == ([404, 201, 202] if allowed else [403] * 3)


@pytest.mark.parametrize(("method", "path"), [("GET", CONTACT), ("PUT", CONTACT), ("POST", "/v1/events")])
async def test_without_a_key_nobody_enters(method: str, path: str, client: httpx.AsyncClient) -> None:
    answer = await client.request(method, path, headers={"authorization": "Bearer nonsense"})
    assert answer.status_code == 401


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800"])
async def test_row_15_what_cannot_be_kept_is_refused_here_too(text: str, client: httpx.AsyncClient) -> None:
    for field in ("name", "customer", "email", "timezone"):
        answer = await client.put(CONTACT, content=f'{{"{field}": "{text}"}}', headers=JSON)
        assert answer.status_code in (400, 422), field
    assert (await client.put("/v1/contacts/generic/a%00b", json=EMILY)).status_code == 201
