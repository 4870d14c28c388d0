"""What a trial's world does by the calendar: it draws up, approves and opens plans, keeps guarantees, grades.

At the moments at which the scheduler's ticks would, and by the same functions.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import msgspec

from scheduler.allocation import Drawn, Proof, prove_coverage
from scheduler.closure import Key
from scheduler.grading import grade
from scheduler.guarantee import decide_further, missing, open_from, prove
from scheduler.guarantee import tally as count_cases
from scheduler.ledger import enter
from scheduler.plan import Standing, Term, Wave, next_term, previous_term, standing, term_of, waves
from scheduler.policy import Closing, Rule
from scheduler.simulation.world import World
from scheduler.wave import Draft, Result, begins, decide_turn, draw_up, is_lost, replace_lost, ticket_of, turns
from services.contracts.policy import Ask
from services.contracts.quantities import Span

CANDIDATES = 10
"""How many times as many cases are looked at as are missing for a guarantee, as in production."""
SOON = timedelta(seconds=30)
"""After how long lost units are replaced, as in production."""
_HOUR = timedelta(hours=1)
_AFTERMATH = timedelta(days=30)


class Plan(msgspec.Struct, kw_only=True):
    """A wave with its plan. `drawn` is as it stands after replacements; `lost` are the keys of units nobody reached."""

    wave: Wave
    draft: Draft
    drawn: tuple[Drawn, ...]
    drawn_at: datetime
    approved_at: datetime
    lost: frozenset[str] = frozenset()

    @property
    def standing(self) -> Standing:
        """How the plan stood when it opened."""
        return standing(self.wave, self.drawn_at, self.approved_at, self.wave.opens)


class Kept(NamedTuple):
    """A guarantee at the end of a period, or of the time played."""

    rule: str
    term: str
    proof: Proof


class Rounds:
    """The world's calendar between two moments."""

    def __init__(self, world: World, start: datetime, end: datetime) -> None:
        self.world = world
        self.plans: list[Plan] = []
        self.grades: dict[str, int] = {}
        self._start, self._end = start, end
        self._watched: set[int] = set()
        world.over = self._watch

    def expect(self) -> None:
        """Puts down every plan that may first be drawn up, every look at the guarantees, every year's grading."""
        calendar = self.world.almanac
        for name, survey in self.world.policy.surveys.items():
            if survey.planned:
                for wave in waves(self.world.policy, name, calendar, self._start, self._end):
                    self.world.at(wave.draw_from, self._draw_up, wave)
        if self.world.policy.grading is not None:
            for moment in (self._start, *self._years()):
                self.world.at(moment, self._grade)
        if any(self._guaranteed()):
            self.world.at(self._start, self._keep_guarantees)

    def _guaranteed(self) -> Iterator[Rule]:
        return (rule for rule in self.world.rules.values() if rule.survey.guarantee and not rule.survey.planned)

    def _draw_up(self, wave: Wave) -> None:
        world = self.world
        today = world.now.astimezone(world.almanac.zone).date()
        draft = draw_up(world.policy, 1, wave, world.customers.values(), world.refused, today)
        approved_at = world.now
        if world.policy.plans.approve is not None:
            approved_at = min(wave.ready_by, world.almanac.after(world.now, Span(1, "working days")))
        plan = Plan(wave=wave, draft=draft, drawn=draft.drawn, drawn_at=world.now, approved_at=approved_at)
        self.plans.append(plan)
        world.at(begins(wave, approved_at), self._open, plan)

    def _open(self, plan: Plan) -> None:
        self._ask(plan, (each for each in plan.drawn if each.chosen))
        self._watch(plan.wave.survey)

    def _watch(self, survey: str) -> None:
        """Somebody of a plan was left out, or his survey is over: soon it is looked whether a unit is lost."""
        for number, plan in enumerate(self.plans):
            if plan.wave.survey == survey and number not in self._watched and plan.wave.opens <= self.world.now:
                self._watched.add(number)
                self.world.at(self.world.now + SOON, self._replace_lost, number)

    def _ask(self, plan: Plan, chosen: Iterable[Drawn]) -> None:
        for each in chosen:
            for closing in self._turns(plan, each):
                self.consider(self.world.rules[plan.wave.survey], closing)

    def _turns(self, plan: Plan, each: Drawn) -> list[Closing]:
        world, unit = self.world, each.unit
        ask = world.policy.surveys[plan.wave.survey].ask
        most = ask.most if isinstance(ask, Ask) else None
        customer = world.customers.get(unit.customer)
        begins_at = begins(plan.wave, plan.approved_at)
        return turns(world.policy.policy, plan.wave, unit, customer, most, plan.draft.seed, begins_at)

    def consider(self, rule: Rule, closing: Closing) -> None:
        """A turn is decided by its own rule."""
        world = self.world
        people = world.people()
        decision = decide_turn(rule, closing, people.person(closing), world.now)
        world.keep(enter(decision, closing, people, world.next_survey(), world.now))

    def _keep_guarantees(self) -> None:
        """Looks after guarantees, every hour until nothing can become due any more."""
        for rule in self._guaranteed():
            self._keep_guarantee(rule)
        if self.world.now < self._end + _AFTERMATH:
            self.world.at(self.world.now + _HOUR, self._keep_guarantees)

    def results(self, plan: Plan) -> Iterator[tuple[Drawn, list[Result]]]:
        """What came of the turns of each chosen unit."""
        for each in plan.drawn:
            if each.chosen:
                ticket = ticket_of(self.world.policy.policy, plan.wave, each.unit)
                yield each, [self._result(key) for key in self.world.turns.get(ticket, ())]

    def _result(self, key: Key) -> Result:
        closure, dossier = self.world.closures[key], self.world.surveys.get(key)
        if closure.verdict is None or dossier is None:
            return Result("skip")
        survey = dossier.survey
        return Result(closure.verdict.outcome, survey.state, survey.contacted_at is not None)

    def _replace_lost(self, number: int) -> None:
        self._watched.discard(number)
        world, plan = self.world, self.plans[number]
        survey = world.policy.surveys[plan.wave.survey]
        if world.now >= world.almanac.after(plan.wave.opens, survey.send.within):
            return
        lost = {each.unit.key for each, results in self.results(plan) if is_lost(results)} - plan.lost
        if not lost:
            return
        sample, coverage = world.policy.sample_of(plan.wave.survey), world.policy.coverage_of(plan.wave.survey)
        before = {each.unit.key for each in plan.drawn if each.chosen}
        relief = replace_lost(sample, coverage, plan.drawn, plan.draft.active, lost, plan.lost)
        plan.drawn, plan.lost = relief.drawn, plan.lost | lost
        self._ask(plan, (each for each in plan.drawn if each.chosen and each.unit.key not in before))

    def reached(self, plan: Plan) -> Proof | None:
        """Whether the survey reached enough active customers in the end."""
        coverage = self.world.policy.coverage_of(plan.wave.survey)
        if coverage is None:
            return None
        customers = (
            each.unit.customer for each, results in self.results(plan) if any(result.reached for result in results)
        )
        return prove_coverage(coverage, plan.draft.active, customers)

    def _keep_guarantee(self, rule: Rule) -> None:
        guarantee = rule.survey.guarantee
        if guarantee is None:
            return
        now = term_of(guarantee.every, self.world.now.astimezone(rule.almanac.zone).date())
        for term in (previous_term(now), now):
            wanted = missing(guarantee, count_cases(rule, guarantee, self.world.cases.groups(rule, term)))
            if wanted:
                self._top_up(rule, term, wanted)

    def _top_up(self, rule: Rule, term: Term, wanted: int) -> None:
        world = self.world
        for key in world.cases.unasked(rule, term, open_from(rule, world.now), wanted * CANDIDATES):
            before = world.closures[key]
            if wanted and before.closing is not None:
                people = world.people()
                person = people.person(before.closing)
                decision = decide_further(rule, before.closing, person, world.now)
                if decision.outcome == "survey":
                    world.keep(enter(decision, before.closing, people, world.next_survey(), world.now, before=before))
                    wanted -= 1

    def guarantees(self) -> Iterator[Kept]:
        """Every guarantee of every period that ended within the time, by its last count."""
        for rule in self._guaranteed():
            guarantee = rule.survey.guarantee
            term = term_of(guarantee.every, self._day(self._start)) if guarantee is not None else None
            while guarantee is not None and term is not None and self._midnight(term.end) <= self._end:
                cases = count_cases(rule, guarantee, self.world.cases.groups(rule, term))
                if cases.total:
                    yield Kept(rule.name, term.key, prove(guarantee, cases))
                term = next_term(term)

    def _grade(self) -> None:
        world = self.world
        if world.policy.grading is None:
            return
        graded = grade(world.policy.grading, {each.id: each.facts for each in world.customers.values()})
        for each in graded:
            world.customers[each.customer] = world.customers[each.customer]._replace(grade=each.grade)
        names = [each.grade for each in graded]
        self.grades = {each.grade: names.count(each.grade) for each in world.policy.grading.grades}

    def _years(self) -> Iterator[datetime]:
        years = range(self._day(self._start).year + 1, self._day(self._end).year + 1)
        return (self._midnight(date(year, 1, 1)) for year in years)

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.world.almanac.zone).date()

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.world.almanac.zone)
