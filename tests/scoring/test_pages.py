import asyncio
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY

from services.contracts.policy import Policy, parse_policy
from services.contracts.questionnaire import LOCALES
from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.surveys import SurveyEnd
from tests.scoring.questionnaires import EVERY_KIND, policy, words
from tests.scoring.stage import Stage, approved, checked_in, nonce_in

GOOD: dict[str, str | list[str]] = {"overall": "5", "speed": "X", "solved": "yes"}
POLICIES = Path(__file__).parents[2] / "policies"
PACKS = [parse_policy(pack.read_text(), pack.name) for pack in sorted(POLICIES.glob("*.yaml"))]

TABLES = ("policy", "page", "survey_end", "response", "response_version", "outbox")


async def everything(stage: Stage) -> list[tuple[object, ...]]:
    return [(table, *row) for table in TABLES for row in await stage.rows(table)]


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_the_page_tells_purpose_and_promise_before_it_asks(stage: Stage) -> None:
    page = await stage.look(await stage.open())
    assert page.status_code == 200
    assert page.text.index("Your answers stay confidential.") < page.text.index("<form")
    assert '<html lang="en">' in page.text
    assert "<title>How did we do? · Customer Service</title>" in page.text
    assert "Ticket <bdi>OPS-1</bdi>" in page.text


async def test_headers_keep_the_page_to_its_reader(stage: Stage) -> None:
    survey = await stage.open()
    for page in (
        await stage.look(survey),
        await stage.look(UUID(int=404)),
        await stage.send(survey, {}),
        await stage.send(survey, GOOD),
    ):
        headers = page.headers
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-robots-tag"] == "noindex, nofollow"
        allowed = headers["content-security-policy"]
        assert allowed.startswith("default-src 'none'; style-src 'sha256-")
        for rule in ("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert rule in allowed
        assert "unsafe" not in allowed
        assert "set-cookie" not in headers


async def test_no_page_carries_a_script_an_inline_style_or_anything_from_elsewhere(stage: Stage) -> None:
    survey = await stage.open()
    for page in (await stage.look(survey), await stage.send(survey, {}), await stage.send(survey, GOOD)):
        assert not re.search(r"<script|<iframe|<img|<object|\son[a-z]+=|\sstyle=|javascript:", page.text)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page.text)
        assert len(page.content) <= 30_000


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.policy)
async def test_every_page_of_every_pack_fits_into_thirty_kilobytes(stage: Stage, pack: Policy) -> None:
    await stage.hear(approved(pack))
    for name in pack.questionnaires:
        survey = await stage.open(policy=pack.policy, questionnaire=name)
        for locale in LOCALES:
            page = await stage.look(survey, f"?lang={locale}")
            assert (page.status_code, len(page.content) <= 30_000) == (200, True), (name, len(page.content))


async def test_each_language_has_its_own_page_and_a_way_to_the_other(stage: Stage) -> None:
    survey = await stage.open(locale="zh-CN")
    page = await stage.look(survey, "?score=4")
    assert '<html lang="zh-CN">' in page.text
    assert page.headers["content-language"] == "zh-CN"
    assert 'href="?lang=en&amp;score=4" lang="en" hreflang="en">English</a>' in page.text
    other = await stage.look(survey, "?lang=en")
    assert '<html lang="en">' in other.text
    assert 'href="?lang=zh" lang="zh-CN"' in other.text
    assert "?lang=en" in re.findall(r'action="([^"]+)"', other.text)[0]
    unknown = await stage.look(survey, "?lang=../../etc")
    assert '<html lang="zh-CN">' in unknown.text


async def test_the_way_out_is_the_notifiers(stage: Stage) -> None:
    survey = await stage.open()
    page = await stage.look(survey)
    assert f'href="/u/{stage.house.seal.link_token("opt-out", survey)}"' in page.text


@pytest.mark.parametrize(
    ("query", "checked"),
    [
        ("?score=4", {"overall": ["4"]}),
        ("?score=1", {"overall": ["1"]}),
        ("?score=9", {}),
        ("?score=-1", {}),
        ("?score=4&score=5", {"overall": ["5"]}),
        ('?score="><script>', {}),
        ("?score=X", {}),
        ("?overall=4", {}),
        ("?rating=1", {}),
    ],
)
async def test_a_score_in_the_link_only_preselects(stage: Stage, query: str, checked: dict[str, list[str]]) -> None:
    survey = await stage.open()
    before = await everything(stage)
    page = await stage.look(survey, query)
    assert checked_in(page) == checked
    assert "<script" not in page.text
    assert await everything(stage) == before


async def test_looking_changes_nothing_at_all(stage: Stage) -> None:
    surveys = [await stage.open() for _ in range(3)]
    await stage.send(surveys[0], GOOD)
    before = await everything(stage)
    scanned = sample("huifang_scanner_visits_total")
    ways: list[tuple[str, dict[str, str]]] = [
        ("GET", {}),
        ("HEAD", {}),
        ("OPTIONS", {}),
        ("GET", {"purpose": "prefetch"}),
        ("GET", {"sec-purpose": "prefetch;prerender"}),
        ("GET", {"user-agent": "Slackbot-LinkExpanding 1.0"}),
        ("GET", {"user-agent": ""}),
        ("PUT", {}),
        ("DELETE", {}),
    ]
    visits = [
        stage.client.request(method, stage.link(survey) + f"?score={score}", headers=headers)
        for survey in surveys
        for score in (*range(-1, 7), "X")
        for method, headers in ways
    ]
    answers = await asyncio.gather(*visits)
    assert {answer.status_code for answer in answers} == {200, 405}
    assert await everything(stage) == before
    assert sample("huifang_scanner_visits_total") - scanned == 3 * 9 * 5


async def test_what_is_fetched_in_advance_is_empty(stage: Stage) -> None:
    survey = await stage.open()
    for page in (await stage.client.head(stage.link(survey)), await stage.look(survey, **{"sec-purpose": "prefetch"})):
        assert (page.status_code, page.content) == (200, b"")


async def test_a_real_answer_after_a_scanner_counts(stage: Stage) -> None:
    survey = await stage.open()
    for score in range(1, 6):
        await stage.look(survey, f"?score={score}", **{"user-agent": "Barracuda Sentinel"})
    assert (await stage.send(survey, GOOD)).status_code == 200
    (given,) = await stage.said()
    assert given.values["overall"] == 5


async def test_an_answer_is_kept_counted_and_thanked_for(stage: Stage) -> None:
    labels = {"survey": "incident", "channel": "self", "validity": "suspect"}
    before = sample("huifang_responses_total", **labels)
    survey = await stage.open()
    thanks = await stage.send(survey, {**GOOD, "comment": "<b>好</b>"})
    assert thanks.status_code == 200
    assert "Thank you!" in thanks.text
    (response,) = await stage.rows("response")
    (version,) = await stage.rows("response_version")
    assert (response["survey"], response["version"], response["satisfied"]) == (survey, 1, True)
    assert version["answers"] == '{"speed": "X", "solved": true, "overall": 5}'
    assert version["texts"] == '{"comment": "<b>好</b>"}'
    assert version["flags"] == ["incomplete"]
    assert sample("huifang_responses_total", **labels) == before + 1


@pytest.mark.parametrize("sent", ["0", "6", "-1", "3.5", "5 ", "٥", "", ["5", "1"]])
async def test_an_impossible_rating_brings_the_form_back(stage: Stage, sent: str | list[str]) -> None:
    survey = await stage.open()
    before = await everything(stage)
    page = await stage.send(survey, {"overall": sent, "solved": "yes", "comment": "</textarea><script>"})
    assert page.status_code == 422
    assert "<title>Error: How did we do?" in page.text
    assert 'href="#c-overall-0"' in page.text
    assert 'id="e-overall"' in page.text
    assert re.search(r'<fieldset class="card q bad" id="f-overall" aria-describedby="[^"]*e-overall', page.text)
    assert checked_in(page) == {"solved": ["yes"]}
    assert "&lt;/textarea&gt;&lt;script&gt;" in page.text
    assert await everything(stage) == before


async def test_mending_a_form_is_not_answering_too_fast(stage: Stage) -> None:
    survey = await stage.open()
    faulty = await stage.send(survey, {"overall": "1"})
    assert faulty.status_code == 422
    stage.clock.advance(timedelta(seconds=1))
    full = {"overall": "1", "reason": "slow", "speed": "2", "attitude": "3", "skill": "4", "quality": "6", "worth": "5"}
    sent = {**full, "friend": "5", "effort": "4", "solved": "no", "channel": "mail", "topics": "speed"}
    await stage.send(survey, sent, nonce_in(faulty))
    (version,) = await stage.rows("response_version")
    assert version["flags"] == []


async def test_an_answer_in_no_time_is_suspect(stage: Stage) -> None:
    survey = await stage.open()
    nonce = nonce_in(await stage.look(survey))
    stage.clock.advance(timedelta(seconds=5))
    await stage.send(survey, GOOD, nonce)
    (given,) = await stage.said()
    assert (given.validity, "too-fast" in given.flags) == ("suspect", True)


@pytest.mark.parametrize("nonce", ["", "0.0.0", "é", "a" * 5000])
async def test_a_form_without_its_nonce_is_refused_and_shown_again(stage: Stage, nonce: str) -> None:
    survey = await stage.open()
    page = await stage.send(survey, GOOD, nonce)
    assert page.status_code == 403
    assert "Please send your answers again" in page.text
    assert checked_in(page) == {"overall": ["5"], "speed": ["X"], "solved": ["yes"]}
    assert await stage.rows("response") == []
    assert (await stage.send(survey, GOOD, nonce_in(page))).status_code == 200


async def test_a_nonce_of_another_link_is_none(stage: Stage) -> None:
    mine, other = await stage.open(), await stage.open()
    assert (await stage.send(mine, GOOD, nonce_in(await stage.look(other)))).status_code == 403


async def test_a_bare_post_is_no_vote(stage: Stage) -> None:
    survey = await stage.open()
    assert (await stage.client.post(stage.link(survey) + "?score=5")).status_code == 403
    assert await stage.rows("response") == []


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
async def test_a_form_from_another_site_is_refused_and_not_repeated(stage: Stage, headers: dict[str, str]) -> None:
    survey = await stage.open()
    page = await stage.send(survey, {**GOOD, "comment": "not mine"}, **headers)
    assert page.status_code == 403
    assert checked_in(page) == {}
    assert "not mine" not in page.text
    assert await stage.rows("response") == []


@pytest.mark.parametrize(
    "headers", [{"origin": "null"}, {"origin": "http://127.0.0.1:8000"}, {"sec-fetch-site": "same-origin"}]
)
async def test_the_pages_own_form_is_taken(stage: Stage, headers: dict[str, str]) -> None:
    assert (await stage.send(await stage.open(), GOOD, **headers)).status_code == 200


async def test_links_that_never_were_and_links_that_are_over_look_the_same(stage: Stage) -> None:
    over = await stage.open()
    await stage.end(over, "expired")
    unknown = await stage.look(UUID(int=404))
    malformed = await stage.client.get("/s/nonsense")
    closed = await stage.look(over)
    assert [page.status_code for page in (unknown, malformed, closed)] == [404, 404, 410]
    assert unknown.content == malformed.content == closed.content
    posted = [await stage.send(survey, GOOD, "x") for survey in (UUID(int=404), over)]
    assert [page.status_code for page in posted] == [404, 410]
    assert {page.content for page in posted} == {unknown.content}
    assert await stage.rows("response") == []


@pytest.mark.parametrize("glued", [".", ")", "%20", "%29.", "%E3%80%82"])
async def test_a_link_with_something_glued_to_it_works(stage: Stage, glued: str) -> None:
    survey = await stage.open()
    page = await stage.client.get(stage.link(survey) + glued)
    assert page.status_code == 200
    assert f'action="{stage.link(survey)}?lang=en"' in page.text


async def test_a_token_in_other_letters_is_another_token(stage: Stage) -> None:
    survey = await stage.open()
    path = stage.link(survey)
    assert (await stage.client.get("/s/" + path[3:].swapcase())).status_code == 404


@pytest.mark.parametrize("state", ["declined", "cancelled", "expired", "unreachable"])
async def test_an_answer_to_a_survey_that_is_over_is_not_kept(stage: Stage, state: SurveyEnd) -> None:
    survey = await stage.open()
    nonce = nonce_in(await stage.look(survey))
    await stage.end(survey, state)
    assert (await stage.send(survey, GOOD, nonce)).status_code == 410
    assert await stage.rows("response") == []


async def test_a_page_closes_by_itself_when_its_time_is_over(stage: Stage) -> None:
    survey = await stage.open(open_for=timedelta(days=7))
    stage.clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert (await stage.look(survey)).status_code == 200
    stage.clock.advance(timedelta(seconds=1))
    assert (await stage.look(survey)).status_code == 410


async def test_before_its_policy_is_heard_a_page_asks_for_patience(stage: Stage) -> None:
    survey = await stage.open(version=2, locale="zh")
    page = await stage.look(survey)
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert (await stage.send(survey, GOOD, "x")).status_code == 503
    await stage.hear(approved(policy(), 2))
    assert (await stage.look(survey)).status_code == 200


async def test_without_its_database_a_page_asks_for_patience_in_words(stage: Stage) -> None:
    survey = await stage.open()
    await stage.house.database.close()
    for page in (await stage.look(survey), await stage.send(survey, GOOD, "x")):
        assert (page.status_code, page.headers["retry-after"]) == (503, "5")
        assert "请稍后再试" in page.text


async def test_an_answer_can_be_corrected_within_the_window(stage: Stage) -> None:
    survey = await stage.open()
    await stage.send(survey, {**GOOD, "comment": "first"})
    await stage.end(survey, "answered")
    stage.clock.advance(timedelta(days=1))
    page = await stage.look(survey)
    assert "You have answered already" in page.text
    assert checked_in(page) == {"overall": ["5"], "speed": ["X"], "solved": ["yes"]}
    assert ">\nfirst</textarea>" in page.text
    assert (await stage.send(survey, {**GOOD, "overall": "2", "reason": "it broke again"})).status_code == 200
    given, corrected = await stage.said()
    assert (type(given), type(corrected)) == (ResponseGiven, ResponseCorrected)
    assert given.response == corrected.response
    assert (given.version, corrected.version) == (1, 2)
    assert (given.satisfied, corrected.satisfied) == (True, False)
    (response,) = await stage.rows("response")
    assert (response["version"], response["satisfied"]) == (2, False)
    versions = sorted(await stage.rows("response_version"), key=lambda row: int(row["version"]))
    assert [version["texts"] for version in versions] == ['{"comment": "first"}', '{"reason": "it broke again"}']


async def test_after_the_window_an_answer_stands(stage: Stage) -> None:
    survey = await stage.open(open_for=timedelta(days=30))
    await stage.send(survey, GOOD)
    nonce = nonce_in(await stage.look(survey))
    stage.clock.advance(timedelta(days=2, seconds=1))
    for page in (await stage.look(survey), await stage.send(survey, {"overall": "1", "reason": "?"}, nonce)):
        assert page.status_code == 410
        assert "Thank you!" in page.text
        assert "<form" not in page.text
    assert len(await stage.rows("response_version")) == 1


async def test_the_window_counts_from_the_first_answer_even_after_the_page_would_have_closed(stage: Stage) -> None:
    survey = await stage.open(open_for=timedelta(hours=1))
    await stage.send(survey, GOOD)
    stage.clock.advance(timedelta(hours=30))
    assert (await stage.send(survey, {**GOOD, "overall": "4"})).status_code == 200
    stage.clock.advance(timedelta(hours=19))
    assert (await stage.look(survey)).status_code == 410


async def test_double_clicks_refreshes_and_second_tabs_are_one_answer(stage: Stage) -> None:
    survey = await stage.open()
    nonce = nonce_in(await stage.look(survey))
    stage.clock.advance(timedelta(minutes=1))
    thanks = await asyncio.gather(*(stage.send(survey, GOOD, nonce) for _ in range(2)))
    thanks.append(await stage.send(survey, GOOD, nonce))
    thanks.append(await stage.send(survey, {**GOOD, "overall": "1", "reason": "an old tab"}, nonce))
    assert {(page.status_code, page.content) for page in thanks} == {(200, thanks[0].content)}
    (version,) = await stage.rows("response_version")
    assert '"overall": 5' in version["answers"]
    assert len(await stage.said()) == 1


async def test_a_correction_that_changes_nothing_is_none(stage: Stage) -> None:
    survey = await stage.open()
    sent = {**GOOD, "topics": ["price", "speed"], "price": "high"}
    await stage.send(survey, sent)
    await stage.send(survey, {**sent, "topics": ["speed", "price"]})
    assert len(await stage.rows("response_version")) == 1


@pytest.mark.timeout(600)
async def test_one_answer_a_link_however_many_come_at_once(stage: Stage) -> None:
    links, posts, together = 500, 200, 50
    surveys = [await stage.open() for _ in range(links)]
    nonces = [nonce_in(await stage.look(survey)) for survey in surveys]
    stage.clock.advance(timedelta(minutes=1))
    found: Counter[tuple[int, bytes]] = Counter()
    for group in range(0, links, together):
        sent = [
            stage.post_bare(survey, f"overall={1 + turn % 5}&reason=x&_nonce={nonce}")
            for turn in range(posts)
            for survey, nonce in list(zip(surveys, nonces, strict=True))[group : group + together]
        ]
        for status, page in await asyncio.gather(*sent):
            found[status, re.sub(rb'href="/s/[^"]+"', b"", page)] += 1
    assert list(found.values()) == [links * posts]
    assert {status for status, _ in found} == {200}
    assert len(await stage.rows("response")) == len(await stage.rows("response_version")) == links
    assert len(await stage.said()) == links


async def test_what_a_customer_wrote_is_shown_to_him_as_text(stage: Stage) -> None:
    survey = await stage.open()
    await stage.send(survey, {**GOOD, "comment": "{{7*7}} <script>alert(1)</script> \u202e=cmd|x \x00 👩\u200d👧"})
    page = await stage.look(survey)
    assert "{{7*7}} &lt;script&gt;alert(1)&lt;/script&gt; \u202e=cmd|x  👩\u200d👧</textarea>" in page.text


async def test_a_text_over_the_limit_is_kept_for_shortening(stage: Stage) -> None:
    page = await stage.send(await stage.open(), {**GOOD, "comment": "好" * 2001})
    assert page.status_code == 422
    assert "好" * 2001 in page.text
    assert "Shorten your answer" in page.text


async def test_three_full_texts_fit_into_the_form(stage: Stage) -> None:
    sent = {"overall": "1", "topics": "price", **dict.fromkeys(("reason", "price", "comment"), "好" * 2000)}
    assert (await stage.send(await stage.open(), sent)).status_code == 200


async def post(
    stage: Stage, survey: UUID, body: bytes, kind: str = "application/x-www-form-urlencoded"
) -> httpx.Response:
    return await stage.client.post(stage.link(survey), content=body, headers={"content-type": kind})


async def test_floods_are_turned_away(stage: Stage) -> None:
    survey = await stage.open()
    multipart = "multipart/form-data; boundary=x"
    part = b'--x\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\nx\r\n'
    for body, kind, status in (
        (b"&".join(b"f%d=1" % number for number in range(6_000)), "application/x-www-form-urlencoded", 400),
        (b"comment=" + b"a" * 1_000_000, "application/x-www-form-urlencoded", 413),
        (part * 1_000, multipart, 413),
        (part, multipart, 400),
        (b'{"overall": 5}', "application/json", 400),
        (b"overall=5", "", 400),
    ):
        answer = await post(stage, survey, body, kind)
        assert answer.status_code == status, (body[:40], answer.text[:200])
    assert await stage.rows("response") == []


async def test_bytes_that_are_no_text_are_no_error_of_ours(stage: Stage) -> None:
    survey = await stage.open()
    nonce = nonce_in(await stage.look(survey)).encode()
    stage.clock.advance(timedelta(minutes=1))
    answer = await post(stage, survey, b"overall=5&comment=%ff%fe\xff\xed\xa0\x80&_nonce=" + nonce)
    assert answer.status_code == 200
    assert len(await stage.rows("response")) == 1


async def test_answers_for_several_customers_from_one_address_are_suspect(stage: Stage) -> None:
    async def flags(customer: str | None, address: str) -> tuple[str, ...]:
        survey = await stage.open(customer=customer)
        nonce = nonce_in(await stage.look(survey))
        stage.clock.advance(timedelta(minutes=1))
        transport = httpx.ASGITransport(stage.app, client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            client.headers["user-agent"] = stage.client.headers["user-agent"]
            await client.post(stage.link(survey), data={**GOOD, "_nonce": nonce})
        return tuple(flag for flag in (await stage.said())[-1].flags if flag != "incomplete")

    assert await flags("ACME", "8.8.8.8") == ()
    assert await flags("ACME", "8.8.8.8") == ()
    assert await flags("Globex", "8.8.8.8") == ("duplicate",)
    assert await flags("Globex", "1.1.1.1") == ()
    assert await flags(None, "1.1.1.1") == ("duplicate",)
    assert await flags("ACME", "10.0.0.1") == await flags("Globex", "10.0.0.1") == ()
    stage.clock.advance(timedelta(minutes=61))
    assert await flags("Initech", "8.8.8.8") == ()
    stored = repr([dict(row) for table in TABLES for row in await stage.rows(table)])
    assert "8.8.8.8" not in stored
    assert "1.1.1.1" not in stored


async def test_an_answer_from_the_staffs_network_is_suspect(stage: Stage) -> None:
    watchful = policy(policy="watchful", validity={"staff_networks": ["127.0.0.0/8"]})
    await stage.hear(approved(watchful))
    await stage.send(await stage.open(policy="watchful"), GOOD)
    (given,) = await stage.said()
    assert "staff-network" in given.flags


async def test_the_policys_brand_and_thanks_are_shown(stage: Stage) -> None:
    own = policy(
        EVERY_KIND.model_copy(update={"thanks": words("We read every answer.")}),
        policy="own",
        brand={"name": {"zh": "绿洲 & 友", "en": "Oasis & Co"}, "color": "#0f766e"},
    )
    await stage.hear(approved(own))
    survey = await stage.open(policy="own")
    page = await stage.look(survey)
    assert "Oasis &amp; Co" in page.text
    assert "#0f766e" in page.text
    assert "We read every answer." in (await stage.send(survey, GOOD)).text


async def test_every_control_has_its_label_and_every_group_its_question(stage: Stage) -> None:
    page = (await stage.look(await stage.open())).text
    for named in re.findall(r'aria-(?:describedby|labelledby)="([^"]+)"', page):
        for each in named.split():
            assert f'id="{each}"' in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert len(re.findall("<fieldset", page)) == len(re.findall("<legend", page))
    assert len(re.findall("<textarea", page)) == len(re.findall('<label class="ask" for="t-', page))
    controls = re.findall(r'<input type="(?:radio|checkbox)"', page)
    assert len(controls) == len(re.findall(r'<label class="o"><input', page))
