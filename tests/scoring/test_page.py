from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from scoring.page import Page, Standing, standing
from services.contracts.surveys import SurveyEnd
from services.contracts.tickets import TicketFacts

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
WINDOW = timedelta(days=2)


def page(**more: Any) -> Page:
    known: dict[str, Any] = {
        "survey": UUID(int=1),
        "name": "incident",
        "policy": "test",
        "policy_version": 1,
        "questionnaire": "incident",
        "person": UUID(int=2),
        "locale": None,
        "expires_at": NOW + timedelta(days=7),
        "source": "jira",
        "ticket": "OPS-1",
        "closure": 1,
        "facts": TicketFacts(),
        "items": (),
        "again": 0,
        "ended": None,
        "response": None,
        "version": 0,
        "answered_at": None,
        "answers": {},
    }
    return Page(**{**known, **more})


@pytest.mark.parametrize(
    ("ended", "answered", "later", "expected"),
    [
        (None, False, timedelta(0), "open"),
        (None, False, timedelta(days=7), "closed"),
        ("expired", False, timedelta(0), "closed"),
        ("declined", False, timedelta(0), "closed"),
        ("unreachable", False, timedelta(0), "closed"),
        # Heard to be answered, though nothing was: by telephone, say.
        ("answered", False, timedelta(0), "closed"),
        (None, True, timedelta(0), "correctable"),
        ("answered", True, WINDOW, "correctable"),
        ("answered", True, WINDOW + timedelta(seconds=1), "answered"),
        (None, True, timedelta(days=8), "answered"),
        ("cancelled", True, timedelta(0), "answered"),
    ],
)
def test_what_a_page_may_do(ended: SurveyEnd | None, answered: bool, later: timedelta, expected: Standing) -> None:
    known = page(ended=ended, answered_at=NOW if answered else None, version=int(answered))
    assert standing(known, NOW + later, WINDOW) == expected


def test_an_answer_is_for_the_customer_or_the_person_where_none_is_known() -> None:
    assert page(facts=TicketFacts(customer="ACME")).customer == "ACME"
    assert page().customer == str(UUID(int=2))
