from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from notifier.matter import Matter, matter_of
from notifier.message import PLACES, PreparedText, Recipient, mark
from notifier.wording import Kind, compose_letter, compose_texts, greeting, locale_of, written_out
from services.contracts.messages import Brand
from services.contracts.questionnaire import LOCALES, SCALES, Locale, ScaleName, Words
from tests.notifier.rules import policy

KINDS: tuple[Kind, ...] = get_args(Kind)
LINK = "https://hf.example.cn/s/" + "a" * 27
TICKET = matter_of(policy(), "incident", "INC1")
REPAIR = matter_of(policy(), "repair", "repair done/7")
AGAIN = matter_of(policy(), "incident", None)
QUARTER = matter_of(policy(), "quarterly", None)
MATTERS = (TICKET, REPAIR, AGAIN, QUARTER)
TO = Recipient("+8613800138000", "您好！", "", "INC0012345", LINK, LINK.replace("/s/", "/u/"), "3月9日10:00")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("zh-CN", "zh"), ("ZH_tw", "zh"), ("zh", "zh"), ("en-GB", "en"), ("de", "en"), ("zho", "en"), (None, "zh")],
)  # fmt: skip
def test_a_person_is_written_to_in_his_language(locale: str | None, language: str) -> None:
    assert locale_of(locale, policy()) == language


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("matter", MATTERS)
def test_a_letter_tells_purpose_page_end_and_way_out(locale: Locale, kind: Kind, matter: Matter) -> None:
    letter = compose_letter(policy(), "incident", kind, locale, matter=matter)
    purpose = policy().questionnaires["incident"].purpose.say(locale)
    assert letter.paragraphs[0] == mark("greeting")
    assert letter.paragraphs[-1] == purpose
    assert letter.question == policy().questionnaires["incident"].items[0].text.say(locale)
    assert (letter.link, letter.decline_link) == (mark("link"), mark("opt_out"))
    assert letter.button
    assert letter.decline
    assert any(mark("expires") in sentence for sentence in letter.after)
    everything = "".join((letter.subject, *letter.paragraphs, *letter.after))
    assert (mark("ticket") in letter.subject) == (mark("ticket") in everything) == matter.is_ticket
    assert "{" not in everything


@pytest.mark.parametrize("matter", MATTERS)
def test_a_letter_says_why_it_comes(matter: Matter) -> None:
    first = compose_letter(policy(), "incident", "first", "en", matter=matter)
    reminder = compose_letter(policy(), "incident", "reminder", "en", matter=matter)
    assert matter.news
    assert first.paragraphs[1].replace(mark("ticket"), "{ticket}") == matter.news.en
    assert reminder.subject == f"Reminder: {first.subject}"
    assert reminder.paragraphs[1].replace(mark("ticket"), "{ticket}").startswith(f"We asked you about {matter.noun.en}")


def test_where_the_whole_is_not_asked_again_nothing_can_be_preselected() -> None:
    letter = compose_letter(policy(), "incident", "first", "en", matter=AGAIN, whole=False)
    assert (letter.question, letter.choices, letter.ends, len(letter.after)) == (None, (), None, 1)


@pytest.mark.parametrize("scale", get_args(ScaleName))
def test_every_point_of_the_scale_preselects_itself(scale: str) -> None:
    letter = compose_letter(policy(scale=scale), "incident", "first", "en", matter=QUARTER)
    values = [point.value for point in SCALES[scale].marks]  # type: ignore[index]
    assert [choice.value for choice in letter.choices] == values
    assert [choice.link for choice in letter.choices] == [f"{mark('link')}?score={value}" for value in values]
    assert all(choice.label for choice in letter.choices)
    assert (letter.ends is None) == (len(values) <= 5)


def test_a_long_scale_is_named_at_its_ends() -> None:
    letter = compose_letter(policy(scale="ten-bands"), "incident", "first", "en", matter=QUARTER)
    assert letter.ends == ("Very satisfied", "Very dissatisfied")
    letter = compose_letter(policy(scale="nps"), "incident", "first", "en", matter=QUARTER)
    assert letter.ends == ("", "")


def test_without_a_judgement_of_the_whole_there_is_only_the_button() -> None:
    letter = compose_letter(policy(), "visit", "first", "zh", matter=QUARTER)
    assert (letter.question, letter.choices, len(letter.after)) == (None, (), 1)


def test_the_policy_s_own_words_win_and_bring_their_own_links() -> None:
    letter = compose_letter(policy(own_words=True), "incident", "first", "en", matter=TICKET)
    assert letter.subject == f"Cloud & Desk asks {mark('name')}"
    assert letter.paragraphs == (f"{mark('name')}:", f"Please click {mark('link')}\nor decline: {mark('opt_out')}")
    assert (letter.button, letter.decline) == (None, None)
    assert compose_texts(policy(own_words=True), "first", "en", matter=QUARTER) == (
        f"Cloud & Desk: {mark('link')} or {mark('opt_out')}",
    )
    reminder = compose_letter(policy(own_words=True), "incident", "reminder", "en", matter=TICKET)
    assert reminder.button


def test_a_brand_is_no_place() -> None:
    brand = Brand(name=Words(zh="{link}", en="{name}"))
    named = policy(own_words=True).model_copy(update={"brand": brand})
    assert compose_letter(named, "incident", "first", "en", matter=QUARTER).subject == f"{{name}} asks {mark('name')}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("matter", MATTERS)
def test_texts_fit_into_one_part_and_speak_of_a_ticket_only_where_there_is_one(
    kind: Kind, locale: Locale, matter: Matter
) -> None:
    wordings = compose_texts(policy(), kind, locale, matter=matter)
    text = PreparedText(wordings).fill(TO, reference="r")
    assert text.parts == 1
    assert text.text.endswith(LINK)
    assert "{" not in text.text
    assert matter.is_ticket == any(mark("ticket") in wording for wording in wordings)
    assert matter.is_ticket or not any("closed" in wording or "办结" in wording for wording in wordings)


def test_own_words_about_a_ticket_are_used_for_tickets_only() -> None:
    own = policy(of_ticket=True)
    assert mark("ticket") in compose_letter(own, "incident", "first", "en", matter=TICKET).paragraphs[1]
    assert compose_letter(own, "incident", "first", "en", matter=REPAIR) == compose_letter(
        policy(), "incident", "first", "en", matter=REPAIR
    )
    assert compose_texts(own, "first", "zh", matter=QUARTER) == compose_texts(policy(), "first", "zh", matter=QUARTER)


def test_greetings() -> None:
    assert greeting("李雷", "zh") == "李雷，您好！"
    assert greeting("", "zh") == "您好！"
    assert greeting("Bob", "en") == "Dear Bob,"
    assert greeting("", "en") == "Hello,"


def test_moments_are_by_the_wall_clock_of_the_zone() -> None:
    at = datetime(2026, 3, 31, 22, 5, tzinfo=UTC)
    assert written_out(at, ZoneInfo("Asia/Shanghai"), "zh") == "4月1日06:05"
    assert written_out(at, ZoneInfo("Europe/Berlin"), "en") == "1 April, 00:05"


def test_every_placeholder_of_the_policy_has_its_place() -> None:
    assert {"name", "ticket", "link", "opt_out", "expires"} <= set(PLACES)
