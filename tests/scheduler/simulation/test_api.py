import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.api import simulations
from tests.scheduler.client import Client
from tests.scheduler.desk import Desk, closed, person, reopened
from tests.scheduler.simulation.policies import CUSTOMERS, TICKETS, as_yaml, whole

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
PATH = "/v1/policies/simulate"


async def answered(client: Client, **body: Any) -> dict[str, Any]:
    response = await client.post(PATH, json=body)
    assert response.status_code == 200, response.text
    outcome: dict[str, Any] = response.json()
    return outcome


async def test_a_policys_text_is_tried_on_tables(client: Client) -> None:
    outcome = await answered(client, text=as_yaml(whole()), tickets=TICKETS, customers=CUSTOMERS)
    assert (outcome["policy"], outcome["tickets"], outcome["customers"]) == ("whole", 4, 20)
    assert outcome["first_contact"]["share"] == 1
    assert await answered(client, text=as_yaml(whole()), tickets=TICKETS, customers=CUSTOMERS) == outcome


async def test_a_version_is_tried_on_what_the_scheduler_has_heard(desk: Desk, client: Client) -> None:
    for number in range(6):
        at = MONDAY + timedelta(days=number)
        desk.clock.set(at)
        await desk.hear(closed(at, person(number), f"IT-{number}"))
    await desk.hear(reopened(MONDAY + timedelta(days=5, minutes=1), "IT-5"))
    outcome = await answered(client, policy="test", version=1, **{"from": "2026-03-03", "to": "2026-03-09"})
    assert outcome["tickets"] == 5
    assert outcome["surveys"][0]["surveys"] == 5
    assert outcome["surveys"][0]["cancelled"] == 1
    assert (await answered(client, policy="test", version=1))["tickets"] == 6
    assert len(await desk.surveys("IT-1")) == 1  # nothing was stored


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({}, 422, "invalid"),
        ({"policy": "test"}, 422, "invalid"),
        ({"text": "policy: x\n"}, 422, "policy"),
        ({"policy": "test", "version": 9}, 404, "unknown"),
        ({"policy": "test", "version": 1, "tickets": "ticket,closed_at\nIT-1,never\n"}, 422, "tables"),
        ({"policy": "test", "version": 1, "answer_rate": "often"}, 422, "invalid"),
        ({"policy": "test", "version": 1, "more": 1}, 422, "invalid"),
        ({"policy": "test", "version": 1, "from": "2026-03-02", "to": "2026-03-02"}, 422, "invalid"),
        ({"policy": "test", "version": 1, "from": "1990-03-02", "to": "2999-03-02"}, 422, "invalid"),
    ],
)
async def test_what_cannot_be_tried_is_refused(client: Client, body: dict[str, Any], status: int, slug: str) -> None:
    response = await client.post(PATH, json=body)
    assert response.status_code == status
    assert response.json()["type"].endswith(slug)


async def test_findings_name_their_place(client: Client) -> None:
    response = await client.post(
        PATH, json={"policy": "test", "version": 1, "tickets": "ticket,closed_at\nIT-1,never\n"}
    )
    (finding,) = response.json()["findings"]
    assert finding.startswith("tickets:2:closed_at: ")


async def test_a_trial_that_takes_too_long_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulations, "MOST_SECONDS", -1.0)
    response = await client.post(PATH, json={"policy": "test", "version": 1, "tickets": TICKETS})
    assert response.status_code == 422
    assert response.json()["type"].endswith(":too-long")


async def test_one_trial_at_a_time(client: Client) -> None:
    body = {"text": as_yaml(whole()), "tickets": TICKETS, "customers": CUSTOMERS}
    both = await asyncio.gather(*(client.post(PATH, json=body) for _ in range(2)))
    assert sorted(each.status_code for each in both) == [200, 429]
    assert json.loads(both[0].content)
