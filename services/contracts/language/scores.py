"""How answers become figures: methods, dimensions, bands, targets, and which answers are suspect."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.contracts.language.names import Period, distinct
from services.contracts.part import Part, wrong
from services.contracts.quantities import DurationText, ShareText, read_duration
from services.contracts.questionnaire import Identifier, Words

ScoreMethod = Literal["percent", "sum", "rate", "mean", "option-total", "nps", "ces"]


class Dimension(Part):
    """A node of the tree of indicators: the weighted mean of what stands below it, in percent."""

    title: Words
    """What it is called in reports."""
    weight: float = Field(default=1.0, gt=0, le=1000)
    """How much it counts beside its neighbours."""
    under: dict[Identifier, "Dimension"] = Field(default_factory=dict)
    """Its parts. Items name a dimension that has none."""


class Band(Part):
    """Scores from `from` up, until the next band."""

    from_: float = Field(validation_alias="from", serialization_alias="from", ge=0, le=100)
    """The lowest score that belongs to it."""
    name: Words
    """What it is called."""


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


class ReturnRate(Part):
    """What a low return costs: the figure falls by `minus` points for every full `per` points below `floor`."""

    floor: ShareText
    """The return rate from which on nothing is taken off."""
    per: float = Field(gt=0, le=100)
    """For every full so many points missing …"""
    minus: float = Field(gt=0, le=100)
    """… so many points are taken off the figure."""


class Scores(Part):
    """How answers become a figure from 0 to 100: the method, the year's target, and the words for the ranges."""

    method: ScoreMethod = "percent"
    """How: `percent`, `sum`, `rate`, `mean`, `option-total`, `nps` or `ces` (see docs/policy.md)."""
    item: Identifier | None = None
    """The item that `option-total`, `mean`, `nps` and `ces` speak of; without it the overall item, or all of them."""
    target: float | None = Field(default=None, ge=0, le=100)
    """The figure to reach."""
    period: Period = "year"
    """Over which period the target is judged."""
    bands: Annotated[tuple[Band, ...], Field(min_length=1), AfterValidator(_falling)] = _BANDS
    """Words for ranges of the figure, best first, the last from 0."""
    return_rate: ReturnRate | None = None
    """What a low return costs."""
    mean_over: Literal["responses", "organisations"] = "responses"
    """Whether every response counts alike, or every organisation that serves (`served_by`)."""

    def completed_by(self, policy: "Scores") -> "Scores":
        """These scores of one survey; what they leave out is as the policy has it.

        Bands and period always; what speaks of one method's figure (item, target, return rate, mean) only where the
        method is the policy's.
        """
        left_out = type(self).model_fields.keys() - self.model_fields_set - {"method"}
        if "method" in self.model_fields_set and self.method != policy.method:
            left_out &= {"bands", "period"}
        method = self.method if "method" in self.model_fields_set else policy.method
        return self.model_copy(update={"method": method, **{name: getattr(policy, name) for name in left_out}})


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=True))
    except ValueError:
        raise wrong(f"{text!r} is not a network", "Write it like 10.1.0.0/16, with zeros behind the mask") from None


Network = Annotated[str, AfterValidator(_network), Field(examples=["10.1.0.0/16"])]


class Validity(Part):
    """From where an answer is suspect. A flag never voids an answer; a person may."""

    incomplete_below: ShareText = 0.8
    """Fewer answered items than this share."""
    straight_lined_from: int = Field(default=5, ge=2)
    """So many scale items or more, all answered alike."""
    too_fast_seconds: float = Field(default=2.0, ge=0, le=600)
    """Fewer seconds an item than this."""
    duplicate_within: DurationText = read_duration("1h")
    """The same device or address answered for another customer within this time."""
    staff_networks: Annotated[tuple[Network, ...], AfterValidator(distinct)] = ()
    """Networks of the company: an answer from there is flagged `staff-network`."""
    agent_entered: Literal["flag", "accept"] = "flag"
    """Whether an answer that an agent typed during a call or after a visit is flagged `agent-entered`."""
    scanner_suspect: Literal["flag", "accept"] = "flag"
    """Whether an answer from what looks like a link scanner is flagged."""


class Corrections(Part):
    """How long the customer may correct his answer, counted from the first one."""

    within: DurationText = read_duration("2d")
    """From the first answer on."""
