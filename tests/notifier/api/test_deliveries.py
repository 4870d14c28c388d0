import pytest

from services.auth import Role
from services.identifiers import uuid7
from tests.notifier.servers import MailServer
from tests.notifier.stage import Stage

PATH = "/hooks/receipts/http"


async def test_the_delivery_log_is_paged_and_filtered(stage: Stage, server: MailServer) -> None:
    server.at_recipient["wang@example.com"] = "550 5.1.1 unknown"
    wang = await stage.contact("wang@example.com")
    dues = [await stage.due() for _ in range(4)] + [await stage.due(contact=wang)]
    await stage.hear(*dues)
    await stage.send()
    async with stage.client(await stage.key(Role.quality)) as client:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = (
                await client.get("/v1/deliveries", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
            ).json()
            seen += [item["survey"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert sorted(seen) == sorted(str(due.survey) for due in dues)
        failed = (await client.get("/v1/deliveries", params={"state": "failed"})).json()["items"]
        assert [item["person"] for item in failed] == [str(wang.person)]
        assert (await client.get("/v1/deliveries", params={"channel": "sms"})).json() == {"items": [], "next": None}
        [attempt] = (await client.get(f"/v1/deliveries/{failed[0]['id']}/attempts")).json()
        assert (attempt["ending"], attempt["detail"]) == ("permanent", "smtp recipient 550 5.1.1")
        everything = (await client.get("/v1/deliveries")).text
        assert "example.com" not in everything.replace("@example.com>", "")
        for query in ("limit=0", "limit=1000000000", "state=odd", "cursor=odd", "survey=1"):
            assert (await client.get(f"/v1/deliveries?{query}")).status_code == 422


@pytest.mark.parametrize(
    ("role", "deliveries", "calls"),
    [
        (Role.agent, 403, 200),
        (Role.quality, 200, 200),
        (Role.manager, 200, 200),
        (Role.auditor, 200, 403),
        (Role.integration, 403, 403),
        (Role.administrator, 200, 200),
    ],
)
async def test_who_may_see_what(stage: Stage, role: Role, deliveries: int, calls: int) -> None:
    async with stage.client(await stage.key(role)) as client:
        assert (await client.get("/v1/deliveries")).status_code == deliveries
        assert (await client.get("/v1/calls")).status_code == calls
        attempt = await client.post(f"/v1/calls/{uuid7()}/attempt", json={"outcome": "busy"})
        assert attempt.status_code == (403 if role in (Role.auditor, Role.integration) else 404)
