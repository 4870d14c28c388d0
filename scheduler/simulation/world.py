"""A policy on trial: past tickets and a register, played through the scheduler's own rules on a clock that is driven.

Nothing here decides. It stands in for the database and the clock, and calls what the handlers call, at the moments at
which they would; what providers, customers and the desk do is `scheduler.simulation.conduct`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from scheduler.addressee import turns_of
from scheduler.again import Answer, asked_again
from scheduler.audience import Customer
from scheduler.calendar import almanac
from scheduler.closure import COMPLAINT, Closure, Key, People
from scheduler.dossier import Change, Dossier
from scheduler.ledger import Entry, enter
from scheduler.policy import CALENDAR, Closing, PlannedStep, Rule, decide, decide_by
from scheduler.simulation.cases import Cases
from scheduler.simulation.conduct import Conduct, Reply, answer, replies
from scheduler.survey import Cause, answered, come_up, ended, reported
from services.contracts.policy import Policy
from services.contracts.responses import ResponseChannel
from services.contracts.tickets import Channel


class Event(NamedTuple):
    """A ticket was closed, or something else happened; `reopened_at` tells until when the closure lasted."""

    closing: Closing
    reopened_at: datetime | None = None


class Deed(NamedTuple):
    """Something done to reach a person, or that he did: `said` is the scheduler's order, the rest what came of it."""

    at: datetime
    key: Key
    step: int
    kind: str
    channel: Channel
    what: str


_SAID_BY: dict[Channel | None, ResponseChannel] = {"call": "telephone", "visit": "visit"}
Do = Callable[..., None]


def _nothing(survey: str) -> None:
    """Nobody waits for the end of a survey of a plan without a contact."""


class World:
    """Everything that the scheduler would keep, in memory, with the moments that are to come."""

    def __init__(
        self, policy: Policy, rules: Sequence[Rule], conduct: Conduct, customers: Mapping[str, Customer]
    ) -> None:
        self.policy = policy
        self.almanac = almanac(policy.calendar)
        self.rules = {rule.name: rule for rule in rules}
        self.conduct = conduct
        self.customers = dict(customers)
        self.closures: dict[Key, Closure] = {}
        self.surveys: dict[Key, Dossier] = {}
        self.causes: dict[Key, Cause] = {}
        self.answers: dict[Key, Answer] = {}
        self.deeds: list[Deed] = []
        self.cases = Cases(rules)
        self.turns: dict[str, list[Key]] = defaultdict(list)
        self.over: Callable[[str], None] = _nothing
        self.now: datetime
        self._rules = tuple(rules)
        self._asked: dict[UUID, dict[Key, datetime]] = defaultdict(dict)
        self.refused: set[UUID] = set()
        self._moments: list[tuple[datetime, int, Do, tuple[object, ...]]] = []
        self._numbers, self._surveys = count(1), count(1)

    def at(self, moment: datetime, do: Do, *what: object) -> None:
        """Puts something down for a moment; of what comes at the same one, the first put down comes first."""
        heappush(self._moments, (moment, next(self._numbers), do, what))

    def play(self) -> Iterator[date]:
        """Lets the time come until nothing is left to do; yields each day (UTC) that begins."""
        day = None
        while self._moments:
            self.now, _, do, what = heappop(self._moments)
            if self.now.date() != day:
                yield (day := self.now.date())
            do(*what)

    def expect(self, event: Event) -> None:
        """Puts down an event at its own time, and the reopening that followed it."""
        self.at(event.closing.closed_at, self.hear, event.closing)
        if event.reopened_at is not None:
            self.at(event.reopened_at, self.reopen, Key(*event.closing[:3]))

    def hear(self, event: Closing) -> None:
        """A reason to ask is heard of: it is decided, for each person whom it is about."""
        customer = self.customers.get(event.facts.customer or "")
        if customer is not None and event.on == COMPLAINT:
            self.customers[customer.id] = customer._replace(complained=self.now.date())
        for closing in turns_of(self._rules, event, customer):
            self.consider(closing)

    def consider(self, closing: Closing) -> None:
        """A closing is decided and entered into the ledger."""
        people = self.people()
        decision = decide(self._rules, closing, people.person(closing), self.now)
        self.keep(enter(decision, closing, people, self.next_survey(), self.now))

    def next_survey(self) -> UUID:
        """The id of the next survey."""
        return UUID(int=next(self._surveys))

    def people(self) -> People:
        """Everybody, with when he was and is to be asked."""
        return People(self.refused, self._asked, self.customers)

    def keep(self, entry: Entry) -> None:
        """Keeps an entry of the ledger, with its new survey and what becomes of one."""
        key, closing = entry.after.key, entry.after.closing
        self.closures[key] = entry.after
        if entry.before is None and closing is not None and closing.on == CALENDAR:
            self.turns[key.ticket].append(key)
        if entry.survey is not None:
            self.surveys[key] = entry.survey
            if entry.survey.survey.next_at is not None:
                self.at(entry.survey.survey.next_at, self._come_up, key, entry.survey.survey.next_step)
        self.cases.note(entry.after, self.surveys.get(key))
        if entry.change is not None:
            self._save(key, entry.change)

    def reopen(self, key: Key) -> None:
        """A closure did not last: its survey ends, unless it was answered."""
        closure = self.closures.get(key)
        if closure is not None:
            self.closures[key] = replace(closure, reopened_at=self.now)
            self.cases.note(self.closures[key], self.surveys.get(key))
        dossier = self.surveys.get(key)
        if dossier is not None:
            self._save(key, Change(dossier, ended(dossier.survey, "cancelled", self.now), "reopened"))

    def _come_up(self, key: Key, step: int) -> None:
        dossier = self.surveys[key]
        turn = come_up(
            dossier.rule,
            dossier.survey,
            step,
            self.now,
            opted_out=dossier.contact.person in self.refused,
            over_limit=self._is_over_limit(key, dossier),
        )
        self._save(key, Change(dossier, turn.survey, turn.cause))
        if turn.step is not None:
            self._order(key, turn.step)

    def _is_over_limit(self, key: Key, dossier: Dossier) -> bool:
        limit = dossier.rule.limit
        if limit is None or not dossier.survey.is_untold:
            return False
        since = self.now - limit.period
        others = ((about, at) for about, at in self._asked[dossier.contact.person].items() if about != key)
        told = [
            about for about, at in others if since < at <= self.now and self.surveys[about].survey.state != "planned"
        ]
        return len(told) >= limit.most

    def _order(self, key: Key, step: PlannedStep) -> None:
        self._note(key, step, "said")
        for reply in replies(self.conduct, self.surveys[key], step, self.now):
            self.at(reply.at, self._reply, key, step, reply)

    def _reply(self, key: Key, step: PlannedStep, reply: Reply) -> None:
        dossier = self.surveys[key]
        survey = dossier.survey
        if reply.outcome in ("answered", "refused") and not survey.is_open:
            return
        self._note(key, step, reply.outcome)
        if reply.outcome == "answered":
            after = answered(dossier.rule, survey, _SAID_BY.get(step.channel, "self"), self.now)
            self._save(key, Change(dossier, after, "response", "customer"))
            self._hear_answer(key, dossier)
        elif reply.outcome == "refused":
            self._save(key, Change(dossier, ended(survey, "declined", self.now), "opted_out", "customer"))
        else:
            after = reported(dossier.rule, survey, step.number, reply.outcome, self.now, self.now)
            self._save(key, Change(dossier, after, "delivery", "notifier"))

    def _hear_answer(self, key: Key, dossier: Dossier) -> None:
        """An answer came; where the policy says so, the customer is asked again later."""
        questionnaire = self.policy.questionnaires[dossier.rule.survey.questionnaire]
        given = self.answers[key] = answer(self.conduct, questionnaire, dossier, self.now)
        asking = asked_again(dossier, given, questionnaire)
        if asking is not None:
            people = self.people()
            decision = decide_by(dossier.rule, asking.closing, people.person(asking.closing), self.now)
            self.keep(enter(decision, asking.closing, people, self.next_survey(), self.now, items=asking.items))

    def _note(self, key: Key, step: PlannedStep, what: str) -> None:
        if step.channel is None:
            raise ValueError(f"step {step.number} of {key} has no channel")
        self.deeds.append(Deed(self.now, key, step.number, step.kind, step.channel, what))

    def _save(self, key: Key, change: Change) -> None:
        after, before = change.after, change.dossier.survey
        if after == before:
            return
        self.surveys[key] = replace(change.dossier, survey=after)
        self.cases.note(self.closures[key], self.surveys[key])
        if change.is_move:
            self.causes[key] = change.cause
        if after.ended_at is not None and after.contacted_at is None and change.dossier.closing.on == CALENDAR:
            self.over(change.dossier.rule.name)
        if change.dossier.rule.survey.limited:
            self.people().ask(change.dossier.contact, key, after.asked_at)
        if change.comes_up:
            self.at(after.next_at or self.now, self._come_up, key, after.next_step)
