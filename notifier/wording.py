"""What customers are told, in both languages: the house's words, or the policy's own. Pure.

A letter is put together once per policy version, questionnaire, kind and language; where recipients differ it holds
marks (`notifier.message.mark`).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from notifier.matter import Matter
from notifier.message import PLACES, mark
from services.contracts.policy import Policy
from services.contracts.questionnaire import SCALES, Item, Locale, Words

Kind = Literal["first", "reminder"]
LANGUAGES: dict[Locale, str] = {"zh": "zh-CN", "en": "en"}
_PLACEHOLDER = re.compile(r"\{(brand|" + "|".join(PLACES) + r")\}")
_CHINESE = frozenset({"CN", "HK", "MO", "TW"})
_FEW = 5
_GREETED = "您好！"
"""How a questionnaire's purpose begins as a rule, since it opens the page; a mail has its own greeting."""
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One point of the scale as a link that preselects it; it never votes."""

    value: int
    label: str
    link: str


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything that a mail says, still without its form.

    `choices` stand best first; a scale too long for words at every point has `ends`, the words of its best and worst.
    A policy's own text has its own links, so then `button` and `decline` are None.
    """

    locale: Locale
    language: str
    brand: str
    color: str
    subject: str
    paragraphs: tuple[str, ...]
    question: str | None
    choices: tuple[Choice, ...]
    ends: tuple[str, str] | None
    after: tuple[str, ...]
    button: str | None
    decline: str | None
    link: str = mark("link")
    decline_link: str = mark("opt_out")


_REMINDER = Words(zh="提醒：", en="Reminder: ")
_REMINDED = Words(
    zh="前些时候我们请您评价{noun}，还没有收到您的回答。如果方便，请您说说看法；这是顺便提醒，不作答也没有关系。",
    en="We asked you about {noun} and have not heard from you yet. "
    "Your view would help us; this is only a reminder, and you are free not to answer.",
)
_BUTTON = Words(zh="填写评价", en="Give your view")
_PRESELECT = Words(
    zh="点一下只是预选，在页面上确认后才算作答。",
    en="A click only preselects; nothing is sent until you confirm on the page.",
)
_UNTIL = Words(zh="页面开放至 {expires}。", en="The page is open until {expires}.")
_DECLINE = Words(
    zh="不想收到这类邮件？可以谢绝这一次，或以后都不再收到", en="Rather not? Decline this time, or for good"
)

_TEXTS: dict[tuple[Kind, Locale], tuple[str, ...]] = {
    ("first", "zh"): ("【{brand}】请您评价我们的服务，页内可谢绝：{link}", "【{brand}】请评价，可谢绝：{link}"),
    ("first", "en"): ("{brand}: how did we do? Answer or decline: {link}",),
    ("reminder", "zh"): (
        "【{brand}】提醒：{noun}还等您评价，也可在页内谢绝：{link}",
        "【{brand}】提醒：请您评价我们的服务，页内可谢绝：{link}",
        "【{brand}】提醒：请评价，可谢绝：{link}",
        "【{brand}】提醒评价，可谢绝：{link}",
    ),
    ("reminder", "en"): (
        "{brand}: a reminder about {noun}. Answer or decline: {link}",
        "{brand}: a reminder. How did we do? Answer or decline: {link}",
    ),
}
_TEXTS_WITH_NEWS: dict[Locale, tuple[str, ...]] = {
    "zh": (
        "【{brand}】{short}，请用一分钟评价，也可在页内谢绝：{link}",
        "【{brand}】{short}，请您评价，可谢绝：{link}",
    ),
    "en": (
        "{brand}: {short}. How did we do? It takes a minute, or decline there: {link}",
        "{brand}: {short}. How did we do? Answer or decline: {link}",
    ),
}
_TAGGED = "【{brand}】请评价{tag}，可谢绝：{link}"


def locale_of(locale: str | None, policy: Policy) -> Locale:
    """The language for a person: Chinese for zh…, English for any other; unknown, that of the policy's calendar."""
    if locale:
        return "zh" if locale.lower().replace("_", "-").split("-")[0] == "zh" else "en"
    at_home = policy.calendar.holidays in _CHINESE or policy.calendar.timezone == "Asia/Shanghai"
    return "zh" if at_home else "en"


def greeting(name: str, locale: Locale) -> str:
    """The salutation; without a name where none is known."""
    if locale == "zh":
        return f"{name}，您好！" if name else "您好！"
    return f"Dear {name}," if name else "Hello,"


def written_out(at: datetime, zone: ZoneInfo, locale: Locale) -> str:
    """A moment by the clock on the wall of `zone`, without the year."""
    local = at.astimezone(zone)
    if locale == "zh":
        return f"{local.month}月{local.day}日{local:%H:%M}"
    return f"{local.day} {_MONTHS[local.month - 1]}, {local:%H:%M}"


def compose_letter(
    policy: Policy, questionnaire: str, kind: Kind, locale: Locale, *, matter: Matter, whole: bool = True
) -> Letter:
    """The mail for one kind of step about a matter. `whole`: the judgement of the whole is among what is asked.

    Raises `KeyError` for a questionnaire that the policy does not have.
    """
    asked = policy.questionnaires[questionnaire]
    own = policy.messages[kind].email if kind in policy.messages else None
    if own and not matter.is_ticket and (_names_ticket(own.subject) or _names_ticket(own.text)):
        own = None
    brand = policy.brand.name.say(locale)
    if own:
        subject, paragraphs = own.subject.say(locale), own.text.say(locale).strip().split("\n\n")
    else:
        subject = (_REMINDER.say(locale) if kind == "reminder" else "") + matter.subject.say(locale)
        purpose = asked.purpose.say(locale).removeprefix(_GREETED)
        paragraphs = ["{greeting}", *_opening(kind, matter, locale), purpose]
    item = asked.overall if whole else None
    choices = _choices(item, locale)
    return Letter(
        locale=locale,
        language=LANGUAGES[locale],
        brand=brand,
        color=policy.brand.color,
        subject=_marked(subject, brand),
        paragraphs=tuple(_marked(paragraph, brand) for paragraph in paragraphs),
        question=item.text.say(locale) if item else None,
        choices=choices,
        ends=_ends(choices),
        after=_after(choices, own is not None, locale),
        button=None if own else _BUTTON.say(locale),
        decline=None if own else _DECLINE.say(locale),
    )


def compose_texts(policy: Policy, kind: Kind, locale: Locale, *, matter: Matter) -> tuple[str, ...]:
    """The text message for one kind of step about a matter, in several lengths, politest first."""
    own = policy.messages[kind].sms if kind in policy.messages else None
    if own and (matter.is_ticket or not _names_ticket(own.text)):
        wordings: tuple[str, ...] = (own.text.say(locale),)
    else:
        wordings = tuple(
            each.replace("{noun}", matter.noun.say(locale))
            for each in (*_texts_with_news(kind, locale, matter), *_TEXTS[kind, locale])
        )
    return tuple(_marked(each, policy.brand.name.say(locale)) for each in wordings)


def _texts_with_news(kind: Kind, locale: Locale, matter: Matter) -> tuple[str, ...]:
    if matter.short is None or kind == "reminder":
        return ()
    told = [each.replace("{short}", matter.short.say(locale)) for each in _TEXTS_WITH_NEWS[locale]]
    bare = [each.replace("{ticket}", "").replace("  ", " ") for each in told if "{ticket}" in each]
    tagged = [_TAGGED.replace("{tag}", matter.tag)] if locale == "zh" and matter.tag else []
    return (*told, *bare, *tagged)


def _opening(kind: Kind, matter: Matter, locale: Locale) -> list[str]:
    if kind == "reminder":
        return [_REMINDED.say(locale).replace("{noun}", matter.noun.say(locale))]
    return [matter.news.say(locale)] if matter.news else []


def _names_ticket(words: Words) -> bool:
    return any("{ticket}" in text for text in (words.zh, words.en))


def _choices(item: Item | None, locale: Locale) -> tuple[Choice, ...]:
    if item is None or item.scale is None:
        return ()
    return tuple(
        Choice(
            value=point.value,
            label=" ".join(filter(None, (point.sign, point.words.say(locale) if point.words else str(point.value)))),
            link=f"{mark('link')}?score={point.value}",
        )
        for point in SCALES[item.scale].marks
    )


def _ends(choices: tuple[Choice, ...]) -> tuple[str, str] | None:
    if len(choices) <= _FEW:
        return None
    best, worst = ("" if point.label == str(point.value) else point.label for point in (choices[0], choices[-1]))
    return best, worst


def _after(choices: tuple[Choice, ...], own: bool, locale: Locale) -> tuple[str, ...]:
    sentences = (*((_PRESELECT,) if choices else ()), *(() if own else (_UNTIL,)))
    return tuple(_marked(sentence.say(locale), "") for sentence in sentences)


def _marked(wording: str, brand: str) -> str:
    """The wording with its placeholders turned into marks; in one pass, so that no brand is read as a placeholder."""
    return _PLACEHOLDER.sub(lambda found: brand if found[1] == "brand" else mark(found[1]), wording)
