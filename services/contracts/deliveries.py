"""What the notifier says about messages, calls and refusals."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from services.contracts.envelope import Event
from services.contracts.tickets import Channel

DeliveryOutcome = Literal["accepted", "delivered", "failed", "bounced", "uncertain", "suppressed", "listed"]


class DeliveryReported(Event, frozen=True, kw_only=True, omit_defaults=True):
    """How a step of a survey went. `listed`: it stands on the call list of the service desk.

    `uncertain` is an ambiguous end (the line broke after the message was handed over): never sent again blindly.
    """

    TYPE = "huifang.delivery.reported.v1"

    survey: UUID
    step: int
    channel: Channel
    provider: str
    outcome: DeliveryOutcome
    reported_at: datetime
    detail: str | None = None

    @property
    def subject(self) -> str:
        return str(self.survey)


class OptedOut(Event, frozen=True, kw_only=True):
    """A person asked never to be asked again, on any channel (`all`), or not this time (`survey`)."""

    TYPE = "huifang.person.opted_out.v1"

    person: UUID
    survey: UUID | None
    scope: Literal["survey", "all"]
    opted_out_at: datetime

    @property
    def subject(self) -> str:
        return str(self.person)
