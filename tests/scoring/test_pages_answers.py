import asyncio
import re
from collections import Counter
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from services.contracts.responses import ResponseCorrected, ResponseGiven
from services.contracts.surveys import SurveyEnd
from tests.scoring.questionnaires import policy
from tests.scoring.stage import GOOD, TABLES, Stage, approved, checked_in, nonce_in, sample


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
    before = await stage.everything()
    page = await stage.send(survey, {"overall": sent, "solved": "yes", "comment": "</textarea><script>"})
    assert page.status_code == 422
    assert "<title>Error: How did we do?" in page.text
    assert 'href="#c-overall-0"' in page.text
    assert 'id="e-overall"' in page.text
    assert re.search(r'<fieldset class="card q bad" id="f-overall" aria-describedby="[^"]*e-overall', page.text)
    assert checked_in(page) == {"solved": ["yes"]}
    assert "&lt;/textarea&gt;&lt;script&gt;" in page.text
    assert await stage.everything() == before


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


@pytest.mark.parametrize("state", ["declined", "cancelled", "expired", "unreachable"])
async def test_an_answer_to_a_survey_that_is_over_is_not_kept(stage: Stage, state: SurveyEnd) -> None:
    survey = await stage.open()
    nonce = nonce_in(await stage.look(survey))
    await stage.end(survey, state)
    assert (await stage.send(survey, GOOD, nonce)).status_code == 410
    assert await stage.rows("response") == []


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
