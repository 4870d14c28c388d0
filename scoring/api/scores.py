"""What the answers come to: figures by group, each with what tells how far it can be trusted."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from scoring import store
from scoring.api.window import Since, Until, check_window
from scoring.breakdown import Branch, Breakdown, ItemFigure, breakdown
from scoring.estimate import Draw
from scoring.figure import Pattern, Unit, shown
from scoring.store import PolicyKey, Wanted
from scoring.verdict import Judged, Span, judge_figure, rules_of
from services.auth import Role, requires
from services.contracts.language.names import Period
from services.contracts.language.scores import ScoreMethod, Scores
from services.contracts.policy import Policy, read_policy
from services.contracts.questionnaire import ScaleName, Words
from services.database import Record
from services.web import HouseOf

router = APIRouter(prefix="/v1", tags=["scoring"])

Group = Literal[
    "survey", "policy", "week", "month", "quarter", "year", "customer", "project", "region", "role", "agent", "group",
    "category", "kind", "tier", "size", "trade", "segment", "grade", "served_by", "channel",
]  # fmt: skip
READERS = (Role.quality, Role.manager, Role.agent, Role.auditor, Role.integration)


class IntervalOut(BaseModel):
    """A 95 % interval, in the figure's unit."""

    model_config = ConfigDict(from_attributes=True)

    low: float
    high: float


class ItemOut(BaseModel):
    """One item: mean, deviation and interval in points of its scale; `counts` says how often each value was given."""

    model_config = ConfigDict(from_attributes=True)

    questionnaire: str
    item: str
    text: Words
    scale: ScaleName
    suppressed: bool
    n: int | None
    mean: float | None
    deviation: float | None
    interval: IntervalOut | None
    percent: float | None
    counts: dict[int, int] | None


class DimensionOut(BaseModel):
    """A dimension: the weighted mean of what stands below it, in percent; `n` respondents rated something of it."""

    model_config = ConfigDict(from_attributes=True)

    dimension: str
    title: Words | None
    weight: float
    suppressed: bool
    n: int | None
    value: float | None
    under: list["DimensionOut"]


class FigureOut(BaseModel):
    """The figure of one group. A group that is too small, or would give one away, has `suppressed` and no numbers.

    `n` counts the valid responses that the figure is made of; `suspect` those that are flagged and `void` those that a
    person voided: both are left out of it. `asked` counts surveys that came due in the period, `answered` those of them
    with an answer by now (void ones left out), `return_rate` the share of them with a valid one. `percent` is the value
    from 0 to 100, by which `band` and `target` go; `target_reached` is told for a figure of the target's own period.
    `before_return_rate` is the value that the return-rate rule lowered. `weighted`: answers of an unequal sample were
    weighted back. `organisations`: the value is the mean of the figures of so many.
    """

    key: str | None
    suppressed: bool
    method: ScoreMethod
    n: int | None = None
    value: float | None = None
    unit: Unit
    percent: float | None = None
    deviation: float | None = None
    interval: IntervalOut | None = None
    total: int | None = None
    organisations: int | None = None
    weighted: bool | None = None
    before_return_rate: float | None = None
    band: Words | None = None
    target: float | None = None
    target_period: Period | None = None
    target_reached: bool | None = None
    valid: int | None = None
    suspect: int | None = None
    void: int | None = None
    asked: int | None = None
    answered: int | None = None
    response_rate: float | None = None
    return_rate: float | None = None
    items: list[ItemOut] | None = None
    dimensions: list[DimensionOut] | None = None


class ScoresOut(BaseModel):
    """Figures by group, with the figure of all of them together. `method` is None where each survey has its own."""

    method: ScoreMethod | None
    group: Group
    minimum_group: int
    items: list[FigureOut]
    total: FigureOut


@router.get("/scores", dependencies=[Depends(requires(*READERS))])
async def show_scores(
    house: HouseOf,
    group: Group = "survey",
    method: Annotated[
        ScoreMethod | None, Query(description="Another method than the policy's; without bands and target then.")
    ] = None,
    survey: Annotated[str | None, Query(description="A survey's name in the policy; without it, all.")] = None,
    policy: Annotated[str | None, Query(description="A policy's name; without it, all.")] = None,
    since: Since = None,
    until: Until = None,
    again: Annotated[
        bool, Query(description="Of those who were asked again because of an answer, instead of the first time.")
    ] = False,
    detail: Annotated[bool, Query(description="With items and dimensions.")] = False,
) -> ScoresOut:
    """Figures by the policies' own rules, with their 95 % intervals and what was left out of them.

    Without `method` each figure goes by that of its surveys, and by `percent` where they have different ones. Periods
    are those of each policy's own time zone. Who was asked again because of an answer stands apart (`again`). Who has
    several roles or segments counts in the first of them. Groups below the policies' minimum are not shown, nor groups
    from which they could be computed.
    """
    check_window(since, until)
    wanted = Wanted(group, since, until, survey, policy, again)
    async with house.database.reading() as transaction:
        rows = await store.count_patterns(transaction, wanted)
        asked = await store.count_asked(transaction, wanted) if group != "channel" else []
        least = await store.find_minimum_group(transaction)
        documents = await store.find_policies(transaction, {_version(row) for row in (*rows, *asked)})
    policies = {key: read_policy(document) for key, document in documents.items()}
    # In a thread: answers to customers need not wait for statistics.
    return await asyncio.to_thread(_scores, Inquiry(group, wanted, method, least, detail, policies), rows, asked)


def _version(row: Record) -> PolicyKey:
    return row["policy"], row["policy_version"]


@dataclass(frozen=True)
class Inquiry:
    """What is asked for, by which policies."""

    group: Group
    wanted: Wanted
    method: ScoreMethod | None
    least: int
    detail: bool
    policies: Mapping[PolicyKey, Policy]

    def scores_of(self, surveys: Collection[tuple[str, str]]) -> list[Scores]:
        """How these surveys (policy, name) are scored by the latest version among the answers."""
        latest: dict[str, Policy] = {}
        for (name, _), policy in sorted(self.policies.items()):
            latest[name] = policy
        known = [(latest[policy], name) for policy, name in sorted(surveys)]
        return [policy.scores_of(name) for policy, name in known if name in policy.surveys]

    @property
    def counts_asked(self) -> bool:
        """Whether it is known how many were asked: by which channel somebody would have answered nobody knows."""
        return self.group != "channel"

    @property
    def span(self) -> Span:
        """The time asked for, by the policies' clock if they have one and the same."""
        zones = {policy.calendar.timezone for policy in self.policies.values()}
        zone = ZoneInfo(zones.pop()) if len(zones) == 1 else None
        group = next((period for period in get_args(Period) if period == self.group), None)
        return Span(self.wanted.since, self.wanted.until, group, zone)


@dataclass
class Gathered:
    """What is known of one group."""

    patterns: list[Pattern] = field(default_factory=list)
    validity: Counter[str] = field(default_factory=Counter)
    surveys: set[tuple[str, str]] = field(default_factory=set)
    asked: int = 0
    answered: int = 0
    returned: int = 0

    def add(self, other: "Gathered") -> None:
        """Takes another group in."""
        self.patterns += other.patterns
        self.validity += other.validity
        self.surveys |= other.surveys
        self.asked += other.asked
        self.answered += other.answered
        self.returned += other.returned


def _scores(inquiry: Inquiry, rows: Sequence[Record], asked: Sequence[Record]) -> ScoresOut:
    groups = _gather(inquiry, rows, asked)
    keys = sorted(groups, key=lambda key: (key is None, key))
    total = Gathered()
    for key in keys:
        total.add(groups[key])
    figures = {key: _judge(inquiry, groups[key]) for key in keys}
    visible = shown({key: each.figure.n or 0 for key, each in figures.items()}, inquiry.least)
    whole = _judge(inquiry, total)
    return ScoresOut(
        method=inquiry.method or rules_of(inquiry.scores_of(total.surveys)).method,
        group=inquiry.group,
        minimum_group=inquiry.least,
        items=[_out(inquiry, key, figures[key], groups[key], key in visible) for key in keys],
        total=_out(inquiry, None, whole, total, (whole.figure.n or 0) >= inquiry.least),
    )


def _gather(inquiry: Inquiry, rows: Sequence[Record], asked: Sequence[Record]) -> dict[str | None, Gathered]:
    groups: defaultdict[str | None, Gathered] = defaultdict(Gathered)
    answered = Counter[str]()
    for row in rows:
        if row["validity"] == "valid" and row["stratum"] is not None:
            answered[row["stratum"]] += row["times"]
    for row in rows:
        group = groups[row["key"]]
        group.surveys.add((row["policy"], row["name"]))
        group.validity[row["validity"]] += row["times"]
        if row["validity"] == "valid":
            group.patterns.append(_pattern(row, inquiry.policies[_version(row)], answered))
    for row in asked:
        group = groups[row["key"]]
        group.surveys.add((row["policy"], row["name"]))
        group.asked += row["asked"]
        group.answered += row["answered"]
        group.returned += row["returned"]
    return groups


def _pattern(row: Record, policy: Policy, answered: Mapping[str, int]) -> Pattern:
    stratum, population = row["stratum"], row["population"]
    drawn = stratum is not None and population is not None
    return Pattern(
        asked=f"{row['policy']}/{row['questionnaire']}",
        questionnaire=policy.questionnaires[row["questionnaire"]],
        scores=policy.scores_of(row["name"]),
        satisfied=row["satisfied"],
        numbers=store.numbers_of(row),
        times=row["times"],
        dimensions=policy.dimensions,
        draw=Draw(stratum, population, answered[stratum]) if drawn else None,
        organisation=row["organisation"],
    )


def _judge(inquiry: Inquiry, group: Gathered) -> Judged:
    rules = rules_of(inquiry.scores_of(group.surveys))
    if inquiry.method is not None:
        rules = rules.only_method(inquiry.method)
    return judge_figure(rules, group.patterns, group.asked, group.returned, inquiry.span)


def _out(inquiry: Inquiry, key: str | None, judged: Judged, group: Gathered, visible: bool) -> FigureOut:
    figure = judged.figure
    if not visible:
        return FigureOut(key=key, suppressed=True, method=judged.method, unit=figure.unit)
    parts = breakdown(group.patterns, inquiry.least) if inquiry.detail else None
    return FigureOut(
        key=key,
        suppressed=False,
        method=judged.method,
        n=figure.n,
        value=figure.value,
        unit=figure.unit,
        percent=figure.percent,
        deviation=figure.deviation,
        interval=IntervalOut.model_validate(figure.interval) if figure.interval else None,
        total=figure.total,
        organisations=figure.organisations,
        weighted=len({each.draw.weight if each.draw else 1.0 for each in group.patterns}) > 1,
        before_return_rate=figure.before_return_rate,
        band=judged.band,
        target=judged.target.figure if judged.target else None,
        target_period=judged.target.period if judged.target else None,
        target_reached=judged.reached,
        valid=group.validity["valid"],
        suspect=group.validity["suspect"],
        void=group.validity["void"],
        asked=group.asked if inquiry.counts_asked else None,
        answered=group.answered if inquiry.counts_asked else None,
        response_rate=100 * group.answered / group.asked if group.asked else None,
        return_rate=judged.return_rate,
        items=[ItemOut.model_validate(each) for each in _all_items(parts)] if parts else None,
        dimensions=[DimensionOut.model_validate(each) for each in parts.dimensions] if parts else None,
    )


def _all_items(parts: Breakdown) -> list[ItemFigure]:
    return [*parts.items, *(item for branch in parts.dimensions for item in _items_below(branch))]


def _items_below(branch: Branch) -> list[ItemFigure]:
    return [*branch.items, *(item for below in branch.under for item in _items_below(below))]
