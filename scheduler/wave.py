"""One wave of a survey by the calendar: who is drawn, whose turn comes when it opens, who takes a lost one's place.

Everything here can be redone by anybody from what a plan keeps: its seed, its units and their draws.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from scheduler.allocation import (
    Drawn,
    Layer,
    Proof,
    active_customers,
    choose,
    cover,
    layers,
    next_in_line,
    prove_coverage,
)
from scheduler.audience import Customer, Unit, contact_of, frame, means, people_asked
from scheduler.calendar import Almanac
from scheduler.plan import Wave, seed_of, waves
from scheduler.policy import CALENDAR, Closing, Decision, Outcome, Person, Rule, decide_by, steps_of
from scheduler.sample import draw
from scheduler.survey import OPEN, State
from services.contracts.policy import Ask, Coverage, Policy, Sample
from services.contracts.quantities import Span
from services.contracts.tickets import TicketFacts

SOURCE = "plan"
"""The first word of the keys under which the ledger keeps turns."""


REST = timedelta(hours=2)
"""How long the register must not have changed before a plan is drawn from it; it is graded within that time."""
_SLACK = timedelta(days=60)
"""Days of rest make counting back from now come out later than counting on until now."""
LONGEST_WAIT = timedelta(days=1)
"""After so long a plan is drawn from a register that never rests."""


class Draft(NamedTuple):
    """A plan as it was drawn up: everybody meant, with his draw, and whether enough active customers are covered.

    `drawn` are the units that can be reached, `unreachable` all others that are meant; `active` are the customers of
    whom a share must be reached; `layers` tell by units' keys out of what each was drawn.
    """

    seed: str
    drawn: tuple[Drawn, ...]
    unreachable: tuple[Drawn, ...]
    active: frozenset[str]
    coverage: Proof | None
    layers: Mapping[str, Layer]


def known_since(versions: Sequence[tuple[datetime, Policy]], name: str) -> datetime | None:
    """Since when a policy has had a survey at the calendar's present turns, without a gap; None: it has none such.

    `versions` are the policy's versions with the time at which each took effect, the latest last.
    """
    since = None
    latest = versions[-1][1].surveys.get(name)
    for effective_from, policy in reversed(versions):
        survey = policy.surveys.get(name)
        if survey is None or latest is None or not survey.planned or survey.every != latest.every:
            break
        since = effective_from
    return since


def to_draw(policy: Policy, name: str, almanac: Almanac, since: datetime, now: datetime) -> Iterator[Wave]:
    """The waves of a survey whose plans may be drawn up by now, and whose promises can still be kept."""
    within, ready = policy.surveys[name].send.within, policy.plans.ready
    opened = almanac.before(now, within)
    first = (almanac.before(opened, Span(ready.earliest, ready.unit)) if ready is not None else opened) - _SLACK
    known = waves(policy, name, almanac, max(since, first), now + timedelta.resolution)
    return (wave for wave in known if almanac.after(wave.opens, within) > now)


def is_at_rest(wave: Wave, first: datetime, last: datetime, now: datetime) -> bool:
    """Whether the register may be drawn from, which changed last at `last` and first, in all that it says, at `first`.

    An import comes in many pieces, and a plan is drawn once: it waits until nothing has changed for a while, but not
    longer than a day from the time at which it could first be drawn.
    """
    return now - last >= REST or now >= max(wave.draw_from, first) + LONGEST_WAIT


def draw_up(
    policy: Policy, version: int, wave: Wave, customers: Iterable[Customer], opted_out: Set[UUID], today: date
) -> Draft:
    """Draws a wave out of the register. Raises `ValueError` where the survey does not go by the calendar."""
    survey, seed = policy.surveys[wave.survey], seed_of(policy.policy, version, wave)
    if not isinstance(survey.ask, Ask):
        raise ValueError(f"survey {wave.survey!r} asks nobody by the calendar")
    sample, coverage, segments = policy.sample_of(wave.survey), policy.coverage_of(wave.survey), policy.segments
    meant = [_without(each, opted_out) for each in customers if means(survey.ask.customers, each, today, segments)]
    channels = {step.channel for step in steps_of(survey) if step.channel is not None}
    everybody = frame(survey.ask, meant, today, segments, sample.strata, channels)
    certain = {each.id for each in meant if sample.always is not None and means(sample.always, each, today, segments)}
    always = {unit.key for unit in everybody.units if unit.customer in certain}
    drawn = choose(sample, everybody.units, seed, always)
    unreachable = tuple(Drawn(unit, unit.stratum, draw(seed, unit.key), False, None) for unit in everybody.unreachable)
    if coverage is None:
        return Draft(seed, drawn, unreachable, frozenset(), None, layers(sample, drawn, frozenset()))
    active = active_customers(coverage, meant, today)
    drawn = cover(sample, coverage, drawn, active)
    proof = prove_coverage(coverage, active, (each.unit.customer for each in drawn if each.chosen))
    return Draft(seed, drawn, unreachable, active, proof, layers(sample, drawn, active))


def _without(customer: Customer, opted_out: Set[UUID]) -> Customer:
    people = tuple(each for each in customer.contacts if each.contact.person not in opted_out)
    return customer if len(people) == len(customer.contacts) else customer._replace(contacts=people)


def begins(wave: Wave, approved_at: datetime | None) -> datetime:
    """From when the `send` of a wave counts: its opening, or its approval where that came later."""
    return wave.opens if approved_at is None else max(wave.opens, approved_at)


def ticket_of(policy: str, wave: Wave, unit: Unit) -> str:
    """The key under which the ledger keeps a unit's turns: policy/survey/term/customer, and /project where it is one.

    A slash within a customer's or a project's id is written %2F there, and a percent sign %25.
    """
    parts = (unit.customer,) if unit.project is None else (unit.customer, unit.project)
    written = (part.replace("%", "%25").replace("/", "%2F") for part in parts)
    return "/".join((policy, wave.survey, wave.term.key, *written))


def turns(
    policy: str, wave: Wave, unit: Unit, customer: Customer | None, most: int | None, seed: str, begins_at: datetime
) -> list[Closing]:
    """The closings under which a unit's people are asked, numbered from 1.

    `customer` is he as the register has him now; somebody whom it does not know any more stands there without contact.
    """
    people = {each.contact.person: contact_of(each) for each in customer.contacts} if customer is not None else {}
    region = customer.facts.region if customer is not None else None
    facts = TicketFacts(type="survey", customer=unit.customer, project=unit.project, region=region)
    ticket = ticket_of(policy, wave, unit)
    return [
        Closing(SOURCE, ticket, number, begins_at, facts, people.get(person), CALENDAR)
        for number, person in enumerate(people_asked(unit, most, seed), 1)
    ]


def decide_turn(rule: Rule, turn: Closing, person: Person, now: datetime) -> Decision:
    """The decision on a turn: as on any closing, but nobody is drawn into a promise that is broken from the start."""
    decision = decide_by(rule, turn, person, now)
    planned = decision.schedule
    if planned is None or planned.first_at <= planned.promised_by or rule.survey.late == "ask":
        return decision
    return decision._replace(outcome="skip", reason="too_late", schedule=None)


class Result(NamedTuple):
    """What came of one person's turn: the decision, and how his survey stands, if there is one.

    `reached` tells whether anything came through to him.
    """

    outcome: Outcome
    state: State | None = None
    reached: bool = False


def is_lost(results: Sequence[Result]) -> bool:
    """Whether nobody of a unit that was asked was or can be reached: all were left out, or ended without a contact."""
    return bool(results) and all(
        each.outcome == "skip" or (each.state not in OPEN and each.state != "answered" and not each.reached)
        for each in results
    )


Progress = Literal["unreachable", "not chosen", "to ask", "asked", "reached", "answered", "lost"]
"""How far a unit of a plan has come."""


def progress_of(reachable: bool, chosen: bool, asked: bool, lost: bool, results: Sequence[Result]) -> Progress:
    """How far a unit has come. Somebody who is reached after the unit was given up counts all the same."""
    if not reachable:
        return "unreachable"
    if any(each.state == "answered" for each in results):
        return "answered"
    if any(each.reached for each in results):
        return "reached"
    if lost:
        return "lost"
    return "asked" if asked else "to ask" if chosen else "not chosen"


class Relief(NamedTuple):
    """A draw after units were lost, and who took whose place, by key. Others may have been added for the coverage."""

    drawn: tuple[Drawn, ...]
    instead: Mapping[str, str]


def replace_lost(
    sample: Sample,
    coverage: Coverage | None,
    drawn: Sequence[Drawn],
    active: Set[str],
    lost: Set[str],
    gone: Set[str] = frozenset(),
) -> Relief:
    """Replaces units that were `lost` by the next draws of their strata, and sees to the coverage.

    Who takes a place takes the weight with it. `gone` are those that were lost before.
    """
    places = {key: unit.key for key, unit in next_in_line(sample, drawn, lost).items()}
    weight = {places[each.unit.key]: each.weight for each in drawn if each.unit.key in places}
    relieved = tuple(
        each._replace(chosen=True, weight=weight[each.unit.key], cause="replacement") if each.unit.key in weight
        else each._replace(weight=None) if each.unit.key in places
        else each
        for each in drawn
    )  # fmt: skip
    if coverage is not None:
        relieved = cover(sample, coverage, relieved, active, lost | gone)
    return Relief(relieved, places)
