"""What scoring says about answers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from services.contracts.envelope import Event
from services.contracts.tickets import TicketFacts

Validity = Literal["valid", "suspect", "void"]
ResponseChannel = Literal["self", "telephone", "visit"]


class Response(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An answer as scored: no words that the customer wrote, only the values of closed items.

    `values` has a scale's value by its item; yes is 1 and no 0; a chosen option is `item.option`: 1, and "not
    applicable" `item.X`: 1.
    `score` is 0–100 by the policy's method (None where no scored item applies); `satisfied` judges the overall item,
    or the score. `version` counts from 1; a correction is the next version of the same response.
    """

    response: UUID
    survey: UUID
    version: int
    channel: ResponseChannel
    answered_at: datetime
    policy: str
    policy_version: int
    questionnaire: str
    name: str
    validity: Validity
    values: dict[str, float]
    score: float | None
    satisfied: bool | None
    commented: bool
    flags: tuple[str, ...] = ()
    source: str | None = None
    ticket: str | None = None
    closure: int | None = None
    facts: TicketFacts = TicketFacts()

    @property
    def subject(self) -> str:
        return str(self.survey)


class ResponseGiven(Response, frozen=True, kw_only=True, omit_defaults=True):
    """The first version of an answer."""

    TYPE = "huifang.response.given.v1"


class ResponseCorrected(Response, frozen=True, kw_only=True, omit_defaults=True):
    """The same customer answered again within the policy's window; `version` is 2 or more."""

    TYPE = "huifang.response.corrected.v1"
