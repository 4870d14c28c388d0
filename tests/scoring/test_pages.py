import asyncio
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.contracts.policy import Policy, parse_policy
from services.contracts.questionnaire import LOCALES
from tests.scoring.questionnaires import EVERY_KIND, policy, words
from tests.scoring.stage import GOOD, Stage, approved, checked_in, sample

POLICIES = Path(__file__).parents[2] / "policies"
PACKS = [parse_policy(pack.read_text(), pack.name) for pack in sorted(POLICIES.glob("*.yaml"))]


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
    before = await stage.everything()
    page = await stage.look(survey, query)
    assert checked_in(page) == checked
    assert "<script" not in page.text
    assert await stage.everything() == before


async def test_looking_changes_nothing_at_all(stage: Stage) -> None:
    surveys = [await stage.open() for _ in range(3)]
    await stage.send(surveys[0], GOOD)
    before = await stage.everything()
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
    assert await stage.everything() == before
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


async def test_a_page_asks_only_the_items_that_its_survey_names(stage: Stage) -> None:
    survey = await stage.open(items=("speed", "price"))
    page = await stage.look(survey)
    assert re.findall(r'id="f-([a-z]+)"', page.text) == ["speed", "price", "comment"]
    assert "Required" not in page.text
    whole = await stage.look(await stage.open())
    assert len(re.findall(r'id="f-([a-z]+)"', whole.text)) == len(EVERY_KIND.items)
    assert (await stage.send(survey, {"speed": "2", "price": "high"})).status_code == 200
    (given,) = await stage.said()
    assert (given.values, given.score, given.satisfied, given.flags) == ({"speed": 2}, 40, False, ())


async def test_items_stay_pinned_when_a_survey_comes_due_again(stage: Stage) -> None:
    first = stage.due(items=("speed",))
    await stage.hear(first, stage.due(survey=first.survey, step=1, kind="reminder", items=("speed",)))
    await stage.hear(first)
    (page,) = await stage.rows("page")
    assert page["items"] == ["speed"]


async def test_long_questionnaires_stand_under_the_titles_of_their_dimensions(stage: Stage) -> None:
    (estate,) = [pack for pack in PACKS if pack.policy == "property-service"]
    await stage.hear(approved(estate))
    page = (await stage.look(await stage.open(policy=estate.policy, questionnaire="residents"), "?lang=zh")).text
    assert re.findall(r'<h2 id="pt-[a-z]+">([^<]+)</h2>', page) == ["物业管理", "餐饮服务", "维修服务"]
    assert page.count('<section class="part"') == page.count('aria-labelledby="pt-') == 3
