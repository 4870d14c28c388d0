"""Refusals on the wire: RFC 9457 `application/problem+json`, with a request id, without a trace or the input."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.errors import Problem, Unavailable

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = "5"


def problem_response(problem: Problem, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response."""
    body = {
        "type": f"urn:huifang:problem:{problem.slug}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id,
        **problem.members,
    }
    retry = {"retry-after": RETRY_AFTER_SECONDS} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(
        json.dumps(body, ensure_ascii=False),
        problem.status,
        {**retry, **(headers or {})},
        "application/problem+json",
    )


async def respond(
    problem: Problem, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str] | None = None
) -> None:
    """Answers with the problem from an ASGI layer."""
    await problem_response(problem, request_id_of(scope), headers)(scope, receive, send)


def request_id_of(scope: Scope) -> str:
    """The id under which the logs know this request."""
    return str(scope.get("state", {}).get("request_id", ""))


def install(app: FastAPI) -> None:
    """Maps every error that a route may raise on purpose to a problem; the rest are 500s, made outside of them all."""

    def answer(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
        return problem_response(problem, request_id_of(request.scope), headers)

    @app.exception_handler(Problem)
    async def refused(request: Request, problem: Problem) -> Response:
        return answer(request, problem)

    @app.exception_handler(Unavailable)
    async def unavailable(request: Request, error: Unavailable) -> Response:
        log.warning("request_unavailable", request_id=request_id_of(request.scope), error=str(error))
        return answer(request, Problem(503, "unavailable", "The service cannot do this right now; try again shortly."))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(request, Problem(422, "invalid", "The request does not fit.", errors=_without_input(error)))

    @app.exception_handler(HTTPException)
    async def refused_by_framework(request: Request, error: HTTPException) -> Response:
        slug = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return answer(request, Problem(error.status_code, slug, str(error.detail)), error.headers)

    @app.exception_handler(asyncpg.DataError)
    async def unstorable(request: Request, _: asyncpg.DataError) -> Response:
        return answer(request, Problem(422, "invalid", "A value is out of range or cannot be kept as text."))


def _without_input(error: RequestValidationError) -> list[dict[str, Any]]:
    return [
        {"where": ".".join(str(part) for part in each["loc"]), "what": each["msg"], "kind": each["type"]}
        for each in error.errors()
    ]
