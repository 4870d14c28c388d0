"""A survey page: opened when its survey comes due, and open until the survey ends. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from scoring.response import Answers
from services.contracts.surveys import SurveyEnd
from services.contracts.tickets import TicketFacts

Standing = Literal["open", "correctable", "answered", "closed"]
"""`open` for an answer, `correctable` for a change of it, `answered` for good, or `closed` without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one link leads to: `items` are those that are asked (none: all of the questionnaire's).

    `again` counts how often the person is asked again because of an answer: 0 the first time. `version` counts the
    answers so far, `answers` are the latest of them.
    """

    survey: UUID
    name: str
    policy: str
    policy_version: int
    questionnaire: str
    person: UUID
    locale: str | None
    expires_at: datetime
    source: str | None
    ticket: str | None
    closure: int | None
    facts: TicketFacts
    items: tuple[str, ...]
    again: int
    ended: SurveyEnd | None
    response: UUID | None
    version: int
    answered_at: datetime | None
    answers: Answers

    @property
    def customer(self) -> str:
        """For whom it is answered: the customer's name, or the person's hash where none is known."""
        return self.facts.customer or str(self.person)


def standing(page: Page, now: datetime, correctable_within: timedelta) -> Standing:
    """What the page may do at `now`. `answered_at` is the first answer's time: from it the window is counted."""
    if page.answered_at is not None:
        in_time = now <= page.answered_at + correctable_within
        return "correctable" if in_time and page.ended in (None, "answered") else "answered"
    return "open" if page.ended is None and now < page.expires_at else "closed"
