"""Guaranteed follow-up: how many cases of a period were followed up, and how many more must be asked about."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple

from scheduler.allocation import Proof, counts_as_followed_up, prove_guarantee
from scheduler.plan import previous_term, term_of
from scheduler.policy import HEADROOM, Closing, Decision, Person, Rule, decide_by
from scheduler.survey import OPEN, State, StepState
from services.contracts.policy import Guarantee

_DAY = timedelta(days=1)
TALKS = frozenset({"call", "visit"})


class Group(NamedTuple):
    """So many cases of a rule of which the same is known; `state` is None where nobody is asked."""

    state: State | None
    steps: tuple[StepState | None, ...]
    cases: int


class Cases(NamedTuple):
    """The cases of a period: all that the survey means, those asked about, followed up, and still under way."""

    total: int
    asked: int
    followed_up: int
    under_way: int


def tally(rule: Rule, guarantee: Guarantee, groups: Iterable[Group]) -> Cases:
    """Counts the cases of a rule. An answer, a refusal or a talk follows one up, unless the guarantee narrows it."""
    total = asked = followed_up = under_way = 0
    for state, steps, cases in groups:
        total += cases
        if state is None:
            continue
        asked += cases
        if _is_followed_up(rule, guarantee, state, steps):
            followed_up += cases
        elif state in OPEN:
            under_way += cases
    return Cases(total, asked, followed_up, under_way)


def _is_followed_up(rule: Rule, guarantee: Guarantee, state: State, steps: Sequence[StepState | None]) -> bool:
    refused = state == "declined" and any(steps)  # he was reached and said no
    if (state == "answered" or refused) and counts_as_followed_up(guarantee, None):
        return True
    talked = (each.channel for each, known in zip(rule.steps, steps, strict=True) if known == "delivered")
    return any(channel in TALKS and counts_as_followed_up(guarantee, channel) for channel in talked)


def open_from(rule: Rule, now: datetime) -> datetime | None:
    """From which moment on cases may still be asked about in time, a little generously; None: whenever they were."""
    survey = rule.survey
    if survey.late == "ask":
        return None
    earliest = rule.almanac.before(now, survey.send.within) - _DAY
    if survey.every is None:
        return earliest
    term = previous_term(term_of(survey.every.period, earliest.astimezone(rule.almanac.zone).date()))
    return datetime.combine(term.start, time(), rule.almanac.zone)


def prove(guarantee: Guarantee, cases: Cases) -> Proof:
    """Whether the guarantee is kept."""
    return prove_guarantee(guarantee, cases.total, cases.asked, cases.followed_up)


def missing(guarantee: Guarantee, cases: Cases) -> int:
    """How many more cases must be asked about, if all that are under way come to their end."""
    if guarantee.of == "asked":
        return 0
    return max(0, prove(guarantee, cases).required - cases.followed_up - cases.under_way)


def decide_further(rule: Rule, case: Closing, person: Person, now: datetime) -> Decision:
    """The decision on a case that was not drawn and is asked about after all, if the promise can well be kept."""
    decision = decide_by(rule, case, person, now, "guaranteed")
    planned = decision.schedule
    if planned is None or rule.survey.late == "ask" or planned.first_at <= planned.promised_by - HEADROOM:
        return decision
    return decision._replace(outcome="skip", reason="too_late", schedule=None)
