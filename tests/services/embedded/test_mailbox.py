import asyncio
import html
import re
import smtplib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from uuid import uuid4

import httpx
import pytest

from services.clock import DrivenClock
from services.embedded import mailbox, sms_sink
from services.house import House
from services.pulse import Pulse
from services.web import application

SURVEY = "http://127.0.0.1:8000/s/AbC-_9"
HOSTILE = "<img src=x onerror=alert(1)>"


class Box:
    """An open mailbox: a way in for mails, one for SMS, and a browser."""

    def __init__(self, house: House, port: int, browser: httpx.AsyncClient) -> None:
        self.house = house
        self.port = port
        self.browser = browser

    async def mail(self, to: str, subject: str, text: str, page: str | None = None) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "Service <service@example.com>", to, subject
        message.set_content(text)
        if page:
            message.add_alternative(page, subtype="html")

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as server:
                server.send_message(message)

        await asyncio.to_thread(send)

    async def sms(self, to: str, text: str, reference: str, secret: str | None = None) -> httpx.Response:
        secret = secret or sms_sink.gateway_secret(self.house.seal)
        return await self.browser.post(
            sms_sink.gateway_path(self.house.seal),
            json={"to": to, "text": text, "reference": reference},
            headers={"authorization": f"Bearer {secret}"},
        )

    async def messages(self) -> list[dict[str, object]]:
        answer = await self.browser.get("/mailbox/messages")
        assert answer.status_code == 200
        listed: list[dict[str, object]] = answer.json()
        return listed


@asynccontextmanager
async def open_box(house: House) -> AsyncIterator[Box]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with mailbox.open_mailbox(house, listening) as room:
            app = application(house, [room], Pulse(), mailbox.PUBLIC)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as browser:
                yield Box(house, listening.getsockname()[1], browser)


@pytest.fixture
async def box(mailbox_house: House) -> AsyncIterator[Box]:
    async with open_box(mailbox_house) as box:
        yield box


async def test_scripts_read_what_left_oldest_first(box: Box, clock: DrivenClock) -> None:
    began = clock.now()
    await box.mail("anna@example.com", "How did we do?", f"Answer: {SURVEY}", f'<a href="{SURVEY}?score=5">5</a>')
    clock.advance(timedelta(hours=1))
    assert (await box.sms("+447700900001", f"请评价：{SURVEY}", "r1")).status_code == 200
    mail, sms = await box.messages()
    assert set(mail) == {"id", "channel", "to", "subject", "text", "html", "links", "sent_at"}
    assert (mail["channel"], mail["to"], mail["subject"]) == ("email", "anna@example.com", "How did we do?")
    assert mail["links"] == [SURVEY, f"{SURVEY}?score=5"]
    assert datetime.fromisoformat(str(mail["sent_at"])) == began
    assert (sms["channel"], sms["to"], sms["text"]) == ("sms", "+447700900001", f"请评价：{SURVEY}")
    assert (sms["subject"], sms["html"], sms["links"]) == (None, None, [SURVEY])
    assert datetime.fromisoformat(str(sms["sent_at"])) == began + timedelta(hours=1)


async def test_the_same_mail_twice_is_shown_twice(box: Box) -> None:
    for _ in range(2):
        await box.mail("anna@example.com", "How did we do?", "Hello")
    assert len(await box.messages()) == 2


async def test_the_same_reference_is_one_sms(box: Box) -> None:
    answers = [await box.sms("+447700900001", "Hello", "r1") for _ in range(3)]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await box.messages()) == 1
    gateway, secret = sms_sink.gateway_path(box.house.seal), sms_sink.gateway_secret(box.house.seal)
    for reference, status in (("r1", "delivered"), ("r2", "unknown")):
        answer = await box.browser.get(f"{gateway}/{reference}", headers={"authorization": f"Bearer {secret}"})
        assert answer.json() == {"reference": reference, "status": status}


async def test_the_gateway_wants_path_and_secret(box: Box) -> None:
    assert (await box.sms("+447700900001", "Hello", "r1", secret="wrong")).status_code == 401
    secret = sms_sink.gateway_secret(box.house.seal)
    guessed = await box.browser.post(
        "/mailbox/sms/guess",
        json={"to": "+447700900001", "text": "Hello", "reference": "r1"},
        headers={"authorization": f"Bearer {secret}"},
    )
    assert guessed.status_code == 401
    assert await box.messages() == []


async def test_messages_stay_when_the_mailbox_is_opened_again(mailbox_house: House) -> None:
    async with open_box(mailbox_house) as box:
        await box.mail("anna@example.com", "How did we do?", "Hello")
        path = sms_sink.gateway_path(mailbox_house.seal)
    async with open_box(mailbox_house) as box:
        assert len(await box.messages()) == 1
        assert sms_sink.gateway_path(mailbox_house.seal) == path


async def test_everything_on_the_page_is_escaped(box: Box) -> None:
    await box.mail("anna@example.com", f"Subject {HOSTILE}", f"Text {HOSTILE}", f"<p>{HOSTILE}</p>")
    await box.sms("+447700900001", f"SMS {HOSTILE}", "r1")
    for message in await box.messages():
        for view in ("page", "text"):
            answer = await box.browser.get(f"/mailbox/{message['id']}", params={"view": view})
            assert "&lt;img src=x" in answer.text
            assert "<img src=x" not in answer.text


async def test_pages_run_only_our_script_and_mails_none(box: Box) -> None:
    await box.mail("anna@example.com", "Subject", "Text", "<head></head><p style='color:red'>Hello</p>")
    (message,) = await box.messages()
    page = (await box.browser.get("/mailbox")).headers["content-security-policy"]
    assert "default-src 'none'" in page
    assert "script-src 'self'" in page
    assert "unsafe" not in page
    mail = await box.browser.get(f"/mailbox/{message['id']}/html")
    assert "script-src" not in mail.headers["content-security-policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in mail.headers["content-security-policy"]
    assert '<head><base target="_blank"></head>' in mail.text


async def test_it_speaks_the_readers_language(box: Box) -> None:
    chinese = await box.browser.get("/mailbox", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert '<html lang="zh-CN">' in chinese.text
    assert "收件箱" in chinese.text
    assert '<html lang="en">' in (await box.browser.get("/mailbox", headers={"accept-language": "de"})).text
    assert '<html lang="en">' in (await box.browser.get("/mailbox?lang=en", headers={"accept-language": "zh"})).text


async def test_a_long_list_goes_on_on_further_pages(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "LIST_MOST", 3)
    for number in range(7):
        await box.sms("+447700900001", f"Message {number}", f"r{number}")
    seen: list[str] = []
    address: str | None = "/mailbox?lang=en"
    while address:
        page = (await box.browser.get(address)).text
        seen += re.findall(r'class="start">([^<]*)<', page)
        older = re.search(r'href="([^"]*)">Older<', page)
        address = html.unescape(older[1]) if older else None
        assert len(seen) <= 7
    assert seen == [f"Message {number}" for number in reversed(range(7))]


async def test_an_sms_stands_in_its_conversation(box: Box) -> None:
    await box.sms("+447700900001", "To the first", "r1")
    await box.sms("+447700900002", "To the second", "r2")
    await box.sms("+447700900001", "Once more to the first", "r3")
    first, _, _ = await box.messages()
    page = (await box.browser.get(f"/mailbox/{first['id']}")).text
    conversation = page.split('class="bubbles"')[1]
    assert "To the first" in conversation
    assert "Once more to the first" in conversation
    assert "To the second" not in conversation


@pytest.mark.parametrize("path", [f"/mailbox/{uuid4()}", f"/mailbox/{uuid4()}/html", "/mailbox/none.css"])
async def test_what_is_not_there(box: Box, path: str) -> None:
    assert (await box.browser.get(path)).status_code == 404


@pytest.mark.parametrize("name", ["style.css", "live.js", "icon.svg"])
async def test_the_pages_files(box: Box, name: str) -> None:
    answer = await box.browser.get(f"/mailbox/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(("text/css", "text/javascript", "image/svg+xml"))


async def test_a_mail_that_cannot_be_kept_is_refused_for_now(box: Box) -> None:
    await box.house.database.close()
    with pytest.raises(smtplib.SMTPDataError, match="451"):
        await box.mail("anna@example.com", "Subject", "Text")
