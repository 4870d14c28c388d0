import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import asyncpg
import pytest
import structlog

from services.errors import Unavailable
from services.logs import configure

CANARY = "canary@example.com"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logs go elsewhere during the test, and where they went before after it."""
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**kept)


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def fail(error: Exception) -> Exception:
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as first:
            raise error from first
    except Exception as caught:
        return caught


def test_each_line_is_json_with_utc_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    structlog.get_logger("ours").info("ticket_closed", ticket="T-1", customer="王")
    logging.getLogger("theirs").warning("shouted by %s", "a library")
    ours, theirs = told(capsys)
    assert (ours["event"], ours["ticket"], ours["customer"], ours["level"]) == ("ticket_closed", "T-1", "王", "info")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("shouted by a library", "warning")


def test_the_level_counts_for_both(capsys: pytest.CaptureFixture[str]) -> None:
    configure("WARNING")
    structlog.get_logger("ours").info("quiet")
    logging.getLogger("theirs").info("quiet")
    logging.getLogger("aiokafka.consumer").error("every try")
    assert told(capsys) == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_errors_show_the_way_and_quote_nobody(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"]
) -> None:
    configure(form=form)
    for error in (KeyError(CANARY), asyncpg.DataError(f"invalid input: {CANARY}"), UnicodeError(CANARY)):
        secret = CANARY
        structlog.get_logger("ours").error("handler_failed", exc_info=fail(error))
        logging.getLogger("theirs").error("failed", exc_info=fail(error))
        assert secret
    text = capsys.readouterr().err
    assert CANARY not in text
    assert "test_logs.py:" in text
    assert "in fail" in text
    for name in ("KeyError", "asyncpg.exceptions.DataError", "ValueError"):
        assert text.count(name) >= 2


def test_errors_about_code_and_machine_keep_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    log = structlog.get_logger("ours")
    for error in (
        Unavailable("Kafka is gone"),
        OSError(28, "No space left"),
        asyncpg.UndefinedTableError("no table x"),
    ):
        log.error("failed", exc_info=fail(error))
    lines = [line["exception"].splitlines()[-1] for line in told(capsys)]
    assert lines == [
        "services.errors.Unavailable: Kafka is gone",
        "OSError: [Errno 28] No space left",
        "asyncpg.exceptions.UndefinedTableError: no table x",
    ]


def test_the_error_at_hand_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    try:
        raise TypeError("of the code")
    except TypeError:
        structlog.get_logger("ours").exception("failed")
        structlog.get_logger("ours").error("failed", exc_info=True)
    assert [line["exception"].splitlines()[-1] for line in told(capsys)] == ["TypeError: of the code"] * 2
