import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from notifier.channels.aliyun import AliyunChannel, canonical_query, receipt_key, signed_headers
from notifier.channels.receipts import Forged, ReceiptCall, Unreadable
from notifier.delivery import Outcome, Receipt
from notifier.message import Text
from tests.notifier.servers import Reply, gateway

ID = UUID("0195a000-0000-7000-8000-000000000001")
LINK = "https://hf.example.cn/s/a_b-c"
TEXT = Text("+8613800138000", str(ID), f"请评价 {LINK}", LINK, 1)
SECRET = "access key secret"


def channel(api: str = "http://127.0.0.1:1") -> AliyunChannel:
    return AliyunChannel(api=api, account="AK", secret=SECRET, signature="云服务", template="SMS_1")


async def send(api: str) -> Outcome:
    async with channel(api) as opened:
        return await opened.send(TEXT, asyncio.get_running_loop().time() + 5)


def test_the_signature_of_alibaba_s_own_documentation() -> None:
    query = canonical_query(
        {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}
    )
    headers = signed_headers(
        account="YourAccessKeyId",
        secret="YourAccessKeySecret",
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        query=query,
        date="2023-10-26T10:22:32Z",
        nonce="3156853299f313e23d1673dc12e1703d",
    )
    assert headers["authorization"].endswith("06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0")


async def test_the_protocol() -> None:
    async with gateway(lambda request: Reply(200, {"Code": "OK", "BizId": "B1", "RequestId": "R"})) as server:
        assert await send(server.url) == Outcome("accepted", "aliyun 200 OK", "B1")
    [request] = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/", b"")
    assert request.query == {
        "OutId": str(ID),
        "PhoneNumbers": "13800138000",
        "SignName": "云服务",
        "TemplateCode": "SMS_1",
        "TemplateParam": json.dumps({"link": LINK}),
    }
    again = signed_headers(
        account="AK",
        secret=SECRET,
        host=server.url.removeprefix("http://"),
        action="SendSms",
        version="2017-05-25",
        query=canonical_query(request.query),
        date=request.headers["x-acs-date"],
        nonce=request.headers["x-acs-signature-nonce"],
    )
    assert {name: request.headers[name] for name in again} == again


def answer(code: str, status: int = 200) -> Reply:
    return Reply(status, {"Code": code, "Message": "about +8613800138000"})


@pytest.mark.parametrize(
    ("reply", "ending", "dead"),
    [
        (answer("isv.MOBILE_NUMBER_ILLEGAL"), "permanent", True),
        (answer("isv.TEMPLATE_MISSING_PARAMETERS"), "permanent", False),
        (answer("isv.BUSINESS_LIMIT_CONTROL"), "temporary", False),
        (answer("Throttling.User", 400), "temporary", False),
        (answer("isp.SYSTEM_ERROR"), "uncertain", False),
        (Reply(200), "uncertain", False),
        (Reply(503), "temporary", False),
        (Reply(drop=True), "uncertain", False),
    ],
)
async def test_what_answers_mean(reply: Reply, ending: str, dead: bool) -> None:
    async with gateway(lambda request: reply) as server:
        outcome = await send(server.url)
    assert (outcome.ending, outcome.address_dead) == (ending, dead)
    assert "+86" not in outcome.detail


def call(told: Any, key: str | None = None) -> ReceiptCall:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return ReceiptCall("https://x", {"key": receipt_key(SECRET) if key is None else key}, {}, body)


async def test_reports() -> None:
    report = {
        "phone_number": "13800138000",
        "success": True,
        "err_code": "DELIVERED",
        "biz_id": "B1",
        "out_id": str(ID),
    }
    lost = {"phone_number": "13800138001", "success": False, "err_code": "MK:0012", "biz_id": "B2", "out_id": "theirs"}
    async with channel() as opened:
        assert opened.receipts(call([report, lost])) == [
            Receipt("delivered", "aliyun DELIVERED", ID, "B1"),
            Receipt("bounced", "aliyun", None, "B2"),
        ]
        with pytest.raises(Forged):
            opened.receipts(call([report], key=""))
        with pytest.raises(Unreadable):
            opened.receipts(call(b"[{}]"))
        assert await opened.ask(str(ID)) is None
    assert opened.acknowledgement["code"] == 0


async def test_the_documented_sample_is_understood(shared: Path) -> None:
    sample = (shared / "data/payloads/sms/aliyun_SmsReport_callback.doc.json").read_bytes()
    async with channel() as opened:
        [receipt] = opened.receipts(call(sample))
    assert (receipt.state, receipt.delivery, receipt.reference) == ("delivered", None, "12345********")
