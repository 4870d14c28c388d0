"""The mailbox as people see it: in Chromium, on a phone and on a desktop, with and without JavaScript."""

import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Page, async_playwright

from services.embedded import mailbox
from services.embedded.mailbox_page import day_and_time, whole_time
from services.embedded.store import Message, insert_message
from services.house import House
from services.identifiers import uuid7
from services.run import running
from tests.processes import free_port

SURVEY = "/s/AbC-_9"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 820}


@pytest.fixture
async def address(mailbox_house: House) -> AsyncIterator[str]:
    """Where a mailbox serves."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as mails:
        async with (
            mailbox.open_mailbox(mailbox_house, mails) as room,
            running(mailbox_house, (), port, public=(*mailbox.PUBLIC, "/s/"), further=[room]),
        ):
            yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def keep(house: House, address: str, channel: str, to: str, subject: str | None, text: str) -> None:
    """Puts a message into the mailbox."""
    link = f"{address}{SURVEY}"
    page = f"<head><style>p{{color:red}}</style></head><p>{text}</p><a href='{link}'>answer</a><script>x=1</script>"
    message = Message(
        id=uuid7(),
        channel="sms" if channel == "sms" else "email",
        recipient=to,
        sender="客户服务中心 <satisfaction@example.com>",
        subject=subject,
        text=f"{text} {link}",
        html=page if channel == "email" else None,
        links=[link],
        sent_at=house.clock.now(),
    )
    async with house.database.transaction("mailbox") as transaction:
        await insert_message(transaction, message, str(message.id))


@pytest.fixture
async def filled(mailbox_house: House, address: str) -> str:
    """The address of a mailbox with a mail and an SMS, each with words that are too long for a phone."""
    for number in range(20):
        await keep(mailbox_house, address, "sms", "+447700900001", None, f"【客户服务中心】第{number}条")
    long = "Wordwithoutend" * 20
    await keep(mailbox_house, address, "email", f"{'a' * 60}@example.com", f"How did we do? {long}", f"Hello {long}")
    await keep(mailbox_house, address, "sms", "+447700900002", None, f"请评价 {long}")
    return address


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize("size", [PHONE, DESKTOP, {"width": 320, "height": 600}], ids=["phone", "desktop", "small"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_fits_the_screen(browser: Browser, filled: str, size: dict[str, int], language: str) -> None:
    page = await browser.new_page(viewport={"width": size["width"], "height": size["height"]})
    messages = await (await page.request.get(f"{filled}/mailbox/messages")).json()
    for path in ("", f"/{messages[-2]['id']}", f"/{messages[-2]['id']}?view=text", f"/{messages[-1]['id']}"):
        await page.goto(f"{filled}/mailbox{path}{'&' if '?' in path else '?'}lang={language}")
        assert await fits(page), path
    await page.close()


async def test_a_phone_shows_the_list_or_the_message_and_a_desktop_both(browser: Browser, filled: str) -> None:
    for size, both in ((PHONE, False), (DESKTOP, True)):
        page = await browser.new_page(viewport={"width": size["width"], "height": size["height"]})
        await page.goto(f"{filled}/mailbox?lang=en")
        await page.get_by_text("How did we do?").first.click()
        assert await page.locator("article h1").is_visible()
        assert await page.locator(".list").is_visible() is both
        assert await page.get_by_role("link", name="All messages").is_visible() is not both
        await page.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_a_link_in_a_mail_opens_the_survey_in_a_new_tab(browser: Browser, filled: str, scripts: bool) -> None:
    context = await browser.new_context(java_script_enabled=scripts)
    page = await context.new_page()
    await page.goto(f"{filled}/mailbox?lang=en")
    await page.get_by_text("How did we do?").first.click()
    mail = page.frame_locator("iframe")
    async with context.expect_page() as opened:
        await mail.get_by_role("link", name="answer").click()
    survey = await opened.value
    assert survey.url == f"{filled}{SURVEY}"
    assert page.url.startswith(f"{filled}/mailbox/")
    async with context.expect_page() as opened:
        await page.get_by_role("link", name="Open the survey").click()
    assert (await opened.value).url == f"{filled}{SURVEY}"
    await context.close()


async def test_no_script_of_a_mail_runs_and_its_style_does(browser: Browser, filled: str) -> None:
    page = await browser.new_page()
    await page.goto(f"{filled}/mailbox?lang=en")
    await page.get_by_text("How did we do?").first.click()
    paragraph = page.frame_locator("iframe").locator("p")
    assert await paragraph.evaluate("each => getComputedStyle(each).color") == "rgb(255, 0, 0)"
    assert await paragraph.evaluate("() => typeof x") == "undefined"
    await page.close()


async def test_new_messages_appear_by_themselves(browser: Browser, filled: str, mailbox_house: House) -> None:
    page = await browser.new_page()
    await page.goto(f"{filled}/mailbox?lang=en")
    assert await page.get_by_role("status").inner_text() == "1 mail · 21 SMS"
    await keep(mailbox_house, filled, "sms", "+447700900003", None, "News")
    await page.get_by_text("+447700900003").wait_for(timeout=15_000)
    assert await page.get_by_role("status").inner_text() == "1 mail · 22 SMS"
    await page.close()


async def test_an_empty_mailbox_says_what_will_come(browser: Browser, address: str) -> None:
    page = await browser.new_page()
    await page.goto(f"{address}/mailbox?lang=zh")
    assert await page.get_by_text("还没有消息").is_visible()
    assert await fits(page)
    await page.close()


def test_times_are_those_of_the_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        at = datetime(2026, 3, 1, 16, 5, tzinfo=UTC)
        assert whole_time(at, "zh") == "2026年3月2日 周一 00:05（UTC+08:00）"
        assert whole_time(at, "en") == "Mon 2 Mar 2026 00:05 (UTC+08:00)"
        assert day_and_time(at, "zh") == "3月2日 00:05"
        assert day_and_time(at, "en") == "2 Mar 00:05"
    finally:
        monkeypatch.undo()
        time.tzset()
