"""By which steps a customer is reached, and the promise that the first one keeps."""

from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from services.contracts.language.names import distinct
from services.contracts.part import Part, wrong
from services.contracts.quantities import AfterText, BeforeText, Span, SpanText, not_shorter
from services.contracts.tickets import Channel


class Send(Part):
    """When: not before `after`, and first contact before `within`. The promise.

    Both count from the closing or the occasion; in a survey by the calendar, from the moment at which it opens.
    """

    after: SpanText = Span(0, "hours")
    """How long to wait before the first contact."""
    within: SpanText
    """Until when the first contact must have happened."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.within.amount == 0:
            raise wrong("`within` leaves no time to ask", "Write a time above 0, like 2d")
        if not_shorter(self.after, self.within):
            raise wrong(
                f"`after` ({self.after}) is not before `within` ({self.within})", "Make `within` the longer one"
            )
        return self


class FirstStep(Part):
    """The first contact: by the first of these channels that the person has; the next one where it fails."""

    first: Annotated[tuple[Channel, ...], Field(min_length=1), AfterValidator(distinct)]
    """`sms`, `email`, `call` (the issuer's call list) or `visit` (the issuer's list of visits), in order."""


class ReminderStep(Part):
    """A reminder to who has not answered, by the channel that reached him; counted from the first contact."""

    reminder: AfterText
    """When, like `after 24h`."""


class CallStep(Part):
    """The call list of the service desk, for who has not answered; counted back from the promise's deadline."""

    call: BeforeText
    """When, like `8 working hours before deadline`."""


class VisitStep(Part):
    """The issuer's list of visits, for who has not answered; counted back from the promise's deadline."""

    visit: BeforeText
    """When, like `5 working days before deadline`."""


_KINDS = ("first", "reminder", "call", "visit")


def step_kind(step: Any) -> str | None:
    """Which of the kinds a step is, written or read; None where it is none."""
    keys = step if isinstance(step, dict) else type(step).model_fields if isinstance(step, Part) else ()
    return next((kind for kind in _KINDS if kind in keys), None)


Step = Annotated[
    Annotated[FirstStep, Tag("first")]
    | Annotated[ReminderStep, Tag("reminder")]
    | Annotated[CallStep, Tag("call")]
    | Annotated[VisitStep, Tag("visit")],
    Discriminator(step_kind),
]


def _in_order(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    kinds = [step_kind(step) for step in steps]
    if kinds[0] != "first" or kinds.count("first") > 1:
        raise wrong("the steps do not begin with one `first`", "Write `- first: [sms, email]` at the head of the list")
    if any(before in ("call", "visit") and after == "reminder" for before, after in pairwise(kinds)):
        raise wrong("a reminder stands after `call` or `visit`", "Write `call` and `visit` last")
    if kinds.count("call") > 1 or kinds.count("visit") > 1:
        raise wrong("`call` or `visit` stands twice", "Keep one of each")
    waits = [step.reminder.plain for step in steps if isinstance(step, ReminderStep)]
    known = [wait for wait in waits if wait is not None]
    if len(known) < len(waits) or known != sorted(set(known)):
        raise wrong("the reminders do not rise", "Give each a fixed time longer than the one before, like after 24h")
    return steps


Steps = Annotated[tuple[Step, ...], Field(min_length=1), AfterValidator(_in_order)]
