import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.clock import Clock, FastClock, SystemClock
from services.embedded.welcome import WORDS, greeter, language_of

FAST = FastClock(datetime(2026, 3, 2, tzinfo=UTC), 1200)


def said(environment: dict[str, str], clock: Clock, *, sample: bool) -> str:
    output = io.StringIO()
    greet = greeter(environment, output)
    greet.welcome("http://127.0.0.1:8000", Path("/data"), clock, sample=sample)
    greet.survey("http://127.0.0.1:8000/s/AbC")
    return output.getvalue()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_says_where_everything_is(language: str) -> None:
    text = said({"LANG": f"{language}.UTF-8"}, SystemClock(), sample=False)
    for place in ("/mailbox", "/docs", "/metrics", "/s/AbC"):
        assert f"http://127.0.0.1:8000{place}" in text.split()
    assert {"/data/admin.key", "/data/sources"} <= set(text.split())
    assert "--sample" in text
    assert "1200" not in text


def test_a_fast_clock_and_a_playing_sample_are_told() -> None:
    text = said({"LANG": "en_US.UTF-8"}, FAST, sample=True)
    assert "1200 times as fast" in text
    assert "first messages after 6 s, reminders after 78 s" in text


def test_no_line_is_cut_and_nothing_but_text_is_written_to_a_file() -> None:
    output = io.StringIO()
    long = Path("/") / "/".join(["folder"] * 60)
    greeter({}, output).welcome("http://127.0.0.1:8000", long, FAST, sample=False)
    assert str(long / "admin.key") in output.getvalue()
    assert "\x1b" not in output.getvalue()


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW"}, "zh"),
        ({"LC_ALL": "", "LC_MESSAGES": "C", "LANG": "zh_CN"}, "en"),
        ({}, "en"),
    ],
)
def test_the_terminals_language(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_both_languages_say_the_same_things() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
