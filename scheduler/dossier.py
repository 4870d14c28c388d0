"""A survey with what it is about, what becomes of it, and what is said of that."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import msgspec

from scheduler.closure import MACHINE
from scheduler.policy import AGAIN, CALENDAR, Closing, PlannedStep, Rule
from scheduler.survey import Cause, Survey
from services.contracts.surveys import SurveyDue, SurveyEnd, SurveyEnded
from services.contracts.tickets import Contact


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """A survey, the closing that it asks about, the person asked, and the rule by which it is led."""

    survey: Survey
    closing: Closing
    contact: Contact
    rule: Rule


class Change(NamedTuple):
    """What becomes of a survey, why, and by whom. `said` are the steps that are said now."""

    dossier: Dossier
    after: Survey
    cause: Cause
    actor: str = MACHINE
    note: str | None = None
    said: tuple[PlannedStep, ...] = ()

    @property
    def is_move(self) -> bool:
        return self.after.state != self.dossier.survey.state

    @property
    def is_new_contact(self) -> bool:
        return self.dossier.survey.contacted_at is None and self.after.contacted_at is not None

    @property
    def comes_up(self) -> bool:
        """Whether something else comes up next, or at another time."""
        before, after = self.dossier.survey, self.after
        return after.next_at is not None and (after.next_at, after.next_step) != (before.next_at, before.next_step)


class Move(NamedTuple):
    """One row of a survey's history."""

    survey: UUID
    at: datetime
    from_state: str
    to_state: str
    cause: str
    actor: str
    note: str | None


def moves_of(changes: Iterable[Change], now: datetime) -> list[Move]:
    """The moves among the changes. A move happens when its cause did; what time brings, `now`."""
    return [
        Move(
            change.after.id,
            change.after.ended_at or now,
            change.dossier.survey.state,
            change.after.state,
            change.cause,
            change.actor,
            change.note,
        )
        for change in changes
        if change.is_move
    ]


def endings_of(changes: Iterable[Change]) -> list[SurveyEnded]:
    """What is said of surveys that are over; of one of which nothing was ever said, nothing is said now."""
    return [
        SurveyEnded(
            survey=change.after.id,
            state=cast(SurveyEnd, change.after.state),
            cause=change.cause,
            ended_at=change.after.ended_at,
        )
        for change in changes
        if change.is_move and change.after.ended_at is not None and not change.after.is_untold
    ]


def due(dossier: Dossier, step: PlannedStep, due_at: datetime) -> SurveyDue:
    """Says that it is time for a step."""
    rule, survey, closing = dossier.rule, dossier.survey, dossier.closing
    if step.channel is None:
        raise ValueError(f"step {step.number} has no channel yet")
    return SurveyDue(
        survey=survey.id,
        step=step.number,
        kind=step.kind,
        channel=step.channel,
        name=rule.name,
        policy=rule.policy,
        version=rule.version,
        questionnaire=rule.survey.questionnaire,
        due_at=due_at,
        promised_by=survey.promised_by,
        expires_at=survey.expires_at,
        contact=dossier.contact,
        **_about(closing),
        facts=closing.facts,
        items=survey.items,
        owner=survey.owner,
        respondent=survey.respondent,
        again=closing.closure if closing.on == AGAIN else 0,
    )


def _about(closing: Closing) -> dict[str, Any]:
    """The ticket or occasion that a survey asks about, where it asks about one."""
    if closing.on in (CALENDAR, AGAIN):
        return {}
    return {
        "source": closing.source,
        "ticket": closing.ticket,
        "closure": closing.closure,
        "closed_at": closing.closed_at,
    }
