import asyncio
import json
from uuid import UUID

import pytest

from notifier.channels.receipts import Forged, ReceiptCall, Unreadable, sign
from notifier.channels.sms_http import HttpSmsChannel
from notifier.delivery import Outcome, Receipt
from notifier.message import Text
from tests.notifier.servers import Reply, gateway

ID = UUID("0195a000-0000-7000-8000-000000000001")
TEXT = Text("+8613800138000", str(ID), "请评价 https://hf.example.cn/s/a", "https://hf.example.cn/s/a", 1)
SECRET = "a secret of the gateway, long enough"


async def send(url: str, seconds: float = 5.0) -> Outcome:
    async with HttpSmsChannel(url, SECRET) as channel:
        return await channel.send(TEXT, asyncio.get_running_loop().time() + seconds)


async def test_the_protocol() -> None:
    async with gateway(lambda request: Reply(202, {"id": "g-1"})) as server:
        assert await send(f"{server.url}/messages/") == Outcome("accepted", "http 202", "g-1")
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/messages")
    assert request.json == {"to": TEXT.recipient, "text": TEXT.text, "reference": str(ID)}
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["idempotency-key"] == str(ID)


@pytest.mark.parametrize(
    ("reply", "ending", "dead"),
    [
        (Reply(200), "accepted", False),
        (Reply(422, {"error": "invalid_number"}), "permanent", True),
        (Reply(422, {"error": "no_credit"}), "permanent", False),
        (Reply(503), "temporary", False),
        (Reply(502), "uncertain", False),
        (Reply(drop=True), "uncertain", False),
    ],
)
async def test_what_answers_mean(reply: Reply, ending: str, dead: bool) -> None:
    async with gateway(lambda request: reply) as server:
        outcome = await send(server.url)
    assert (outcome.ending, outcome.address_dead) == (ending, dead)


async def test_a_wait_that_is_asked_for_is_kept() -> None:
    async with gateway(lambda request: Reply(429, None, {"retry-after": "30"})) as server:
        outcome = await send(server.url)
    assert outcome.retry_after is not None
    assert outcome.retry_after.total_seconds() == 30


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(200, {"reference": str(ID), "status": "accepted"}), "accepted"),
        (Reply(200, {"reference": str(ID), "status": "delivered"}), "delivered"),
        (Reply(200, {"reference": str(ID), "status": "failed"}), "bounced"),
        (Reply(200, {"reference": str(ID), "status": "unknown"}), "planned"),
        (Reply(200, {"reference": "another", "status": "unknown"}), None),
        (Reply(200, {"reference": str(ID)}), None),
        (Reply(200), None),
        (Reply(404, {"reference": str(ID), "status": "unknown"}), None),
        (Reply(405), None),
        (Reply(drop=True), None),
    ],
)
async def test_only_a_gateway_that_knows_the_question_is_believed(reply: Reply, state: str | None) -> None:
    async with gateway(lambda request: reply) as server, HttpSmsChannel(server.url, SECRET) as channel:
        receipt = await channel.ask(str(ID))
        assert server.requests[0].path == f"/{ID}"
    assert (receipt.state if receipt else None) == state
    assert receipt is None or receipt.delivery == ID


def call(told: object, secret: str = SECRET) -> ReceiptCall:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    headers = {"x-huifang-signature": "sha256=" + sign(secret, body)}
    return ReceiptCall("https://hf.example.cn/hooks/receipts/http", {}, headers, body)


async def test_receipts_are_signed() -> None:
    async with HttpSmsChannel("http://127.0.0.1:1", SECRET) as channel:
        told = {"reference": str(ID), "id": "g-1", "status": "delivered", "code": "000"}
        assert channel.receipts(call(told)) == [Receipt("delivered", "http 000", ID, "g-1")]
        assert channel.receipts(call([told, {"id": "g-2", "status": "failed"}, {"id": "g-3", "status": "odd"}])) == [
            Receipt("delivered", "http 000", ID, "g-1"),
            Receipt("bounced", "http", None, "g-2"),
        ]
        with pytest.raises(Forged):
            channel.receipts(call(told, "another secret"))
        with pytest.raises(Forged):
            channel.receipts(ReceiptCall("https://x", {}, {}, b"{}"))
        with pytest.raises(Unreadable):
            channel.receipts(call(b'{"status": 5}'))
        with pytest.raises(Unreadable):
            channel.receipts(call(b"\xff"))
