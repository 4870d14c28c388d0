import json
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import httpx
import pytest

from notifier.channels.receipts import sign
from services.identifiers import uuid7
from tests.notifier.servers import Gateway, Reply
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
