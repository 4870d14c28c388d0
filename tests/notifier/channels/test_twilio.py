import asyncio
import base64
from urllib.parse import urlencode
from uuid import UUID

import pytest

from notifier.channels.receipts import Forged, ReceiptCall, Unreadable
from notifier.channels.twilio import TwilioChannel, signature
from notifier.delivery import Outcome, Receipt
from notifier.message import Text
from tests.notifier.servers import Reply, gateway

ID = UUID("0195a000-0000-7000-8000-000000000001")
TEXT = Text("+8613800138000", str(ID), "请评价 https://hf.example.cn/s/a", "https://hf.example.cn/s/a", 1)
CALLBACK = "https://hf.example.cn/hooks/receipts/twilio"
SECRET = "auth-token"


def channel(api: str = "http://127.0.0.1:1", sender: str = "+15005550006") -> TwilioChannel:
    return TwilioChannel(api=api, account="AC1", secret=SECRET, sender=sender, callback=CALLBACK)


async def send(api: str, sender: str = "+15005550006") -> Outcome:
    async with channel(api, sender) as opened:
        return await opened.send(TEXT, asyncio.get_running_loop().time() + 5)


async def test_the_protocol() -> None:
    async with gateway(lambda request: Reply(201, {"sid": "SM1", "status": "queued"})) as server:
        assert await send(server.url) == Outcome("accepted", "twilio 201", "SM1")
        await send(server.url, "MG1")
    number, service = server.requests
    assert (number.method, number.path) == ("POST", "/2010-04-01/Accounts/AC1/Messages.json")
    assert number.headers["authorization"] == "Basic " + base64.b64encode(f"AC1:{SECRET}".encode()).decode()
    assert number.headers["content-type"] == "application/x-www-form-urlencoded"
    assert number.form == {
        "To": TEXT.recipient,
        "From": "+15005550006",
        "Body": TEXT.text,
        "StatusCallback": f"{CALLBACK}?delivery={ID}",
    }
    assert "From" not in service.form
    assert service.form["MessagingServiceSid"] == "MG1"


@pytest.mark.parametrize(
    ("reply", "ending", "dead"),
    [
        (Reply(400, {"code": 21211, "message": "The 'To' number +86 is not valid"}), "permanent", True),
        (Reply(400, {"code": 21610}), "permanent", True),
        (Reply(400, {"code": 21408}), "permanent", False),
        (Reply(401, {"code": 20003}), "temporary", False),
        (Reply(429, {"code": 20429}), "temporary", False),
        (Reply(503), "temporary", False),
        (Reply(504), "uncertain", False),
        (Reply(drop=True), "uncertain", False),
    ],
)
async def test_what_answers_mean(reply: Reply, ending: str, dead: bool) -> None:
    async with gateway(lambda request: reply) as server:
        outcome = await send(server.url)
    assert (outcome.ending, outcome.address_dead) == (ending, dead)
    assert "+86" not in outcome.detail


def test_the_signature_of_twilio_s_own_documentation() -> None:
    parameters = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("Digits", "1234"),
        ("From", "+14158675310"),
        ("To", "+18005551212"),
    ]
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, list(reversed(parameters))) == "GvWf1cFY/Q7PnoempGyD5oXAezc="


def call(secret: str = SECRET, url: str = f"{CALLBACK}?delivery={ID}", **fields: str) -> ReceiptCall:
    headers = {"x-twilio-signature": signature(secret, url, list(fields.items()))}
    query = {"delivery": url.rpartition("=")[2]} if "?" in url else {}
    return ReceiptCall(url, query, headers, urlencode(fields).encode())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", "accepted"),
        ("sent", "accepted"),
        ("delivered", "delivered"),
        ("undelivered", "bounced"),
        ("failed", "bounced"),
    ],
)
async def test_status_callbacks(status: str, state: str) -> None:
    async with channel() as opened:
        [receipt] = opened.receipts(call(MessageSid="SM1", MessageStatus=status, ErrorCode="30003", Extra="field"))
        assert receipt == Receipt(state, f"twilio {status} 30003", ID, "SM1")  # type: ignore[arg-type]


async def test_what_a_callback_must_not_do() -> None:
    async with channel() as opened:
        assert opened.receipts(call(MessageSid="SM1", MessageStatus="receiving")) == []
        with pytest.raises(Forged):
            opened.receipts(call(secret="guess", MessageSid="SM1", MessageStatus="delivered"))
        genuine = call(MessageSid="SM1", MessageStatus="delivered")
        with pytest.raises(Forged):
            opened.receipts(ReceiptCall(f"{CALLBACK}?delivery={UUID(int=1)}", {}, genuine.headers, genuine.body))
        with pytest.raises(Unreadable):
            opened.receipts(ReceiptCall(CALLBACK, {}, {}, b"\xff"))


async def test_it_cannot_be_asked() -> None:
    async with channel() as opened:
        assert await opened.ask(str(ID)) is None
