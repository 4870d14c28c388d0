from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from scoring.page import Page
from scoring.submission import Fate, Submission, Verdict, decide
from scoring.visit import Nonce, write_nonce
from services.contracts.policy import Policy
from tests.scoring.questionnaires import policy, questionnaire, scale, text
from tests.scoring.test_page import NOW, page

ASKED = questionnaire(scale("overall", overall=True, required=True), scale("speed", "ten"), text("comment"))
GOOD: Mapping[str, str] = {"overall": "4", "speed": "5", "comment": "fine"}
FRESH, OLD = UUID(int=70), UUID(int=71)
ANSWERED = page(version=1, response=OLD, answered_at=NOW, answers={"overall": 4, "speed": 5, "comment": "fine"})


def decided(
    known: Page | None = None,
    sent: Mapping[str, str] = GOOD,
    *,
    base: int = 0,
    seconds: float = 60,
    rules: Policy | None = None,
    neighbours: int = 0,
    **more: Any,
) -> Verdict:
    nonce = write_nonce("secret", Nonce(NOW - timedelta(seconds=seconds), base))
    fields = list({"_nonce": nonce, **sent}.items())
    usual: dict[str, Any] = {"foreign": False, "scanner": False, "address": "127.0.0.1", "origin": None}
    submission = Submission(token_hash=b"", secret="secret", fields=fields, **{**usual, **more})
    return decide(known or page(), rules or policy(ASKED), submission, NOW, neighbours, FRESH)


def test_a_first_answer_becomes_the_first_version() -> None:
    verdict = decided()
    assert verdict.fate == "given"
    version = verdict.version
    assert version
    assert (version.response, version.version, version.channel, version.answered_at) == (FRESH, 1, "self", NOW)
    assert (version.answers, version.texts) == ({"overall": 4, "speed": 5}, {"comment": "fine"})
    assert version.numbers == {"overall": 4, "speed": 5}
    assert version.score == pytest.approx(65)
    assert version.satisfied is True
    assert (version.flags, version.validity) == ((), "valid")


def test_a_survey_may_be_scored_in_its_own_way() -> None:
    rules = policy(ASKED, scores={"method": "sum"})
    version = decided(rules=rules).version
    assert version
    assert version.score == pytest.approx(100 * 9 / 15)


def test_a_correction_is_the_next_version_of_the_same_response() -> None:
    verdict = decided(ANSWERED, {**GOOD, "overall": "1"}, base=1, seconds=1)
    assert verdict.fate == "corrected"
    assert verdict.version
    assert (verdict.version.response, verdict.version.version, verdict.version.flags) == (OLD, 2, ())


@pytest.mark.parametrize(
    ("known", "sent", "base", "more", "fate"),
    [
        (page(ended="cancelled"), GOOD, 0, {}, "closed"),
        (page(answered_at=NOW - timedelta(days=9), version=1), GOOD, 1, {}, "answered"),
        (page(), GOOD, 0, {"foreign": True}, "foreign"),
        (page(), {**GOOD, "overall": "6"}, 0, {}, "faulty"),
        (page(), {**GOOD, "_nonce": "forged"}, 0, {}, "unproven"),
        (ANSWERED, {**GOOD, "overall": "1"}, 0, {}, "kept"),
        (ANSWERED, {"overall": "9"}, 0, {}, "kept"),
        (ANSWERED, GOOD, 1, {}, "kept"),
    ],
)
def test_every_other_fate_keeps_nothing(
    known: Page, sent: Mapping[str, str], base: int, more: dict[str, Any], fate: Fate
) -> None:
    verdict = decided(known, sent, base=base, **more)
    assert (verdict.fate, verdict.version) == (fate, None)
    assert (verdict.reading is not None) is (fate in ("faulty", "unproven"))


def test_circumstances_make_an_answer_suspect() -> None:
    rules = policy(ASKED, validity={"staff_networks": ["10.0.0.0/8"]})
    version = decided(rules=rules, seconds=1, neighbours=2, scanner=True, address="10.1.1.1").version
    assert version
    assert version.flags == ("too-fast", "duplicate", "staff-network", "scanner-suspect")
    assert version.validity == "suspect"


def test_only_the_items_that_are_asked_count() -> None:
    version = decided(page(items=("speed",)), {"speed": "9", "overall": "1"}).version
    assert version
    assert (version.answers, version.score, version.satisfied, version.flags) == ({"speed": 9}, 90, True, ())
    assert decided(page(items=("overall",)), {"speed": "9"}).fate == "faulty"


def test_a_policys_tree_scores_each_response() -> None:
    tree = questionnaire(scale("a", dimension="warmth"), scale("b", dimension="depth"))
    nodes = {name: {"title": {"zh": name, "en": name}} for name in ("warmth", "depth")}
    rules = policy(tree, dimensions={"warmth": {**nodes["warmth"], "weight": 3}, "depth": nodes["depth"]})
    version = decided(sent={"a": "5", "b": "1"}, rules=rules).version
    assert version
    assert version.score == pytest.approx((3 * 100 + 20) / 4)
