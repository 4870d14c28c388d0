"""Policies for the room's tests: the smallest that says what a test is about."""

from collections.abc import Sequence
from typing import Any

from scheduler.policy import Rule, rules_of
from services.contracts.policy import Policy

WORDS = {"zh": "满意度调查", "en": "Survey"}
OVERALL = {"id": "overall", "scale": "likert5", "overall": True, "required": True, "text": WORDS}


def policy(
    calendar: dict[str, Any] | None = None,
    limit: str | None = None,
    items: Sequence[dict[str, Any]] = (OVERALL,),
    **survey: Any,
) -> Policy:
    """A policy with one survey, which asks these items; keywords replace keys of the survey."""
    base = {
        "on": "ticket closed",
        "questionnaire": "incident",
        "send": {"after": "2h", "within": "2d"},
        "steps": [
            {"first": ["sms", "email"]},
            {"reminder": "after 24h"},
            {"call": "8 working hours before deadline"},
        ],
    }
    return Policy.model_validate(
        {
            "policy": "test",
            "title": WORDS,
            "approval": {"author": "a", "reviewer": "b", "approver": "c", "effective": "2026-01-01"},
            "calendar": {"timezone": "Asia/Shanghai", "holidays": "CN", **(calendar or {})},
            "limits": {"per_person": limit} if limit else {},
            "questionnaires": {"incident": {"title": WORDS, "purpose": WORDS, "items": list(items)}},
            "surveys": {"incident": {**base, **survey}},
        }
    )


def steps_within(hours: int) -> list[dict[str, Any]]:
    """The usual steps for a promise of so many hours: the language refuses a call before the promise begins."""
    call = f"{min(8, hours)} working hours before deadline"
    return [{"first": ["sms", "email"]}, {"reminder": "after 24h"}, {"call": call}]


def rule(calendar: dict[str, Any] | None = None, limit: str | None = None, **survey: Any) -> Rule:
    """The one rule of such a policy."""
    return rules_of("test", 1, policy(calendar, limit, **survey).document())[0]
