"""Wires the room."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from scoring import api
from scoring.handlers import HANDLERS, TICKS
from scoring.pages import FORM, SurveyPages
from services.contracts.questionnaire import LOCALES
from services.house import House
from services.room import Room
from services.web import HotRoute

_PARAMETERS = [
    {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}},
    {"name": "lang", "in": "query", "schema": {"type": "string", "enum": list(LOCALES)}},
]
_SCORE = {"name": "score", "in": "query", "schema": {"type": "string"}, "description": "Preselects the overall item."}


def _operation(summary: str, answers: Mapping[str, str], **more: object) -> Mapping[str, Any]:
    page = {"content": {"text/html": {"schema": {"type": "string"}}}}
    responses = {status: {"description": meaning, **page} for status, meaning in answers.items()}
    return {"summary": summary, "tags": ["scoring"], "security": [], "responses": responses, **more}


_GONE = {"404": "No such link.", "410": "The survey is over."}
_OPERATIONS: Mapping[str, Mapping[str, Any]] = {
    "get": _operation(
        "Show the survey page; nothing is voted by looking",
        {"200": "The form, with the answers given so far.", **_GONE},
        parameters=[*_PARAMETERS, _SCORE],
    ),
    "post": _operation(
        "Take the customer's answer, once a link; correctable within the policy's window",
        {
            "200": "Thanks.",
            "403": "The form did not come from the page; it is shown again.",
            "422": "Answers are missing or impossible; the form is shown again.",
            **_GONE,
        },
        parameters=_PARAMETERS,
        requestBody={"content": {FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}}},
    ),
}


@asynccontextmanager
async def open_room(house: House) -> AsyncIterator[Room]:
    """The survey pages, and what was answered on them."""
    pages = HotRoute("/s/{token}", SurveyPages(house).visit, ("GET", "HEAD", "POST"), _OPERATIONS)
    yield Room(name="scoring", handlers=HANDLERS, ticks=TICKS, routers=api.ROUTERS, routes=(pages,))
