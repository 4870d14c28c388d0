"""What a trial's world does by the calendar: it draws up, approves and opens plans, keeps guarantees, grades.

At the moments at which the scheduler's ticks would, and by the same functions.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import msgspec

from scheduler.allocation import Drawn, Proof, prove_coverage
from scheduler.closure import Key
from scheduler.grading import grade
from scheduler.guarantee import Group, missing, prove
from scheduler.guarantee import tally as count_cases
from scheduler.ledger import enter
from scheduler.plan import Standing, Term, Wave, next_term, previous_term, standing, term_of, waves
from scheduler.policy import Closing, Rule, decide_by
from scheduler.simulation.world import World
from scheduler.wave import Draft, Result, begins, draw_up, is_lost, replace_lost, ticket_of, turns
from services.contracts.policy import Ask
from services.contracts.quantities import Span

CANDIDATES = 10
"""How many times as many cases are looked at as are missing for a guarantee, as in production."""
SOON = timedelta(seconds=30)
"""After how long lost units are replaced, as in production."""
_DAY = timedelta(days=1)


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
        """Puts down every plan that may first be drawn up, every working day and every year of the time."""
        calendar = self.world.almanac
        for name, survey in self.world.policy.surveys.items():
            if survey.planned:
                for wave in waves(self.world.policy, name, calendar, self._start, self._end):
                    self.world.at(wave.draw_from, self._draw_up, wave)
        if self.world.policy.grading is not None:
            for moment in (self._start, *self._years()):
                self.world.at(moment, self._grade)
        for day in self._days():
            if calendar.is_working_day(day):
                self.world.at(calendar.working_from(self._midnight(day)), self._keep_guarantees)

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
        decision = decide_by(rule, closing, people.person(closing), world.now)
        world.keep(enter(decision, closing, people, world.next_survey(), world.now))

    def _keep_guarantees(self) -> None:
        for rule in self.world.rules.values():
            if rule.survey.guarantee is not None and not rule.survey.planned:
                self._keep_guarantee(rule)

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
            cases = self._cases_of(rule, term)
            wanted = missing(guarantee, count_cases(rule, guarantee, self._groups(cases)))
            if wanted:
                self._top_up(rule, cases, wanted)

    def _top_up(self, rule: Rule, cases: Iterable[Key], wanted: int) -> None:
        world = self.world
        verdicts = ((world.closures[key].verdict, key) for key in cases)
        unasked = sorted((each.draw or 0, key) for each, key in verdicts if each and each.reason == "not_sampled")
        for _, key in unasked[: wanted * CANDIDATES]:
            before = world.closures[key]
            if wanted and before.closing is not None:
                people = world.people()
                person = people.person(before.closing)
                decision = decide_by(rule, before.closing, person, world.now, "guaranteed")
                if decision.outcome == "survey":
                    world.keep(enter(decision, before.closing, people, world.next_survey(), world.now, before=before))
                    wanted -= 1

    def _cases_of(self, rule: Rule, term: Term) -> list[Key]:
        """The cases of a rule that happened within a period and lasted."""
        low, high = self._midnight(term.start), self._midnight(term.end)
        cases = self.world.cases.get(rule.title, [])
        first, last = bisect_left(cases, low, key=_moment), bisect_left(cases, high, key=_moment)
        return [key for _, key in cases[first:last] if self.world.closures[key].reopened_at is None]

    def _groups(self, cases: Iterable[Key]) -> Iterator[Group]:
        for key in cases:
            dossier = self.world.surveys.get(key)
            yield Group(dossier.survey.state, dossier.survey.steps, 1) if dossier is not None else Group(None, (), 1)

    def guarantees(self) -> Iterator[Kept]:
        """Every guarantee of every period that ended within the time, by its last count."""
        for rule in self.world.rules.values():
            guarantee = rule.survey.guarantee
            if guarantee is None or rule.survey.planned:
                continue
            term = term_of(guarantee.every, self._start.astimezone(rule.almanac.zone).date())
            while self._midnight(term.end) <= self._end:
                cases = count_cases(rule, guarantee, self._groups(self._cases_of(rule, term)))
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

    def _days(self) -> Iterator[date]:
        zone = self.world.almanac.zone
        first, last = self._start.astimezone(zone).date(), self._end.astimezone(zone).date()
        return (first + number * _DAY for number in range((last - first).days + 1))

    def _years(self) -> Iterator[datetime]:
        return (self._midnight(day) for day in self._days() if (day.month, day.day) == (1, 1))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.world.almanac.zone)


def _moment(case: tuple[datetime, Key]) -> datetime:
    return case[0]
