"""Reports, supervision, rewards and privacy: what the company makes of its figures, and what it must not."""

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator

from services.contracts.language.names import Period, RoleName, Roles, distinct
from services.contracts.part import Part, wrong
from services.contracts.quantities import ShareText, SpanText, described, read_span
from services.contracts.questionnaire import Identifier, Words

Section = Literal[
    "background",
    "aim",
    "method",
    "sample",
    "findings",
    "dimensions",
    "problems",
    "comments",
    "overall",
    "proposals",
    "measures",
    "indicators",
    "compliance",
    "rewards",
    "first analysis",
]
GroupField = Literal[
    "customer", "group", "agent", "category", "project", "region", "role", "kind", "tier", "size", "trade", "segment",
    "grade", "survey", "served_by", "channel",
]  # fmt: skip
Indicator = Literal["response time", "resolution time", "reopened", "backlog", "complaints"]
Check = Literal[
    "first contact", "plans", "coverage", "guarantee", "return rate", "cases in time", "genuine answers", "reports"
]


class Report(Part):
    """A report that recurs: what stands in it, who reviews and approves it, and to whom it goes."""

    title: Words
    """What it is called."""
    every: Period
    """The period that it is about."""
    due: SpanText
    """Until when after the period's end it is released."""
    surveys: Annotated[tuple[Identifier, ...], Field(min_length=1), AfterValidator(distinct)] | None = None
    """Of which surveys; without it of all."""
    sections: Annotated[tuple[Section, ...], Field(min_length=1), AfterValidator(distinct)]
    """Its parts, in order."""
    by: Annotated[tuple[GroupField, ...], AfterValidator(distinct)] = ()
    """The groups by which its figures are broken down; small groups are never shown."""
    indicators: Annotated[tuple[Indicator, ...], AfterValidator(distinct)] = ()
    """The company's own figures that stand beside the customers' judgement."""
    review: Roles
    """Who reviews it."""
    approve: Roles
    """Who approves it: others than those who review."""
    send: Roles
    """To whom it goes."""
    meeting: SpanText | None = None
    """Until when after its release the improvement meeting is held and recorded."""


class SpotCheck(Part):
    """How many answers a person checks for being genuine, by calling back."""

    share: ShareText
    """The share of the period's answers."""
    minimum: int = Field(default=1, ge=0)
    """At least so many."""
    by: RoleName
    """Who checks; never who asked."""


class Supervision(Part):
    """Who watches over the process itself, and by which figures."""

    by: Roles
    """Who supervises."""
    every: Period = "quarter"
    """How often."""
    checks: Annotated[tuple[Check, ...], Field(min_length=1), AfterValidator(distinct)]
    """Which promises of the policy are counted."""
    spot_check: SpotCheck | None = None
    """The answers that are checked for being genuine."""


_OF_CUSTOMERS = r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2}) of customers|([0-9]{1,3}(?:\.[0-9]{1,6})?)% of customers"


def read_part(text: Any) -> Fraction:
    """Reads `1/3 of customers` or `20% of customers`. Raises `PydanticCustomError`."""
    match = re.fullmatch(_OF_CUSTOMERS, text) if isinstance(text, str) else None
    part = Fraction(0)
    if match is not None:
        part = Fraction(match[3]) / 100 if match[3] else Fraction(int(match[1]), int(match[2]))
    if not 0 < part <= 1:
        raise wrong(f"{text!r} is not a part of the customers", "Write it like 1/3 of customers")
    return part


PartText = Annotated[
    Fraction,
    PlainValidator(read_part),
    PlainSerializer(lambda part: f"{part.numerator}/{part.denominator} of customers"),
    described(_OF_CUSTOMERS, "1/3 of customers", "20% of customers"),
]


class Rewards(Part):
    """What customers and departments get for their part. Never for a good answer: only for answering, or for help."""

    respondent: Words
    """What a customer gets."""
    given_for: Literal["an answer", "valuable feedback"] = "valuable feedback"
    """For every answer, or for one that a person marked as valuable."""
    limit: PartText = Fraction(1, 3)
    """To how many of the customers at most, in one period."""
    every: Period = "year"
    """The period for which `limit` counts."""
    department: Words | None = None
    """What a department gets that did well."""


class Privacy(Part):
    """How long answers are kept, the smallest group that is shown, and what the rated agent sees."""

    retain: SpanText = read_span("3 years")
    """How long answers are kept with the person who gave them."""
    minimum_group: int = Field(default=5, ge=5)
    """Figures of fewer ratings are not shown. It can be raised, not lowered below 5."""
    minimum_comments: int = Field(default=10, ge=10)
    """Comments of groups with fewer are not shown. It can be raised, not lowered below 10."""
    agents_see: Literal["aggregates", "own answers"] = "aggregates"
    """What the rated agent sees."""
