"""A policy with everything that a trial plays, and the tables of a small company."""

from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from services.contracts.policy import Policy
from tests.scheduler.rules import OVERALL, WORDS

SHORT = {"title": WORDS, "purpose": WORDS, "items": [OVERALL]}
STEPS = [{"first": ["email", "sms"]}, {"reminder": "after 24h"}, {"call": "8 working hours before deadline"}]
TICKETS = """ticket,closed_at,opened_at,occasion,customer,person,email,phone
IT-1,2026-03-02 10:00,,,C-1,anna,anna@example.com,
IT-1,2026-03-05 10:00,2026-03-03 10:00,,C-1,anna,anna@example.com,
IT-2,2026-03-03 20:30,,,C-2,bert,,+8613800000002
IT-3,2026-03-04 09:00,,,C-1,carl,,
IT-4,2026-03-04 11:00,,,,,,
E-1,2026-03-09 12:00,,complaint handled,C-2,bert,,+8613800000002
"""
CUSTOMERS = "customer,kind,tier,region,last_active,person,email,phone,roles,consent,figure:revenue\n" + "".join(
    f"C-{number},organisation,{('core', 'ordinary')[number % 2]},{('north', 'south')[number % 2]},2026-02-01,"
    f"p{number},p{number}@example.com,+86138000010{number:02},leader,email;sms;call,{number}\n"
    for number in range(20)
)


def whole(**keys: Any) -> Policy:
    """A policy on tickets, complaints and by the quarter, with a guarantee and grades; keywords replace its keys."""
    surveys = {
        "complaint": {
            "on": "complaint handled",
            "limited": False,
            "questionnaire": "short",
            "guarantee": {"share": "100%", "every": "quarter"},
            "send": {"after": "1d", "within": "3d"},
            "steps": STEPS,
        },
        "ticket": {
            "on": "ticket closed",
            "questionnaire": "short",
            "share": "50%",
            "guarantee": {"share": "60%", "every": "quarter"},
            "send": {"after": "2h", "within": "2d"},
            "steps": STEPS,
            "again": {"when": {"response": "dissatisfied"}, "next": "month"},
        },
        "quarter": {
            "every": "quarter, from 10 days before its end",
            "ask": {"customers": {"kind": ["organisation"]}, "contacts": {"role": ["leader"]}},
            "questionnaire": "short",
            "send": {"within": "5 working days"},
            "steps": STEPS,
            "expires": "14d",
        },
    }
    return Policy.model_validate(
        {
            "policy": "whole",
            "title": WORDS,
            "approval": {"author": "a", "reviewer": "b", "approver": "c", "effective": "2026-01-01"},
            "calendar": {"timezone": "Asia/Shanghai", "holidays": "CN"},
            "limits": {"per_person": "1 in 7 days"},
            "questionnaires": {"short": SHORT},
            "surveys": surveys,
            "plans": {
                "ready": "7-10 days before",
                "approve": "director",
                "sample": {"size": "40%", "strata": ["tier"]},
                "coverage": {"share": "30%", "active_within": "6 months"},
            },
            "grading": {
                "criteria": {"revenue": {"title": WORDS, "figure": "revenue", "steps": [{"from": 0, "points": 10}]}},
                "grades": [
                    {"grade": "A", "title": WORDS, "quota": "25%"},
                    {"grade": "B", "title": WORDS},
                ],
            },
            "reports": {
                "quarter": {
                    "title": WORDS,
                    "every": "quarter",
                    "due": "10 working days",
                    "sections": ["findings"],
                    "review": ["quality control"],
                    "approve": ["director"],
                    "send": ["managers"],
                }
            },
            **keys,
        }
    )


def as_yaml(policy: Policy) -> str:
    """The policy as a file."""
    text = StringIO()
    YAML(typ="safe").dump(policy.model_dump(mode="json", by_alias=True, exclude_none=True), text)
    return text.getvalue()
