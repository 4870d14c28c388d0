from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.auth import Role
from tests.scoring.api.reading import CAREFUL, answer, get, listed
from tests.scoring.stage import Stage


async def test_a_response_holds_what_was_answered_and_every_version_of_it(short: Stage) -> None:
    survey = await answer(short, {**CAREFUL, "comment": "good"}, customer="ACME", agent="li", group="network")
    await short.send(survey, {"overall": "2", "speed": "X"})
    (item,) = (await listed(short))["items"]
    assert item["survey"] == str(survey)
    assert {name: item[name] for name in ("name", "channel", "validity", "policy", "policy_version", "version")} == {
        "name": "incident",
        "channel": "self",
        "validity": "valid",
        "policy": "short",
        "policy_version": 1,
        "version": 2,
    }
    assert (item["source"], item["ticket"], item["closure"]) == ("jira", "OPS-1", 1)
    assert (item["customer"], item["agent"], item["group"], item["category"]) == ("ACME", "li", "network", None)
    assert (item["answers"], item["comments"], item["score"], item["satisfied"]) == (
        {"overall": 2, "speed": "X"},
        {},
        40,
        False,
    )
    first, second = item["versions"]
    assert (first["version"], first["answers"], first["comments"]) == (
        1,
        {"overall": 5, "speed": 4},
        {"comment": "good"},
    )
    assert first["answered_at"] == item["first_answered_at"] == "2026-03-02T02:01:00Z"
    assert second["answered_at"] == item["answered_at"] == "2026-03-02T02:02:00Z"
    assert (await get(short, f"/v1/responses/{item['id']}")).json() == item


async def test_a_response_that_is_not_there_is_not_found(short: Stage) -> None:
    assert (await get(short, f"/v1/responses/{UUID(int=9)}")).status_code == 404
    assert (await get(short, "/v1/responses/nonsense")).status_code == 422


@pytest.mark.parametrize(
    ("role", "status", "comments"),
    [
        (Role.administrator, 200, {"comment": "private"}),
        (Role.quality, 200, {"comment": "private"}),
        (Role.manager, 200, {"comment": "private"}),
        (Role.auditor, 200, None),
        (Role.integration, 200, None),
        (Role.agent, 403, None),
    ],
)
async def test_who_reads_what_customers_wrote(
    short: Stage, role: Role, status: int, comments: dict[str, str] | None
) -> None:
    await answer(short, {**CAREFUL, "comment": "private"})
    response = await get(short, "/v1/responses", role)
    assert response.status_code == status
    assert ("private" in response.text) is (comments is not None)
    if status == 200:
        (item,) = response.json()["items"]
        assert item["comments"] == item["versions"][0]["comments"] == comments
        assert ("private" in (await get(short, f"/v1/responses/{item['id']}", role)).text) is (comments is not None)


async def test_nobody_reads_without_a_key(short: Stage) -> None:
    for path in ("/v1/responses", f"/v1/responses/{UUID(int=1)}", "/v1/scores"):
        assert (await short.client.get(path)).status_code == 401


async def test_the_list_is_filtered(short: Stage) -> None:
    start = short.clock.now()
    first = await answer(short, ticket="A-1")
    short.clock.advance(timedelta(hours=1))
    second = await answer(short, {"overall": "5"}, ticket="A-2")

    async def found(**params: Any) -> list[str]:
        return [item["survey"] for item in (await listed(short, **params))["items"]]

    assert await found() == [str(second), str(first)]
    assert await found(survey="incident") == [str(second), str(first)]
    assert await found(survey="quarterly") == []
    assert await found(survey=str(first)) == [str(first)]
    assert await found(ticket="A-2") == [str(second)]
    assert await found(source="jira", ticket="A-1") == [str(first)]
    assert await found(source="zammad") == []
    assert await found(validity="suspect") == [str(second)]
    assert await found(validity="void") == []
    middle = (start + timedelta(minutes=30)).isoformat()
    assert await found(**{"from": middle}) == [str(second)]
    assert await found(to=middle) == [str(first)]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "1000000000"},
        {"limit": "-1"},
        {"limit": "0"},
        {"validity": "maybe"},
        {"cursor": "nonsense"},
        {"from": "2026-01-01"},
        {"from": "2026-01-01T00:00:00"},
        {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        {"from": "1900-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"},
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(short: Stage, params: dict[str, Any]) -> None:
    response = await get(short, "/v1/responses", **params)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_pages_follow_each_other_without_gap_or_repetition(short: Stage) -> None:
    surveys = [str(await answer(short)) for _ in range(4)]
    # Two at the same moment: the key must tell them apart.
    together = [await short.open(policy="short") for _ in range(3)]
    for survey in together:
        await short.send(survey, CAREFUL, "x")
    nonces = [(await short.look(survey)).text.split('_nonce" value="')[1].split('"')[0] for survey in together]
    for survey, nonce in zip(together, nonces, strict=True):
        await short.send(survey, CAREFUL, nonce)
    seen: list[str] = []
    cursor = None
    while True:
        page = await listed(short, limit=2, **({"cursor": cursor} if cursor else {}))
        assert 1 <= len(page["items"]) <= 2
        seen += [item["survey"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7
    assert seen[3:] == surveys[::-1]


async def test_the_pages_stand_in_the_documentation(short: Stage) -> None:
    document = (await get(short, "/openapi.json")).json()
    assert set(document["paths"]["/s/{token}"]) == {"get", "post"}
    assert {"/v1/responses", "/v1/responses/{response}", "/v1/scores"} <= document["paths"].keys()
