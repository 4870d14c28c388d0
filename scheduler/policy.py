"""Who is asked, when, or why not: the policies in force, applied to one closure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from scheduler.audience import Customer, Segments, means
from scheduler.calendar import Almanac, almanac, zone_of
from scheduler.plan import asked_at
from scheduler.sample import draw
from services.contracts.policy import (
    Ask,
    CallStep,
    CustomerFilter,
    FirstStep,
    ReminderStep,
    Survey,
    VisitStep,
    Where,
    read_policy,
)
from services.contracts.quantities import Rate, Span
from services.contracts.surveys import StepKind
from services.contracts.tickets import Channel, Contact, TicketFacts

TICKET = "ticket closed"
CALENDAR = "calendar"
AGAIN = "again"
"""What a closing can be of, beside the kinds of occasions: a ticket, a turn in a plan, a survey because of another."""

Outcome = Literal["survey", "skip"]
Reason = Literal[
    "matched",
    "by_hand",
    "guaranteed",
    "no_policy",
    "filtered_out",
    "too_late",
    "not_sampled",
    "no_contact",
    "staff",
    "opted_out",
    "person_limit",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""Why a closure was surveyed (the first three) or skipped (`by_hand` and the rest)."""

HEADROOM = timedelta(minutes=30)
"""How long before its deadline a first contact is planned at the latest, where there is a choice."""

_FIELDS = tuple(name for name in Where.model_fields if name != "not_")


class Filter(NamedTuple):
    """A `where`, ready to be asked: the values that each named field may have, and what must not apply."""

    fields: tuple[tuple[str, frozenset[str]], ...]
    without: "Filter | None"

    def matches(self, facts: TicketFacts) -> bool:
        """Whether the ticket is one of those meant; letters compare without regard to case."""
        return all(_has(facts, name, values) for name, values in self.fields) and not (
            self.without is not None and self.without.matches(facts)
        )


def filter_of(where: Where) -> Filter:
    """The filter that a policy writes down as `where`."""
    named = ((name, getattr(where, name)) for name in _FIELDS)
    fields = tuple((name, frozenset(value.casefold() for value in values)) for name, values in named if values)
    return Filter(fields, filter_of(where.not_) if where.not_ is not None else None)


def _has(facts: TicketFacts, name: str, values: frozenset[str]) -> bool:
    if name == "tags":
        return any(tag.casefold() in values for tag in facts.tags)
    value: str | None = getattr(facts, name)
    return value is not None and value.casefold() in values


class PlannedStep(NamedTuple):
    """A step as the policy plans it; `number` is its natural key within a survey.

    `channel` is None for a reminder, which goes by the channel that reached the person. `span` is the policy's wait.
    """

    number: int
    kind: StepKind
    channel: Channel | None
    span: Span | None = None


def steps_of(survey: Survey) -> tuple[PlannedStep, ...]:
    """The steps in order; a `first` counts once for each of its channels."""
    steps: list[PlannedStep] = []
    for step in survey.steps:
        if isinstance(step, FirstStep):
            for channel in step.first:
                steps.append(PlannedStep(len(steps), "first", channel))
        elif isinstance(step, ReminderStep):
            steps.append(PlannedStep(len(steps), "reminder", None, step.reminder))
        elif isinstance(step, CallStep):
            steps.append(PlannedStep(len(steps), "call", "call", step.call))
        elif isinstance(step, VisitStep):
            steps.append(PlannedStep(len(steps), "visit", "visit", step.visit))
    return tuple(steps)


class Rule(NamedTuple):
    """One survey of one version of a policy, ready to be applied."""

    policy: str
    version: int
    name: str
    survey: Survey
    steps: tuple[PlannedStep, ...]
    where: Filter
    almanac: Almanac
    limit: Rate | None
    segments: Segments

    @property
    def title(self) -> str:
        """How the ledger names the rule."""
        return f"{self.policy}/{self.name}"

    def means(self, closing: "Closing", customer: Customer | None) -> bool:
        """Whether it is about such a ticket or occasion; `customer` is the register's, where the event names one."""
        on = self.survey.on
        if on != closing.on and (on != "occasion" or closing.on in (TICKET, CALENDAR, AGAIN)):
            return False
        return self.where.matches(closing.facts) and self._means_customer(closing, customer)

    def _means_customer(self, closing: "Closing", customer: Customer | None) -> bool:
        ask = self.survey.ask
        if not isinstance(ask, Ask) or ask.customers == CustomerFilter():
            return True
        if customer is None:
            return False
        today = closing.closed_at.astimezone(self.almanac.zone).date()
        return means(ask.customers, customer, today, self.segments)


@lru_cache(maxsize=256)
def rules_of(policy: str, version: int, document: str) -> tuple[Rule, ...]:
    """The surveys of a policy's version as rules, in the order of the file; `document` is the policy as JSON."""
    read = read_policy(document)
    calendar = almanac(read.calendar)
    return tuple(
        Rule(
            policy,
            version,
            name,
            survey,
            steps_of(survey),
            filter_of(survey.where),
            calendar,
            read.limits.per_person if survey.limited else None,
            read.segments,
        )
        for name, survey in read.surveys.items()
    )


class Person(NamedTuple):
    """What is known about the person who would be asked: refusals, when he was or is to be asked, his customer."""

    opted_out: bool = False
    asked: tuple[datetime, ...] = ()
    customer: Customer | None = None


class Closing(NamedTuple):
    """A reason to ask somebody, as far as it matters whether and when.

    A closed ticket; or, kept by the same three words, an occasion (source, `kind/id`, who of those asked), a turn in a
    plan (`plan`, its unit, who of those asked), or an answer for which somebody is asked again (`again`, the first
    survey, how often). `on` tells which: `TICKET`, the occasion's kind, `CALENDAR` or `AGAIN`.
    """

    source: str
    ticket: str
    closure: int
    closed_at: datetime
    facts: TicketFacts
    contact: Contact | None
    on: str = TICKET


class Schedule(NamedTuple):
    """When the person is to be contacted first, by when at the latest, and when the page closes."""

    first_at: datetime
    promised_by: datetime
    expires_at: datetime


def schedule(rule: Rule, closing: Closing, now: datetime) -> Schedule:
    """When a closure is surveyed, counted from it or from the opening at which its survey turns to it.

    At the policy's `after`, or where that is quiet time when it ends; but before the promise's deadline, earlier if
    need be, wherever the time from `now` to the deadline leaves an allowed moment.
    """
    send, calendar = rule.survey.send, rule.almanac
    zone = zone_of(closing.contact.timezone) if closing.contact else None
    begins = begins_at(rule, closing)
    promised_by = calendar.after(begins, send.within)
    first_at = calendar.allowed_from(max(calendar.after(begins, send.after), now), zone)
    if first_at > promised_by - HEADROOM:
        low = max(begins, now)
        earlier = calendar.allowed_before(promised_by - HEADROOM, low, zone)
        earlier = earlier or calendar.allowed_before(promised_by, low, zone)
        first_at = min(first_at, earlier) if earlier else first_at
    return Schedule(first_at, promised_by, calendar.after(first_at, rule.survey.expires))


def begins_at(rule: Rule, closing: Closing) -> datetime:
    """From when a closure's `send` counts: at once, or from the opening in the period after it where they collect."""
    if closing.on in (CALENDAR, AGAIN):
        return closing.closed_at
    return asked_at(rule.survey, closing.closed_at, rule.almanac)


class Decision(NamedTuple):
    """Whether a closure is surveyed, why, by which rule, and the random draw (None where no rule applied).

    `schedule` stands where it is surveyed.
    """

    outcome: Outcome
    reason: Reason
    rule: Rule | None = None
    draw: float | None = None
    schedule: Schedule | None = None


def decide(rules: Sequence[Rule], closing: Closing, person: Person, now: datetime) -> Decision:
    """Applies the first rule that means the event. `now` is when the decision is taken."""
    rule = rule_for(rules, closing, person.customer)
    if rule is None:
        return Decision("skip", "filtered_out" if rules else "no_policy")
    return decide_by(rule, closing, person, now)


def rule_for(rules: Sequence[Rule], closing: Closing, customer: Customer | None) -> Rule | None:
    """The first rule that means the event."""
    return next((rule for rule in rules if rule.means(closing, customer)), None)


def decide_by(
    rule: Rule, closing: Closing, person: Person, now: datetime, reason: Literal["matched", "guaranteed"] = "matched"
) -> Decision:
    """Decides by a rule that is known to mean the closing.

    What is `guaranteed`, and who is asked again because of his answer, is asked whatever the draw.
    """
    number = draw(rule.title, closing.source, closing.ticket, closing.closure)
    if rule.survey.late == "skip" and rule.almanac.after(begins_at(rule, closing), rule.survey.send.within) < now:
        return Decision("skip", "too_late", rule, number)
    if reason == "matched" and closing.on != AGAIN and number >= rule.survey.share:
        return Decision("skip", "not_sampled", rule, number)
    return _protect(Decision("survey", reason, rule, number), rule, closing, person, now)


def decide_by_hand(rules: Sequence[Rule], closing: Closing, person: Person, now: datetime) -> Decision:
    """Decides because somebody wants the survey: filters, the sample and lateness do not count then."""
    others = (rule for rule in rules if rule.survey.on == closing.on)
    rule = rule_for(rules, closing, person.customer) or next(others, None)
    if rule is None:
        return Decision("skip", "no_policy")
    return _protect(Decision("survey", "by_hand", rule), rule, closing, person, now)


def _protect(decision: Decision, rule: Rule, closing: Closing, person: Person, now: datetime) -> Decision:
    """The decision with its schedule, unless it harms the person, which nobody may overrule, or there is nobody."""
    contact = closing.contact
    if contact is None or not reachable(rule, contact.channels):
        return decision._replace(outcome="skip", reason="no_contact")
    if contact.staff:
        return decision._replace(outcome="skip", reason="staff")
    if person.opted_out:
        return decision._replace(outcome="skip", reason="opted_out")
    planned = schedule(rule, closing, now)
    if rule.limit is not None and not fits(rule.limit, person.asked, planned.first_at):
        return decision._replace(outcome="skip", reason="person_limit")
    return decision._replace(schedule=planned)


def reachable(rule: Rule, channels: Sequence[Channel]) -> bool:
    """Whether any step of the rule that begins a contact can use one of the channels."""
    return any(usable(step, channels) for step in rule.steps)


def usable(step: PlannedStep, channels: Sequence[Channel]) -> bool:
    """Whether the step can begin a contact with somebody who has these channels; anybody can be visited."""
    return step.channel == "visit" or step.channel in channels


def fits(limit: Rate, asked: Sequence[datetime], at: datetime) -> bool:
    """Whether being asked at `at`, too, keeps every period of the limit's length within the limit."""
    times = sorted((*asked, at))
    place = times.index(at)
    near = times[max(0, place - limit.most) : place + limit.most + 1]
    return all(late - early >= limit.period for early, late in zip(near, near[limit.most :], strict=False))
