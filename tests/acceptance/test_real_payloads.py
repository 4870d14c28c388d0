"""Real payloads of five systems, from the webhook to the score, with time run a thousand times as fast."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.acceptance import systems
from tests.acceptance.installation import Installation, eventually, installation
from tests.acceptance.systems import Webhook

SOURCES = ("jira", "zammad", "servicenow", "zendesk", "glpi")


@pytest.fixture(scope="module")
def payloads(shared: Path) -> Path:
    return shared / "data" / "payloads"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("up") / "data", "--speed", "3600") as running:
        yield running


def post(house: Installation, webhook: Webhook) -> httpx.Response:
    headers = {"content-type": "application/json", **webhook.headers}
    return httpx.post(f"{house.url}/hooks/{webhook.source}", content=webhook.body, headers=headers, timeout=20)


def register(house: Installation, source: str, person: str, email: str) -> None:
    contact = {"name": "Lee 李", "email": email, "locale": "zh-CN"}
    answer = httpx.put(f"{house.url}/v1/contacts/{source}/{person}", json=contact, headers=house.key, timeout=20)
    assert answer.status_code in (200, 201), answer.text


def answer_survey(link: str, rating: str) -> httpx.Response:
    """Fills in the page as a browser without JavaScript does."""
    with httpx.Client(timeout=20) as client:
        page = client.get(link)
        assert page.status_code == 200
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        return client.post(link, data={**hidden, "overall": rating}, headers={"origin": link[: link.index("/s/")]})


@pytest.mark.parametrize("source", SOURCES)
def test_a_closed_ticket_becomes_a_message_and_the_answer_a_score(
    house: Installation, payloads: Path, source: str
) -> None:
    webhook: Webhook = getattr(systems, source)(payloads, house.secret(source))
    if webhook.person:
        register(house, source, webhook.person, webhook.address)
    assert post(house, webhook).status_code == 202
    message = eventually(lambda: house.messages(webhook.address), "a message in the mailbox")[0]
    link = next(link for link in message["links"] if "/s/" in link)

    answer = answer_survey(link, "5")

    assert answer.status_code in (200, 303), answer.text
    responses = eventually(
        lambda: house.get("/v1/responses", source=source, ticket=webhook.ticket)["items"], "the response in REST"
    )
    assert len(responses) == 1
    assert house.metric("huifang_responses_total") >= 1
    ticket = eventually(
        lambda: (
            (story := house.get(f"/v1/tickets/{source}/{webhook.ticket}"))["history"][-1]["to"] == "answered" and story
        ),
        "the ledger tells of the answer",
    )
    assert [decision["outcome"] for decision in ticket["decisions"]] == ["survey"]
    assert [move["to"] for move in ticket["history"]] == ["planned", "due", "sent", "answered"]
    assert post(house, webhook).status_code == 200
    assert len(house.messages(webhook.address)) == 1


def test_what_is_not_right_is_refused_by_name(house: Installation, payloads: Path) -> None:
    good = systems.jira(payloads, house.secret("jira"))
    unsigned = Webhook("jira", good.ticket, None, "", good.body)
    forged = Webhook("jira", good.ticket, None, "", good.body, {"x-hub-signature": "sha256=" + "0" * 64})
    halved = systems.Webhook("jira", good.ticket, None, "", good.body[: len(good.body) // 2])
    halved.headers = {"x-hub-signature": f"sha256={systems._hex(house.secret('jira'), halved.body)}"}
    huge = systems.Webhook("jira", good.ticket, None, "", b'{"a": "' + b"x" * 2_000_000 + b'"}')
    assert [post(house, each).status_code for each in (unsigned, forged, halved, huge)] == [401, 401, 400, 413]


def test_without_a_key_every_other_address_is_closed(house: Installation) -> None:
    paths = house.get("/openapi.json")["paths"]
    open_prefixes = ("/hooks/", "/s/", "/u/", "/mailbox")
    closed = [path for path in paths if not path.startswith(open_prefixes)]
    assert len(closed) > 10
    for path in closed:
        for method in paths[path]:
            filled = re.sub(r"\{[^}]+\}", "1", path)
            assert httpx.request(method, urljoin(house.url, filled), timeout=20).status_code == 401, (method, path)
