import asyncio
import gzip
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ingest import store
from ingest.handlers import sweep_register
from ingest.handlers.customers import sweep_customers
from services.contracts.customers import CustomerChanged, CustomerNoted
from services.contracts.tickets import TicketClosed
from services.house import House
from tests.ingest.test_customers import changes
from tests.ingest.world import everything_stored, hear, reported, said

IMPORT = "/v1/customers/import"
CSV = {"content-type": "text/csv"}
HEADER = "customer,customer_name,kind,tier,figure:revenue,project,person,person_name,email,phone,roles,consent"
TABLE = f"""{HEADER}
C-1,ACME Ltd,organisation,core,350.5,P-1,u-1,Emily Adams,Emily@example.com,138 0013 8000,leader,email;call
C-1,,,,,,u-2,Li Hua,,+8613900139000,user,
C-2,Bob Brown,consumer,,,,,,bob@example.com,,,all
C-3,Zeta,,,,,,,,,,
"""


async def post(client: httpx.AsyncClient, table: str, query: str = "", **headers: str) -> httpx.Response:
    return await client.post(IMPORT + query, content=table.encode(), headers=CSV | headers)


async def stored(house: House) -> dict[str, Any]:
    """The register as it stands, by customer."""
    async with house.database.reading() as transaction:
        found = await store.list_customers(transaction, {}, "", False, 100)
        people = await store.find_people(transaction, [each.customer for each in found])
    return {each.customer: (each, [entry for _, entry in people.get(each.customer, [])]) for each in found}


async def test_a_file_is_taken_in_and_said(house: House, client: httpx.AsyncClient) -> None:
    answer = await post(client, TABLE)
    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": False,
        "charset": "utf-8",
        "delimiter": ",",
        "rows": 4,
        "customers": {"new": 3, "changed": 0, "same": 0},
        "people": {"new": 3, "changed": 0, "same": 0},
        "unread_columns": [],
        "notes": [],
    }
    register = await stored(house)
    acme, people = register["C-1"]
    assert (acme.name, acme.facts.tier, acme.facts.figures) == ("ACME Ltd", "core", {"revenue": 350.5})
    assert [(each.roles, each.projects, each.consent, each.contact.channels) for each in people] == [
        (("leader",), ("P-1",), ("email", "call"), ("email", "sms", "call")),
        (("user",), (), (), ("sms", "call")),
    ]
    assert (await client.get("/v1/contacts/register/u-1")).json()["phone"] == "+8613800138000"
    told = {each["customer"]: each for each in await changes(house)}
    assert {name: len(each.get("contacts", ())) for name, each in told.items()} == {"C-1": 2, "C-2": 1, "C-3": 0}
    assert "name" not in told["C-2"]


async def test_the_same_file_again_changes_and_says_nothing(house: House, client: httpx.AsyncClient) -> None:
    await post(client, TABLE)
    before = await stored(house)
    again = (await post(client, TABLE)).json()
    assert (again["customers"], again["people"]) == ({"new": 0, "changed": 0, "same": 3},) * 2
    assert await stored(house) == before
    assert len(await changes(house)) == 3


async def test_a_dry_run_tells_the_same_and_does_nothing(house: House, client: httpx.AsyncClient) -> None:
    dry = (await post(client, TABLE, "?dry_run=true")).json()
    assert await stored(house) == {}
    assert await changes(house) == []
    assert (await post(client, TABLE)).json() == dry | {"dry_run": False}
    later = TABLE.replace("core", "important").replace("Li Hua", "Li Hua 2")
    dry = (await post(client, later, "?dry_run=true")).json()
    assert dry["customers"] == dry["people"] == {"new": 0, "changed": 1, "same": 2}
    assert (await post(client, later)).json() == dry | {"dry_run": False}


async def test_nobody_stands_in_the_database_or_on_the_wire_in_clear(house: House, client: httpx.AsyncClient) -> None:
    await post(client, TABLE)
    found = await everything_stored(house, ["ingest.contact", "ingest.customer", "ingest.outbox"])
    for personal in ("Emily", "emily", "Li Hua", "Bob", "bob@", "13800138000", "13900139000"):
        assert personal not in found, personal
        assert personal.encode().hex() not in found, personal


async def test_a_column_that_is_not_there_leaves_what_is_known(house: House, client: httpx.AsyncClient) -> None:
    await post(client, TABLE)
    grades = "customer,grade,tier\nC-1,A,\nC-2,B,\n"
    assert (await post(client, grades)).json()["customers"] == {"new": 0, "changed": 2, "same": 0}
    register = await stored(house)
    acme, people = register["C-1"]
    assert (acme.name, acme.facts.grade, acme.facts.tier, acme.facts.figures) == (
        "ACME Ltd",
        "A",
        None,
        {"revenue": 350.5},
    )
    assert acme.facts.projects[0].id == "P-1"
    assert len(people) == 2
    assert register["C-2"][0].facts.kind == "consumer"
    roles = "customer,person,roles,consent\nC-1,u-1,administrator,sms\n"
    assert (await post(client, roles)).json()["people"] == {"new": 0, "changed": 1, "same": 0}
    emily = (await client.get("/v1/contacts/register/u-1")).json()
    assert (emily["name"], emily["email"], emily["roles"]) == ("Emily Adams", "Emily@example.com", ["administrator"])
    assert (emily["projects"], emily["consent"]) == (["P-1"], ["sms"])


async def test_one_refused_row_keeps_the_whole_file_out(house: House, client: httpx.AsyncClient) -> None:
    wrong = TABLE + "C-4,,,,,,u-9,,a@@b,110,,\nC-5,,sect,,,,,,,,,\n"
    for query in ("", "?dry_run=true"):
        answer = await post(client, wrong, query)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        problem = answer.json()
        assert [(each["line"], each["column"]) for each in problem["refused"]] == [
            (6, "email"),
            (6, "phone"),
            (7, "kind"),
        ]
        assert all(each["what"] and each["remedy"] for each in problem["refused"])
        assert (problem["charset"], problem["rows"]) == ("utf-8", 6)
    assert await stored(house) == {}
    assert await changes(house) == []


async def test_the_same_person_in_other_words_is_named(client: httpx.AsyncClient) -> None:
    table = "customer,phone,consent\nC-1,138 0013 8000,\nC-1,+8613800138000,\n"
    (refused,) = (await post(client, table)).json()["refused"]
    assert (refused["line"], refused["what"]) == (3, "the same person as on line 2, in other words")


async def test_sources_of_people_are_checked(client: httpx.AsyncClient) -> None:
    table = "customer,person,source,consent\nC-1,u-1,plan,\nC-1,u-2,Zen Desk,\n"
    assert [each["line"] for each in (await post(client, table)).json()["refused"]] == [2, 3]
    assert (await post(client, TABLE, "?source=zendesk")).status_code == 200
    assert (await client.get("/v1/contacts/zendesk/u-1")).status_code == 200
    assert (await post(client, TABLE, "?source=No%20Source")).status_code == 422


async def test_a_person_who_changes_the_customer_leaves_the_other(house: House, client: httpx.AsyncClient) -> None:
    await post(client, TABLE)
    await post(client, "customer,person,consent\nC-3,u-1,\n")
    told = [(each["customer"], len(each.get("contacts", ()))) for each in (await changes(house))[3:]]
    assert told == [("C-1", 1), ("C-3", 1)]
    emily = (await client.get("/v1/contacts/register/u-1")).json()
    assert (emily["customer"], emily["roles"], emily["email"]) == ("C-3", [], "Emily@example.com")


async def test_who_was_erased_is_left_out_and_named(house: House, client: httpx.AsyncClient) -> None:
    await post(client, TABLE)
    async with house.database.transaction("services") as transaction:
        await transaction.execute("update services.person_key set key_id = null, wrapped = null, erased_at = now()")
    answer = (await post(client, TABLE)).json()
    assert [each["line"] for each in answer["notes"]] == [2, 3, 4]
    assert "erased" in answer["notes"][0]["what"]
    assert answer["people"] == {"new": 0, "changed": 0, "same": 0}


async def test_a_customer_who_had_ended_comes_back(house: House, client: httpx.AsyncClient) -> None:
    await post(client, TABLE)
    await client.delete("/v1/customers/C-3", headers={"if-match": "*"})
    assert (await post(client, TABLE)).json()["customers"] == {"new": 0, "changed": 1, "same": 2}
    assert (await client.get("/v1/customers/C-3")).json()["ended"] is False


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "gb18030"])
async def test_row_59_charsets_are_found_and_told(charset: str, house: House, client: httpx.AsyncClient) -> None:
    table = "客户编号;客户名称;客户类型\nC-1;示例公司;企业\n".encode(charset)
    answer = await client.post(IMPORT, content=table, headers=CSV)
    assert answer.json()["charset"] == charset.removesuffix("-sig")
    assert (await stored(house))["C-1"][0].name == "示例公司"


@pytest.mark.parametrize(
    ("declared", "written", "status"),
    [
        ("utf-8", "utf-8", 200),
        ("gbk", "gb18030", 200),
        ("utf-16", "utf-16", 200),
        ("utf-8", "gb18030", 422),
        ("latin-1", "utf-8", 422),
        ("klingon", "utf-8", 422),
    ],
)
async def test_row_59_a_declared_charset_has_to_fit(
    declared: str, written: str, status: int, client: httpx.AsyncClient
) -> None:
    table = "客户编号,客户名称\nC-1,示例公司\n".encode(written)
    answer = await client.post(IMPORT, content=table, headers={"content-type": f"text/csv; charset={declared}"})
    assert answer.status_code == status
    if status == 422:
        assert declared in answer.json()["refused"][0]["what"]


async def test_a_form_with_a_file_will_do(house: House, client: httpx.AsyncClient) -> None:
    answer = await client.post(IMPORT, files={"file": ("customers.csv", TABLE.encode(), "text/csv")})
    assert (answer.status_code, answer.json()["customers"]["new"]) == (200, 3)
    nothing = await client.post(IMPORT, files={"other": ("customers.csv", TABLE.encode())})
    assert nothing.status_code == 422
    broken = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"--x\r\nno end", b""):
        assert (await client.post(IMPORT, content=body, headers=broken)).status_code in (400, 422)


async def test_row_59_what_is_no_table_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post(IMPORT, json={"customer": "C-1"})).status_code == 415
    for body in (b"", b"PK\x03\x04", b'customer\n"C-1', b"customer\nC-1\x00,", gzip.compress(b"customer")):
        answer = await client.post(IMPORT, content=body, headers=CSV)
        assert (answer.status_code, len(answer.json()["refused"])) == (422, 1)
    large = await client.post(IMPORT, content=b"customer\n" + b"x" * (16 * 1024 * 1024), headers=CSV)
    assert large.status_code == 413


async def test_row_60_formulas_unknown_columns_and_empty_consent(house: House, client: httpx.AsyncClient) -> None:
    table = "customer,customer_name,email,consent,vat id\nC-1,=1+1,a@example.com,,7\n"
    answer = (await post(client, table)).json()
    assert answer["unread_columns"] == ["vat id"]
    assert [(each["line"], each["column"]) for each in answer["notes"]] == [(2, "customer_name")]
    acme, (person,) = (await stored(house))["C-1"]
    assert (acme.name, person.consent) == ("'=1+1", ())


async def test_a_ticket_that_waited_for_a_person_is_said_again(house: House, client: httpx.AsyncClient) -> None:
    (closed,) = said(await hear(house, reported(source="zendesk", requester_id="u-1")), TicketClosed)
    assert closed.contact is None
    await post(client, TABLE, "?source=zendesk")
    async with house.database.transaction("ingest") as transaction:
        await sweep_register(house, transaction, timedelta())
    (closed,) = said(transaction, TicketClosed)
    assert closed.contact is not None
    assert closed.facts.customer == "C-1"


async def sweep(house: House) -> list[CustomerChanged]:
    async with house.database.transaction("ingest") as transaction:
        await sweep_customers(house, transaction, timedelta())
    return said(transaction, CustomerChanged)


async def test_what_has_no_echo_is_said_again_as_it_is_now(house: House, client: httpx.AsyncClient) -> None:
    await post(client, TABLE)
    again = await sweep(house)
    assert sorted(each.customer for each in again) == ["C-1", "C-2", "C-3"]
    await hear(house, *(CustomerNoted(customer=each.customer, changed_at=each.changed_at) for each in again))
    assert await sweep(house) == []
    await client.put("/v1/customers/C-3", json={"tier": "core"}, headers={"if-match": "*"})
    await hear(house, *(CustomerNoted(customer=each.customer, changed_at=each.changed_at) for each in again))
    (changed,) = await sweep(house)
    assert (changed.customer, changed.facts.tier) == ("C-3", "core")
    assert changed.changed_at > next(each.changed_at for each in again if each.customer == "C-3")


async def test_a_customer_said_without_one_of_his_people_is_said_once_more(
    house: House, client: httpx.AsyncClient
) -> None:
    await post(client, TABLE)
    await hear(
        house, *(CustomerNoted(customer=each.customer, changed_at=each.changed_at) for each in await sweep(house))
    )
    async with house.database.transaction("ingest") as transaction:
        await transaction.execute("update ingest.customer set people = 1 where customer = 'C-1'")
    (changed,) = await sweep(house)
    assert (changed.customer, len(changed.contacts)) == ("C-1", 2)


async def test_an_idempotency_key_answers_the_second_time_from_memory(client: httpx.AsyncClient) -> None:
    first = await post(client, TABLE, **{"idempotency-key": "k-1"})
    second = await post(client, TABLE, **{"idempotency-key": "k-1"})
    assert json.loads(second.content) == first.json()
    assert second.headers["idempotency-replayed"] == "true"


async def test_two_imports_at_once_do_it_once(house: House, client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(post(client, TABLE) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert sum(answer.status_code == 200 and answer.json()["customers"]["new"] == 3 for answer in answers) == 1
    assert {name: entry[0].version for name, entry in (await stored(house)).items()} == {"C-1": 1, "C-2": 1, "C-3": 1}
    assert len(await changes(house)) == 3


async def test_a_person_and_his_customer_entered_at_once_find_each_other(
    house: House, client: httpx.AsyncClient
) -> None:
    for number in range(10):
        contact, customer = f"/v1/contacts/zendesk/{number}", f"/v1/customers/C-{number}"
        form = {"email": f"p{number}@example.com", "customer": f"C-{number}"}
        await asyncio.gather(client.put(customer, json={}), client.put(contact, json=form))
    await sweep(house)
    last = {each["customer"]: len(each.get("contacts", ())) for each in await changes(house)}
    assert last == {f"C-{number}": 1 for number in range(10)}
