"""The simulation against the service, by the calendar: the same plans, the same turns, the same places taken."""

import heapq
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from scheduler import store
from scheduler.audience import Customer
from scheduler.handlers.surveys import load
from scheduler.policy import PlannedStep
from scheduler.simulation.conduct import Conduct, Reply, replies
from scheduler.simulation.past import Past
from scheduler.simulation.rounds import SOON
from scheduler.simulation.trial import Play, Trial, play_of
from services.clock import DrivenClock
from services.contracts.deliveries import OptedOut
from services.contracts.policy import Policy
from services.contracts.surveys import SurveyDue
from services.house import House
from tests.scheduler.desk import report
from tests.scheduler.quarter import DRAWN, PROMISED, Quarter, customers, quarter

CONDUCT = Conduct(seed="plans", answers=0, talks=0, refuses=0.7, fails=0.6)
POLICY = quarter({"coverage": {"share": "50%", "active_within": "6 months"}}, limit="1 in 14 days", ask={"most": 2})
END = PROMISED + timedelta(days=20)


class Unit(NamedTuple):
    """What is compared of a unit: how it was drawn, and how each of its people fared."""

    customer: str
    chosen: bool
    cause: str | None
    lost: bool
    turns: tuple[tuple[str, str | None], ...]


class Service:
    """The ticks and handlers on PostgreSQL, with the same world outside as the simulation's."""

    def __init__(self, desk: Quarter) -> None:
        self.desk = desk
        self._moments: list[tuple[datetime, int, tuple[SurveyDue, Reply] | None]] = []
        self._numbers = count()

    def _expect(self, at: datetime, what: tuple[SurveyDue, Reply] | None) -> None:
        heapq.heappush(self._moments, (at, next(self._numbers), what))

    async def play(self) -> None:
        """From the draw until nothing is left to come."""
        self._expect(DRAWN, None)
        while (at := await self._next()) is not None and at <= END:
            for due in await self.desk.at(at):
                await self._order(due)
            await self.desk.approve()
            while self._moments and self._moments[0][0] == at:
                what = heapq.heappop(self._moments)[2]
                if what is not None:
                    await self._hear(*what)

    async def _next(self) -> datetime | None:
        async with self.desk.house.database.reading() as transaction:
            due: datetime | None = await transaction.fetchval("select min(due_at) from scheduler.due")
        opening = [plan["begins_at"] for plan in await self.desk.plans() if plan["begins_at"] and not plan["opened_at"]]
        heard = [self._moments[0][0]] if self._moments else []
        return min((*opening, *heard, *([due] if due is not None else ())), default=None)

    async def _order(self, due: SurveyDue) -> None:
        async with self.desk.house.database.transaction("scheduler") as transaction:
            (dossier,) = await load(transaction, [due.survey])
        for reply in replies(CONDUCT, dossier, PlannedStep(due.step, due.kind, due.channel), self.desk.clock.now()):
            self._expect(reply.at, (due, reply))

    async def _hear(self, due: SurveyDue, reply: Reply) -> None:
        if reply.outcome == "refused":
            said: Any = OptedOut(person=due.contact.person, survey=due.survey, scope="survey", opted_out_at=reply.at)
        else:
            assert reply.outcome != "answered"
            said = report(due, reply.outcome, reply.at)
        await self.desk.hear(said)
        self._expect(reply.at + SOON, None)

    async def told(self) -> list[Unit]:
        turns = await self.desk.turns()
        async with self.desk.house.database.transaction("scheduler") as transaction:
            keys = [each.key for theirs in turns.values() for each in theirs]
            dossiers = await load(transaction, await store.find_surveys_of_closures(transaction, keys))
        states = {each.closing[:3]: each.survey.state for each in dossiers}
        return [
            Unit(
                unit["customer"],
                unit["chosen"],
                unit["cause"],
                unit["lost_at"] is not None,
                tuple(
                    (each.verdict.reason, states.get(each.key))
                    for each in sorted(turns.get(unit["customer"], ()), key=lambda each: each.key)
                    if each.verdict is not None
                ),
            )
            for unit in await self.desk.units()
        ]


def simulated(policy: Policy) -> Play:
    register = {each.customer: Customer(each.customer, each.facts, each.contacts) for each in customers()}
    play = play_of(Trial(policy, Past((), register), DRAWN - timedelta(days=1), DRAWN + timedelta(days=12), CONDUCT))
    for _ in play.world.play():
        pass
    return play


def expected(play: Play) -> list[Unit]:
    (plan,) = play.rounds.plans
    results = {each.unit.key: found for each, found in play.rounds.results(plan)}
    reasons = {
        each.unit.key: [
            verdict.reason
            for key in play.world.turns.get(f"test/incident/2026-Q1/{each.unit.customer}", ())
            if (verdict := play.world.closures[key].verdict) is not None
        ]
        for each in plan.drawn
    }
    return [
        Unit(
            each.unit.customer,
            each.chosen,
            each.cause,
            each.unit.key in plan.lost,
            tuple(zip(reasons[each.unit.key], (found.state for found in results.get(each.unit.key, ())), strict=True)),
        )
        for each in plan.drawn
    ]


async def test_plans_are_drawn_opened_and_relieved_as_in_a_trial(house: House, clock: DrivenClock) -> None:
    play = simulated(POLICY)
    desk = await Quarter.begin(house, clock, POLICY)
    service = Service(desk)
    await service.play()
    told = await service.told()
    assert told == expected(play)
    assert sum(each.lost for each in told) > 5
    assert {each.cause for each in told} == {None, "draw", "coverage", "replacement"}
    states = {state for each in told for _, state in each.turns}
    assert states >= {"expired", "declined"}
