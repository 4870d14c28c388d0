"""How customers, providers and the desk behave in a simulation: the world that a policy is tried on.

Everything is drawn by `scheduler.sample.draw` from a seed and what it is about, so that the same simulation is played
again to the byte, and one survey's luck does not hang on another's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import log
from typing import Literal, NamedTuple

from scheduler.again import Answer
from scheduler.calendar import Almanac
from scheduler.dossier import Dossier
from scheduler.policy import PlannedStep
from scheduler.sample import draw
from services.contracts.deliveries import DeliveryOutcome
from services.contracts.questionnaire import SCALES, Item, Questionnaire
from services.contracts.tickets import Channel

_MESSAGES: frozenset[Channel] = frozenset({"sms", "email"})
_SOON = timedelta(minutes=1)
_COMMENTED = 0.15


class Conduct(NamedTuple):
    """How the world behaves. Rates are shares of 1.

    `answers` of those who get a first message answer it, half as many a reminder. Everybody who is called or visited is
    spoken to: `talks` of them answer then, `refuses` of the others refuse, the rest talk and answer nothing.
    `dissatisfied` of the answers are bad. `fails` of the messages do not arrive. A message is accepted within
    `seconds`; somebody on the list is called within `minutes` of working time, and visited in half of the time left.
    """

    seed: str = "1"
    answers: float = 0.3
    talks: float = 0.7
    refuses: float = 0.0
    dissatisfied: float = 0.12
    fails: float = 0.0
    seconds: float = 20.0
    minutes: float = 45.0
    patience: timedelta = timedelta(hours=7)


class Reply(NamedTuple):
    """What comes of a step, and when. `outcome` is the notifier's word, or the customer answers or refuses."""

    at: datetime
    outcome: DeliveryOutcome | Literal["answered", "refused"]


def replies(conduct: Conduct, dossier: Dossier, step: PlannedStep, now: datetime) -> Iterable[Reply]:
    """Everything that comes of a step that is due now."""
    about = (*dossier.closing[:3], dossier.rule.title, step.number)
    if step.channel in _MESSAGES:
        return _message(conduct, about, dossier, step, now)
    return _talk(conduct, about, dossier, step, now)


def _message(
    conduct: Conduct, about: tuple[str | int, ...], dossier: Dossier, step: PlannedStep, now: datetime
) -> Iterable[Reply]:
    accepted_at = now + timedelta(seconds=round(1 + conduct.seconds * _draw(conduct, "seconds", about), 3))
    if dossier.rule.almanac.is_quiet(accepted_at, dossier.survey.zone):
        accepted_at = now
    if _draw(conduct, "fails", about) < conduct.fails:
        yield Reply(accepted_at, "failed")
        return
    yield Reply(accepted_at, "accepted")
    willing = conduct.answers if step.kind == "first" else conduct.answers / 2
    if _draw(conduct, "answers", about) < willing:
        waits = -log(1 - _draw(conduct, "waits", about)) * conduct.patience.total_seconds()
        yield Reply(accepted_at + _SOON + timedelta(seconds=round(waits)), "answered")


def _talk(
    conduct: Conduct, about: tuple[str | int, ...], dossier: Dossier, step: PlannedStep, now: datetime
) -> Iterable[Reply]:
    yield Reply(now, "listed")
    wait = _SOON + _draw(conduct, "minutes", about) * _longest_wait(conduct, dossier, step, now)
    at = _talk_at(dossier, now, timedelta(seconds=round(wait.total_seconds())))
    answers = _draw(conduct, "talks", about) < conduct.talks
    if not answers and _draw(conduct, "refuses", about) < conduct.refuses:
        yield Reply(at, "refused")
        return
    yield Reply(at, "delivered")
    if answers:
        yield Reply(at, "answered")


def _longest_wait(conduct: Conduct, dossier: Dossier, step: PlannedStep, now: datetime) -> timedelta:
    """Calls are made one after the other, visits over half of the time that is left for them."""
    if step.channel != "visit":
        return timedelta(minutes=conduct.minutes)
    survey = dossier.survey
    return max(timedelta(0), (survey.expires_at if survey.contacted_at else survey.promised_by) - now) / 2


def _talk_at(dossier: Dossier, now: datetime, wait: timedelta) -> datetime:
    """When somebody on the list is spoken to: in working hours, unless the promise would be broken by then."""
    calendar, survey = dossier.rule.almanac, dossier.survey
    at = _in_hours(calendar, now, wait)
    in_time = at <= survey.promised_by or survey.contacted_at is not None
    if in_time and not calendar.is_quiet(at, survey.zone):
        return at
    at = now + min(wait, 5 * _SOON)
    return now if calendar.is_quiet(at, survey.zone) else at


def _in_hours(calendar: Almanac, now: datetime, wait: timedelta) -> datetime:
    at = calendar.working_from(now) + wait
    return calendar.working_from(at)


def _draw(conduct: Conduct, what: str, about: tuple[str | int, ...]) -> float:
    return draw(conduct.seed, what, *about)


def answer(conduct: Conduct, questionnaire: Questionnaire, dossier: Dossier, now: datetime) -> Answer:
    """What the customer answers in a survey: all is well, or the overall item and some others are bad."""
    about = (*dossier.closing[:3], dossier.rule.title)
    bad = _draw(conduct, "dissatisfied", about) < conduct.dissatisfied
    asked = dossier.survey.items
    items = [item for item in questionnaire.items if item.scale and (not asked or item.id in asked)]
    values = {item.id: _value(conduct, item, (*about, item.id), bad=bad) for item in items}
    scales = ((SCALES[item.scale], values[item.id]) for item in items if item.scale)
    shares = [value / scale.top for scale, value in scales if scale.scored]
    score = 100 * sum(shares) / len(shares) if shares else None
    commented = _draw(conduct, "commented", about) < _COMMENTED
    return Answer(now, values, score, None if not items else not bad, commented)


def _value(conduct: Conduct, item: Item, about: tuple[str | int, ...], *, bad: bool) -> float:
    if item.scale is None:
        raise ValueError(f"item {item.id!r} has no scale")
    scale = SCALES[item.scale]
    marks = sorted(scale.values)
    low, high = [m for m in marks if m < scale.satisfied_from], [m for m in marks if m >= scale.satisfied_from]
    is_low = bad and (item.overall or _draw(conduct, "item", about) < 0.5)
    choice = low if is_low else high
    return float(choice[int(_draw(conduct, "value", about) * len(choice))])
