"""Webhooks as the systems send them: signed with the secrets that the tests' sources have."""

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from services.house import House

SECRETS: Mapping[str, str] = {
    name: base64.b64encode(name.encode().ljust(32, b".")).decode()
    for name in ("jira", "servicenow", "zendesk", "zammad", "glpi", "generic")
}
JSON = {"content-type": "application/json"}


def dump(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()


def mac(source: str, text: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.digest(SECRETS[source].encode(), text, algorithm)


def hub(source: str, body: bytes, **headers: str) -> dict[str, str]:
    return JSON | {"x-hub-signature": f"sha256={mac(source, body).hex()}"} | headers


def standard(
    house: House, body: bytes, id: str = "msg_1", seconds: float = 0, stamp: str | None = None
) -> dict[str, str]:
    """Signed as Standard Webhooks has it, `seconds` from now."""
    stamp = stamp if stamp is not None else str(int((house.clock.now() + timedelta(seconds=seconds)).timestamp()))
    key = base64.b64decode(SECRETS["generic"])
    digest = hmac.digest(key, f"{id}.{stamp}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return JSON | {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signature}


def native(house: House, source: str, body: bytes) -> dict[str, str]:
    """Signed as the source's own system does it."""
    stamp = str(int(house.clock.now().timestamp()))
    iso = house.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    signed: dict[str, dict[str, str]] = {
        "jira": {"x-hub-signature": f"sha256={mac(source, body).hex()}"},
        "servicenow": {"x-huifang-signature": base64.b64encode(mac(source, body)).decode()},
        "zendesk": {
            "x-zendesk-webhook-signature": base64.b64encode(mac(source, iso.encode() + body)).decode(),
            "x-zendesk-webhook-signature-timestamp": iso,
            "x-zendesk-webhook-id": "01GK8E6BKWMJZD2T8Y5AXJQMG5",
        },
        "zammad": {"x-hub-signature": f"sha1={mac(source, body, 'sha1').hex()}", "x-zammad-delivery": "4711"},
        "glpi": {"x-glpi-signature": mac(source, body + stamp.encode()).hex(), "x-glpi-timestamp": stamp},
        "generic": {},
    }
    return standard(house, body) if source == "generic" else JSON | signed[source]


async def post(client: httpx.AsyncClient, source: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
    return await client.post(f"/hooks/{source}", content=body, headers=headers)
