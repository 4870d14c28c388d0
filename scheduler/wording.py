"""The lint of questionnaires: wording that leads, presses or confuses, missing translations, too much at once.

It warns with the place and advice; a person decides, and says so by `accept` at the item. Its words stand in
`wording.yaml`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from services.contracts.document import Path, read_document
from services.contracts.part import Part
from services.contracts.policy import Policy
from services.contracts.questionnaire import LOCALES, Item, Locale, Questionnaire, Words

Rule = Literal[
    "leading", "loaded", "pressure", "double", "negative", "absolute", "length", "translation",
    "confidential", "voluntary", "items",
]  # fmt: skip
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LETTER = re.compile(r"[a-z]", re.IGNORECASE)


class Terms(Part):
    """Words to look for, in each language."""

    zh: tuple[str, ...]
    en: tuple[str, ...]

    def found_in(self, text: str, locale: Locale) -> str | None:
        """The first of them that stands in the text."""
        words = self.zh if locale == "zh" else self.en
        return next((word for word in words if _expression(word, locale).search(text)), None)


class Characters(Part):
    """The most characters of a text, in each language."""

    zh: int
    en: int


class Sizes(Part):
    """What is too much."""

    items: int
    items_on_a_ticket: int
    question: Characters
    option: Characters
    purpose: Characters


class Lexicon(Part):
    """What stands in `wording.yaml`."""

    limits: Sizes
    leading: Terms
    loaded: Terms
    pressure: Terms
    double: Terms
    single: Terms
    negative: Terms
    absolute: Terms
    confidential: Terms
    voluntary: Terms
    advice: dict[Rule, Words]


class Remark(NamedTuple):
    """Something that a person should look at: where (a path into the policy), which rule, the words found, advice."""

    at: Path
    rule: Rule
    found: str
    advice: Words


class _Text(NamedTuple):
    at: Path
    words: Words


def read_lexicon(text: str) -> Lexicon:
    """The lexicon of a `wording.yaml`. Raises `DocumentError` or `pydantic.ValidationError`."""
    return Lexicon.model_validate(read_document(text, "wording.yaml").data)


def lint(policy: Policy, lexicon: Lexicon) -> tuple[Remark, ...]:
    """All remarks about a policy's questionnaires and messages, in the order of the file."""
    on_tickets = {each.questionnaire for each in policy.surveys.values() if each.on == "ticket closed"}
    found: list[Remark] = []
    for name, questionnaire in policy.questionnaires.items():
        limit = lexicon.limits.items_on_a_ticket if name in on_tickets else lexicon.limits.items
        found += _questionnaire(questionnaire, ("questionnaires", name), limit, lexicon)
    for text in _messages(policy):
        found += _words(text, ("pressure", "translation"), lexicon)
    return tuple(found)


def _questionnaire(questionnaire: Questionnaire, at: Path, limit: int, lexicon: Lexicon) -> Iterator[Remark]:
    purpose = _Text((*at, "purpose"), questionnaire.purpose)
    yield from _words(purpose, ("pressure", "translation"), lexicon)
    yield from _too_long(purpose, lexicon.limits.purpose, lexicon)
    yield from _promises(purpose, lexicon)
    if len(questionnaire.items) > limit:
        yield _remark((*at, "items"), "items", str(len(questionnaire.items)), lexicon, limit)
    for number, item in enumerate(questionnaire.items):
        yield from (
            warning for warning in _item(item, (*at, "items", number), lexicon) if warning.rule not in item.accept
        )
    if questionnaire.thanks is not None:
        yield from _words(_Text((*at, "thanks"), questionnaire.thanks), ("pressure", "translation"), lexicon)


_OF_EVERY_QUESTION: tuple[Rule, ...] = ("leading", "loaded", "pressure", "translation")
_OF_CLOSED_QUESTIONS: tuple[Rule, ...] = ("double", "negative", "absolute")


def _item(item: Item, at: Path, lexicon: Lexicon) -> Iterator[Remark]:
    question = _Text((*at, "text"), item.text)
    closed = item.kind in ("scale", "yesno")
    yield from _words(question, _OF_EVERY_QUESTION + (_OF_CLOSED_QUESTIONS if closed else ()), lexicon)
    yield from _too_long(question, lexicon.limits.question, lexicon)
    for number, option in enumerate(item.options):
        text = _Text((*at, "options", number, "text"), option.text)
        yield from _words(text, ("translation", "loaded"), lexicon)
        yield from _too_long(text, lexicon.limits.option, lexicon)


def _messages(policy: Policy) -> Iterator[_Text]:
    for kind, said in policy.messages.items():
        if said.sms is not None:
            yield _Text(("messages", kind, "sms", "text"), said.sms.text)
        if said.email is not None:
            yield _Text(("messages", kind, "email", "subject"), said.email.subject)
            yield _Text(("messages", kind, "email", "text"), said.email.text)


def _words(text: _Text, rules: Sequence[Rule], lexicon: Lexicon) -> Iterator[Remark]:
    for locale in LOCALES:
        for rule in rules:
            found = _FINDERS[rule](text.words.say(locale), locale, lexicon)
            if found is not None:
                yield _remark((*text.at, locale), rule, found, lexicon)


def _too_long(text: _Text, most: Characters, lexicon: Lexicon) -> Iterator[Remark]:
    for locale, limit in (("zh", most.zh), ("en", most.en)):
        length = len(text.words.zh if locale == "zh" else text.words.en)
        if length > limit:
            yield _remark((*text.at, locale), "length", str(length), lexicon, limit)


def _promises(purpose: _Text, lexicon: Lexicon) -> Iterator[Remark]:
    promises: tuple[tuple[Rule, Terms], ...] = (
        ("confidential", lexicon.confidential),
        ("voluntary", lexicon.voluntary),
    )
    for locale in LOCALES:
        for rule, terms in promises:
            if terms.found_in(purpose.words.say(locale), locale) is None:
                yield _remark((*purpose.at, locale), rule, "", lexicon)


def _remark(at: Path, rule: Rule, found: str, lexicon: Lexicon, limit: int = 0) -> Remark:
    advice = lexicon.advice[rule]
    zh, en = (advice.say(locale).replace("{limit}", str(limit)) for locale in LOCALES)
    return Remark(at, rule, found, Words(zh=zh, en=en))


def _double(text: str, locale: Locale, lexicon: Lexicon) -> str | None:
    for word in lexicon.single.zh if locale == "zh" else lexicon.single.en:
        text = _expression(word, locale).sub(" ", text)
    return lexicon.double.found_in(text, locale)


def _untranslated(text: str, locale: Locale, lexicon: Lexicon) -> str | None:
    chinese, letters = _CHINESE.search(text), _LETTER.search(text)
    missing = letters and not chinese if locale == "zh" else chinese is not None
    return text if missing else None


_FINDERS: dict[Rule, Callable[[str, Locale, Lexicon], str | None]] = {
    "leading": lambda text, locale, lexicon: lexicon.leading.found_in(text, locale),
    "loaded": lambda text, locale, lexicon: lexicon.loaded.found_in(text, locale),
    "pressure": lambda text, locale, lexicon: lexicon.pressure.found_in(text, locale),
    "negative": lambda text, locale, lexicon: lexicon.negative.found_in(text, locale),
    "absolute": lambda text, locale, lexicon: lexicon.absolute.found_in(text, locale),
    "double": _double,
    "translation": _untranslated,
}


@lru_cache(maxsize=1024)
def _expression(word: str, locale: Locale) -> re.Pattern[str]:
    """A word as it is looked for: anywhere in Chinese, as a whole word in English, as a beginning before `…`."""
    plain = re.escape(word.removesuffix("…"))
    if locale == "zh" or not word[0].isalpha():
        return re.compile(plain, re.IGNORECASE)
    return re.compile(rf"(?<!\w){plain}" + ("" if word.endswith("…") else r"(?!\w)"), re.IGNORECASE)
