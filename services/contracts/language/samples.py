"""Samples: how many are drawn from how many, by strata, and what share of customers a survey must reach."""

import re
from fractions import Fraction
from math import ceil
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, model_validator

from services.contracts.language.filters import CustomerFilter
from services.contracts.language.names import Period, ShortText, distinct
from services.contracts.language.timing import BackText
from services.contracts.part import Part, wrong
from services.contracts.quantities import ShareText, described
from services.contracts.tickets import Channel

StratumField = Literal["kind", "tier", "size", "trade", "region", "segment", "grade", "project", "served_by"]

_NUMBER = r"[1-9][0-9]{0,6}"
_PERCENT = r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%"
_SIZE = rf"all|{_NUMBER}|{_PERCENT}|({_NUMBER}) ?\+ ?{_PERCENT}"


class Size(NamedTuple):
    """So many of N: `base` and a share of N together, rounded up, never more than N."""

    base: int
    share: Fraction

    def of(self, population: int) -> int:
        """The number to draw from that many."""
        return min(population, ceil(self.base + self.share * population))

    def __str__(self) -> str:
        if self == ALL:
            return "all"
        percent = f"{float(self.share * 100):.9g}%"
        return str(self.base) if not self.share else f"{self.base} + {percent}" if self.base else percent


ALL = Size(0, Fraction(1))


def read_size(text: Any) -> Size:
    """Reads `all`, `30%`, `200` and `10 + 5%`. Raises `PydanticCustomError`."""
    written = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    match = re.fullmatch(_SIZE, written) if isinstance(written, str) else None
    percent = (match[1] or match[3]) if match else None
    share = Fraction(percent or 0) / 100
    if match is None or share > 1 or (percent and not share):
        raise wrong(f"{text!r} is not the size of a sample", "Write all, a share like 30%, a number, or 10 + 5%")
    if match[0] == "all":
        return ALL
    return Size(int(match[2] or (0 if percent else match[0])), share)


SizeText = Annotated[
    Size, PlainValidator(read_size), PlainSerializer(str), described(_SIZE, "all", "30%", "200", "10 + 5%", number=True)
]
Factor = Annotated[float, Field(ge=1, le=100)]


class Organisations(Part):
    """Where several organisations serve: a sample of them first, then a sample of the customers of each."""

    share: ShareText
    """The share of the organisations that is drawn."""
    minimum: int = Field(default=1, ge=1)
    """At least so many of them."""


class Sample(Part):
    """Who of those meant is drawn, by lot, with a stored draw for each.

    Within strata `size` is spread in proportion, then `sizes` and `over` raise single strata, then the minima.
    Figures from a sample that is not in proportion are weighted back. Whom nobody reaches, the next draw replaces.
    """

    size: SizeText = ALL
    """How many in all: `all`, a share like 30%, a number, or `10 + 5%` (10 and 5 % of all, rounded up)."""
    minimum: int = Field(default=0, ge=0)
    """At least so many in all, if there are as many."""
    strata: Annotated[tuple[StratumField, ...], AfterValidator(distinct)] = ()
    """The fields by which those meant are divided before the draw."""
    minimum_each: int = Field(default=0, ge=0)
    """At least so many in each stratum, if there are as many."""
    sizes: dict[ShortText, SizeText] = Field(default_factory=dict)
    """Own sizes of single strata, by a value of one of the fields: `{core: all}`."""
    over: dict[ShortText, Factor] = Field(default_factory=dict)
    """By how much single strata are over-sampled, by a value of one of the fields: `{core: 2}`."""
    always: CustomerFilter | None = None
    """Who is asked in any case, beside the draw."""
    organisations: Organisations | None = None
    """First draw among the organisations that serve (`served_by`)."""

    @model_validator(mode="after")
    def _strata_for_their_values(self) -> Self:
        for name in ("sizes", "over", "minimum_each"):
            if getattr(self, name) and not self.strata:
                raise wrong(f"`{name}` needs strata", "Name the fields, like strata: [tier]", at=(name,))
        return self


class Coverage(Part):
    """The share of customers that a calendar survey must reach; its plan is checked before and after.

    It counts those whom the survey means (`ask.customers`), whether or not anybody can be reached there. A plan that
    would cover too few of them takes the next draws among them, too.
    """

    share: ShareText
    """At least this share."""
    active_within: BackText
    """Of the customers who have bought or used something since then: `6 months`."""


class Guarantee(Part):
    """The share of all cases that must have been followed up by the end of each period, proved by count."""

    share: ShareText
    """At least this share is reached."""
    of: Literal["all", "asked"] = "all"
    """Of all cases that the survey means, or of those that were asked."""
    by: Annotated[tuple[Channel, ...], Field(min_length=1), AfterValidator(distinct)] | None = None
    """Only contact by one of these counts; without it any answer, refusal or talk does."""
    every: Period = "quarter"
    """The period over which it is counted."""
