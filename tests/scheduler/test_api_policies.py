import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler import api
from scheduler.handlers.policies import new_version
from scheduler.revision import LARGEST
from scheduler.store import insert_policy_version
from services.auth import Role, create_key
from services.clock import DrivenClock
from services.contracts.policy import parse_policy
from services.database import Database
from services.house import House
from services.pulse import Pulse
from services.room import Room
from services.web import application

PACK = (Path(__file__).parents[2] / "policies" / "itss-incident.yaml").read_text(encoding="utf-8")
PATH = "/v1/policies/itss-incident"
YAML = {"content-type": "application/yaml"}
CHANGED = PACK.replace("after: 2h, within: 2d", "after: 2h, within: 1d")


PEOPLE = {
    "anna": Role.manager,
    "bo": Role.quality,
    "chen": Role.manager,
    "admin": Role.administrator,
    "agent": Role.agent,
    "auditor": Role.auditor,
    "machine": Role.integration,
}


class Office:
    """People with keys of their own."""

    def __init__(self, clients: dict[str, httpx.AsyncClient]) -> None:
        self.clients = clients

    async def propose(self, text: str = CHANGED, by: str = "anna", **query: str) -> httpx.Response:
        return await self.clients[by].post("/v1/policies", content=text.encode(), headers=YAML, params=query)

    async def tag(self, version: int = 2) -> str:
        response = await self.clients["auditor"].get(f"{PATH}/{version}")
        return response.headers["etag"]

    async def step(self, step: str, by: str, version: int = 2, tag: str | None = None) -> httpx.Response:
        """Takes a step on the state as it is, or on the one of `tag`; "" sends none."""
        seen = await self.tag(version) if tag is None else tag
        headers = {"if-match": seen} if seen else {}
        url = f"{PATH}/{version}/{step}"
        return await self.clients[by].post(url, json={"note": f"{step} by {by}"}, headers=headers)

    async def read(self, path: str) -> Any:
        response = await self.clients["auditor"].get(path)
        assert response.status_code == 200, response.text
        return response.json()

    async def in_force(self) -> int | None:
        (item,) = (await self.read("/v1/policies"))["items"]
        number: int | None = item["in_force"]
        return number


@pytest.fixture
async def office(house: House) -> AsyncIterator[Office]:
    """The default pack is in force as version 1."""
    async with house.database.transaction("scheduler") as transaction:
        await insert_policy_version(transaction, new_version(PACK, parse_policy(PACK, "pack")))
    app = application(house, [Room(name="scheduler", routers=api.ROUTERS)], Pulse())
    async with AsyncExitStack() as stack:
        clients = {}
        for name, role in PEOPLE.items():
            async with house.database.transaction("services") as transaction:
                key = await create_key(transaction, name, role)
            headers = {"authorization": f"Bearer {key}"}
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://house", headers=headers)
            clients[name] = await stack.enter_async_context(client)
        yield Office(clients)


async def said(database: Database) -> list[str]:
    """The keys and values of what waits in the outbox, one line each."""
    async with database.reading() as transaction:
        rows = await transaction.fetch("select value from scheduler.outbox order by position")
    return [bytes(row["value"]).decode() for row in rows]


def problem(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("urn:huifang:problem:")


async def test_a_version_takes_three_people_and_then_applies(office: Office, database: Database) -> None:
    proposed = await office.propose(note="sooner")
    assert proposed.status_code == 201, proposed.text
    assert proposed.headers["location"] == f"{PATH}/2"
    assert (proposed.json()["state"], await office.in_force()) == ("proposed", 1)
    reviewed = await office.step("review", "bo", tag=proposed.headers["etag"])
    assert (reviewed.status_code, await office.in_force(), await said(database)) == (200, 1, [])
    approved = await office.step("approve", "chen", tag=reviewed.headers["etag"])
    assert (approved.status_code, approved.json()["state"], await office.in_force()) == (200, "approved", 2)
    assert approved.json()["effective_from"] == "2026-03-02T02:00:00Z"  # the file's own date has passed
    (event,) = await said(database)
    assert "huifang.policy.approved.v1" in event
    assert '"version":2' in event.replace(" ", "")
    history = (await office.read(f"{PATH}/2/history"))["history"]
    assert [(each["step"], each["actor"], each["note"], each["cause"]) for each in history] == [
        ("proposed", "anna", "sooner", "rest"),
        ("reviewed", "bo", "review by bo", "rest"),
        ("approved", "chen", "approve by chen", "rest"),
    ]


async def test_an_approved_version_waits_for_its_time(office: Office, clock: DrivenClock) -> None:
    body = {"text": CHANGED, "effective_from": "2026-03-05T00:00:00+08:00", "note": "from Thursday on"}
    assert (await office.clients["anna"].post("/v1/policies", json=body)).status_code == 201
    for step, by in (("review", "bo"), ("approve", "chen")):
        assert (await office.step(step, by)).json()["effective_from"] == "2026-03-04T16:00:00Z"
    assert await office.in_force() == 1
    clock.set(datetime(2026, 3, 4, 16, tzinfo=UTC))
    assert await office.in_force() == 2


async def test_of_two_versions_at_the_same_time_the_later_number_applies(office: Office, clock: DrivenClock) -> None:
    for version, within in ((2, "1d"), (3, "3d")):
        text = PACK.replace("after: 2h, within: 2d", f"after: 2h, within: {within}")
        assert (await office.propose(text, effective_from="2026-03-09T00:00:00Z")).status_code == 201
        assert (await office.step("review", "bo", version)).status_code == 200
    for version in (3, 2):
        assert (await office.step("approve", "chen", version)).status_code == 200
    clock.set(datetime(2026, 3, 9, tzinfo=UTC))
    assert await office.in_force() == 3


@pytest.mark.parametrize(
    ("reviewer", "step", "by"),
    [
        (None, "review", "anna"),
        (None, "reject", "anna"),
        ("bo", "approve", "anna"),
        ("chen", "approve", "chen"),
        ("admin", "approve", "admin"),
        ("bo", "withdraw", "bo"),
    ],
)
async def test_nobody_has_two_hands_in_one_version(office: Office, reviewer: str | None, step: str, by: str) -> None:
    await office.propose()
    if reviewer is not None:
        assert (await office.step("review", reviewer)).status_code == 200
    before = await office.read(f"{PATH}/2/history")
    assert problem(await office.step(step, by)) == (403, "own-change")
    assert await office.read(f"{PATH}/2/history") == before


@pytest.mark.parametrize(
    ("step", "by", "status"),
    [
        ("review", "agent", 403),
        ("review", "auditor", 403),
        ("review", "machine", 403),
        ("approve", "bo", 403),
        ("reject", "agent", 403),
        ("review", "chen", 200),
        ("reject", "admin", 200),
    ],
)
async def test_steps_are_for_some_roles_only(office: Office, step: str, by: str, status: int) -> None:
    await office.propose()
    assert (await office.step(step, by)).status_code == status


@pytest.mark.parametrize("by", ["agent", "auditor", "machine"])
async def test_who_only_reads_proposes_nothing(office: Office, by: str) -> None:
    assert problem(await office.propose(by=by)) == (403, "role")


async def test_a_step_needs_the_state_that_was_read(office: Office) -> None:
    first = (await office.propose()).headers["etag"]
    assert problem(await office.step("review", "bo", tag="")) == (428, "if-match")
    for stale in ('"2-proposed-9"', f"W/{first}", first.strip('"'), '"1-approved-3", "x"'):
        assert problem(await office.step("review", "bo", tag=stale)) == (412, "stale")
    assert (await office.step("review", "bo", tag=f'"other", {first}')).status_code == 200
    assert problem(await office.step("approve", "chen", tag=first)) == (412, "stale")
    assert (await office.step("approve", "chen", tag="*")).status_code == 200


async def test_the_same_step_again_is_done_already(office: Office, database: Database) -> None:
    first = (await office.propose()).headers["etag"]
    second = await office.step("review", "bo", tag=first)
    assert (await office.step("review", "bo", tag=first)).json() == second.json()
    third = await office.step("approve", "chen")
    for tag in (second.headers["etag"], third.headers["etag"]):
        again = await office.step("approve", "chen", tag=tag)
        assert (again.status_code, again.json(), again.headers["etag"]) == (200, third.json(), third.headers["etag"])
    assert len(await said(database)) == 1


async def test_a_version_that_is_over_or_not_reviewed_cannot_be_approved(office: Office) -> None:
    await office.propose()
    assert problem(await office.step("approve", "chen")) == (409, "wrong-state")
    assert (await office.step("withdraw", "anna")).json()["state"] == "withdrawn"
    for step, by in (("review", "bo"), ("approve", "chen"), ("reject", "bo")):
        assert problem(await office.step(step, by)) == (409, "wrong-state")
    assert problem(await office.step("reject", "bo", version=1)) == (409, "wrong-state")


async def test_what_was_turned_down_may_be_proposed_anew(office: Office) -> None:
    await office.propose()
    assert (await office.step("reject", "bo")).json()["state"] == "rejected"
    again = await office.propose()
    assert (again.status_code, again.json()["version"]) == (201, 3)


async def test_a_file_that_counts_already_is_refused_with_its_number(office: Office) -> None:
    response = await office.propose(PACK)
    assert (*problem(response), response.json()["version"]) == (409, "identical", 1)
    await office.propose()
    response = await office.propose(by="bo")
    assert (*problem(response), response.json()["version"]) == (409, "identical", 2)
    for step, by in (("review", "bo"), ("approve", "chen")):
        await office.step(step, by)
    assert (await office.propose()).status_code == 409
    back = await office.propose(PACK)  # the way back is a version like any other
    assert (back.status_code, back.json()["version"]) == (201, 3)


async def test_every_mistake_of_a_proposal_is_told_with_its_place_and_remedy(office: Office) -> None:
    response = await office.propose(PACK.replace("late: skip", "late: never") + "surprise: 1\n")
    assert problem(response) == (422, "policy")
    first, second = response.json()["findings"]
    assert "'never' is not allowed" in first["message"]
    assert (second["message"], second["column"]) == ("unknown key 'surprise'", 1)
    assert all(each["line"] > 0 and each["remedy"] for each in (first, second))
    assert len((await office.read("/v1/policies"))["items"][0]["versions"]) == 1


async def test_remarks_on_wording_are_told_and_hinder_nothing(office: Office) -> None:
    response = await office.propose(PACK.replace("our services this quarter", "our excellent services"))
    assert response.status_code == 201
    (remark,) = response.json()["remarks"]
    assert (remark["rule"], remark["found"], remark["at"].endswith(".text.en")) == ("leading", "excellent", True)


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b"", "application/yaml", (422, "policy")),
        (b"\xff\xfe", "application/yaml", (422, "invalid")),
        (b"policy: x\x00", "application/yaml", (422, "policy")),
        (b"a: &a [*a]", "application/yaml", (422, "policy")),
        (PACK.encode(), "text/plain", (415, "media-type")),
        (PACK.encode("gbk"), "application/yaml; charset=gbk", (415, "media-type")),
        (b"x" * (LARGEST + 1), "application/yaml", (413, "too-large")),
        (b"{", "application/json", (422, "invalid")),
        (b"[]", "application/json", (422, "invalid")),
        (b'{"text": "a: 1", "approved_by": "me"}', "application/json", (422, "invalid")),
        (b'{"text": "a: 1", "note": " "}', "application/json", (422, "invalid")),
        (b'{"text": "a: 1", "effective_from": "2026-04-01T00:00:00"}', "application/json", (422, "invalid")),
        (b'{"text": "a: 1", "effective_from": "9999-12-31T23:59:59-12:00"}', "application/json", (422, "invalid")),
        (b'{"text": "\\ud800"}', "application/json", (422, "invalid")),
    ],
)
async def test_bodies_that_are_no_proposal_are_refused(
    office: Office, content: bytes, kind: str, expected: tuple[int, str]
) -> None:
    response = await office.clients["anna"].post("/v1/policies", content=content, headers={"content-type": kind})
    assert problem(response) == expected


@pytest.mark.parametrize(
    "body", [{}, {"note": ""}, {"note": "x" * 501}, {"note": "x", "actor": "bo"}, {"note": "nul \x00"}]
)
async def test_steps_without_a_word_or_with_too_many_are_refused(office: Office, body: dict[str, str]) -> None:
    await office.propose()
    headers = {"if-match": await office.tag()}
    response = await office.clients["bo"].post(f"{PATH}/2/review", json=body, headers=headers)
    assert problem(response) == (422, "invalid")
    assert (await office.read(f"{PATH}/2"))["state"] == "proposed"


async def test_versions_that_are_not_there_are_not_found(office: Office) -> None:
    for version in (0, 9, 2**31, -1):
        assert problem(await office.step("review", "bo", version, tag="*")) == (404, "unknown")
        for path in ("", "/history", "/diff"):
            response = await office.clients["auditor"].get(f"{PATH}/{version}{path}")
            assert problem(response) == (404, "unknown")


async def test_two_versions_are_compared_in_the_policy_s_own_words(office: Office) -> None:
    await office.propose()
    difference = await office.read(f"{PATH}/2/diff")
    assert (difference["version"], difference["against"]) == (2, 1)
    assert difference["changes"] == [
        {
            "path": "surveys.incident.send.within",
            "before": "2d",
            "after": "1d",
            "line": "surveys.incident.send.within: 2d → 1d",
        }
    ]
    assert "-    send: {after: 2h, within: 2d}\n+    send: {after: 2h, within: 1d}" in difference["text"]
    assert (await office.read(f"{PATH}/1/diff?against=2"))["changes"][0]["after"] == "2d"
    assert (await office.read(f"{PATH}/2/diff?against=2"))["changes"] == []
    assert problem(await office.clients["auditor"].get(f"{PATH}/1/diff")) == (422, "against")


async def test_of_many_who_propose_at_once_each_gets_his_own_number(office: Office) -> None:
    texts = [PACK.replace("per_person: 5 in 14", f"per_person: {most} in 14") for most in (6, 7, 8, 9, 9)]
    responses = await asyncio.gather(*(office.propose(text) for text in texts))
    assert sorted(response.status_code for response in responses) == [201, 201, 201, 201, 409]
    assert sorted(each.json()["version"] for each in responses if each.status_code == 201) == [2, 3, 4, 5]


async def test_of_two_who_approve_at_once_one_does(office: Office, database: Database) -> None:
    await office.propose()
    await office.step("review", "bo")
    tag = await office.tag()
    responses = await asyncio.gather(*(office.step("approve", by, tag=tag) for by in ("chen", "admin")))
    assert sorted(response.status_code for response in responses) == [200, 412]
    assert len(await said(database)) == 1
