"""Plans as REST tells of them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

from scheduler.plan import Standing
from scheduler.wave import Progress
from services.contracts.policy import Issuer, Period, ScoreMethod
from services.contracts.questionnaire import Words

Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class TermItem(BaseModel):
    """The period of the calendar, from `start` until before `end`."""

    key: str
    period: Period
    start: date
    end: date


class ApprovalItem(BaseModel):
    """Whose approval the policy demands (null: nobody's), and who gave it when, with which words."""

    role: str | None
    title: Words | None
    approved_at: datetime | None
    approved_by: str | None
    note: str | None


class UnitsItem(BaseModel):
    """A plan in units: customers, or projects where the survey asks for each.

    `population` are those that could be drawn, `unreachable` those meant of whom nobody can be reached; `lost` are
    those of whom, once asked, nobody was or could be reached.
    """

    population: int
    unreachable: int
    chosen: int
    asked: int
    reached: int
    answered: int
    lost: int


class CoverageItem(BaseModel):
    """Active customers: how many must be covered, how many the plan chose, and how many it reached in the end."""

    share: float
    required: int
    active: int
    covered: int
    met: bool
    reached: int | None
    met_after: bool | None


class PlanItem(BaseModel):
    """A plan. `send` counts from `begins_at`: the opening, or the approval where that came later."""

    id: UUID
    policy: str
    version: int
    survey: str
    title: Words
    term: TermItem
    standing: Standing
    draw_from: datetime
    drawn_at: datetime
    ready_by: datetime | None
    approval: ApprovalItem
    opens_at: datetime
    begins_at: datetime | None
    promised_by: datetime
    opened_at: datetime | None
    settled_at: datetime | None
    units: UnitsItem
    coverage: CoverageItem | None


class StratumItem(BaseModel):
    """A stratum: how many could be drawn, and how many were."""

    stratum: list[str]
    population: int
    chosen: int


class TargetItem(BaseModel):
    """The figure to reach, over which period, and how it is found."""

    figure: float | None
    period: Period
    method: ScoreMethod


class PlanStory(PlanItem):
    """A plan whole: what for, whom, how, when, how many, and the seed by which anybody can draw again."""

    goal: Words | None
    method: Words | None
    target: TargetItem
    by: Issuer
    questionnaire: str
    within: str
    expires: str
    steps: list[dict[str, Any]]
    scope: dict[str, Any]
    sample: dict[str, Any]
    strata: list[StratumItem]
    seed: str


class UnitItem(BaseModel):
    """A unit of the plan. Its turns stand at `/v1/tickets/plan/{ticket}`; `people` is how many could be asked."""

    number: int
    customer: str
    project: str | None
    organisation: str
    stratum: list[str]
    active: bool
    people: int
    draw: float
    chosen: bool
    cause: Literal["draw", "always", "coverage", "replacement"] | None
    weight: float | None
    progress: Progress
    ticket: str
    asked_at: datetime | None
    lost_at: datetime | None
    replaced_by: int | None


class ApprovalBody(BaseModel):
    """What is to be said with the approval; a plan that falls short of its coverage needs it."""

    model_config = ConfigDict(extra="forbid")

    note: Note | None = None
