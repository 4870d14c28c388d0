"""The policy's language: what a company's satisfaction policy may say, as one YAML file.

Unknown keys are errors, so that a later version of the language can add keys without changing what a file means.
`docs/policy.md` explains every key. All times of day are by the clock on the wall of the zone that applies.
The chapters of the language stand in `services.contracts.language`; their words are to be had from here.
"""

import json
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from services.contracts.document import DocumentError, read_document
from services.contracts.explain import explain
from services.contracts.language.approval import Approval, Change
from services.contracts.language.asking import Again, On, Plans, Survey
from services.contracts.language.calendar import Calendar, Limits, Weekday
from services.contracts.language.conditions import When
from services.contracts.language.filters import Ask, ClosedBy, ContactFilter, CustomerFilter, Where
from services.contracts.language.follow_up import Case, FollowUp, Taxonomy
from services.contracts.language.grading import Grading
from services.contracts.language.names import ROLES, Issuer, Period, RoleName, ShortText
from services.contracts.language.references import Chapters, faults
from services.contracts.language.reporting import Privacy, Report, Rewards, Supervision
from services.contracts.language.samples import Coverage, Guarantee, Sample
from services.contracts.language.scores import Band, Corrections, Dimension, ScoreMethod, Scores, Validity
from services.contracts.language.steps import CallStep, FirstStep, ReminderStep, Send, Step, VisitStep
from services.contracts.messages import Brand, Messages
from services.contracts.part import Part, wrong_in_places
from services.contracts.questionnaire import Identifier, Questionnaire, Words

__all__ = (
    "Again", "Approval", "Ask", "Band", "Brand", "Calendar", "CallStep", "Case", "Change", "ClosedBy",
    "ContactFilter", "Corrections", "Coverage", "CustomerFilter", "Dimension", "FirstStep", "FollowUp", "Grading",
    "Guarantee", "Issuer", "Limits", "Messages", "On", "Period", "Plans", "Policy", "PolicyError", "Privacy",
    "ReminderStep", "Report", "Rewards", "Sample", "ScoreMethod", "Scores", "Send", "Step", "Supervision", "Survey",
    "Taxonomy", "Validity", "VisitStep", "Weekday", "When", "Where", "parse_policy", "read_policy",
)  # fmt: skip


class Policy(Part):
    """A company's satisfaction policy."""

    policy: Identifier
    """The policy's short name; versions of the same name follow each other."""
    title: Words
    """What people call it."""
    approval: Approval
    """Who wrote, checked and approved it."""
    roles: dict[RoleName, Words] = Field(default_factory=dict)
    """Functions in the company beside those that every policy knows."""
    calendar: Calendar
    """The company's time."""
    limits: Limits = Limits()
    """How often one person is asked, and how long a questionnaire may be."""
    segments: dict[ShortText, CustomerFilter] = Field(default_factory=dict)
    """Groups of customers by name, for `segment`: `active: {active_within: 6 months}`."""
    dimensions: dict[Identifier, Dimension] = Field(default_factory=dict)
    """The tree of indicators. Without it the dimensions that items name stand side by side."""
    questionnaires: Annotated[dict[Identifier, Questionnaire], Field(min_length=1)]
    """What is asked."""
    surveys: Annotated[dict[Identifier, Survey], Field(min_length=1)]
    """Who is asked what, when, and by which steps. On a ticket or an occasion the first that fits applies."""
    plans: Plans = Plans()
    """How surveys by the calendar are planned."""
    scores: Scores = Scores()
    """How answers become a figure."""
    validity: Validity = Validity()
    """From where an answer is suspect."""
    corrections: Corrections = Corrections()
    """How long the customer may correct his answer."""
    follow_up: tuple[FollowUp, ...] = ()
    """What is done with certain answers."""
    taxonomy: Taxonomy = Taxonomy()
    """What problems are called."""
    reports: dict[Identifier, Report] = Field(default_factory=dict)
    """Reports that recur."""
    supervision: Supervision | None = None
    """Who watches over the process."""
    grading: Grading | None = None
    """How customers are graded."""
    rewards: Rewards | None = None
    """What customers and departments get for their part."""
    brand: Brand = Brand()
    """In whose name customers are asked."""
    messages: dict[Literal["first", "reminder"], Messages] = Field(default_factory=dict)
    """Own texts of messages; what is missing is said in the house's words."""
    privacy: Privacy = Privacy()
    """How long answers are kept, and what is never shown."""

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Self:
        found = tuple(faults(self._chapters()))
        if found:
            raise wrong_in_places(found)
        return self

    def _chapters(self) -> Chapters:
        return Chapters(
            self.questionnaires, self.surveys, self.plans, self.scores, self.dimensions, self.limits, self.follow_up,
            self.taxonomy, self.reports, self.supervision, self.grading, frozenset(self.roles) | frozenset(ROLES),
        )  # fmt: skip

    def role(self, name: RoleName) -> Words:
        """What a function is called."""
        return self.roles.get(name) or ROLES[name]

    def scores_of(self, survey: str) -> Scores:
        """How a survey is scored: by its own `scores`, completed by the policy's."""
        own = self.surveys[survey].scores
        return own.completed_by(self.scores) if own else self.scores

    def sample_of(self, survey: str) -> Sample:
        """Whom a survey by the calendar draws: its own sample, else that of the plans, else everybody."""
        return self.surveys[survey].sample or self.plans.sample or Sample()

    def coverage_of(self, survey: str) -> Coverage | None:
        """The share of active customers that a survey by the calendar must reach."""
        return self.surveys[survey].coverage or self.plans.coverage

    def document(self) -> str:
        """The policy whole, defaults included, as the JSON that travels in `PolicyApproved`."""
        surveys = {
            name: survey.model_copy(update={"scores": self.scores_of(name)}) if survey.scores else survey
            for name, survey in self.surveys.items()
        }
        return self.model_copy(update={"surveys": surveys}).model_dump_json(by_alias=True, exclude_none=True)


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
        return Policy.model_validate_json(json.dumps(document.data), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise PolicyError(name, explain(error.errors(), document, Policy.model_json_schema())) from None
