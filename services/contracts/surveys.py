"""What the scheduler says about policies and surveys."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from services.contracts.envelope import Event
from services.contracts.tickets import Channel, Contact, TicketFacts

StepKind = Literal["first", "reminder", "call", "visit"]
SurveyEnd = Literal["answered", "declined", "cancelled", "expired", "unreachable"]


class PolicyApproved(Event, frozen=True, kw_only=True):
    """A version of a policy takes effect. `document` is it whole, as JSON (`services.contracts.policy.Policy`)."""

    TYPE = "huifang.policy.approved.v1"

    policy: str
    version: int
    effective_from: datetime
    document: str

    @property
    def subject(self) -> str:
        return self.policy


class Respondent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is asked, in the register's words when the survey began, for the groups of figures. No personal data.

    Of `roles` and `segments` the first one tells in which group he is counted. `served_by` is the organisation that
    serves the customer. `stratum` names the part of a plan's frame from which he was drawn, unique among all plans
    (`policy/survey/2026-Q1/core`), and `population` how many units it holds: by them figures are weighted back. Who
    was not drawn, or is asked beside the draw, has none.
    """

    roles: tuple[str, ...] = ()
    kind: Literal["organisation", "consumer"] | None = None
    tier: str | None = None
    size: str | None = None
    trade: str | None = None
    grade: str | None = None
    segments: tuple[str, ...] = ()
    served_by: str | None = None
    stratum: str | None = None
    population: int | None = None


class SurveyDue(Event, frozen=True, kw_only=True, omit_defaults=True):
    """It is time for a step of a survey: the first message, a reminder, or the call.

    `step` counts a survey's steps from 0 and is its natural key: hearing (survey, step) again changes nothing.
    `policy`, `version` and `questionnaire` are pinned for the survey's life. `promised_by` is when the first contact
    must have happened; `expires_at` when the page closes. `items` are those of the questionnaire that are asked (none
    named: all). `owner` is who of the survey's issuer owes it (a project's manager, a customer's owner), by his id.
    `source`, `ticket` and `closure` are empty where no ticket or occasion is asked about; `facts` still name the
    customer, project and region of the register. `again` counts how often the person is asked again because of an
    answer: 0 the first time.
    """

    TYPE = "huifang.survey.due.v1"

    survey: UUID
    step: int
    kind: StepKind
    channel: Channel
    name: str
    policy: str
    version: int
    questionnaire: str
    due_at: datetime
    promised_by: datetime
    expires_at: datetime
    contact: Contact
    source: str | None = None
    ticket: str | None = None
    closure: int | None = None
    closed_at: datetime | None = None
    facts: TicketFacts = TicketFacts()
    items: tuple[str, ...] = ()
    owner: str | None = None
    respondent: Respondent = Respondent()
    again: int = 0

    @property
    def subject(self) -> str:
        return str(self.survey)


class SurveyEnded(Event, frozen=True, kw_only=True):
    """A survey's life is over. `cause` is why in the words of the ledger (`reopened`, `response`, `opted_out`, …)."""

    TYPE = "huifang.survey.ended.v1"

    survey: UUID
    state: SurveyEnd
    cause: str
    ended_at: datetime

    @property
    def subject(self) -> str:
        return str(self.survey)
