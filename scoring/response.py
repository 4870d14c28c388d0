"""A response: what a submitted form says, item by item, or what is wrong with it. Pure.

The form's fields are named by the items' ids. Nothing is guessed: a value is a mark of its scale, written exactly as
the page wrote it, or an error.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from services.contracts.questionnaire import NOT_APPLICABLE, SCALES, Item, Questionnaire, ScaleName

Answer = int | bool | str | tuple[str, ...]
"""A scale's value or `X`; yes or no; an option's id; several of them; or text."""
Answers = Mapping[str, Answer]
Fault = Literal["missing", "not_a_choice", "repeated", "too_long"]

TEXT_MOST = 2_000
"""Characters of one text. Percent-encoded, three full ones in Chinese fit into the form's 64 kB."""
YES, NO = "yes", "no"
_YES_OR_NO: Mapping[str, Answer] = {YES: True, NO: False}
_MARKS: Mapping[tuple[ScaleName, bool], Mapping[str, Answer]] = {
    (name, na): {
        **{str(mark.value): mark.value for mark in scale.marks},
        **({NOT_APPLICABLE: NOT_APPLICABLE} if na else {}),
    }
    for name, scale in SCALES.items()
    for na in (False, True)
}
_KEPT_CONTROLS = "\n\t"
_FILLERS = "\u115f\u1160\u3164\uffa0\u2800"  # letters and signs by category, and yet drawn as nothing


class Reading(NamedTuple):
    """A form as read. With `faults` (by item) it is no response; `answers` is then what to show again."""

    answers: dict[str, Answer]
    faults: dict[str, Fault]


class Refused(ValueError):
    """One field that cannot be read."""

    def __init__(self, fault: Fault, answer: Answer | None = None) -> None:
        super().__init__(fault)
        self.fault: Fault = fault
        self.answer = answer


def read(questionnaire: Questionnaire, fields: Sequence[tuple[str, str]]) -> Reading:
    """Reads the form. Items whose condition does not hold were not asked: whatever came for them is left out."""
    sent: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in fields:
        sent[name].append(value)
    answers: dict[str, Answer] = {}
    faults: dict[str, Fault] = {}
    for item in questionnaire.items:
        if not is_asked(item, answers):
            continue
        try:
            answer = _read_item(item, sent.get(item.id, []))
        except Refused as refused:
            faults[item.id] = refused.fault
            answer = refused.answer
        if answer is not None:
            answers[item.id] = answer
    return Reading(answers, faults)


def is_asked(item: Item, answers: Answers) -> bool:
    """Whether an item's condition holds, given the answers to the items before it."""
    if not item.ask_when:
        return True
    return all(_is_one_of(answers.get(name), listed) for name, listed in item.ask_when.items())


def _is_one_of(answer: Answer | None, listed: tuple[int | str | bool, ...]) -> bool:
    given = answer if isinstance(answer, tuple) else (answer,)
    # True == 1 in Python, so the types are compared, too.
    return any(type(each) is type(wanted) and each == wanted for each in given for wanted in listed)


def _read_item(item: Item, sent: Sequence[str]) -> Answer | None:
    """The answer to one item, or None where it was left out. Raises `Refused`."""
    if item.kind == "choices":
        answer = _read_choices(item, sent)
    elif len(sent) > 1:
        raise Refused("repeated")
    elif item.kind == "text":
        answer = _read_text(sent[0]) if sent else None
    else:
        answer = _read_choice(item, sent[0]) if sent else None
    if answer is None and item.required:
        raise Refused("missing")
    return answer


def _read_choice(item: Item, sent: str) -> Answer:
    try:
        return choices(item)[sent]
    except KeyError:
        raise Refused("missing" if not sent and item.required else "not_a_choice") from None


def choices(item: Item) -> Mapping[str, Answer]:
    """Every answer that a closed item allows, by the text that stands for it in the form."""
    if item.scale:
        return _MARKS[item.scale, item.na]
    if item.kind == "yesno":
        return _YES_OR_NO
    return {option.id: option.id for option in item.options}


def _read_choices(item: Item, sent: Sequence[str]) -> Answer | None:
    allowed = choices(item)
    if any(each not in allowed for each in sent):
        raise Refused("not_a_choice")
    if any(times > 1 for times in Counter(sent).values()):
        raise Refused("repeated")
    return tuple(option for option in allowed if option in sent) or None


def _read_text(sent: str) -> str | None:
    text = clean(sent)
    if len(text) > TEXT_MOST:
        raise Refused("too_long", text)
    return text or None


def clean(text: str) -> str:
    """The text without what cannot be kept (NUL and other control characters), and empty where nothing can be seen.

    Direction marks and joiners stay, since languages and emoji need them; pages show the text in a box of its own
    direction.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(each for each in lines if each in _KEPT_CONTROLS or unicodedata.category(each) not in ("Cc", "Cs"))
    return kept.strip() if any(_is_visible(each) for each in kept) else ""


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZM" and character not in _FILLERS


def values(questionnaire: Questionnaire, answers: Answers) -> dict[str, float]:
    """The closed answers as numbers, for scores and events: yes is 1 and no 0; a chosen option is `item.option`: 1.

    "Not applicable" is `item.X`: 1, which no score looks at. Text has none.
    """
    numbers: dict[str, float] = {}
    for item in questionnaire.items:
        answer = answers.get(item.id)
        if isinstance(answer, int):
            numbers[item.id] = float(answer)
        elif item.kind != "text":
            chosen = answer if isinstance(answer, tuple) else (answer,)
            numbers.update({f"{item.id}.{option}": 1.0 for option in chosen if isinstance(option, str)})
    return numbers


def texts(questionnaire: Questionnaire, answers: Answers) -> dict[str, str]:
    """What the customer wrote, by item."""
    return {
        item.id: answer
        for item in questionnaire.items
        if item.kind == "text" and isinstance(answer := answers.get(item.id), str)
    }
