"""The simulation against the service: of the same closings on the same clock they make the same surveys."""

import heapq
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import NamedTuple
from uuid import UUID

from scheduler import store
from scheduler.closure import Key
from scheduler.dossier import Dossier
from scheduler.handlers.surveys import load
from scheduler.policy import AGAIN, PlannedStep, rules_of
from scheduler.simulation.conduct import Conduct, Reply, answer, replies
from scheduler.simulation.world import Event, World
from services.contracts.deliveries import OptedOut
from services.contracts.envelope import Event as Said
from services.contracts.policy import Policy
from services.contracts.responses import ResponseGiven
from services.contracts.surveys import SurveyDue
from services.contracts.tickets import TicketClosed, TicketReopened
from tests.scheduler.desk import Desk, report
from tests.scheduler.rules import policy
from tests.scheduler.simulation.cast import events

CLOSINGS = 300
CONDUCT = Conduct(seed="parity", answers=0.35, talks=0.6, refuses=0.5, dissatisfied=0.4, fails=0.15)
POLICY = policy(
    limit="2 in 10 days",
    share="90%",
    steps=[{"first": ["sms", "email", "call"]}, {"reminder": "after 24h"}, {"call": "8 working hours before deadline"}],
    again={"when": {"response": "dissatisfied"}, "next": "week", "times": 2},
)


class Told(NamedTuple):
    """What is compared of a survey."""

    reason: str
    state: str | None
    asked_at: datetime | None
    contacted_at: datetime | None
    ended_at: datetime | None
    promised_by: datetime | None
    steps: tuple[str | None, ...]


class Service:
    """The handlers on PostgreSQL, with the same world outside as the simulation's."""

    def __init__(self, desk: Desk, policy: Policy, sample: World) -> None:
        self.desk, self.policy = desk, policy
        self.first: dict[UUID, Key] = {}
        self._sample = sample
        self._moments: list[tuple[datetime, int, Said | tuple[SurveyDue, Reply]]] = []
        self._numbers = count()

    def expect(self, at: datetime, what: Said | tuple[SurveyDue, Reply]) -> None:
        heapq.heappush(self._moments, (at, next(self._numbers), what))

    async def play(self) -> None:
        """Lets the moments come one by one: what is heard, and what is due by the database's own queue."""
        while (at := await self._next()) is not None:
            for due in await self.desk.dues(at):
                await self._order(due)
            while self._moments and self._moments[0][0] == at:
                await self._hear(heapq.heappop(self._moments)[2])

    async def _next(self) -> datetime | None:
        async with self.desk.house.database.reading() as transaction:
            due: datetime | None = await transaction.fetchval("select min(due_at) from scheduler.due")
        heard = self._moments[0][0] if self._moments else None
        return min((at for at in (due, heard) if at is not None), default=None)

    async def _dossier(self, survey: UUID) -> Dossier:
        async with self.desk.house.database.transaction("scheduler") as transaction:
            (dossier,) = await load(transaction, [survey])
        return dossier

    async def _order(self, due: SurveyDue) -> None:
        dossier = self._namesake(await self._dossier(due.survey))
        for reply in replies(CONDUCT, dossier, PlannedStep(due.step, due.kind, due.channel), self.desk.clock.now()):
            self.expect(reply.at, (due, reply))

    def _namesake(self, dossier: Dossier) -> Dossier:
        """A survey again is named after the first one's id; its luck is that of its namesake in the simulation."""
        self.first.setdefault(dossier.survey.id, Key(*dossier.closing[:3]))
        if dossier.closing.on != AGAIN:
            return dossier
        ticket = str(self._sample.surveys[self.first[UUID(dossier.closing.ticket)]].survey.id)
        return Dossier(
            survey=dossier.survey,
            closing=dossier.closing._replace(ticket=ticket),
            contact=dossier.contact,
            rule=dossier.rule,
        )

    async def _hear(self, what: Said | tuple[SurveyDue, Reply]) -> None:
        if not isinstance(what, tuple):
            await self.desk.hear(what)
            return
        due, reply = what
        dossier = await self._dossier(due.survey)
        if reply.outcome in ("answered", "refused") and not dossier.survey.is_open:
            return
        if reply.outcome == "answered":
            await self.desk.hear(self._answered(due, dossier, reply))
        elif reply.outcome == "refused":
            refusal = OptedOut(person=due.contact.person, survey=due.survey, scope="survey", opted_out_at=reply.at)
            await self.desk.hear(refusal)
        else:
            await self.desk.hear(report(due, reply.outcome, reply.at))

    def _answered(self, due: SurveyDue, dossier: Dossier, reply: Reply) -> ResponseGiven:
        given = answer(CONDUCT, self.policy.questionnaires["incident"], self._namesake(dossier), reply.at)
        return ResponseGiven(
            response=due.survey, survey=due.survey, version=1,
            channel="telephone" if due.channel == "call" else "self", answered_at=reply.at,
            policy="test", policy_version=1, questionnaire="incident", name="incident", validity="valid",
            values=dict(given.values), score=given.score, satisfied=given.satisfied, commented=given.commented,
        )  # fmt: skip

    async def told(self) -> dict[Key, Told]:
        async with self.desk.house.database.transaction("scheduler") as transaction:
            keys = await transaction.fetch("select source, ticket, closure from scheduler.closure")
            known = await store.find_closures(transaction, {(row["source"], row["ticket"]) for row in keys})
            ids = await store.find_surveys_of_closures(transaction, known)
            dossiers = {Key(*each.closing[:3]): each for each in await load(transaction, ids)}
        reasons = {key: each.verdict.reason for key, each in known.items() if each.verdict is not None}
        return {self._name(key): _told(reason, dossiers.get(key)) for key, reason in reasons.items()}

    def _name(self, key: Key) -> Key:
        if key.source != AGAIN:
            return key
        return key._replace(ticket=str(self._sample.surveys[self.first[UUID(key.ticket)]].survey.id))


def _told(reason: str, dossier: Dossier | None) -> Told:
    if dossier is None:
        return Told(reason, None, None, None, None, None, ())
    survey = dossier.survey
    return Told(
        reason,
        survey.state,
        survey.asked_at,
        survey.contacted_at,
        survey.ended_at,
        survey.promised_by,
        survey.steps,
    )


def simulated(happened: list[Event]) -> World:
    world = World(POLICY, rules_of("test", 1, POLICY.document()), CONDUCT, {})
    for event in happened:
        world.expect(event)
    for _ in world.play():
        pass
    return world


async def test_the_simulation_decides_contacts_and_ends_as_the_service_does(desk: Desk) -> None:
    happened = events(CLOSINGS)
    world = simulated(happened)
    assert await desk.install(POLICY) is not None
    service = Service(desk, POLICY, world)
    for closing, reopened_at in happened:
        source, ticket, number, closed_at, facts, contact, _ = closing
        service.expect(
            closed_at,
            TicketClosed(
                source=source, ticket=ticket, closure=number, closed_at=closed_at, facts=facts, contact=contact
            ),
        )
        if reopened_at is not None:
            reopening = TicketReopened(source=source, ticket=ticket, closure=number, reopened_at=reopened_at)
            service.expect(reopened_at, reopening)
    await service.play()
    expected = {
        key: _told(each.verdict.reason, world.surveys.get(key))
        for key, each in world.closures.items()
        if each.verdict is not None
    }
    told = await service.told()
    assert told.keys() == expected.keys()
    assert {key: (each, expected[key]) for key, each in told.items() if each != expected[key]} == {}
    assert_that_much_happened(expected)


def assert_that_much_happened(told: Mapping[Key, Told]) -> None:
    """The cast shows everything that the comparison is about."""
    assert {each.reason for each in told.values()} >= {"matched", "not_sampled", "person_limit", "no_contact"}
    assert {each.state for each in told.values()} >= {"answered", "declined", "cancelled", "expired"}
    assert any(key.source == AGAIN for key in told)
    assert any("failed" in each.steps for each in told.values())
    assert any(each.steps[-1:] == ("delivered",) for each in told.values())
