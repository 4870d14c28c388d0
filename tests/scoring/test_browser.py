"""The survey page in a real Chromium: with and without JavaScript, by keyboard alone, on the smallest phone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from scoring.palette import contrast
from services.contracts.questionnaire import Locale
from tests.scoring.questionnaires import policy, questionnaire, scale, text, words, yesno
from tests.scoring.stage import Stage, approved
from tests.scoring.test_pages import PACKS
from tests.services.waiting import until

PHONE, DESK = {"width": 320, "height": 568}, {"width": 1280, "height": 900}
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
OFFLINE = ("--disable-component-update", "--disable-sync")
TARGET, GOOD_TARGET = 24, 44

# Every piece of text with its colour and the first opaque background behind it.
TEXTS = """() => {
  const opaque = color => { const n = color.match(/[\\d.]+/g).map(Number); return n.length < 4 || n[3] === 1 };
  const hex = color => '#' + color.match(/\\d+/g).slice(0, 3).map(n => (+n).toString(16).padStart(2, '0')).join('');
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), parent = walker.currentNode.parentElement;
    if (!text || !parent.checkVisibility() || parent.closest('.out')) continue;
    let behind = parent;
    while (behind.parentElement && !opaque(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    found.push([text, hex(getComputedStyle(parent).color), hex(getComputedStyle(behind).backgroundColor)]);
  }
  return found;
}"""


@pytest.fixture
async def address(stage: Stage) -> AsyncIterator[str]:
    """The room on a port of its own."""
    config = uvicorn.Config(stage.app, port=0, log_config=None, lifespan="off", server_header=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*QUIET, *OFFLINE])
        yield browser
        await browser.close()


async def open_page(browser: Browser, url: str, viewport: Any = DESK, *, script: bool = True) -> tuple[Page, list[str]]:
    """A customer's browser on a page, and what it complains about."""
    context = await browser.new_context(viewport=viewport, java_script_enabled=script, reduced_motion="reduce")
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    await page.goto(url)
    return page, complaints


async def choose(page: Page, name: str, value: str) -> None:
    """A tap on what the customer sees of a control."""
    await page.locator(f'label:has(input[name="{name}"][value="{value}"])').click()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
async def test_a_customer_answers_and_corrects(stage: Stage, address: str, browser: Browser, script: bool) -> None:
    survey = await stage.open()
    page, complaints = await open_page(browser, address + stage.link(survey) + "?score=4", PHONE, script=script)
    await expect(page.locator('input[name="overall"][value="4"]')).to_be_checked()
    await choose(page, "overall", "5")
    await choose(page, "attitude", "4")
    await choose(page, "speed", "X")
    await choose(page, "solved", "yes")
    await page.get_by_label("Tell us about comment.").fill("很好 👍")
    await page.get_by_role("button", name="Send my answers").click()
    await expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    await page.get_by_role("link", name="Change my answers").click()
    await expect(page.locator('input[name="overall"][value="5"]')).to_be_checked()
    await choose(page, "overall", "3")
    await page.get_by_role("button", name="Save changes").click()
    await expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    first, second = await stage.said()
    assert (first.values["overall"], second.values["overall"], second.values["attitude"]) == (5, 3, 4)
    assert second.commented
    await page.reload()
    assert len(await stage.said()) == 2
    assert complaints == []


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
async def test_a_low_score_opens_the_question_why(stage: Stage, address: str, browser: Browser, script: bool) -> None:
    page, _ = await open_page(browser, address + stage.link(await stage.open()), PHONE, script=script)
    why = page.get_by_label("Tell us about reason.")
    await expect(why).to_be_hidden()
    await choose(page, "overall", "2")
    await expect(why).to_be_visible()
    await expect(why.locator("..").get_by_text("Only if you")).to_be_hidden()
    await choose(page, "overall", "4")
    await expect(why).to_be_hidden()
    await choose(page, "overall", "1")
    await page.get_by_role("button").click()
    await expect(page).to_have_title("Error: How did we do? · Customer Service")
    await expect(why).to_be_visible()
    await why.fill("slow")
    await page.get_by_role("button").click()
    await expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()


async def test_errors_take_the_focus_and_lead_to_their_place(stage: Stage, address: str, browser: Browser) -> None:
    page, _ = await open_page(browser, address + stage.link(await stage.open()), script=False)
    await page.get_by_role("button").click()
    alert = page.get_by_role("alert")
    await expect(alert).to_be_focused()
    await alert.get_by_role("link", name="Choose an answer").click()
    first = page.locator('input[name="overall"]').first
    await expect(first).to_be_focused()
    await expect(first).to_be_in_viewport()
    group = page.get_by_role("group", name="How was overall? Required")
    await expect(group).to_have_accessible_description("Error: Choose an answer")


async def test_the_keyboard_alone_is_enough(stage: Stage, address: str, browser: Browser) -> None:
    page, _ = await open_page(browser, address + stage.link(await stage.open()), script=False)
    keys = page.keyboard

    async def tab_to(target: Locator) -> None:
        for _ in range(40):
            await keys.press("Tab")
            if await target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError("the keyboard never got there")

    overall = page.locator('input[name="overall"]')
    await tab_to(overall.first)
    await keys.press("Space")
    await keys.press("ArrowDown")
    await expect(overall.nth(1)).to_be_checked()
    ring = await overall.nth(1).evaluate("input => getComputedStyle(input.nextElementSibling).outline")
    assert "3px" in ring
    assert "solid" in ring
    await tab_to(page.locator('input[name="topics"]').first)
    await keys.press("Space")
    await tab_to(page.get_by_label("Tell us about comment."))
    await keys.type("by keyboard")
    await tab_to(page.get_by_role("button"))
    await keys.press("Enter")
    await expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    (given,) = await stage.said()
    assert (given.values["overall"], given.values["topics.speed"], given.commented) == (4, 1, True)


async def test_a_screen_reader_hears_every_question_with_its_answers(
    stage: Stage, address: str, browser: Browser
) -> None:
    page, _ = await open_page(browser, address + stage.link(await stage.open(locale="zh-CN")))
    for question, answer in (
        ("How was overall?（中） 必答", "非常满意"),
        ("How was speed?（中）", "满意"),
        ("How was speed?（中）", "不适用"),
        ("How was attitude?（中）", "4 ★ 满意"),
        ("How was friend?（中）", "10"),
        ("Did solved work?（中）", "是"),
    ):
        group = page.get_by_role("group", name=question, exact=True)
        await expect(group.get_by_role("radio", name=answer, exact=True)).to_have_count(1)
    band = page.get_by_role("group", name="How was skill?（中）").get_by_role("group", name="不满意", exact=True)
    await expect(band.get_by_role("radio")).to_have_count(2)
    await expect(page.get_by_role("group", name="Which topics?（中）")).to_have_accessible_description("可多选")
    await expect(page.get_by_role("textbox", name="Tell us about comment.（中）")).to_have_accessible_description(
        "请不要写姓名、电话等个人信息。"
    )
    for landmark in ("banner", "main"):
        await expect(page.get_by_role(landmark)).to_have_count(1)
    await expect(page.get_by_role("heading", level=1)).to_have_count(1)


TOLD = questionnaire(
    scale("effort", "ces", help=words("Think of the last call."), ends={"worst": words("hard"), "best": words("easy")}),
    yesno("eats", required=True),
    scale("taste", "faces", required=True, na=True, ask_when={"eats": (True,)}),
    text("comment", help=words("In your own words.")),
)


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("locale", ["zh", "en"])
async def test_everything_that_the_language_says_is_on_the_page(
    stage: Stage, address: str, browser: Browser, viewport: Any, locale: Locale
) -> None:
    told = TOLD.model_copy(update={"thanks": words("See you.")})
    await stage.hear(approved(policy(told), 3))
    link = f"{address}{stage.link(await stage.open(version=3))}?lang={locale}"
    page, complaints = await open_page(browser, link, viewport, script=False)
    effort = page.get_by_role("group", name=words("How was effort?").say(locale), exact=True)
    ends = f"{words('hard').say(locale)} 7 · {words('easy').say(locale)}"
    await expect(effort).to_have_accessible_description(f"{words('Think of the last call.').say(locale)} 1 · {ends}")
    await expect(page.get_by_text(words("In your own words.").say(locale))).to_be_visible()
    taste = page.locator("#f-taste")
    await expect(taste).to_be_hidden()
    await choose(page, "eats", "yes")
    await expect(taste).to_be_visible()
    await page.get_by_role("button").click()
    await expect(page.get_by_role("alert").get_by_role("link")).to_have_count(1)
    await expect(taste).to_be_visible()
    await choose(page, "taste", "X")
    await page.get_by_role("button").click()
    await expect(page.get_by_text(words("See you.").say(locale))).to_be_visible()
    assert all("422" in each for each in complaints)


async def test_a_part_that_nobody_is_asked_has_no_title(stage: Stage, address: str, browser: Browser) -> None:
    nodes = {each: {"title": words(each)} for each in ("house", "food")}
    asked = questionnaire(
        *(scale(f"h{number}", dimension="house") for number in range(4)),
        yesno("eats"),
        text("between"),
        *(scale(f"e{number}", dimension="food", ask_when={"eats": (True,)}) for number in range(2)),
    )
    await stage.hear(approved(policy(asked, dimensions=nodes), 4))
    page, _ = await open_page(browser, address + stage.link(await stage.open(version=4)), script=False)
    await expect(page.get_by_role("region", name="house")).to_be_visible()
    food = page.get_by_role("region", name="food")
    await expect(food).to_be_hidden()
    await choose(page, "eats", "yes")
    await expect(food).to_be_visible()
    await expect(food.get_by_role("heading", name="food")).to_be_visible()


async def questionnaires(stage: Stage) -> list[tuple[str, UUID]]:
    """A survey for every questionnaire of every pack, and one that has every kind of item."""
    found = [("every kind", await stage.open())]
    for pack in PACKS:
        await stage.hear(approved(pack))
        found += [
            (f"{pack.policy}/{name}", await stage.open(policy=pack.policy, questionnaire=name))
            for name in pack.questionnaires
        ]
    return found


async def test_every_page_fits_the_smallest_phone_and_is_easy_to_hit(
    stage: Stage, address: str, browser: Browser
) -> None:
    page, complaints = await open_page(browser, "about:blank", PHONE)
    for name, survey in await questionnaires(stage):
        for locale in ("zh", "en"):
            await page.goto(f"{address}{stage.link(survey)}?lang={locale}")
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], (name, locale, width)
            small = await page.evaluate(
                """least => [...document.querySelectorAll('.o > span, a, button, textarea')].filter(each => {
                  const box = each.getBoundingClientRect();
                  return each.checkVisibility() && (box.height < least[1] || box.width < least[0]);
                }).map(each => each.textContent)""",
                [TARGET, GOOD_TARGET],
            )
            assert small == [], (name, locale)
    assert complaints == []


@pytest.mark.parametrize("color", ["#0b5cad", "#767676", "#000000", "#b00020", "#8a5300"])
async def test_all_text_can_be_read(stage: Stage, address: str, browser: Browser, color: str) -> None:
    brand = {"name": {"zh": "服务台", "en": "Desk"}, "color": color}
    await stage.hear(approved(policy(brand=brand), 7))
    survey = await stage.open(version=7)
    page, complaints = await open_page(browser, address + stage.link(survey) + "?score=1")
    for name, value in (("friend", "8"), ("speed", "5"), ("attitude", "3"), ("skill", "9"), ("topics", "price")):
        await choose(page, name, value)
    await _is_readable(page)
    await page.get_by_role("button").click()
    await _is_readable(page)
    await page.get_by_label("Tell us about reason.").fill("slow")
    await page.get_by_role("button").click()
    await expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    await _is_readable(page)
    assert all("422" in each for each in complaints)


async def _is_readable(page: Page) -> None:
    texts = await page.evaluate(TEXTS)
    assert texts
    faint = [(text, color, behind) for text, color, behind in texts if contrast(color, behind) < 4.5]
    assert faint == []


async def test_a_scanner_that_runs_a_whole_browser_votes_for_nothing(
    stage: Stage, address: str, browser: Browser
) -> None:
    survey = await stage.open()
    for score in range(1, 6):
        page, _ = await open_page(browser, f"{address}{stage.link(survey)}?score={score}")
        await page.wait_for_load_state("networkidle")
        await page.context.close()
    assert await stage.rows("response") == []
    page, _ = await open_page(browser, address + stage.link(survey))
    await choose(page, "overall", "3")
    await page.get_by_role("button").click()
    await expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    (given,) = await stage.said()
    assert given.values["overall"] == 3


async def test_the_security_policy_is_alive(stage: Stage, address: str, browser: Browser) -> None:
    page, complaints = await open_page(browser, address + stage.link(await stage.open()))
    assert complaints == []
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\" onclick=\"x()\">x</p>')")
    await page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'x()'}))")
    await until(lambda: len([each for each in complaints if "Content Security Policy" in each]) >= 2)
