"""Customers who answer the surveys of a pack on its real pages, and the figures that REST makes of it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.auth import Role
from services.contracts.surveys import Respondent
from tests.rows.packs import pack
from tests.scoring.stage import Stage, approved

YEAR = {"from": "2026-01-01T00:00:00+08:00", "to": "2027-01-01T00:00:00+08:00"}
SPRING = {"from": "2026-02-01T00:00:00+08:00", "to": "2026-06-01T00:00:00+08:00"}

Sent = Mapping[str, str | list[str]]


async def in_force(stage: Stage, name: str) -> None:
    """A pack is approved."""
    await stage.hear(approved(pack(name)))


async def asked(stage: Stage, policy: str, survey: str, respondent: Respondent | None = None, **more: Any) -> UUID:
    """A survey of a pack comes due: its page is open."""
    questionnaire = pack(policy).surveys[survey].questionnaire
    known = respondent or Respondent()
    return await stage.open(policy=policy, name=survey, questionnaire=questionnaire, respondent=known, **more)


async def answered(
    stage: Stage, policy: str, survey: str, sent: Sent, respondent: Respondent | None = None, **more: Any
) -> UUID:
    """A customer answers a survey of a pack, and is thanked."""
    opened = await asked(stage, policy, survey, respondent, **more)
    page = await stage.send(opened, sent)
    assert page.status_code == 200, page.text
    return opened


async def scores(stage: Stage, **params: Any) -> Any:
    """What `/v1/scores` tells."""
    headers = {"authorization": f"Bearer hf_{Role.quality}"}
    response = await stage.client.get("/v1/scores", params=params, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


async def total(stage: Stage, policy: str, survey: str, **params: Any) -> Any:
    """The figure of a survey's answers."""
    return (await scores(stage, policy=policy, survey=survey, **params))["total"]


async def responses(stage: Stage, **params: Any) -> Any:
    """What `/v1/responses` lists."""
    headers = {"authorization": f"Bearer hf_{Role.quality}"}
    response = await stage.client.get("/v1/responses", params=params, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()["items"]
