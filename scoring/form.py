"""The form: a questionnaire in one language as the page draws it, with what was answered and what is wrong. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from scoring.parts import Part
from scoring.response import TEXT_MOST, YES, Answer, Answers, Fault, choices
from scoring.wording import ends, fault, say
from services.contracts.questionnaire import NOT_APPLICABLE, SCALES, Item, Locale, Mark, Questionnaire, ScaleName

Look = Literal["list", "faces", "stars", "numbers", "bands", "tiles", "rows", "several", "text"]
"""How an item is drawn. Words stand best first, as the scale has them; numbers and stars rise from left to right."""

_LOOKS: Final[dict[ScaleName, Look]] = {
    "likert5": "list",
    "quality5": "list",
    "faces": "faces",
    "stars": "stars",
    "ten-bands": "bands",
    "ten": "numbers",
    "nps": "numbers",
    "ces": "numbers",
}
_KINDS: Final[dict[str, Look]] = {"yesno": "tiles", "choice": "rows", "choices": "several", "text": "text"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One radio button or box. `state` is what its tag ends with: ` checked`, nothing, or a place to fill."""

    id: str
    value: str
    label: str
    sign: str | None
    state: str


class Band(NamedTuple):
    """Marks of a scale that share their words."""

    words: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One item as drawn. `condition` says in words when it is asked; `first_id` is where an error leads to."""

    name: str
    look: Look
    legend: str
    required: bool
    help: str | None
    hint: str | None
    condition: str | None
    fault: str | None
    choices: tuple[Choice, ...]
    bands: tuple[Band, ...]
    ends: tuple[str, str] | None
    not_applicable: Choice | None
    text: str
    text_most: int = TEXT_MOST

    @property
    def first_id(self) -> str:
        """The id of the first control."""
        first = self.choices or ((self.not_applicable,) if self.not_applicable else ())
        return first[0].id if first else f"t-{self.name}"


_NEVER: Final = ":not(*)"

State = Callable[[Item, str, bool], str]
"""What a control's tag ends with, by its item, its value, and whether that is the answer given."""


def checked(item: Item, value: str, given: bool) -> str:
    """The state of a control on a page for one visitor."""
    return " checked" if given else ""


class Section(NamedTuple):
    """Fields that stand together, under a title or without one."""

    id: str
    title: str | None
    fields: tuple[Field, ...]


def sections(divided: Sequence[Part], drawn: Sequence[Field], locale: Locale) -> list[Section]:
    """The fields in the parts of their questionnaire."""
    named = {field.name: field for field in drawn}
    return [
        Section(part.id, part.title.say(locale) if part.title else None, tuple(named[item.id] for item in part.items))
        for part in divided
    ]


def fields(
    questionnaire: Questionnaire,
    locale: Locale,
    answers: Answers,
    faults: Mapping[str, Fault],
    state: State = checked,
) -> list[Field]:
    """Every item of the questionnaire, in order."""
    return [
        _field(item, questionnaire, locale, answers.get(item.id), faults.get(item.id), state)
        for item in questionnaire.items
    ]


def _field(
    item: Item, questionnaire: Questionnaire, locale: Locale, answer: Answer | None, found: Fault | None, state: State
) -> Field:
    look = _LOOKS[item.scale] if item.scale else _KINDS[item.kind]
    drawn = _choices(item, look, locale, answer, state)
    offered = tuple(choice for choice in drawn if choice.value != NOT_APPLICABLE or not item.na)
    return Field(
        name=item.id,
        look=look,
        legend=item.text.say(locale),
        required=item.required,
        help=item.help.say(locale) if item.help else None,
        hint=_hint(look, locale),
        condition=_condition(item, questionnaire, locale),
        fault=fault(found, item.kind, locale) if found else None,
        choices=offered,
        bands=_bands(offered) if look == "bands" else (),
        ends=_ends(item, offered, locale),
        not_applicable=next((choice for choice in drawn if choice not in offered), None),
        text=answer if look == "text" and isinstance(answer, str) else "",
    )


def _hint(look: Look, locale: Locale) -> str | None:
    if look == "text":
        return say("text_hint", locale)
    return say("choose_several", locale) if look == "several" else None


def _choices(item: Item, look: Look, locale: Locale, answer: Answer | None, state: State) -> tuple[Choice, ...]:
    allowed = list(choices(item).items())
    marks = {str(mark.value): mark for mark in SCALES[item.scale].marks} if item.scale else {}
    if look in ("stars", "numbers"):
        allowed.sort(key=lambda choice: (choice[0] not in marks, choice[1] if choice[0] in marks else 0))
    return tuple(
        Choice(
            id=control_id(item, value),
            value=value,
            label=_label(item, value, marks.get(value), locale),
            sign=marks[value].sign if value in marks else None,
            state=state(item, value, meant in answer if isinstance(answer, tuple) else _same(meant, answer)),
        )
        for value, meant in allowed
    )


def _same(one: Answer, other: Answer | None) -> bool:
    return type(one) is type(other) and one == other


def _label(item: Item, value: str, mark: Mark | None, locale: Locale) -> str:
    if mark is not None:
        return mark.words.say(locale) if mark.words else value
    if value == NOT_APPLICABLE and item.na:
        return say("not_applicable", locale)
    if item.kind == "yesno":
        return say("yes" if value == YES else "no", locale)
    return next(option.text.say(locale) for option in item.options if option.id == value)


def _bands(offered: Sequence[Choice]) -> tuple[Band, ...]:
    words = dict.fromkeys(choice.label for choice in offered)
    return tuple(Band(each, tuple(choice for choice in offered if choice.label == each)) for each in words)


def _ends(item: Item, offered: Sequence[Choice], locale: Locale) -> tuple[str, str] | None:
    if item.scale == "stars":
        return offered[0].label, offered[-1].label
    if item.ends:
        return item.ends.worst.say(locale), item.ends.best.say(locale)
    return ends(item.scale, locale) if item.scale else None


def control_id(item: Item, value: str) -> str:
    """The id of the control for one answer: the item's name and the answer's place, so that no two are alike."""
    return f"c-{item.id}-{list(choices(item)).index(value)}"


def _condition(item: Item, questionnaire: Questionnaire, locale: Locale) -> str | None:
    if not item.ask_when:
        return None
    items = {each.id: each for each in questionnaire.items}
    named = [
        _label(items[name], value, _mark(items[name], value), locale)
        for name, listed in item.ask_when.items()
        for value in _values(items[name], listed)
    ]
    return say("only_if", locale) + " / ".join(named)


def _mark(item: Item, value: str) -> Mark | None:
    marks = SCALES[item.scale].marks if item.scale else ()
    return next((mark for mark in marks if str(mark.value) == value), None)


def _values(item: Item, listed: Sequence[int | str | bool]) -> list[str]:
    return [value for value, meant in choices(item).items() if any(_same(meant, each) for each in listed)]


def conditions(questionnaire: Questionnaire) -> dict[str, tuple[str, ...]]:
    """For each item with a condition, the selectors of which each must match something: one for every item named.

    An item that itself is not asked reveals nothing, so the conditions of the items named are part of it.
    """
    items = {item.id: item for item in questionnaire.items}
    found: dict[str, tuple[str, ...]] = {}
    for item in questionnaire.items:
        own = [
            ",".join(f"#{control_id(items[name], value)}:checked" for value in _values(items[name], listed)) or _NEVER
            for name, listed in item.ask_when.items()
        ]
        inherited = [each for name in item.ask_when for each in found.get(name, ())]
        if item.ask_when:
            found[item.id] = tuple(dict.fromkeys([*own, *inherited]))
    return found


def title_conditions(divided: Sequence[Part], of_items: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """For each part of which all items are asked on the same condition, that condition."""
    found = {part.id: {of_items.get(item.id) for item in part.items} for part in divided if part.title}
    return {part: needed for part, (needed, *others) in found.items() if needed and not others}
