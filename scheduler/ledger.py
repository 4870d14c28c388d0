"""The ledger's entries: what a closing that is heard of, or told again, makes of a closure and its survey."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from scheduler.addressee import owner_of, respondent_of
from scheduler.calendar import zone_of
from scheduler.closure import MACHINE, Closure, Key, People, Verdict, verdict_of
from scheduler.dossier import Change, Dossier
from scheduler.policy import Closing, Decision, Rule, decide, schedule
from scheduler.survey import ended, planned, replanned


class Entry(NamedTuple):
    """A closure as it was (None: unknown) and as it becomes, with its new survey, and what becomes of a survey."""

    before: Closure | None
    after: Closure
    survey: Dossier | None = None
    change: Change | None = None

    @property
    def former(self) -> Verdict | None:
        """The decision that is replaced."""
        verdict = self.before.verdict if self.before is not None else None
        return verdict if verdict != self.after.verdict else None

    @property
    def verdict(self) -> Verdict | None:
        """The decision that is taken now."""
        is_new = self.before is None or self.before.verdict != self.after.verdict
        return self.after.verdict if is_new else None


def enter(
    decision: Decision,
    closing: Closing,
    people: People,
    survey: UUID,
    now: datetime,
    *,
    before: Closure | None = None,
    reopened_at: datetime | None = None,
    actor: str = MACHINE,
    note: str | None = None,
    items: tuple[str, ...] = (),
    drawn: tuple[str, int] | None = None,
) -> Entry:
    """The entry of a decision on a closing, with its survey under the given id where it is surveyed.

    `items` are those that are asked; none named: all. `drawn` is the stratum out of which a plan drew the person, with
    the number of its units.

    A closure that did not last is decided like any other, but its survey ends before it begins: so it comes out the
    same whether its closing or its reopening is heard of first.
    """
    turn = before.verdict.turn + 1 if before is not None and before.verdict is not None else 1
    verdict = verdict_of(decision, turn, now, actor, note)
    after = Closure(key=Key(*closing[:3]), closing=closing, reopened_at=reopened_at, verdict=verdict)
    rule, plan, contact = decision.rule, decision.schedule, closing.contact
    if rule is None or plan is None or contact is None:
        return Entry(before, after)
    customer, today = people.customer(closing), now.astimezone(rule.almanac.zone).date()
    owner = owner_of(rule.survey.by, customer, closing.facts.project)
    respondent = respondent_of(rule, customer, contact.person, today)
    if drawn is not None:
        respondent = replace(respondent, stratum=drawn[0], population=drawn[1])
    new = planned(rule, plan, survey, contact.channels, zone_of(contact.timezone), now)
    new = replace(new, items=items, owner=owner, respondent=respondent)
    dossier = Dossier(survey=new, closing=closing, contact=contact, rule=rule)
    if reopened_at is not None:
        return Entry(before, after, dossier, Change(dossier, ended(new, "cancelled", reopened_at), "reopened"))
    if rule.survey.limited:
        people.ask(contact, after.key, new.asked_at)
    return Entry(before, after, dossier)


def enter_again(
    rules: Sequence[Rule],
    closing: Closing,
    people: People,
    survey: UUID,
    now: datetime,
    *,
    before: Closure,
    running: Dossier | None,
) -> Entry:
    """The entry of a closing that was decided and is told again; `running` is its survey, where it has an open one.

    It is decided anew where there was nobody to ask and there is now, if the promise can still be kept; and where
    nothing was sent yet and the closing turns out to have been earlier, or its person to be another.
    """
    after = replace(before, closing=closing)
    if closing == before.closing or before.verdict is None:
        return Entry(before, before)
    if before.verdict.reason == "no_contact":
        decision = decide(rules, closing, people.person(closing), now)
        if decision.reason in ("no_contact", "too_late"):
            return Entry(before, after)
        return enter(decision, closing, people, survey, now, before=before, reopened_at=before.reopened_at)
    if running is None or closing.contact is None:
        return Entry(before, after)
    return _move(running, closing, people, now, before, after)


def _move(running: Dossier, closing: Closing, people: People, now: datetime, before: Closure, after: Closure) -> Entry:
    contact = closing.contact or running.contact
    moved = replace(running.survey, channels=contact.channels, zone=zone_of(contact.timezone))
    if moved.is_untold and before.verdict is not None and before.verdict.reason != "by_hand":
        decision = decide((running.rule,), closing, people.person(closing), now)
        if decision.outcome == "skip":
            people.ask(contact, after.key, None)
            verdict = verdict_of(decision, before.verdict.turn + 1, now)
            change = Change(running, ended(running.survey, "cancelled", now), decision.reason)
            return Entry(before, replace(after, verdict=verdict), None, change)
    changed = replanned(running.rule, moved, schedule(running.rule, closing, now), now)
    return Entry(before, after, None, Change(running, changed, "due"))
