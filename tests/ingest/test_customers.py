import json
from typing import Any

import httpx
import pytest

from services.auth import Role
from services.house import House
from tests.ingest.test_api import CONTACT, EMILY
from tests.ingest.webhooks import JSON

CUSTOMER = "/v1/customers/C-1"
ACME: dict[str, Any] = {
    "name": "ACME Ltd",
    "tier": "core",
    "region": "north",
    "segments": ["high-value"],
    "active_since": "2019-05-01",
    "projects": [{"id": "P-1", "manager": "u-3"}],
    "figures": {"revenue": 350.5},
}
WHOLE = {
    "kind": "organisation", "size": None, "trade": None, "grade": None, "last_active": None, "served_by": None,
    "owner": None, "customer": "C-1", "ended": False,
}  # fmt: skip


async def changes(house: House) -> list[dict[str, Any]]:
    """What was said of customers, in order."""
    async with house.database.reading() as transaction:
        rows = await transaction.fetch("select value from ingest.outbox order by position")
    events = [json.loads(row["value"]) for row in rows]
    return [event["data"] for event in events if event["type"] == "huifang.customer.changed.v1"]


async def test_a_customer_is_entered_said_and_read_again(house: House, client: httpx.AsyncClient) -> None:
    assert (await client.get(CUSTOMER)).status_code == 404
    entered = await client.put(CUSTOMER, json=ACME)
    assert (entered.status_code, entered.headers["etag"]) == (201, '"1"')
    project = {"id": "P-1", "manager": "u-3", "started": None, "accepted": None}
    assert entered.json() == WHOLE | ACME | {"projects": [project], "contacts": []}
    read = await client.get(CUSTOMER)
    assert (read.json(), read.headers["etag"]) == (entered.json(), '"1"')
    (said,) = await changes(house)
    assert (said["customer"], said["name"], said["facts"]["figures"]) == ("C-1", "ACME Ltd", {"revenue": 350.5})
    assert "contacts" not in said


async def test_the_same_again_changes_and_says_nothing(house: House, client: httpx.AsyncClient) -> None:
    await client.put(CUSTOMER, json=ACME)
    again = await client.put(CUSTOMER, json=ACME)
    assert (again.status_code, again.headers["etag"]) == (200, '"1"')
    assert len(await changes(house)) == 1


async def test_an_entry_is_replaced_only_by_who_has_seen_it(house: House, client: httpx.AsyncClient) -> None:
    assert (await client.put(CUSTOMER, json=ACME, headers={"if-match": '"1"'})).status_code == 412
    await client.put(CUSTOMER, json=ACME)
    other = ACME | {"tier": "important"}
    assert (await client.put(CUSTOMER, json=other)).status_code == 428
    assert (await client.put(CUSTOMER, json=other, headers={"if-match": '"7"'})).status_code == 412
    replaced = await client.put(CUSTOMER, json=other, headers={"if-match": '"1"'})
    assert (replaced.status_code, replaced.headers["etag"]) == (200, '"2"')
    first, second = await changes(house)
    assert second["facts"]["tier"] == "important"
    assert second["changed_at"] > first["changed_at"]


async def test_who_ends_is_said_empty_and_can_come_back(house: House, client: httpx.AsyncClient) -> None:
    assert (await client.delete(CUSTOMER)).status_code == 404
    await client.put(CUSTOMER, json=ACME)
    assert (await client.delete(CUSTOMER)).status_code == 428
    assert (await client.delete(CUSTOMER, headers={"if-match": '"1"'})).status_code == 204
    assert (await client.delete(CUSTOMER)).status_code == 204
    assert (await client.get(CUSTOMER)).json()["ended"] is True
    assert (await client.get("/v1/customers")).json()["items"] == []
    assert len((await client.get("/v1/customers?ended=true")).json()["items"]) == 1
    back = await client.put(CUSTOMER, json=ACME, headers={"if-match": "*"})
    assert (back.status_code, back.json()["ended"]) == (200, False)
    entered, ended, again = await changes(house)
    assert ended == {"customer": "C-1", "changed_at": ended["changed_at"], "ended": True}
    assert again == entered | {"changed_at": again["changed_at"]}


async def test_his_people_come_with_him_sealed(house: House, client: httpx.AsyncClient) -> None:
    standing = {"customer": "C-1", "roles": ["leader"], "projects": ["P-1"], "consent": ["email", "call"]}
    await client.put(CONTACT, json=EMILY | standing)
    assert await changes(house) == []
    await client.put(CUSTOMER, json=ACME)
    shown = (await client.get(CUSTOMER)).json()
    reference = {"source": "zendesk", "person": "8811", "channels": ["email", "sms", "call"]}
    assert shown["contacts"] == [reference | {name: standing[name] for name in ("roles", "projects", "consent")}]
    (said,) = await changes(house)
    (contact,) = said["contacts"]
    assert (contact["roles"], contact["projects"], contact["consent"]) == (["leader"], ["P-1"], ["email", "call"])
    assert "Emily" not in json.dumps(said)
    assert "emily" not in json.dumps(said)


async def test_a_change_of_a_person_says_his_customers_again(house: House, client: httpx.AsyncClient) -> None:
    await client.put(CUSTOMER, json=ACME)
    await client.put("/v1/customers/C-2", json={})
    await client.put(CONTACT, json=EMILY | {"customer": "C-1"})
    await client.put(CONTACT, json=EMILY | {"customer": "C-1"})
    moved = EMILY | {"customer": "C-2", "roles": ["user"]}
    assert (await client.put(CONTACT, json=moved, headers={"if-match": "*"})).json()["roles"] == ["user"]
    said = [(each["customer"], len(each.get("contacts", ()))) for each in await changes(house)]
    assert said[:3] == [("C-1", 0), ("C-2", 0), ("C-1", 1)]
    assert sorted(said[3:]) == [("C-1", 0), ("C-2", 1)]


async def test_an_itsm_that_knows_nothing_of_consent_takes_none_away(client: httpx.AsyncClient) -> None:
    standing = {"roles": ["leader"], "projects": ["P-1"], "consent": ["email"]}
    await client.put(CONTACT, json=EMILY | {"customer": "C-1"} | standing)
    plain = EMILY | {"customer": "C-1", "name": "Emily Baker"}
    changed = (await client.put(CONTACT, json=plain, headers={"if-match": "*"})).json()
    assert changed["name"] == "Emily Baker"
    assert {name: changed[name] for name in standing} == standing
    none: dict[str, Any] = plain | {"consent": []}
    assert (await client.put(CONTACT, json=none, headers={"if-match": "*"})).json()["consent"] == []
    moved = plain | {"customer": "C-2"}
    assert (await client.put(CONTACT, json=moved, headers={"if-match": "*"})).json()["roles"] == []


async def test_the_list_has_pages_and_filters(client: httpx.AsyncClient) -> None:
    for number in range(5):
        tier = "core" if number % 2 else "important"
        form = {"tier": tier, "segments": [f"s{number}"], "projects": [{"id": f"P-{number}"}]}
        await client.put(f"/v1/customers/C-{number}", json=form)
    await client.put("/v1/customers/p/9", json={"kind": "consumer"})
    seen, cursor = [], ""
    while True:
        page = (await client.get("/v1/customers?limit=2" + (f"&cursor={cursor}" if cursor else ""))).json()
        seen += [each["customer"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["C-0", "C-1", "C-2", "C-3", "C-4", "p/9"]

    async def found(query: str) -> list[str]:
        return [each["customer"] for each in (await client.get(f"/v1/customers?{query}")).json()["items"]]

    assert await found("tier=core") == ["C-1", "C-3"]
    assert await found("kind=consumer") == ["p/9"]
    assert await found("kind=organisation&segment=s4") == ["C-4"]
    assert await found("project=P-2&tier=important") == ["C-2"]
    assert await found("region=%25") == []


@pytest.mark.parametrize("query", ["limit=1000000000", "limit=-1", "cursor=x", "sort=name", "kind=goverment", "tier="])
async def test_row_47_lists_that_cannot_be(query: str, client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/customers?{query}")).status_code == 422


@pytest.mark.parametrize(
    "form",
    [
        {"kind": "consumer", "name": "Emily Adams"},
        {"projects": [{"id": "P-1"}, {"id": "P-1"}]},
        {"active_since": "2026-03-02", "last_active": "2026-03-01"},
        {"figures": {"Rev enue": 1}},
        {"figures": {"revenue": "much"}},
        {"tier": ""},
        {"tier": "x" * 201},
        {"approved_by": "me"},
    ],
)
async def test_an_entry_that_does_not_fit_is_refused(form: dict[str, Any], client: httpx.AsyncClient) -> None:
    answer = await client.put(CUSTOMER, json=form)
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_a_consumers_address_is_no_name_for_him(client: httpx.AsyncClient) -> None:
    for name in ("emily@example.com", "13800138000"):
        assert (await client.put(f"/v1/customers/{name}", json={"kind": "consumer"})).status_code == 422
    assert (await client.put("/v1/customers/a%00b", json={})).status_code == 422


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800"])
async def test_row_15_what_cannot_be_kept_is_refused(text: str, client: httpx.AsyncClient) -> None:
    for body in (f'{{"name": "{text}"}}', f'{{"tier": "{text}"}}', f'{{"projects": [{{"id": "{text}"}}]}}'):
        assert (await client.put(CUSTOMER, content=body, headers=JSON)).status_code in (400, 422), body


@pytest.mark.parametrize("role", Role)
async def test_who_may_read_and_write_the_register(role: Role, client: httpx.AsyncClient) -> None:
    headers = {"authorization": f"Bearer hf_{role}"}
    reads = role is not Role.agent
    writes = role in (Role.administrator, Role.integration)
    answers = [
        await client.get("/v1/customers", headers=headers),
        await client.get(CUSTOMER, headers=headers),
        await client.put(CUSTOMER, json=ACME, headers=headers),
        await client.delete(CUSTOMER, headers=headers | {"if-match": "*"}),
        await client.post(
            "/v1/customers/import", content=b"customer\nC-1", headers=headers | {"content-type": "text/csv"}
        ),
    ]
    expected = ([200, 404] if reads else [403, 403]) + ([201, 204, 200] if writes else [403, 403, 403])
    assert [answer.status_code for answer in answers] == expected
