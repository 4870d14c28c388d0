"""Who is asked again because of his answer, when, and about what."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from scheduler.dossier import Dossier
from scheduler.plan import asked_again_at
from scheduler.policy import AGAIN, Closing
from services.contracts.policy import When
from services.contracts.questionnaire import SCALES, Item, Questionnaire
from services.contracts.responses import Response


class Answer(NamedTuple):
    """As much of a response as conditions speak of: the values of closed items, none of the customer's words.

    `values` has a scale's value by its item; yes is 1 and no 0; a chosen option, and "not applicable", is
    `item.option`: 1. `score` is 0-100 by the policy's method; `satisfied` judges the overall item, or the score.
    """

    answered_at: datetime
    values: Mapping[str, float]
    score: float | None
    satisfied: bool | None
    commented: bool


class Asking(NamedTuple):
    """A survey that follows from an answer: why and when it begins, and its items (none named: all)."""

    closing: Closing
    items: tuple[str, ...]


def answer_of(response: Response) -> Answer:
    """What an event tells of an answer."""
    return Answer(response.answered_at, response.values, response.score, response.satisfied, response.commented)


def applies(when: When, answer: Answer, questionnaire: Questionnaire) -> bool:
    """Whether a condition holds: everything that it names, or everything that it names under `or`."""
    return _holds(when, answer, questionnaire) or (when.or_ is not None and applies(when.or_, answer, questionnaire))


def _holds(when: When, answer: Answer, questionnaire: Questionnaire) -> bool:
    return (
        (when.answers is None or _are_given(when.answers, answer, questionnaire))
        and (when.any_item is None or bool(_dissatisfying(answer, questionnaire)))
        and (when.any_item_below is None or _is_any_below(when.any_item_below, answer, questionnaire))
        and (when.response is None or answer.satisfied is False)
        and (when.score_below is None or (answer.score is not None and answer.score < when.score_below))
        and (when.comment is None or answer.commented)
    )


def _are_given(
    wanted: Mapping[str, tuple[int | str | bool, ...]], answer: Answer, questionnaire: Questionnaire
) -> bool:
    """Whether each of the items has one of its values; what was written into a text is never looked at."""
    items = {item.id: item for item in questionnaire.items}
    return all(
        name in items and any(_is_given(items[name], value, answer) for value in values)
        for name, values in wanted.items()
    )


def _is_given(item: Item, value: int | str | bool, answer: Answer) -> bool:
    if isinstance(value, str):
        return f"{item.id}.{value}" in answer.values
    # True == 1 in Python, so the kind of item is compared, too.
    fits = item.kind == ("yesno" if isinstance(value, bool) else "scale")
    return fits and answer.values.get(item.id) == value


def _rated(answer: Answer, questionnaire: Questionnaire) -> list[tuple[Item, float]]:
    scales = (item for item in questionnaire.items if item.scale is not None)
    return [(item, answer.values[item.id]) for item in scales if item.id in answer.values]


def _is_any_below(least: float, answer: Answer, questionnaire: Questionnaire) -> bool:
    return any(value < least for _, value in _rated(answer, questionnaire))


def _dissatisfying(answer: Answer, questionnaire: Questionnaire) -> list[str]:
    rated = _rated(answer, questionnaire)
    return [item.id for item, value in rated if item.scale and value < SCALES[item.scale].satisfied_from]


def dissatisfied_items(answer: Answer, questionnaire: Questionnaire) -> tuple[str, ...]:
    """The items below their scale's border and the open ones that were asked with them, in the questionnaire's order.

    Where nothing was below its border and nothing is open, there is none: then everything is asked.
    """
    below = {*_dissatisfying(answer, questionnaire)}
    chosen = (item for item in questionnaire.items if item.id in below or _is_open(item, answer, questionnaire))
    return tuple(item.id for item in chosen)


def _is_open(item: Item, answer: Answer, questionnaire: Questionnaire) -> bool:
    """Whether it is a text that was asked, given the answers to the closed items before it."""
    return item.kind == "text" and _are_given(item.ask_when, answer, questionnaire)


def asked_again(dossier: Dossier, answer: Answer, questionnaire: Questionnaire) -> Asking | None:
    """The survey that follows from a survey's answer; None where the policy wants none, or wanted no more than were.

    Surveys that follow from one first answer are its chain: each has the first survey's id as its ticket and its place
    in the chain as its closure, and begins with the period after the answer before it.
    """
    again, before = dossier.rule.survey.again, dossier.closing
    if again is None or not applies(again.when, answer, questionnaire):
        return None
    first, place = (before.ticket, before.closure) if before.on == AGAIN else (str(dossier.survey.id), 0)
    if place >= again.times:
        return None
    opens = asked_again_at(again, answer.answered_at, dossier.rule.almanac)
    closing = Closing(AGAIN, first, place + 1, opens, before.facts, dossier.contact, AGAIN)
    return Asking(closing, dissatisfied_items(answer, questionnaire) if again.items == "dissatisfied" else ())
