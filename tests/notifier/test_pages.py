import base64
import hashlib
import re
from typing import Any

import pytest
from httpx import Response

from notifier.matter import matter_of
from notifier.pages import prepare_mail
from notifier.wording import compose_letter
from services.auth import Role
from services.contracts.deliveries import OptedOut
from services.contracts.questionnaire import LOCALES, Locale
from services.contracts.surveys import SurveyDue
from tests.notifier.rules import policy
from tests.notifier.servers import MailServer
from tests.notifier.stage import Stage
from tests.notifier.test_message import body, fill, parsed, recipient

TICKET = matter_of(policy(), "incident", "INC1")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("scale", ["likert5", "ten-bands", "nps", "stars", "faces"])
def test_a_mail_in_its_form(locale: Locale, scale: str) -> None:
    letter = compose_letter(policy(scale=scale), "incident", "first", locale, matter=TICKET)
    message = parsed(fill(prepare_mail(letter, "care@example.com"), recipient(name="<u>&", ticket="<i>")))
    html, text = body(message, "html"), body(message, "plain")
    page = "https://survey.example.com/s/" + "a" * 27
    for choice in letter.choices:
        assert f'href="{page}?score={choice.value}"' in html
        assert html.count(f">{choice.value if letter.ends else choice.label}</a>") == 1
    assert f'href="{page}"' in html
    assert f'href="https://survey.example.com/u/{"b" * 27}"' in html
    assert "<u>" not in html
    assert "&lt;u&gt;&amp;" in html
    assert ("Cloud &amp; Desk" in html) == (locale == "en")
    assert "<u>&" in text
    assert text.count(page) == (1 if letter.ends else 6)
    assert "<script" not in html
    assert "http" not in re.sub(r'href="[^"]*"', "", html)
    assert "\n\n\n" not in text


def test_own_words_keep_their_lines_and_get_their_links() -> None:
    letter = compose_letter(policy(own_words=True), "incident", "first", "en", matter=TICKET)
    message = parsed(fill(prepare_mail(letter, "care@example.com"), recipient()))
    page, opt_out = "https://survey.example.com/s/" + "a" * 27, "https://survey.example.com/u/" + "b" * 27
    assert f'Please click <a href="{page}">{page}</a><br>or decline: <a href="{opt_out}">{opt_out}</a>' in body(
        message, "html"
    )
    assert f"Please click {page}\nor decline: {opt_out}\n" in body(message, "plain")
    assert message["Subject"] == "Cloud & Desk asks 李雷"


async def planned(stage: Stage, **contact: Any) -> tuple[SurveyDue, str]:
    due = await stage.due(contact=await stage.contact("li@example.com", **contact))
    await stage.hear(due)
    return due, f"/u/{stage.house.seal.link_token('opt-out', due.survey)}"


async def get(stage: Stage, path: str, **headers: str) -> Response:
    async with stage.client() as client:
        return await client.get(path, headers=headers)


async def post(stage: Stage, path: str, headers: dict[str, str] | None = None, **form: str) -> Response:
    async with stage.client() as client:
        return await client.post(path, data=form, headers=headers)


async def test_the_page_offers_both_choices_in_the_person_s_language(stage: Stage) -> None:
    _, path = await planned(stage)
    page = await get(stage, path, **{"accept-language": "en"})
    assert page.status_code == 200
    assert '<html lang="zh-CN">' in page.text
    assert "云服务中心" in page.text
    assert page.text.count("<button") == 2
    assert "<script" not in page.text
    _, english = await planned(stage, locale="en-GB")
    assert "Never ask me again" in (await get(stage, english)).text


async def test_the_page_is_locked_up(stage: Stage) -> None:
    _, path = await planned(stage)
    page = await get(stage, path)
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy_header = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy_header
    assert f"'sha256-{digest}'" in policy_header
    assert "unsafe" not in policy_header
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "style=" not in page.text


async def test_looking_changes_nothing(stage: Stage) -> None:
    _, path = await planned(stage)
    async with stage.client() as client:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
            for query in ("", "?choice=all", "?List-Unsubscribe=One-Click"):
                response = await client.request(method, path + query, headers={"purpose": "prefetch"})
                assert response.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert await stage.said() == []
    await stage.send()
    assert (await stage.delivery())["state"] == "accepted"


@pytest.mark.parametrize("multipart", [False, True])
async def test_one_click_opts_out_for_good(stage: Stage, server: MailServer, multipart: bool) -> None:
    due, path = await planned(stage)
    form = {"List-Unsubscribe": "One-Click"}
    async with stage.client() as client:
        response = await client.post(
            path, **({"files": {k: (None, v) for k, v in form.items()}} if multipart else {"data": form})
        )
    assert response.status_code == 200
    [said] = await stage.said()
    assert said == OptedOut(person=due.contact.person, survey=due.survey, scope="all", opted_out_at=stage.clock.now())
    await stage.hear(await stage.due(contact=due.contact), await stage.due("call", contact=due.contact))
    await stage.send()
    assert {row["detail"] for row in await stage.deliveries()} == {"opted out"}
    assert await stage.calls() == []
    assert not server.mails


async def test_declining_once_concerns_this_survey_only(stage: Stage, server: MailServer) -> None:
    due, path = await planned(stage)
    assert "这一次" in (await post(stage, path, choice="survey")).text
    other = await stage.due(contact=due.contact)
    await stage.hear(other)
    await stage.send()
    states = {row["survey"]: row["state"] for row in await stage.deliveries()}
    assert states == {due.survey: "suppressed", other.survey: "accepted"}
    again = await get(stage, path)
    assert again.text.count("<button") == 1


async def test_a_refusal_is_said_once(stage: Stage) -> None:
    _, path = await planned(stage)
    for choice in ("survey", "survey", "all", "all", "survey"):
        assert (await post(stage, path, choice=choice)).status_code == 200
    scopes = [each.scope for each in await stage.said() if isinstance(each, OptedOut)]
    assert scopes == ["survey", "all"]
    page = await get(stage, path)
    assert "<button" not in page.text


@pytest.mark.parametrize("form", [{}, {"choice": "everything"}, {"List-Unsubscribe": "maybe"}])
async def test_a_form_that_says_nothing_is_shown_again(stage: Stage, form: dict[str, str]) -> None:
    _, path = await planned(stage)
    response = await post(stage, path, None, **form)
    assert (response.status_code, response.text.count("<button")) == (422, 2)
    assert await stage.said() == []


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
async def test_another_site_cannot_choose(stage: Stage, headers: dict[str, str]) -> None:
    _, path = await planned(stage)
    response = await post(stage, path, headers, choice="all")
    assert (response.status_code, response.text.count("<button")) == (403, 2)
    assert await stage.said() == []


async def test_our_own_page_can(stage: Stage) -> None:
    _, path = await planned(stage)
    headers = {"origin": stage.house.settings.public_url, "sec-fetch-site": "same-origin"}
    assert (await post(stage, path, headers, choice="all")).status_code == 200
    assert len(await stage.said()) == 1


async def test_who_is_only_called_can_decline_on_the_survey_page_too(stage: Stage) -> None:
    due = await stage.due("call")
    await stage.hear(due)
    path = f"/u/{stage.house.seal.link_token('opt-out', due.survey)}"
    assert (await post(stage, path, choice="all")).status_code == 200
    assert await stage.calls() == []


async def test_what_a_mail_program_adds_to_a_link_is_taken_off(stage: Stage) -> None:
    _, path = await planned(stage)
    for tail in (".", ")", "%20", "。", ">,"):
        assert (await get(stage, path + tail)).status_code == 200
    assert (await get(stage, path.swapcase().replace("/U/", "/u/"))).status_code == 404


async def test_unknown_links_all_look_the_same(stage: Stage) -> None:
    pages = [await get(stage, f"/u/{token}") for token in ("x", "a" * 27, "%00", "a" * 2000, "'--", "测试")]
    pages += [await post(stage, "/u/" + "a" * 27, choice="all")]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1
    assert "There is no such page" in pages[0].text
    assert "没有这个页面" in (await get(stage, "/u/x", **{"accept-language": "zh-CN,zh;q=0.9"})).text


async def test_floods_are_refused(stage: Stage) -> None:
    _, path = await planned(stage)
    async with stage.client() as client:
        assert (await client.post(path, content=b"x" * 9000)).status_code == 413
        many = await client.post(path, data={f"field{number}": "x" for number in range(100)})
        assert many.status_code == 400
        broken = await client.post(path, content=b"--x", headers={"content-type": "multipart/form-data; boundary=y"})
        assert broken.status_code in (400, 422)
    assert await stage.said() == []


async def test_no_key_is_needed_and_none_helps(stage: Stage) -> None:
    _, path = await planned(stage)
    async with stage.client(await stage.key(Role.agent)) as client:
        assert (await client.get(path)).status_code == 200
