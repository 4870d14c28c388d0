"""The life of a survey: `planned → due → sent → answered`, its other ends, and what is to be done next.

    planned      its first contact is to come
    due          a first contact was ordered and nobody was reached yet
    sent         somebody was reached: a message was accepted by a provider, or may have been (`uncertain`)
    answered · declined · cancelled · expired · unreachable   the ends

What is heard changes a survey the same way in whatever order it comes, and as often. An answer is the strongest end:
it counts even where the survey was ended before it arrived. Of the other ends the earliest stands.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Literal, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from scheduler.policy import HEADROOM, PlannedStep, Reason, Rule, Schedule, usable
from services.contracts.deliveries import DeliveryOutcome
from services.contracts.responses import ResponseChannel
from services.contracts.surveys import Respondent, SurveyEnd
from services.contracts.tickets import Channel

State = Literal["planned", "due", "sent", "answered", "declined", "cancelled", "expired", "unreachable"]
StepState = Literal["said"] | DeliveryOutcome
Cause = Literal["due", "delivery", "response", "opted_out", "reopened", "no_answer"] | Reason
"""Why a survey moved, in the words of the ledger: something happened to it, or its decision was taken anew."""

OPEN: frozenset[State] = frozenset({"planned", "due", "sent"})
GRACE = timedelta(hours=2)
"""How long a message that was ordered may be without news before the service desk is asked to call."""

Place = TypeVar("Place")

_MESSAGES: frozenset[Channel] = frozenset({"sms", "email"})
_IN_PERSON: frozenset[Channel | None] = frozenset({"call", "visit"})
_TALKS: Mapping[ResponseChannel, Channel] = {"telephone": "call", "visit": "visit"}
_GOOD: frozenset[StepState | None] = frozenset({"accepted", "delivered", "uncertain"})
_WAITING: frozenset[StepState | None] = frozenset({"said", "listed"})
_RISING: tuple[StepState | None, ...] = (
    None,
    "said",
    "listed",
    "suppressed",
    "uncertain",
    "accepted",
    "failed",
    "delivered",
    "bounced",
)
_RANK = {state: rank for rank, state in enumerate(_RISING)}


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A survey as it stands. `steps` and `reported` have one place for each step of the rule.

    `asked_at` is when the person is, or was, asked first: what the limit per person counts; None where the survey
    ended before anything was said. `next_step` equal to the number of steps is the end of the survey's time. `items`
    are those that are asked (none named: all); `owner` is who owes its calls and visits, by his id; `respondent` tells
    who is asked in the register's words.
    """

    id: UUID
    state: State
    channels: tuple[Channel, ...]
    zone: tzinfo | None
    promised_by: datetime
    expires_at: datetime
    asked_at: datetime | None
    contacted_at: datetime | None = None
    ended_at: datetime | None = None
    steps: tuple[StepState | None, ...]
    reported: tuple[datetime | None, ...]
    next_step: int | None
    next_at: datetime | None
    items: tuple[str, ...] = ()
    owner: str | None = None
    respondent: Respondent = Respondent()

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_untold(self) -> bool:
        """Whether nothing was ever said about it to anybody."""
        return not any(self.steps)


class Turn(NamedTuple):
    """What a survey that came up becomes, why, and the step to be said now (None: nothing)."""

    survey: Survey
    cause: Cause
    step: PlannedStep | None = None


def planned(
    rule: Rule, plan: Schedule, survey: UUID, channels: Sequence[Channel], zone: tzinfo | None, now: datetime
) -> Survey:
    """A new survey."""
    places = (None,) * len(rule.steps)
    new = Survey(
        id=survey,
        state="planned",
        channels=tuple(channels),
        zone=zone,
        promised_by=plan.promised_by,
        expires_at=plan.expires_at,
        asked_at=plan.first_at,
        steps=places,
        reported=places,
        next_step=None,
        next_at=None,
    )
    return follow(rule, _begun(rule, new, plan), now)


def replanned(rule: Rule, survey: Survey, plan: Schedule, now: datetime) -> Survey:
    """The survey after its ticket turned out to have been closed earlier, or its person to be reached otherwise.

    The promise moves with the closing; the first contact and the end only as long as nothing was said.
    """
    if not survey.is_open:
        return survey
    survey = replace(survey, promised_by=plan.promised_by)
    return follow(rule, _begun(rule, survey, plan) if survey.is_untold else survey, now)


def _begun(rule: Rule, survey: Survey, plan: Schedule) -> Survey:
    """The survey with the times of its plan, which is later where somebody has to call or visit."""
    step, at, expires_at = _next_first(rule, survey) or _next_personal(rule, survey), plan.first_at, plan.expires_at
    if step is not None and step.channel in _IN_PERSON:
        at = _in_time(rule, survey, at)
        expires_at = rule.almanac.after(at, rule.survey.expires)
    return replace(survey, asked_at=at, expires_at=expires_at)


def come_up(rule: Rule, survey: Survey, step: int, now: datetime, *, opted_out: bool, over_limit: bool) -> Turn:
    """What becomes of a survey whose step was due: checked again, because much may have happened since it was planned.

    A turn with the same survey and no step means that the step was done, moved or ended meanwhile. `over_limit` counts
    only for a first contact.
    """
    if not survey.is_open or survey.next_step != step or survey.next_at is None or survey.next_at > now:
        return Turn(survey, "due")
    if opted_out:
        return Turn(ended(survey, "declined", now), "opted_out")
    if step == len(rule.steps) or now >= survey.expires_at:
        return Turn(ended(survey, "expired", now), "no_answer")
    if survey.is_untold and over_limit:
        return Turn(ended(survey, "cancelled", now), "person_limit")
    if rule.almanac.is_quiet(now, survey.zone):
        return Turn(replace(survey, next_at=_possible_from(rule, survey, rule.steps[step], now)), "due")
    said = replace(
        survey,
        state="due" if survey.state == "planned" else survey.state,
        asked_at=now if survey.is_untold else survey.asked_at,
        steps=_put(survey.steps, step, "said"),
    )
    return Turn(follow(rule, said, now), "due", channelled(rule, said, step))


def channelled(rule: Rule, survey: Survey, step: int) -> PlannedStep:
    """The step with its channel: a reminder goes the way on which the person was reached."""
    known = rule.steps[step]
    return known if known.channel else known._replace(channel=_reached_by(rule, survey) or "email")


def unanswered_steps(rule: Rule, survey: Survey) -> list[PlannedStep]:
    """Steps that were said and of which nothing was heard."""
    return [channelled(rule, survey, number) for number, state in enumerate(survey.steps) if state == "said"]


def last_fixed(rule: Rule, survey: Survey, *, is_quiet: bool) -> PlannedStep | None:
    """The last step that was said of an open survey, to be said again as it was; None where there is none.

    A reminder is left out, since it would now perhaps go another way. So is, in quiet time, what nothing was heard of:
    it may still have to be sent.
    """
    if not survey.is_open:
        return None
    known = (step for step in reversed(rule.steps) if step.channel is not None and survey.steps[step.number])
    return next((step for step in known if not is_quiet or survey.steps[step.number] != "said"), None)


def reported(rule: Rule, survey: Survey, step: int, outcome: DeliveryOutcome, at: datetime, now: datetime) -> Survey:
    """The survey once the notifier told how a step went at `at`."""
    if not 0 <= step < len(survey.steps):
        return survey
    known, before = survey.steps[step], survey.reported[step]
    latest = outcome if _RANK[outcome] >= _RANK[known] else known
    if {latest, known, outcome} <= _GOOD and before is not None:
        at = min(at, before)  # contact was made when it was first accepted
    elif latest != outcome:
        return survey
    elif latest == known and before is not None:
        at = min(at, before)
    changed = replace(survey, steps=_put(survey.steps, step, latest), reported=_put(survey.reported, step, at))
    changed = _contact(changed)
    if not changed.is_open:
        return changed
    state: State = "sent" if changed.contacted_at else "planned" if changed.is_untold else "due"
    return follow(rule, replace(changed, state=state), now)


def answered(rule: Rule, survey: Survey, by: ResponseChannel, at: datetime) -> Survey:
    """The survey after its person answered at `at`. What he told somebody was a talk, whose step came through."""
    channel = _TALKS.get(by)
    led = (step.number for step in rule.steps if step.channel == channel and survey.steps[step.number] in _WAITING)
    number = next(led, None) if channel is not None else None
    if number is not None:
        steps, reported_at = _put(survey.steps, number, "delivered"), _put(survey.reported, number, at)
        survey = _contact(replace(survey, steps=steps, reported=reported_at))
    return ended(survey, "answered", at)


def ended(survey: Survey, state: SurveyEnd, at: datetime) -> Survey:
    """The survey after something that ends it happened at `at`; the stronger or earlier end stands."""
    if survey.ended_at is not None and _strength(survey.state, survey.ended_at) >= _strength(state, at):
        return survey
    released = survey.is_untold and state != "answered"
    asked_at = None if released else survey.asked_at
    return _contact(replace(survey, state=state, ended_at=at, asked_at=asked_at, next_step=None, next_at=None))


def follow(rule: Rule, survey: Survey, now: datetime) -> Survey:
    """The open survey with what is to be done next, or ended as unreachable where nothing is left to try."""
    steps = _after_contact(rule, survey, now) if survey.contacted_at else _before_contact(rule, survey, now)
    if steps is None:
        return ended(survey, "unreachable", now)
    coming = [(at, number) for at, number in steps if at < survey.expires_at]
    at, number = min(coming, default=(survey.expires_at, len(rule.steps)))
    return replace(survey, next_step=number, next_at=at)


def _before_contact(rule: Rule, survey: Survey, now: datetime) -> list[tuple[datetime, int]] | None:
    """Steps that may reach the person, with their times; None where all was tried in vain.

    Where no message gets through, the first of the steps in person comes at once, the next at its own time.
    """
    first, personal = _next_first(rule, survey), _next_personal(rule, survey)
    waiting = not survey.is_untold and any(state in _WAITING for state in survey.steps)
    if first is not None and not waiting:
        at = survey.asked_at if survey.is_untold else None
        return [(_possible_from(rule, survey, first, at or now), first.number)]
    if personal is None:
        return [] if waiting else None
    if survey.is_untold and survey.asked_at is not None:
        at = max(now, survey.asked_at)
    elif waiting:
        at = max(_planned_for(rule, survey, personal), now + GRACE)
    else:
        at = max(_planned_for(rule, survey, personal), now) if _was_tried_in_person(rule, survey) else now
    return [(_in_time(rule, survey, at), personal.number)]


def _after_contact(rule: Rule, survey: Survey, now: datetime) -> list[tuple[datetime, int]]:
    """Steps that may bring the answer of a person who was reached, with their times."""
    contacted_at = survey.contacted_at or now
    reminders = [
        (rule.almanac.allowed_from(rule.almanac.after(contacted_at, step.span), survey.zone), step.number)
        for step in rule.steps
        if step.kind == "reminder" and step.span is not None and survey.steps[step.number] is None
    ]
    # After a standstill the last of the reminders that were missed is enough.
    missed = [reminder for reminder in reminders if reminder[0] <= now][:-1]
    steps = [reminder for reminder in reminders if reminder not in missed and _reached_by(rule, survey)]
    personal = _next_personal(rule, survey)
    if personal is not None:
        since = max((contacted_at, *_listed(rule, survey, now)))
        at = max(_planned_for(rule, survey, personal), since + GRACE)
        steps.append((rule.almanac.in_person_from(max(at, now), survey.zone), personal.number))
    return steps


def _next_first(rule: Rule, survey: Survey) -> PlannedStep | None:
    untried = (step for step in rule.steps if step.kind == "first" and survey.steps[step.number] is None)
    return next((step for step in untried if usable(step, survey.channels)), None)


def _personal(rule: Rule, survey: Survey) -> list[PlannedStep]:
    """The steps after the messages that somebody carries out with the person: the call and the visit."""
    return [step for step in rule.steps if step.kind in ("call", "visit") and usable(step, survey.channels)]


def _next_personal(rule: Rule, survey: Survey) -> PlannedStep | None:
    return next((step for step in _personal(rule, survey) if survey.steps[step.number] is None), None)


def _was_tried_in_person(rule: Rule, survey: Survey) -> bool:
    return any(survey.steps[step.number] is not None for step in _personal(rule, survey))


def _listed(rule: Rule, survey: Survey, now: datetime) -> list[datetime]:
    """Since when steps in person are waiting to be carried out."""
    waiting = (step.number for step in _personal(rule, survey) if survey.steps[step.number] in _WAITING)
    return [survey.reported[number] or now for number in waiting]


def _planned_for(rule: Rule, survey: Survey, step: PlannedStep) -> datetime:
    """When the policy wants the call or the visit: so long before the deadline."""
    return rule.almanac.before(survey.promised_by, step.span) if step.span else survey.promised_by


def _possible_from(rule: Rule, survey: Survey, step: PlannedStep, at: datetime) -> datetime:
    """When a step can be taken that is due at `at`."""
    if step.channel in _IN_PERSON:
        return _in_time(rule, survey, at)
    return rule.almanac.allowed_from(at, survey.zone)


def _in_time(rule: Rule, survey: Survey, at: datetime) -> datetime:
    """When somebody whom nothing reached is called or visited: best in working hours, but well before the deadline."""
    best, allowed = rule.almanac.in_person_from(at, survey.zone), rule.almanac.allowed_from(at, survey.zone)
    too_late = best > survey.promised_by - HEADROOM
    return allowed if too_late and allowed <= survey.promised_by else best


def _reached_by(rule: Rule, survey: Survey) -> Channel | None:
    """The channel for a reminder: that of the contact, else the first that takes messages."""
    firsts = [step for step in rule.steps if step.kind == "first" and step.channel in _MESSAGES & {*survey.channels}]
    good = [step for step in firsts if survey.steps[step.number] in _GOOD]
    return next((step.channel for step in (*good[::-1], *firsts)), None)


def _contact(survey: Survey) -> Survey:
    """The survey with its contact: the earliest message that came through, or else the answer."""
    good = [at for state, at in zip(survey.steps, survey.reported, strict=True) if state in _GOOD and at is not None]
    answered_at = survey.ended_at if survey.state == "answered" else None
    return replace(survey, contacted_at=min(good, default=answered_at))


def _strength(state: State, at: datetime) -> tuple[bool, float, State]:
    return state == "answered", -at.timestamp(), state


def _put(places: tuple[Place, ...], place: int, value: Place) -> tuple[Place, ...]:
    return (*places[:place], value, *places[place + 1 :])
