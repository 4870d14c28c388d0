"""Surveys and their plans: on what occasion or when by the calendar who is asked what, and by which steps."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from services.contracts.language.conditions import When
from services.contracts.language.filters import Ask, Where
from services.contracts.language.names import Issuer, Period, RoleName
from services.contracts.language.samples import Coverage, Guarantee, Sample
from services.contracts.language.scores import Scores
from services.contracts.language.steps import CallStep, ReminderStep, Send, Steps, VisitStep, step_kind
from services.contracts.language.timing import EveryText, ReadyText
from services.contracts.part import Part, wrong
from services.contracts.quantities import ShareText, Span, SpanText, Unit, is_longer
from services.contracts.questionnaire import Identifier, Words

On = Literal[
    "ticket closed",
    "project started",
    "project accepted",
    "goods delivered",
    "service delivered",
    "repair done",
    "complaint handled",
    "case closed",
    "occasion",
]
"""Reasons to ask. `occasion` is any other kind, named by `where: {type: […]}`."""


class Again(Part):
    """Who is asked a second time because of his answer, in the period after the one in which he gave it."""

    when: When
    """What must be true of the answer."""
    next: Period
    """The following week, month, quarter or year; the survey opens on its first working day."""
    items: Literal["all", "dissatisfied"] = "all"
    """Ask everything again, or only the items that were answered below their scale's border, and the open ones."""
    times: int = Field(default=1, ge=1, le=3)
    """At most so many times for one first answer."""


_USUAL: dict[Unit, timedelta] = {
    "working hours": timedelta(days=7) / 40,
    "working days": timedelta(days=7) / 5,
    "months": timedelta(days=30),
    "years": timedelta(days=365),
}


def _usual(span: Span) -> timedelta:
    """About how long a span is; one that needs a calendar, in a usual week of 40 hours on five days."""
    plain = span.plain
    return plain if plain is not None else span.amount * _USUAL[span.unit]


def _asked_kind(ask: Any) -> str:
    return "register" if isinstance(ask, dict | Ask) else "requester"


Asked = Annotated[
    Annotated[Literal["requester"], Tag("requester")] | Annotated[Ask, Tag("register")], Discriminator(_asked_kind)
]


class Survey(Part):
    """One reason to ask: whom, when, by which steps, and until when the page stays open.

    `expires` counts from the moment for which the first contact was planned. `late` says what becomes of a closure
    that becomes known after its promise has passed. `share` is drawn per closure, reproducibly.
    """

    title: Words | None = None
    """What people call it, in lists and reports; without it the questionnaire's title."""
    goal: Words | None = None
    """What it is to find out; it stands in the plan and in the report."""
    on: On | None = None
    """What must have happened. Without it the survey goes by the calendar (`every`) alone."""
    every: EveryText | None = None
    """When by the calendar. Together with `on`: what happened in a period is asked about in the following one."""
    where: Where = Where()
    """Which tickets or occasions."""
    ask: Asked = "requester"
    """`requester`: the person of the ticket or occasion; or which customers and contacts of the register."""
    share: ShareText = 1.0
    """The share of tickets or occasions that is asked about, drawn by lot."""
    sample: Sample | None = None
    """Who of the customers meant is drawn; what stands under `plans` where it is missing."""
    coverage: Coverage | None = None
    """The share of active customers to reach; what stands under `plans` where it is missing."""
    guarantee: Guarantee | None = None
    """The share of cases that must have been followed up."""
    by: Issuer = "service desk"
    """In whose name it goes out; calls and visits stand on his list."""
    questionnaire: Identifier
    """What is asked: a key of `questionnaires`."""
    send: Send
    """When, and the promise until when."""
    late: Literal["skip", "ask"] = "skip"
    """What becomes of a closing or occasion that becomes known when its promise has passed."""
    steps: Steps
    """By which steps the customer is reached."""
    expires: SpanText = Span(7, "days")
    """How long the page stays open, from the planned first contact."""
    again: Again | None = None
    """Who is asked a second time because of his answer."""
    limited: bool = True
    """Whether `limits.per_person` holds; false where everybody must be asked, and then the survey does not count."""
    scores: Scores | None = None
    """How this survey is scored, where it differs from the policy's `scores`."""

    @property
    def planned(self) -> bool:
        """Whether it goes by the calendar, with a plan and a sample of the register."""
        return self.on is None

    @model_validator(mode="after")
    def _open_long_enough(self) -> Self:
        """Whether everything that is to come finds the page open; spans of working time are as long as usual."""
        closes, deadline = _usual(self.send.after) + _usual(self.expires), _usual(self.send.within)
        for step in self.steps:
            before = step.call if isinstance(step, CallStep) else step.visit if isinstance(step, VisitStep) else None
            if before is not None and is_longer(before, self.send.within):
                what = f"the {step_kind(step)} ({before} before the deadline, which is {self.send.within} away)"
                remedy = f"Write less than {self.send.within} before the deadline, or make `within` longer"
                raise wrong(f"{what} would come before the promise begins", remedy, at=("steps",))
            if before is not None and deadline - _usual(before) >= closes:
                what = f"the {step_kind(step)} ({before} before the deadline, which is {self.send.within} away)"
                raise wrong(f"the page closes ({self.expires}) before {what}", "Make `expires` longer", at=("steps",))
        open_for = self.expires.plain
        waits = [step.reminder.plain for step in self.steps if isinstance(step, ReminderStep)]
        if self.expires.amount == 0 or any(open_for and wait and wait >= open_for for wait in waits):
            raise wrong(f"the page closes ({self.expires}) before the last reminder", "Make `expires` longer")
        return self

    @model_validator(mode="after")
    def _one_reason(self) -> Self:
        if self.on is None and self.every is None:
            raise wrong("no reason to ask", "Add `on: ticket closed`, another occasion, or `every: quarter`")
        if self.on == "occasion" and self.where.type is None:
            raise wrong("any occasion at all", "Name its kind, like where: {type: [contract renewed]}", at=("on",))
        if self.on is not None:
            return self._on_something()
        return self._by_the_calendar()

    def _on_something(self) -> Self:
        if self.every is not None and self.every.before_end:
            raise wrong(
                "the period is not over by then", "Count from the start of the next: week, on monday", at=("every",)
            )
        for name in ("sample", "coverage"):
            if getattr(self, name) is not None:
                raise wrong(f"`{name}` is for surveys by the calendar", "Write `share`, or leave out `on`", at=(name,))
        return self

    def _by_the_calendar(self) -> Self:
        if not isinstance(self.ask, Ask):
            raise wrong("nobody is named who would be asked", "Write ask: {customers: …, contacts: …}", at=("ask",))
        if self.where != Where():
            raise wrong("`where` is for tickets and occasions", "Name customers under `ask`", at=("where",))
        if self.share != 1:
            raise wrong("`share` is for tickets and occasions", "Write sample: {size: …}", at=("share",))
        return self


class Plans(Part):
    """How surveys by the calendar are planned: when the plan must be ready, by whom approved, and whom it draws."""

    ready: ReadyText | None = None
    """Between which days before the opening a plan is drawn up and approved: `7-10 days before`."""
    approve: RoleName | None = None
    """Who must approve a plan before anybody is asked; without it a plan is carried out as it was drawn up."""
    method: Words | None = None
    """How the survey is done, in words for the plan."""
    sample: Sample | None = None
    """The sample of every survey that has none of its own."""
    coverage: Coverage | None = None
    """The share of active customers that every survey by the calendar must reach, unless it says otherwise."""
