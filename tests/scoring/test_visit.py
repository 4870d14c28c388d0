from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.visit import (
    Nonce,
    is_foreign,
    is_prefetch,
    is_scanner,
    locale_of,
    read_nonce,
    token_of,
    write_nonce,
)
from services.contracts.questionnaire import Locale
from tests.scoring.questionnaires import policy

TOKEN = "dBjftJeZ4CVP-mB92K27uhbUJU1"
PUBLIC = "https://survey.example.com"
AT = datetime(2026, 3, 2, 2, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize("glued", ["", ".", ")", " ", "\n", ").", "。", "）", ">", "”", "\u200b", "'", "…", "]."])
def test_what_a_mail_client_glues_to_a_link_is_cut_off(glued: str) -> None:
    assert token_of(TOKEN + glued) == TOKEN


@pytest.mark.parametrize(
    "path", ["", ".", TOKEN[:-1], TOKEN + "x", "." + TOKEN, TOKEN[:-1] + "é", TOKEN[:-1] + "/", "🙂" * 27]
)
def test_what_cannot_be_a_token_is_none(path: str) -> None:
    assert token_of(path) is None


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", {}, False),
        ("HEAD", {}, True),
        ("GET", {"sec-purpose": "prefetch;prerender"}, True),
        ("GET", {"purpose": "prefetch"}, True),
        ("GET", {"x-moz": "prefetch"}, True),
        ("GET", {"x-purpose": "preview"}, True),
        ("GET", {"purpose": "navigation"}, False),
    ],
)
def test_nobody_looks_at_what_is_fetched_in_advance(method: str, headers: dict[str, str], expected: bool) -> None:
    assert is_prefetch(method, headers) is expected


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "WhatsApp/2.23.20.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Mozilla/5.0 Proofpoint-URL-Scanner",
        "facebookexternalhit/1.1",
        "TelegramBot (like TwitterBot)",
    ],
)
def test_scanners_and_previews_name_themselves(agent: str) -> None:
    assert is_scanner({"user-agent": agent})


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/116 MicroMessenger/8.0.47 Language/zh_CN",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 HeadlessChrome/138.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; CUBOT) AppleWebKit/537.36 Chrome/109 Mobile Safari/537.36",
    ],
)
def test_people_are_no_scanners(agent: str) -> None:
    assert not is_scanner({"user-agent": agent})


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"origin": PUBLIC}, False),
        ({"origin": "null"}, False),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "http://10.0.0.5:8000", "host": "10.0.0.5:8000"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://evil.example"}, True),
        ({"origin": PUBLIC + ".evil.example"}, True),
        ({"origin": "http://survey.example.com"}, True),
        ({"origin": "https://evil.example", "host": "survey.example.com"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"origin": PUBLIC, "sec-fetch-site": "cross-site"}, True),
    ],
)
def test_a_form_from_another_site_is_foreign(headers: dict[str, str], foreign: bool) -> None:
    assert is_foreign(headers, PUBLIC + "/feedback") is foreign


@pytest.mark.parametrize(
    ("asked", "known", "accepted", "expected"),
    [
        ("en", "zh-CN", "zh", "en"),
        ("../../etc", "zh-CN", "en", "zh"),
        ("ZH", "en", "", "en"),
        (None, "zh_Hant_TW", "en", "zh"),
        (None, "fr-FR", "zh", "en"),
        (None, None, "fr, en;q=0.8, zh;q=0.9", "zh"),
        (None, None, "en-GB,zh;q=0.9", "en"),
        (None, None, "zh;q=0, en;q=0.1", "en"),
        (None, None, "en;q=abc, *;q=0.5", "zh"),
        (None, None, "", "zh"),
        (None, "", "de", "zh"),
    ],
)
def test_the_language(asked: str | None, known: str | None, accepted: str, expected: Locale) -> None:
    assert locale_of(asked, known, accepted, policy()) == expected


def test_the_language_at_home_is_the_policys() -> None:
    german = policy(calendar={"timezone": "Europe/Berlin", "holidays": "DE"})
    assert locale_of(None, None, "", german) == "en"
    assert locale_of(None, None, "", None) == "zh"


@given(st.text(max_size=300))
def test_any_header_gives_a_language(accepted: str) -> None:
    assert locale_of(None, None, accepted, policy()) in ("zh", "en")


@given(st.integers(0, 6_000_000_000), st.integers(0, 1000))
def test_a_nonce_comes_back_as_it_left(second: int, base: int) -> None:
    nonce = Nonce(datetime.fromtimestamp(second, UTC), base)
    assert read_nonce("secret", write_nonce("secret", nonce)) == nonce


def test_a_nonce_keeps_milliseconds() -> None:
    assert read_nonce("secret", write_nonce("secret", Nonce(AT, 0))) == Nonce(AT, 0)


def test_a_nonce_belongs_to_its_link_and_is_not_to_be_forged() -> None:
    written = write_nonce("secret", Nonce(AT, 0))
    assert read_nonce("another", written) is None
    issued, base, signature = written.split(".")
    for forged in (
        "",
        ".",
        f"{issued}.1.{signature}",
        f"0.{base}.{signature}",
        written.upper(),
        written + " ",
        "é" * 60,
    ):
        assert read_nonce("secret", forged) is None
