"""The policy's language: what a company's satisfaction policy may say, as one YAML file.

Unknown keys are errors, so that a later version of the language can add keys without changing what a file means.
`docs/policy.md` explains every key. All times of day are by the clock on the wall of the zone that applies.
"""

import json
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import holidays
from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationError, model_validator

from services.contracts.document import DocumentError, read_document
from services.contracts.explain import explain
from services.contracts.messages import Brand, Messages
from services.contracts.part import Part, wrong
from services.contracts.quantities import (
    AfterText,
    BeforeText,
    DurationText,
    HoursText,
    RateText,
    ShareText,
    Span,
    SpanText,
    WorkingHoursText,
    read_duration,
    read_hours,
    read_span,
    read_working_hours,
)
from services.contracts.questionnaire import Identifier, Questionnaire, Words
from services.contracts.tickets import Channel

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ScoreMethod = Literal["percent", "sum", "rate", "mean"]
ClosedBy = Literal["agent", "customer", "auto", "merged", "spam", "bot"]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class Change(Part):
    """One line of the document's history."""

    version: _Name
    date: date
    by: _Name
    change: Words


class Approval(Part):
    """Who wrote, checked and approved the document, since when it applies, and what changed before."""

    author: _Name
    reviewer: _Name
    approver: _Name
    effective: date
    history: tuple[Change, ...] = ()

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if self.author == self.approver:
            raise wrong("the author approves his own policy", "Name another approver: a policy takes two people")
        return self


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise wrong(f"unknown time zone {name!r}", "Write an IANA zone like Asia/Shanghai or Europe/Berlin") from None
    return name


_COUNTRIES = frozenset(holidays.list_supported_countries())


def _country(code: str) -> str:
    if code not in _COUNTRIES:
        raise wrong(f"no holidays are known for {code!r}", "Write an ISO 3166 country code like CN or DE")
    return code


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise wrong("the same value stands twice in the list", "Remove one of them")
    return values


class Calendar(Part):
    """The company's time: zone, public holidays, working days and hours, and when nobody is disturbed.

    `quiet` applies in the person's own zone where it is known, else in `timezone`; equal ends mean never.
    Days swapped by decree (China's make-up working days) count as the country keeps them.
    """

    timezone: Annotated[str, AfterValidator(_zone)]
    holidays: Annotated[str, AfterValidator(_country)] | None = None
    workdays: Annotated[tuple[Weekday, ...], Field(min_length=1), AfterValidator(_distinct)] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
    )
    hours: WorkingHoursText = read_working_hours("09:00-18:00")
    quiet: HoursText = read_hours("21:00-08:30")


class Limits(Part):
    """How often one person is asked, across all surveys of the house."""

    per_person: RateText | None = None


_Values = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_distinct)]


class Where(Part):
    """Which tickets: every named field has one of its values, and what stands under `not` does not apply.

    Letters compare without regard to case. For `tags`, one common tag is enough.
    """

    type: _Values | None = None
    closed_by: Annotated[tuple[ClosedBy, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    category: _Values | None = None
    priority: _Values | None = None
    customer: _Values | None = None
    group: _Values | None = None
    agent: _Values | None = None
    project: _Values | None = None
    region: _Values | None = None
    tags: _Values | None = None
    not_: "Where | None" = Field(default=None, validation_alias="not", serialization_alias="not")


class Send(Part):
    """When: not before `after`, and first contact before `within`, both counted from the closing. The promise."""

    after: SpanText = Span(0, "hours")
    within: SpanText

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        after, within = self.after.plain, self.within.plain
        if self.within.amount == 0:
            raise wrong("`within` leaves no time to ask", "Write a time above 0, like 2d")
        if after is not None and within is not None and after >= within:
            raise wrong(
                f"`after` ({self.after}) is not before `within` ({self.within})", "Make `within` the longer one"
            )
        return self


class FirstStep(Part):
    """The first contact: by the first of these channels that the person has; the next one where it fails."""

    first: Annotated[tuple[Channel, ...], Field(min_length=1), AfterValidator(_distinct)]


class ReminderStep(Part):
    """A reminder to who has not answered, by the channel that reached him; counted from the first contact."""

    reminder: AfterText


class CallStep(Part):
    """The call list of the service desk, for who has not answered; counted back from the promise's deadline."""

    call: BeforeText


def _step_kind(step: Any) -> str | None:
    keys = step if isinstance(step, dict) else type(step).model_fields if isinstance(step, Part) else ()
    return next((kind for kind in ("first", "reminder", "call") if kind in keys), None)


Step = Annotated[
    Annotated[FirstStep, Tag("first")] | Annotated[ReminderStep, Tag("reminder")] | Annotated[CallStep, Tag("call")],
    Discriminator(_step_kind),
]


def _in_order(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    kinds = [_step_kind(step) for step in steps]
    if kinds[0] != "first" or kinds.count("first") > 1:
        raise wrong("the steps do not begin with one `first`", "Write `- first: [sms, email]` at the head of the list")
    if "call" in kinds[:-1]:
        raise wrong("a step stands after `call`", "Write `call` last")
    waits = [step.reminder.plain for step in steps if isinstance(step, ReminderStep)]
    known = [wait for wait in waits if wait is not None]
    if len(known) < len(waits) or known != sorted(set(known)):
        raise wrong("the reminders do not rise", "Give each a fixed time longer than the one before, like after 24h")
    return steps


class Survey(Part):
    """One reason to ask: whom, when, by which steps, and until when the page stays open.

    `expires` counts from the moment for which the first contact was planned. `late` says what becomes of a closure
    that becomes known after its promise has passed. `share` is drawn per closure, reproducibly.
    """

    on: Literal["ticket closed"]
    where: Where = Where()
    ask: Literal["requester"] = "requester"
    share: ShareText = 1.0
    questionnaire: Identifier
    send: Send
    late: Literal["skip", "ask"] = "skip"
    steps: Annotated[tuple[Step, ...], Field(min_length=1), AfterValidator(_in_order)]
    expires: SpanText = Span(7, "days")

    @model_validator(mode="after")
    def _open_long_enough(self) -> Self:
        open_for = self.expires.plain
        waits = [step.reminder.plain for step in self.steps if isinstance(step, ReminderStep)]
        if self.expires.amount == 0 or any(open_for and wait and wait >= open_for for wait in waits):
            raise wrong(f"the page closes ({self.expires}) before the last reminder", "Make `expires` longer")
        return self


class Band(Part):
    """Scores from `from` up, until the next band."""

    from_: float = Field(validation_alias="from", serialization_alias="from", ge=0, le=100)
    name: Words


_BANDS = (
    Band(from_=80, name=Words(zh="非常满意", en="Very satisfied")),
    Band(from_=70, name=Words(zh="满意", en="Satisfied")),
    Band(from_=60, name=Words(zh="一般", en="Fair")),
    Band(from_=0, name=Words(zh="不满意", en="Dissatisfied")),
)


def _falling(bands: tuple[Band, ...]) -> tuple[Band, ...]:
    floors = [band.from_ for band in bands]
    if floors != sorted(set(floors), reverse=True) or floors[-1] != 0:
        raise wrong("the bands do not fall to 0", "List them from the best to the one that begins `from: 0`")
    return bands


class Scores(Part):
    """How answers become a figure from 0 to 100: the method, the year's target, and the words for the ranges."""

    method: ScoreMethod = "percent"
    target: float | None = Field(default=None, ge=0, le=100)
    bands: Annotated[tuple[Band, ...], Field(min_length=1), AfterValidator(_falling)] = _BANDS


class Validity(Part):
    """From where an answer is suspect. A flag never voids an answer; a person may."""

    incomplete_below: ShareText = 0.8
    straight_lined_from: int = Field(default=5, ge=2)
    too_fast_seconds: float = Field(default=2.0, ge=0, le=600)
    duplicate_within: DurationText = read_duration("1h")


class Corrections(Part):
    """How long the customer may correct his answer, counted from the first one."""

    within: DurationText = read_duration("2d")


class Privacy(Part):
    """How long answers are kept, the smallest group that is shown, and what the rated agent sees."""

    retain: SpanText = read_span("3 years")
    minimum_group: int = Field(default=5, ge=5)
    agents_see: Literal["aggregates", "own answers"] = "aggregates"


class Policy(Part):
    """A company's satisfaction policy."""

    policy: Identifier
    title: Words
    approval: Approval
    calendar: Calendar
    limits: Limits = Limits()
    questionnaires: Annotated[dict[Identifier, Questionnaire], Field(min_length=1)]
    surveys: Annotated[dict[Identifier, Survey], Field(min_length=1)]
    scores: Scores = Scores()
    validity: Validity = Validity()
    corrections: Corrections = Corrections()
    brand: Brand = Brand()
    messages: dict[Literal["first", "reminder"], Messages] = Field(default_factory=dict)
    privacy: Privacy = Privacy()

    @model_validator(mode="after")
    def _questionnaires_exist(self) -> Self:
        for name, survey in self.surveys.items():
            if survey.questionnaire not in self.questionnaires:
                raise wrong(
                    f"survey {name!r} asks the questionnaire {survey.questionnaire!r}, which does not exist",
                    f"Write it under `questionnaires`, or name one of {sorted(self.questionnaires)}",
                    at=("surveys", name, "questionnaire"),
                )
        return self

    def document(self) -> str:
        """The policy whole, defaults included, as the JSON that travels in `PolicyApproved`."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


@lru_cache(maxsize=64)
def read_policy(document: str) -> Policy:
    """The policy of a `document()`. Raises `pydantic.ValidationError` where it is none."""
    return Policy.model_validate_json(document, strict=True)


PolicyError = DocumentError
"""Everything that is wrong with a policy file: one finding a line, `file:line:column: message. remedy`."""


def parse_policy(text: str, name: str) -> Policy:
    """Reads a policy file; `name` stands in the errors. Raises `PolicyError` with all findings."""
    document = read_document(text, name)
    try:
        return Policy.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        raise PolicyError(name, explain(error.errors(), document, Policy.model_json_schema())) from None
