"""What a policy says to a figure: its method, whether the return rate lowers it, its band, and its target. Pure."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import NamedTuple, TypeVar

from scoring.figure import Figure, Pattern, compute, lowered, over_organisations
from scoring.period import is_of
from scoring.score import band_of
from services.contracts.language.names import Period
from services.contracts.language.scores import Band, ReturnRate, ScoreMethod, Scores
from services.contracts.questionnaire import Words

_T = TypeVar("_T", bound=Hashable)


class Target(NamedTuple):
    """The figure to reach in a period."""

    figure: float
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the surveys of a figure agree on; None, and by responses, where they differ."""

    method: ScoreMethod | None
    target: Target | None
    bands: tuple[Band, ...] | None
    return_rate: ReturnRate | None
    over_organisations: bool

    def only_method(self, method: ScoreMethod) -> "Rules":
        """The rules for a figure by another method than the policy's: bands and targets do not speak of it."""
        if method == self.method:
            return self
        return Rules(method=method, target=None, bands=None, return_rate=None, over_organisations=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A figure with what the policy says to it; `reached` is None where it is not of the target's period."""

    method: ScoreMethod
    figure: Figure
    return_rate: float | None
    target: Target | None
    reached: bool | None
    band: Words | None


def rules_of(scores: Collection[Scores]) -> Rules:
    """What several surveys agree on."""
    return Rules(
        method=_agreed(each.method for each in scores),
        target=_agreed(Target(each.target, each.period) if each.target is not None else None for each in scores),
        bands=_agreed(each.bands for each in scores),
        return_rate=_agreed(each.return_rate for each in scores),
        over_organisations=_agreed(each.mean_over for each in scores) == "organisations",
    )


def _agreed(said: Iterable[_T | None]) -> _T | None:
    different = set(said)
    return different.pop() if len(different) == 1 else None


class Span(NamedTuple):
    """The time of a figure: `group` where each is one period of the calendar, `zone` that of its policies if one."""

    since: datetime | None
    until: datetime | None
    group: Period | None
    zone: tzinfo | None

    def is_of(self, period: Period) -> bool:
        """Whether it is one such period, or that period so far."""
        if self.group == period:
            return True
        return self.zone is not None and is_of(self.since, self.until, period, self.zone)


def judge_figure(rules: Rules, patterns: Sequence[Pattern], asked: int, returned: int, span: Span) -> Judged:
    """The figure of some answers by their surveys' own rules; `percent` where these have no method in common.

    `returned` of the `asked` surveys have a valid answer: that is the return rate.
    """
    method = rules.method or "percent"
    figure = over_organisations(method, patterns) if rules.over_organisations else compute(method, patterns)
    rate = 100 * returned / asked if asked else None
    if rules.return_rate is not None and rate is not None:
        figure = lowered(figure, rate, rules.return_rate)
    reached = None
    if rules.target is not None and figure.percent is not None and span.is_of(rules.target.period):
        reached = figure.percent >= rules.target.figure
    band = band_of(figure.percent, rules.bands) if rules.bands and figure.percent is not None else None
    return Judged(
        method=method,
        figure=figure,
        return_rate=rate,
        target=rules.target,
        reached=reached,
        band=band.name if band else None,
    )
