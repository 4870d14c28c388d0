import json
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import httpx
import pytest

from notifier.channels.receipts import sign
from services.auth import Role
from services.contracts.deliveries import DeliveryReported, OptedOut
from services.identifiers import uuid7
from tests.notifier.servers import Gateway, MailServer, Reply
from tests.notifier.stage import GATEWAY_SECRET, Stage

PATH = "/hooks/receipts/http"


async def tell(stage: Stage, told: Any, secret: str = GATEWAY_SECRET, path: str = PATH) -> httpx.Response:
    """Sends a receipt as the gateway does."""
    body = json.dumps(told).encode()
    async with stage.client() as client:
        return await client.post(path, content=body, headers={"x-huifang-signature": "sha256=" + sign(secret, body)})


def receipt(delivery: UUID | str, status: str) -> dict[str, str]:
    return {"reference": str(delivery), "status": status}


async def test_a_receipt_brings_a_delivery_on_and_is_reported(stage: Stage) -> None:
    await stage.hear(await stage.due("sms"))
    await stage.send("send_sms")
    delivery = await stage.delivery()
    await stage.said()
    response = await tell(stage, receipt(delivery["id"], "delivered"))
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert await stage.reported() == [("delivered", "http")]
    assert (await tell(stage, receipt(delivery["id"], "delivered"))).status_code == 200
    assert await stage.reported() == []


@pytest.mark.parametrize("order", list(permutations(("answer", "accepted", "delivered"))))
async def test_receipts_before_the_answer_twice_and_reversed(stage: Stage, order: tuple[str, ...]) -> None:
    await stage.hear(await stage.due("sms"))
    [claim] = await stage.claim("send_sms")
    outcome = await stage.errand("send_sms").perform(claim)
    for step in order:
        if step == "answer":
            await stage.settle("send_sms", [(claim, outcome)])
        else:
            await tell(stage, [receipt(claim.delivery, step)] * 2)
    delivery = await stage.delivery()
    assert (delivery["state"], delivery["reference"]) == ("delivered", "g-1")
    [attempt] = await stage.attempts(delivery["id"])
    assert attempt["ending"] == "accepted"


async def test_a_receipt_by_the_gateway_s_own_reference_may_be_faster_than_the_answer(stage: Stage) -> None:
    await stage.hear(await stage.due("sms"))
    [claim] = await stage.claim("send_sms")
    outcome = await stage.errand("send_sms").perform(claim)
    await tell(stage, {"id": "g-1", "status": "delivered"})
    assert (await stage.delivery())["state"] == "sending"
    await stage.settle("send_sms", [(claim, outcome)])
    assert (await stage.delivery())["state"] == "delivered"
    await tell(stage, {"id": "g-1", "status": "failed"})
    assert (await stage.delivery())["state"] == "delivered"


async def test_a_receipt_clears_up_what_was_uncertain(stage: Stage, sms: Gateway) -> None:
    sms.answer = lambda request: Reply(drop=True)
    dues = [await stage.due("sms") for _ in range(20)]
    await stage.hear(*dues)
    await stage.send("send_sms")
    deliveries = await stage.deliveries()
    assert {row["state"] for row in deliveries} == {"uncertain"}
    await tell(
        stage, [receipt(row["id"], "failed" if number % 2 else "delivered") for number, row in enumerate(deliveries)]
    )
    assert [row["state"] for row in await stage.deliveries()] == ["delivered", "bounced"] * 10
    assert len(sms.requests) == 20


async def test_a_late_receipt_stops_a_retry(stage: Stage, sms: Gateway) -> None:
    sms.answer = lambda request: Reply(503)
    await stage.hear(await stage.due("sms"))
    await stage.send("send_sms")
    await tell(stage, receipt((await stage.delivery())["id"], "delivered"))
    stage.clock.advance(timedelta(hours=1))
    assert await stage.send("send_sms") == 0
    assert (await stage.delivery())["state"] == "delivered"


async def test_receipts_that_concern_nothing_change_nothing(stage: Stage) -> None:
    await stage.hear(await stage.due("sms"), await stage.due())
    await stage.send()
    planned = next(row for row in await stage.deliveries() if row["channel"] == "sms")
    by_mail = next(row for row in await stage.deliveries() if row["channel"] == "email")
    before = await stage.fingerprint()
    told = [receipt(each, "delivered") for each in (uuid7(), "theirs", planned["id"], by_mail["id"])]
    assert (await tell(stage, told)).status_code == 200
    assert (await tell(stage, [])).status_code == 200
    assert await stage.fingerprint() == before


async def test_forged_receipts_are_refused(stage: Stage) -> None:
    await stage.hear(await stage.due("sms"))
    await stage.send("send_sms")
    before = await stage.fingerprint()
    told = receipt((await stage.delivery())["id"], "failed")
    assert (await tell(stage, told, secret="a guess")).status_code == 401
    assert (await tell(stage, told, path="/hooks/receipts/twilio")).status_code == 404
    assert (await tell(stage, {"status": 1})).status_code == 400
    async with stage.client() as client:
        assert (await client.post(PATH, json=told)).status_code == 401
        assert (await client.get(PATH)).status_code == 405
    assert await stage.fingerprint() == before


async def test_the_delivery_log_is_paged_and_filtered(stage: Stage, server: MailServer) -> None:
    server.at_recipient["wang@example.com"] = "550 5.1.1 unknown"
    wang = await stage.contact("wang@example.com")
    dues = [await stage.due() for _ in range(4)] + [await stage.due(contact=wang)]
    await stage.hear(*dues)
    await stage.send()
    async with stage.client(await stage.key(Role.quality)) as client:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = (
                await client.get("/v1/deliveries", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
            ).json()
            seen += [item["survey"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert sorted(seen) == sorted(str(due.survey) for due in dues)
        failed = (await client.get("/v1/deliveries", params={"state": "failed"})).json()["items"]
        assert [item["person"] for item in failed] == [str(wang.person)]
        assert (await client.get("/v1/deliveries", params={"channel": "sms"})).json() == {"items": [], "next": None}
        [attempt] = (await client.get(f"/v1/deliveries/{failed[0]['id']}/attempts")).json()
        assert (attempt["ending"], attempt["detail"]) == ("permanent", "smtp recipient 550 5.1.1")
        everything = (await client.get("/v1/deliveries")).text
        assert "example.com" not in everything.replace("@example.com>", "")
        for query in ("limit=0", "limit=1000000000", "state=odd", "cursor=odd", "survey=1"):
            assert (await client.get(f"/v1/deliveries?{query}")).status_code == 422


@pytest.mark.parametrize(
    ("role", "deliveries", "calls"),
    [
        (Role.agent, 403, 200),
        (Role.quality, 200, 200),
        (Role.manager, 200, 200),
        (Role.auditor, 200, 403),
        (Role.integration, 403, 403),
        (Role.administrator, 200, 200),
    ],
)
async def test_who_may_see_what(stage: Stage, role: Role, deliveries: int, calls: int) -> None:
    async with stage.client(await stage.key(role)) as client:
        assert (await client.get("/v1/deliveries")).status_code == deliveries
        assert (await client.get("/v1/calls")).status_code == calls
        attempt = await client.post(f"/v1/calls/{uuid7()}/attempt", json={"outcome": "busy"})
        assert attempt.status_code == (404 if role in (Role.agent, Role.administrator) else 403)


async def listed_call(stage: Stage, **more: Any) -> str:
    await stage.hear(await stage.due("call", **more))
    await stage.said()
    return str((await stage.calls())[-1]["id"])


async def test_only_the_agent_who_claims_a_call_sees_name_and_number(stage: Stage) -> None:
    call = await listed_call(stage)
    anna, ben = await stage.key(Role.agent, "anna"), await stage.key(Role.agent, "ben")
    async with stage.client(anna) as client:
        [item] = (await client.get("/v1/calls")).json()["items"]
        assert "+86" not in json.dumps(item)
        assert item["claimed_by"] is None
        claimed = (await client.post(f"/v1/calls/{call}/claim")).json()
        assert (claimed["person_name"], claimed["phone"]) == ("李雷", "+8613800138000")
        assert (await client.post(f"/v1/calls/{call}/claim")).status_code == 200
        assert (await client.get("/v1/calls")).json()["items"][0]["claimed_by"] == "anna"
        assert (await client.post(f"/v1/calls/{uuid7()}/claim")).status_code == 404
    async with stage.client(ben) as client:
        assert (await client.post(f"/v1/calls/{call}/claim")).status_code == 409
        assert (await client.post(f"/v1/calls/{call}/attempt", json={"outcome": "busy"})).status_code == 409


async def attempted(stage: Stage, call: str, outcome: str, **more: Any) -> dict[str, Any]:
    async with stage.client(await stage.key(Role.agent, uuid7().hex)) as client:
        assert (await client.post(f"/v1/calls/{call}/claim")).status_code == 200
        response = await client.post(f"/v1/calls/{call}/attempt", json={"outcome": outcome, **more})
        assert response.status_code == 200
        answer: dict[str, Any] = response.json()
        return answer


async def test_nobody_answering_ends_a_call_after_some_attempts(stage: Stage) -> None:
    call = await listed_call(stage)
    for number in range(1, 5):
        answer = await attempted(stage, call, "no_answer" if number % 2 else "busy")
        assert (answer["attempts"], answer["outcome"]) == (number, None)
        assert answer["next_at"] is not None
    assert (await attempted(stage, call, "no_answer"))["outcome"] == "no_answer"
    assert await stage.reported() == [("failed", "no_answer")]
    assert await stage.calls() == []


async def test_a_refusal_on_the_telephone_is_the_customer_s_will(stage: Stage) -> None:
    call = await listed_call(stage)
    assert (await attempted(stage, call, "refused"))["outcome"] == "refused"
    opted_out, report = await stage.said()
    assert isinstance(opted_out, OptedOut)
    assert opted_out.scope == "survey"
    assert isinstance(report, DeliveryReported)
    assert (report.channel, report.outcome, report.detail) == ("call", "failed", "refused")


async def test_a_customer_who_names_a_time_is_called_then(stage: Stage) -> None:
    call = await listed_call(stage)
    named = stage.clock.now() + timedelta(days=1)
    answer = await attempted(stage, call, "call_back", call_back_at=named.isoformat())
    assert answer["next_at"] == named.isoformat().replace("+00:00", "Z")
    async with stage.client(await stage.key(Role.agent)) as client:
        await client.post(f"/v1/calls/{call}/claim")
        for body in (
            {"outcome": "call_back"},
            {"outcome": "busy", "call_back_at": named.isoformat()},
            {"outcome": "odd"},
        ):
            assert (await client.post(f"/v1/calls/{call}/attempt", json=body)).status_code == 422


async def test_the_list_goes_by_the_promise_and_page_by_page(stage: Stage) -> None:
    for hours in (3, 1, 2):
        await stage.hear(await stage.due("call", promised_by=stage.clock.now() + timedelta(hours=hours)))
    async with stage.client(await stage.key(Role.agent)) as client:
        first = (await client.get("/v1/calls", params={"limit": 2})).json()
        second = (await client.get("/v1/calls", params={"limit": 2, "cursor": first["next"]})).json()
    promised = [item["promised_by"] for item in (*first["items"], *second["items"])]
    assert promised == sorted(promised)
    assert (len(promised), second["next"]) == (3, None)


async def test_there_is_no_call_without_a_number(stage: Stage) -> None:
    call = await listed_call(stage, contact=await stage.contact("li@example.com"))
    async with stage.client(await stage.key(Role.agent)) as client:
        assert (await client.post(f"/v1/calls/{call}/claim")).status_code == 410
