"""Bad-input rows 1–20 at the door `/hooks/{source}`, and what a good request comes to."""

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from ingest import store
from services import metrics
from services.clock import DrivenClock
from services.contracts.topics import ITSM
from services.house import House
from tests.ingest import payloads
from tests.ingest.test_mapping import SYSTEMS
from tests.ingest.webhooks import SECRETS, dump, hub, mac, native, post, standard
from tests.ingest.world import everything_stored

BODY = dump(payloads.generic())


async def outbox(house: House) -> list[tuple[str, str]]:
    async with house.database.reading() as transaction:
        rows = await transaction.fetch("select topic, key from ingest.outbox order by position")
    return [(row["topic"], row["key"]) for row in rows]


def counted(source: str, outcome: str) -> float:
    value: float = metrics.WEBHOOKS.labels(source, outcome)._value.get()
    return value


@pytest.mark.parametrize("source", SYSTEMS)
async def test_a_signed_webhook_is_stored_and_said_before_202(
    source: str, house: House, client: httpx.AsyncClient
) -> None:
    body = dump(SYSTEMS[source]())
    before = counted(source, "accepted")
    answer = await post(client, source, body, native(house, source, body))
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    ((topic, key),) = await outbox(house)
    assert topic == ITSM
    assert key.startswith(f"{source}/")
    assert counted(source, "accepted") == before + 1


async def test_nothing_personal_passes_the_door_in_clear(house: House, client: httpx.AsyncClient) -> None:
    for source in ("generic", "jira", "zammad"):
        body = dump(SYSTEMS[source]())
        assert (await post(client, source, body, native(house, source, body))).status_code == 202
    found = await everything_stored(house, [f"ingest.{name}" for name in ("outbox", "report", "receipt")])
    for word in ("王芳", "fang@example.cn", "13800138000", "Emily", "emily@example.com"):
        assert word not in found
        assert word.encode().hex() not in found
    assert len(await outbox(house)) == 3


async def test_row_1_no_signature_or_a_wrong_one(house: House, client: httpx.AsyncClient) -> None:
    signed = standard(house, BODY)
    del signed["webhook-signature"]
    wrong = [{"webhook-signature": signature} for signature in ("", "v0,", "v1,", "v1", "nonsense")]
    for headers in ({}, *wrong):
        answer = await post(client, "generic", BODY, signed | headers)
        assert answer.status_code == 401, headers
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"]


async def test_row_2_the_signature_of_other_bytes(house: House, client: httpx.AsyncClient) -> None:
    respaced = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    assert (await post(client, "generic", respaced, standard(house, BODY))).status_code == 401


async def test_row_3_a_timestamp_that_is_stale_or_none(house: House, client: httpx.AsyncClient) -> None:
    for seconds in (-301, 301):
        assert (await post(client, "generic", BODY, standard(house, BODY, seconds=seconds))).status_code == 401, seconds
    for stamp in ("now", "-1772416800", "1" * 20):
        assert (await post(client, "generic", BODY, standard(house, BODY, stamp=stamp))).status_code == 401, stamp


async def test_row_4_the_same_again_has_no_effect(house: House, client: httpx.AsyncClient, clock: DrivenClock) -> None:
    assert (await post(client, "generic", BODY, standard(house, BODY))).status_code == 202
    clock.advance(timedelta(minutes=4))
    again = await post(client, "generic", BODY, standard(house, BODY))
    assert (again.status_code, again.json()) == (200, {"status": "duplicate"})
    assert len(await outbox(house)) == 1


@pytest.mark.parametrize("source", SYSTEMS)
async def test_row_4_the_same_again_without_a_delivery_id(source: str, house: House, client: httpx.AsyncClient) -> None:
    body = dump(SYSTEMS[source]())
    answers = [(await post(client, source, body, hub(source, body))).status_code for _ in range(2)]
    assert answers == [202, 200]


async def test_row_5_another_body_with_the_same_id(house: House, client: httpx.AsyncClient) -> None:
    other = dump(payloads.generic(ticket="T-2"))
    before = counted("generic", "conflict")
    assert (await post(client, "generic", BODY, standard(house, BODY))).status_code == 202
    assert (await post(client, "generic", other, standard(house, other))).status_code == 409
    assert (await post(client, "generic", other, standard(house, other, id="msg_2"))).status_code == 202
    assert counted("generic", "conflict") == before + 1
    assert len(await outbox(house)) == 2


async def test_row_5_many_at_once_are_one_and_its_copies(house: House, client: httpx.AsyncClient) -> None:
    other = dump(payloads.generic(ticket="T-2"))
    bodies = [BODY] * 20 + [other] * 20
    answers = await asyncio.gather(*(post(client, "generic", body, standard(house, body)) for body in bodies))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 19 + [202] + [409] * 20
    assert len(await outbox(house)) == 1


async def test_row_5_zendesk_s_id_is_its_event_s(house: House, client: httpx.AsyncClient) -> None:
    def zendesk(**changes: Any) -> bytes:
        return dump(payloads.zendesk(**changes))

    bodies = [zendesk(), zendesk(), zendesk(priority="LOW"), zendesk(id="5159"), zendesk(status="OPEN")]
    answers = [(await post(client, "zendesk", body, native(house, "zendesk", body))).status_code for body in bodies]
    assert answers == [202, 200, 409, 202, 202]


async def test_row_6_an_id_that_is_none(house: House, client: httpx.AsyncClient) -> None:
    for delivery in ("a.b", "x" * 129, "a b"):
        assert (await post(client, "generic", BODY, standard(house, BODY, id=delivery))).status_code == 400, delivery
        headers = hub("jira", BODY, **{"x-atlassian-webhook-identifier": delivery})
        assert (await post(client, "jira", BODY, headers)).status_code == 400, delivery


async def test_row_7_an_old_key_is_good_within_its_window(house: House, client: httpx.AsyncClient) -> None:
    async def renew(secret: str, overlap: timedelta) -> None:
        async with house.database.transaction("ingest") as transaction:
            await store.replace_secret(transaction, house.seal, "generic", secret, overlap)

    await renew("a new secret of more than 24 bytes", timedelta(hours=1))
    headers = standard(house, BODY)
    unknown = base64.b64encode(mac("jira", BODY)).decode()
    headers["webhook-signature"] = f"v1,{unknown} {headers['webhook-signature']}"
    assert (await post(client, "generic", BODY, headers)).status_code == 202
    await renew("yet another secret of more than 24 bytes", timedelta())
    async with house.database.transaction("ingest") as transaction:
        await transaction.execute(
            "update ingest.secret set ends_at = now() - interval '1 second' where ends_at is not null"
        )
    other = dump(payloads.generic(ticket="T-2"))
    await _until(lambda: post(client, "generic", other, standard(house, other, id="msg_2")), 401)


async def _until(send: Callable[[], Any], status: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while (await send()).status_code != status:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_row_8_another_source_s_secret_is_like_no_source_at_all(house: House, client: httpx.AsyncClient) -> None:
    body = dump(payloads.jira())
    foreign = await post(client, "jira", body, hub("zammad", body))
    unknown = await post(client, "nobody", body, hub("zammad", body))
    assert foreign.status_code == unknown.status_code == 401
    assert foreign.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}
    assert counted("unknown", "unauthorized") >= 1


async def test_row_8_a_closed_source_is_none(house: House, client: httpx.AsyncClient) -> None:
    async with house.database.transaction("ingest") as transaction:
        await store.enable_source(transaction, "generic", enabled=False)
    assert (await post(client, "generic", BODY, standard(house, BODY))).status_code == 401


async def test_a_source_that_was_added_a_moment_ago_may_report(house: House, client: httpx.AsyncClient) -> None:
    secret = SECRETS["generic"]
    assert (await post(client, "erp", BODY, standard(house, BODY))).status_code == 401
    async with house.database.transaction("ingest") as transaction:
        await store.insert_source(transaction, "erp", "generic", "generic", "UTC")
        await store.replace_secret(transaction, house.seal, "erp", secret, timedelta())
    await _until(lambda: post(client, "erp", BODY, standard(house, BODY)), 202)


async def test_rows_9_and_10_content_types(house: House, client: httpx.AsyncClient) -> None:
    headers = standard(house, BODY)
    del headers["content-type"]
    assert (await post(client, "generic", BODY, headers)).status_code == 415
    for other in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"):
        assert (await post(client, "generic", BODY, headers | {"content-type": other})).status_code == 415, other


async def test_row_12_a_compressed_body(house: House, client: httpx.AsyncClient) -> None:
    headers = standard(house, BODY) | {"content-encoding": "gzip"}
    assert (await post(client, "generic", BODY, headers)).status_code == 415


async def test_row_11_a_body_that_is_too_large(house: House, client: httpx.AsyncClient) -> None:
    large = b" " * (256 * 1024) + BODY

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    told = await post(client, "generic", large, standard(house, large))
    chunked = await post(client, "generic", chunks(), standard(house, large))
    for answer in (told, chunked):
        assert answer.status_code == 413
        assert answer.headers["connection"] == "close"


NOT_STRICT = [b"[" * 10_000, b'{"n": 1e999}', b'{"n": NaN}', b'{"n": ' + b"9" * 9_999 + b"}", b'{"id": 1, "id": 2}']
NOT_STRICT += [b'{"a": "\xff"}', rb'{"a": "\ud800"}', rb'{"a": "\u0000"}', b"", BODY[: len(BODY) // 2]]


async def test_rows_13_to_15_no_strict_json(house: House, client: httpx.AsyncClient) -> None:
    for body in NOT_STRICT:
        answer = await post(client, "generic", body, standard(house, body))
        assert answer.status_code == 400, body[:30]
        assert answer.json()["type"] == "urn:huifang:problem:malformed"


async def test_row_17_what_says_nothing_is_ignored_and_counted(house: House, client: httpx.AsyncClient) -> None:
    before = counted("jira", "ignored")
    body = dump(payloads.jira() | {"webhookEvent": "comment_created"})
    answer = await post(client, "jira", body, hub("jira", body))
    assert (answer.status_code, answer.json()) == (202, {"status": "ignored", "reason": "event"})
    assert counted("jira", "ignored") == before + 1
    assert await outbox(house) == []


async def test_row_17_what_is_missing_is_named(house: House, client: httpx.AsyncClient) -> None:
    body = dump(payloads.generic(ticket=None))
    answer = await post(client, "generic", body, standard(house, body))
    assert answer.status_code == 422
    assert [each["where"] for each in answer.json()["errors"]] == ["ticket"]


async def test_row_18_times_that_cannot_be(house: House, client: httpx.AsyncClient) -> None:
    for at in ("2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-02T01:00:00"):
        body = dump(payloads.generic(at=at))
        answer = await post(client, "generic", body, standard(house, body))
        assert answer.status_code == 422, at
        assert [each["where"] for each in answer.json()["errors"]] == ["at"]
    assert await outbox(house) == []


async def test_row_19_an_unusable_contact_is_stored(house: House, client: httpx.AsyncClient) -> None:
    unusable = [
        {"phone": "+8613800138000;DROP"},
        {"phone": "110"},
        {"email": "a@b.co\r\nBcc: x@y.z"},
        {"email": "a@@b"},
    ]
    for number, requester in enumerate(unusable):
        body = dump(payloads.generic(requester=requester))
        answer = await post(client, "generic", body, standard(house, body, id=f"msg_{number}"))
        assert answer.status_code == 202, requester
    async with house.database.transaction("ingest") as transaction:
        reports = await store.claim_overdue_reports(transaction, timedelta(), 10)
    assert [report.contact and report.contact.channels for _, report in reports] == [()] * len(unusable)


async def test_row_20_other_methods(client: httpx.AsyncClient) -> None:
    for method in ("GET", "PUT", "TRACE", "DELETE", "PATCH", "HEAD", "OPTIONS"):
        for source in ("generic", "glpi", "nobody"):
            assert (await client.request(method, f"/hooks/{source}")).status_code == 405, method


async def test_glpi_s_challenge(client: httpx.AsyncClient) -> None:
    token = mac("glpi", b"validate_cra_challenge").hex()
    answer = await client.get("/hooks/glpi", params={"crc_token": token})
    assert (answer.status_code, answer.text) == (200, mac("glpi", token.encode()).hex())
    for source, other in (("glpi", "x"), ("jira", token), ("nobody", token)):
        assert (await client.get(f"/hooks/{source}", params={"crc_token": other})).status_code == 401


async def test_the_door_is_documented_although_it_is_a_plain_route(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert set(document["paths"]["/hooks/{source}"]) == {"post", "get"}
    assert {"200", "202", "400", "401", "409", "413", "415", "422"} == set(
        document["paths"]["/hooks/{source}"]["post"]["responses"]
    )


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    """The room behind a real server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve([listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving


async def say(port: int, request: bytes) -> bytes:
    """Sends raw bytes and returns the first line of the answer; then the server must close the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    line = await asyncio.wait_for(reader.readline(), 10)
    with suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return line


def head(house: House, body: bytes, *lines: str) -> bytes:
    headers = [f"{name}: {value}" for name, value in standard(house, body).items()]
    return "\r\n".join(["POST /hooks/generic HTTP/1.1", "host: x", *headers, *lines, "", ""]).encode()


async def test_row_11_a_stream_without_end_is_cut_off(house: House, port: int) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = await say(port, head(house, BODY, "transfer-encoding: chunked") + chunk * 8)
    assert answer.startswith(b"HTTP/1.1 413")


async def test_row_11_a_content_length_that_lies(house: House, port: int) -> None:
    answer = await say(port, head(house, BODY, f"content-length: {len(BODY) - 9}") + BODY)
    # What is left over is no request of its own, whatever became of the shortened one.
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401"))
    assert await outbox(house) == []
    assert (await say(port, head(house, BODY, "content-length: 99999999"))).startswith(b"HTTP/1.1 413")


async def test_row_16_two_ways_to_tell_the_length(house: House, port: int) -> None:
    for lines in (["content-length: 5", "transfer-encoding: chunked"], ["content-length: 5", "content-length: 6"]):
        answer = await say(port, head(house, BODY, *lines) + b"0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400")
    assert await outbox(house) == []
