"""A policy's trial as one thing: what is played, and what it comes to."""

from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

import msgspec

from scheduler.calendar import almanac
from scheduler.policy import AGAIN, CALENDAR, TICKET, rules_of
from scheduler.simulation import tally
from scheduler.simulation.conduct import Conduct
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.past import Past
from scheduler.simulation.plan_tally import guarantees, plans
from scheduler.simulation.remarks import remarks_on
from scheduler.simulation.rounds import Rounds
from scheduler.simulation.world import World
from services.contracts.policy import Policy

YEAR = timedelta(days=365)
MOST = timedelta(days=5 * 366)
"""Of time that is played at once."""
_DAY = timedelta(days=1)


class Trial(NamedTuple):
    """A policy, what happened, and between which moments it is played: events and plans of [start, end).

    Surveys that began before `end` are played to their own end.
    """

    policy: Policy
    past: Past
    start: datetime
    end: datetime
    conduct: Conduct = Conduct()


class SpanError(ValueError):
    """The time that is to be played makes no sense; the message tells the remedy."""


def span_of(policy: Policy, past: Past, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """The time played where it is not told: from the first event's day, a year, or until the last event's is over.

    Raises `SpanError`.
    """
    zone = almanac(policy.calendar).zone
    moments = [event.closing.closed_at for event in past.events]
    first = min(moments, default=datetime.combine(policy.approval.effective, time(), zone))
    if any(at is not None and not 1970 <= at.year < 2999 for at in (first, *moments, start, end)):
        raise SpanError(
            "a time before 1970 or after 2998. Correct it, or name the days to be played by `from` and `to`"
        )
    start = start or datetime.combine(first.astimezone(zone).date(), time(), zone)
    last = max(moments, default=start).astimezone(zone).date() + _DAY
    end = end or max(start + YEAR, datetime.combine(last, time(), zone))
    if end <= start:
        raise SpanError(f"the time ends on {end:%Y-%m-%d}, before it begins on {start:%Y-%m-%d}. Give a later `to`")
    if end - start > MOST:
        told = f"from {start:%Y-%m-%d} to {end:%Y-%m-%d} it is more than five years"
        raise SpanError(f"{told}. Name the days to be played by `from` and `to`")
    return start.astimezone(UTC), end.astimezone(UTC)


class Play(NamedTuple):
    """A trial with its world, in which everything is still to come, or was."""

    trial: Trial
    world: World
    rounds: Rounds


def play_of(trial: Trial) -> Play:
    """The trial before it begins; `play.world.play()` plays it."""
    policy = trial.policy
    world = World(policy, rules_of(policy.policy, 1, policy.document()), trial.conduct, trial.past.customers)
    for event in trial.past.events:
        if trial.start <= event.closing.closed_at < trial.end:
            world.expect(event)
    rounds = Rounds(world, trial.start, trial.end)
    rounds.expect()
    return Play(trial, world, rounds)


def outcome_of(play: Play) -> Outcome:
    """The figures of a trial that was played."""
    trial, world, rounds = play
    title = trial.policy.title
    closings = [each.closing for each in world.closures.values() if each.closing is not None]
    outcome = Outcome(
        policy=trial.policy.policy,
        title={"zh": title.zh, "en": title.en},
        start=trial.start.astimezone(world.almanac.zone),
        end=trial.end.astimezone(world.almanac.zone),
        conduct={**trial.conduct._asdict(), "patience": trial.conduct.patience.total_seconds()},
        tickets=len({closing[:2] for closing in closings if closing.on == TICKET}),
        occasions=len({closing[:2] for closing in closings if closing.on not in (TICKET, CALENDAR, AGAIN)}),
        customers=len(trial.past.customers),
        decisions=tally.decisions(world),
        surveys=tally.surveys(world),
        first_contact=tally.first_contact(world),
        in_quiet_time=tally.in_quiet_time(world),
        per_person=tally.per_person(world),
        again=sum(1 for dossier in world.surveys.values() if dossier.closing.on == AGAIN),
        days=tally.per_day(world, trial.start, trial.end),
        plans=plans(rounds),
        guarantees=guarantees(rounds),
        grades=rounds.grades,
        reports=tally.reports_due(world, trial.start, trial.end),
        remarks=(),
    )
    return msgspec.structs.replace(outcome, remarks=remarks_on(trial.policy, trial.past, outcome))
