"""What customers are told, in both languages: the house's words, or the policy's own. Pure.

A letter is put together once per policy version, questionnaire, kind and language; where recipients differ it holds
marks (`notifier.message.mark`).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from notifier.message import PLACES, mark
from services.contracts.policy import Policy
from services.contracts.questionnaire import SCALES, Locale, Words

Kind = Literal["first", "reminder"]
LANGUAGES: dict[Locale, str] = {"zh": "zh-CN", "en": "en"}
_PLACEHOLDER = re.compile(r"\{(brand|" + "|".join(PLACES) + r")\}")
_CHINESE = frozenset({"CN", "HK", "MO", "TW"})
_FEW = 5
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


_SUBJECT: dict[tuple[Kind, bool], Words] = {
    ("first", True): Words(zh="请您评价：服务请求 {ticket}", en="How did we do? Your request {ticket}"),
    ("first", False): Words(zh="请您评价我们的服务", en="How did we do?"),
    ("reminder", True): Words(zh="提醒：请您评价服务请求 {ticket}", en="Reminder: how did we do with {ticket}?"),
    ("reminder", False): Words(zh="提醒：请您评价我们的服务", en="Reminder: how did we do?"),
}
_OPENING: dict[tuple[Kind, bool], Words] = {
    ("first", True): Words(zh="关于您的服务请求 {ticket}：", en="This is about your request {ticket}."),
    ("reminder", True): Words(
        zh="前些时候我们就服务请求 {ticket} 请您评价，还没有收到您的回答。"
        "如果方便，请您说说看法；这是顺便提醒，不作答也没有关系。",
        en="We asked you about your request {ticket} and have not heard from you yet. "
        "Your view would help us; this is only a reminder, and you are free not to answer.",
    ),
    ("reminder", False): Words(
        zh="前些时候我们请您评价，还没有收到您的回答。如果方便，请您说说看法；这是顺便提醒，不作答也没有关系。",
        en="We asked for your view and have not heard from you yet. "
        "It would help us; this is only a reminder, and you are free not to answer.",
    ),
}
_BUTTON = Words(zh="填写评价", en="Give your view")
_PRESELECT = Words(
    zh="点一下只是预选，在页面上确认后才算作答。",
    en="A click only preselects; nothing is sent until you confirm on the page.",
)
_UNTIL = Words(zh="页面开放至 {expires}。", en="The page is open until {expires}.")
_DECLINE = Words(
    zh="不想收到这类邮件？可以谢绝这一次，或以后都不再收到", en="Rather not? Decline this time, or for good"
)

_TEXTS_ON_TICKET: dict[tuple[Kind, Locale], tuple[str, ...]] = {
    ("first", "zh"): (
        "【{brand}】您的服务请求{ticket}已办结，请用一分钟评价，也可在页内谢绝：{link}",
        "【{brand}】您的服务请求已办结，请您评价，也可在页内谢绝：{link}",
        "【{brand}】请您评价本次服务，页内可谢绝：{link}",
        "【{brand}】请评价本次服务，可谢绝：{link}",
    ),
    ("first", "en"): (
        "{brand}: your request {ticket} is closed. How did we do? It takes a minute, or decline there: {link}",
        "{brand}: your request is closed. How did we do? Answer or decline: {link}",
    ),
    ("reminder", "zh"): ("【{brand}】提醒：服务请求{ticket}还等您评价，也可在页内谢绝：{link}",),
    ("reminder", "en"): ("{brand}: a reminder about your request {ticket}. Answer or decline: {link}",),
}
_TEXTS: dict[tuple[Kind, Locale], tuple[str, ...]] = {
    ("first", "zh"): ("【{brand}】请您评价我们的服务，页内可谢绝：{link}", "【{brand}】请评价，可谢绝：{link}"),
    ("first", "en"): ("{brand}: how did we do? Answer or decline: {link}",),
    ("reminder", "zh"): (
        "【{brand}】提醒：请您评价我们的服务，页内可谢绝：{link}",
        "【{brand}】提醒：请评价，可谢绝：{link}",
    ),
    ("reminder", "en"): ("{brand}: a reminder. How did we do? Answer or decline: {link}",),
}


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


def compose_letter(policy: Policy, questionnaire: str, kind: Kind, locale: Locale, *, ticketed: bool) -> Letter:
    """The mail for one kind of step. Raises `KeyError` for a questionnaire that the policy does not have."""
    asked = policy.questionnaires[questionnaire]
    own = policy.messages[kind].email if kind in policy.messages else None
    brand = policy.brand.name.say(locale)
    if own:
        subject, paragraphs = own.subject.say(locale), own.text.say(locale).strip().split("\n\n")
    else:
        subject = _SUBJECT[kind, ticketed].say(locale)
        opening = _OPENING.get((kind, ticketed))
        paragraphs = ["{greeting}", *([opening.say(locale)] if opening else []), asked.purpose.say(locale)]
    choices = _choices(policy, questionnaire, locale)
    return Letter(
        locale=locale,
        language=LANGUAGES[locale],
        brand=brand,
        color=policy.brand.color,
        subject=_marked(subject, brand),
        paragraphs=tuple(_marked(paragraph, brand) for paragraph in paragraphs),
        question=asked.overall.text.say(locale) if asked.overall else None,
        choices=choices,
        ends=_ends(choices),
        after=_after(choices, own is not None, locale),
        button=None if own else _BUTTON.say(locale),
        decline=None if own else _DECLINE.say(locale),
    )


def compose_texts(policy: Policy, kind: Kind, locale: Locale, *, ticketed: bool) -> tuple[str, ...]:
    """The text message for one kind of step, in several lengths, politest first."""
    own = policy.messages[kind].sms if kind in policy.messages else None
    on_ticket = _TEXTS_ON_TICKET[kind, locale] if ticketed else ()
    wordings = (own.text.say(locale),) if own else (*on_ticket, *_TEXTS[kind, locale])
    return tuple(_marked(each, policy.brand.name.say(locale)) for each in wordings)


def _choices(policy: Policy, questionnaire: str, locale: Locale) -> tuple[Choice, ...]:
    item = policy.questionnaires[questionnaire].overall
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
