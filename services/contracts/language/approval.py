"""The policy as a document of the company: who wrote, checked and approved it, and what changed before."""

from datetime import date
from typing import Self

from pydantic import model_validator

from services.contracts.language.names import ShortText
from services.contracts.part import Part, wrong
from services.contracts.questionnaire import Words


class Change(Part):
    """One line of the document's history."""

    version: ShortText
    """The document's own number, in quotes: "1.2"."""
    date: date
    """When that version was issued, like 2026-01-31."""
    by: ShortText
    """Who wrote it."""
    change: Words
    """What it changed."""


class Approval(Part):
    """Who wrote, checked and approved the document, since when it applies, and what changed before."""

    author: ShortText
    """Who wrote it."""
    reviewer: ShortText
    """Who checked it."""
    approver: ShortText
    """Who approved it; never the author."""
    effective: date
    """The first day on which it applies, in the policy's time zone."""
    history: tuple[Change, ...] = ()
    """Earlier versions, oldest first."""

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if self.author == self.approver:
            raise wrong("the author approves his own policy", "Name another approver: a policy takes two people")
        return self
