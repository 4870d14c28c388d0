from pathlib import Path

import pytest

import scheduler
from scheduler.wording import Lexicon, Remark, lint, read_lexicon
from services.contracts.document import read_document
from services.contracts.policy import parse_policy
from tests.services.contracts.drafts import CALENDAR_SURVEY, DRAFT


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return read_lexicon((Path(str(scheduler.__file__)).parent / "wording.yaml").read_text(encoding="utf-8"))


def remarks(text: str, lexicon: Lexicon) -> list[Remark]:
    return list(lint(parse_policy(text, "draft.yaml"), lexicon))


def asking(zh: str, en: str, more: str = "") -> str:
    return DRAFT.replace("{zh: 是否满意？, en: Satisfied?}", f'{{zh: "{zh}", en: "{en}"}}{more}')


CLEAN_ZH, CLEAN_EN = "您对处理的速度是否满意？", "How satisfied are you with the speed?"


@pytest.mark.parametrize(
    ("zh", "en", "rules"),
    [
        (CLEAN_ZH, CLEAN_EN, []),
        ("您对本次快速的服务是否满意？", CLEAN_EN, ["leading"]),  # S2.3's own example
        ("难道您不满意吗？", CLEAN_EN, ["leading"]),
        (CLEAN_ZH, "How satisfied are you with our fast service?", ["leading"]),
        (CLEAN_ZH, "Do you agree that we are good?", ["leading"]),
        ("您对敷衍的处理是否满意？", CLEAN_EN, ["loaded"]),
        (CLEAN_ZH, "Was it the fault of our careless staff?", ["loaded"]),
        ("您能给个好评吗？", CLEAN_EN, ["pressure"]),
        (CLEAN_ZH, "Would you give us a 10?", ["pressure"]),
        ("您对速度和质量是否满意？", CLEAN_EN, ["double"]),
        (CLEAN_ZH, "How satisfied are you with speed and quality?", ["double"]),
        ("您对处理是否及时满意？", "Are you satisfied with the terms and conditions?", []),
        ("您是否不满意？", CLEAN_EN, ["negative"]),
        (CLEAN_ZH, "Are you not unhappy with it?", ["negative"]),
        ("我们总是准时吗？", CLEAN_EN, ["absolute"]),
        (CLEAN_ZH, "Are we always on time?", ["absolute"]),
        (CLEAN_ZH, "Overall, how satisfied are you?", []),  # no `all` in it
        ("How satisfied?", CLEAN_EN, ["translation"]),
        (CLEAN_ZH, "是否满意？", ["translation"]),
        ("您" * 46, CLEAN_EN, ["length"]),
    ],
)
def test_row_s2_3_wording_that_leads_presses_or_confuses_is_caught(
    zh: str, en: str, rules: list[str], lexicon: Lexicon
) -> None:
    assert [remark.rule for remark in remarks(asking(zh, en), lexicon)] == rules


def test_a_remark_has_a_place_and_advice_in_both_languages(lexicon: Lexicon) -> None:
    text = asking("您对速度和质量是否满意？", CLEAN_EN)
    (remark,) = remarks(text, lexicon)
    assert read_document(text, "draft.yaml").values[remark.at].line == 11
    assert remark.found == "和"
    assert remark.advice.zh
    assert "two questions" in remark.advice.en


def test_a_person_decides(lexicon: Lexicon) -> None:
    assert remarks(asking("您对速度和质量是否满意？", CLEAN_EN, ", accept: [double]"), lexicon) == []


def test_open_questions_may_ask_for_two_things(lexicon: Lexicon) -> None:
    text = DRAFT.replace("{zh: 原因, en: Why}", '{zh: 您有什么意见或建议？, en: "Any comments or suggestions?"}')
    assert remarks(text, lexicon) == []


@pytest.mark.parametrize(
    ("purpose", "rule"),
    [
        ("{zh: 可以不填写, en: You are free not to answer}", "confidential"),
        ("{zh: 我们保密, en: It is confidential}", "voluntary"),
        ("{zh: 保密，可以不填写，务必给好评, en: Confidential and voluntary}", "pressure"),
    ],
)
def test_row_s3_3_the_opening_promises_confidentiality_and_presses_nobody(
    purpose: str, rule: str, lexicon: Lexicon
) -> None:
    text = DRAFT.replace("{zh: 保密，可以不填写, en: Confidential and voluntary}", purpose)
    assert {remark.rule for remark in remarks(text, lexicon)} == {rule}


@pytest.mark.parametrize(
    ("items", "survey", "warned"), [(8, "ticket", False), (9, "ticket", True), (9, "quarter", False)]
)
def test_row_s2_5_questionnaires_stay_short(items: int, survey: str, warned: bool, lexicon: Lexicon) -> None:
    more = "".join(f"      - {{id: i{n}, kind: text, text: {{zh: 问题, en: Question}}}}\n" for n in range(items - 2))
    text = DRAFT.replace("surveys:\n", f"{more}surveys:\n")
    if survey == "quarter":
        text = text[: text.index("surveys:\n")] + "surveys:\n" + CALENDAR_SURVEY
    assert ("items" in {remark.rule for remark in remarks(text, lexicon)}) is warned


def test_messages_press_nobody(lexicon: Lexicon) -> None:
    text = (
        DRAFT + "messages: {first: {sms: {text: {zh: '请给五星 {link} {opt_out}', en: 'Please {link} {opt_out}'}}}}\n"
    )
    (remark,) = remarks(text, lexicon)
    assert (remark.rule, remark.at) == ("pressure", ("messages", "first", "sms", "text", "zh"))
