"""What the trial of a policy comes to, as it is printed, drawn and answered."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from scheduler.simulation import tally
from scheduler.simulation.plan_tally import GuaranteeFigures, PlanFigures


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should look at before he approves the policy: a `warning`, or a `note` on the trial."""

    kind: str
    en: str
    zh: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial comes to. Moments and days are in the company's zone.

    `again` are surveys that follow from an answer; `grades` the customers of each grade, by the last grading.
    """

    policy: str
    title: dict[str, str]
    start: datetime
    end: datetime
    conduct: Mapping[str, object]
    tickets: int
    occasions: int
    customers: int
    decisions: tuple[tally.Decisions, ...]
    surveys: tuple[tally.Survey, ...]
    first_contact: tally.FirstContact
    in_quiet_time: int
    per_person: tally.PerPerson
    again: int
    days: tuple[tally.Load, ...]
    plans: tuple[PlanFigures, ...]
    guarantees: tuple[GuaranteeFigures, ...]
    grades: Mapping[str, int]
    reports: tuple[tally.DueReport, ...]
    remarks: tuple[Remark, ...]
