import pytest

from scoring.response import Answers
from scoring.validity import Circumstances, Flag, flags, is_in, tells_apart
from services.contracts.language.scores import Validity
from services.contracts.questionnaire import Questionnaire, ScaleName
from tests.scoring.questionnaires import questionnaire, scale, text, yesno

FIVE = questionnaire(*(scale(item, na=True) for item in "abcde"), text("comment"))
CAREFUL: Answers = {"a": 5, "b": 4, "c": 5, "d": 3, "e": 5}
THRESHOLDS = Validity()


def found(answers: Answers, asked: Questionnaire = FIVE, **circumstances: object) -> tuple[Flag, ...]:
    return flags(asked, answers, Circumstances(**circumstances), THRESHOLDS)  # type: ignore[arg-type]


def test_a_careful_answer_bears_no_flag() -> None:
    assert found(CAREFUL, seconds=30.0) == ()


@pytest.mark.parametrize(("answered", "expected"), [("abcde", ()), ("abcd", ()), ("abc", ("incomplete",))])
def test_less_than_four_fifths_is_incomplete(answered: str, expected: tuple[Flag, ...]) -> None:
    assert found({item: CAREFUL[item] for item in answered}) == expected


def test_not_applicable_is_answered_and_an_empty_comment_is_no_gap() -> None:
    assert found({**CAREFUL, "d": "X", "e": "X"}) == ()


def test_a_missing_mandatory_item_is_incomplete_whatever_the_share() -> None:
    asked = questionnaire(*(scale(item) for item in "abcdefgh"), text("why", required=True))
    answers: Answers = {item: 4 + place % 2 for place, item in enumerate("abcdefgh")}
    assert found(answers, asked) == ("incomplete",)
    assert found({**answers, "why": "slow"}, asked) == ()


def test_what_was_not_asked_is_not_missing() -> None:
    asked = questionnaire(
        scale("a"), text("why", required=True, ask_when={"a": (1,)}), yesno("b", ask_when={"a": (1,)})
    )
    assert found({"a": 5}, asked) == ()
    assert found({"a": 1}, asked) == ("incomplete",)


def test_five_alike_are_a_straight_line_and_four_are_not() -> None:
    assert found(dict.fromkeys("abcde", 4)) == ("straight-lined",)
    assert found({**dict.fromkeys("abcd", 4), "e": "X"}) == ()
    assert found({**dict.fromkeys("abcd", 4), "e": 5}) == ()


def test_the_top_of_every_scale_is_a_straight_line_too() -> None:
    scales: tuple[ScaleName, ...] = ("likert5", "nps", "ces", "quality5", "stars")
    asked = questionnaire(*(scale(item, kind) for item, kind in zip("abcde", scales, strict=True)))
    assert found({"a": 5, "b": 10, "c": 7, "d": 10, "e": 5}, asked) == ("straight-lined",)
    assert found({"a": 5, "b": 10, "c": 7, "d": 10, "e": 1}, asked) == ()


@pytest.mark.parametrize(("seconds", "expected"), [(9.9, ("too-fast",)), (10.0, ()), (None, ()), (-3.0, ("too-fast",))])
def test_two_seconds_an_item(seconds: float | None, expected: tuple[Flag, ...]) -> None:
    assert found(CAREFUL, seconds=seconds) == expected


def test_circumstances_raise_their_own_flags() -> None:
    assert found(CAREFUL, neighbours=1) == ("duplicate",)
    assert found(CAREFUL, from_staff_network=True) == ("staff-network",)
    assert found(CAREFUL, by_scanner=True) == ("scanner-suspect",)
    assert found(CAREFUL, channel="telephone") == ("agent-entered",)


def test_thresholds_are_the_policys() -> None:
    lenient = Validity.model_validate({"incomplete_below": "10%", "straight_lined_from": 6, "too_fast_seconds": 0})
    assert flags(FIVE, dict.fromkeys("abcde", 4), Circumstances(seconds=0.1), lenient) == ()
    assert flags(FIVE, {"a": 4}, Circumstances(seconds=0.1), lenient) == ()
    accepting = Validity(agent_entered="accept", scanner_suspect="accept")
    assert flags(FIVE, CAREFUL, Circumstances(channel="visit", by_scanner=True), accepting) == ()


@pytest.mark.parametrize(
    ("address", "inside"),
    [("10.1.2.3", True), ("10.2.0.1", False), ("2001:db8::5", True), ("fe80::1", False), ("nonsense", False)],
)
def test_staff_networks(address: str, inside: bool) -> None:
    assert is_in(address, ("10.1.0.0/16", "2001:db8::/32")) is inside
    assert not is_in(None, ("0.0.0.0/0",))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True),
        ("2a00:1450::5", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("::1", False),
        ("?", False),
    ],
)
def test_only_a_public_address_tells_who_is_behind_it(address: str, expected: bool) -> None:
    assert tells_apart(address) is expected
    assert not tells_apart(None)
