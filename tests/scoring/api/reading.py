"""Reads REST as a test does: with a role's key, and with answers given first."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx

from services.auth import Role
from tests.scoring.questionnaires import questionnaire, scale, text
from tests.scoring.stage import Stage

SHORT = questionnaire(scale("overall", overall=True, required=True), scale("speed", na=True), text("comment"))
CAREFUL: dict[str, str | list[str]] = {"overall": "5", "speed": "4"}


async def get(stage: Stage, path: str, role: Role = Role.quality, **params: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer hf_{role}"}
    return await stage.client.get(path, params=params, headers=headers)


async def listed(stage: Stage, role: Role = Role.quality, **params: Any) -> Any:
    response = await get(stage, "/v1/responses", role, **params)
    assert response.status_code == 200, response.text
    return response.json()


async def scored(stage: Stage, role: Role = Role.quality, **params: Any) -> Any:
    response = await get(stage, "/v1/scores", role, **params)
    assert response.status_code == 200, response.text
    return response.json()


async def answer(stage: Stage, sent: Mapping[str, str | list[str]] = CAREFUL, **facts: Any) -> UUID:
    survey = await stage.open(policy="short", **facts)
    page = await stage.send(survey, sent)
    assert page.status_code == 200
    return survey
