"""The ITSM systems as the world knows them: real payloads, dated now, signed as each system signs."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.installation import read_json


@dataclass
class Webhook:
    """One request as a system would send it."""

    source: str
    ticket: str
    person: str | None
    address: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def _hex(secret: str, text: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), text, algorithm).hexdigest()


def _dump(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode()


def _now() -> datetime:
    return datetime.now(UTC)


def jira(payloads: Path, secret: str, file: str = "webhook-issue-updated-resolved.json") -> Webhook:
    """Jira Cloud: `X-Hub-Signature: sha256=` over the body."""
    payload = read_json(payloads / "jira" / file)
    now = _now()
    payload["timestamp"] = int(now.timestamp() * 1000)
    fields = payload["issue"]["fields"]
    if fields.get("resolutiondate"):
        fields["resolutiondate"] = now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    fields["updated"] = now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    body = _dump(payload)
    identifier = hashlib.sha256(body).hexdigest()[:32]
    headers = {"x-hub-signature": f"sha256={_hex(secret, body)}", "x-atlassian-webhook-identifier": identifier}
    return Webhook("jira", payload["issue"]["key"], None, fields["reporter"]["emailAddress"], body, headers)


def zammad(payloads: Path, secret: str) -> Webhook:
    """Zammad: `X-Hub-Signature: sha1=` over the body. The documented sample is open, so it is closed here."""
    payload = read_json(payloads / "zammad" / "default_payload.admin-docs.json")
    now = _now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    payload["ticket"].update(state="closed", state_id=4, close_at=now, updated_at=now)
    body = _dump(payload)
    headers = {"x-hub-signature": f"sha1={_hex(secret, body, 'sha1')}", "x-zammad-delivery": "7c1f"}
    return Webhook(
        "zammad", str(payload["ticket"]["number"]), None, payload["ticket"]["customer"]["email"], body, headers
    )


def servicenow(payloads: Path, secret: str) -> Webhook:
    """ServiceNow: a script that signs with `CertificateEncryption.generateMac`."""
    payload = read_json(payloads / "servicenow" / "table-api.incident.closed.sn-scripts.json")
    record = payload["result"][0]
    record["closed_at"] = record["sys_updated_on"] = _now().strftime("%Y-%m-%d %H:%M:%S")
    record["resolved_at"] = (_now() - timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S")
    body = _dump(payload)
    signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return Webhook(
        "servicenow",
        record["number"],
        record["caller_id"]["value"],
        "wang@example.com",
        body,
        {"x-huifang-signature": signature},
    )


def zendesk(payloads: Path, secret: str) -> Webhook:
    """Zendesk: base64 over time stamp and body."""
    payload = read_json(payloads / "zendesk" / "ticket.status_changed.dust.json")
    now = _now().strftime("%Y-%m-%dT%H:%M:%SZ")
    payload["time"] = payload["detail"]["updated_at"] = now
    payload["detail"]["requester_id"] = "8811"
    body = _dump(payload)
    signature = base64.b64encode(hmac.digest(secret.encode(), now.encode() + body, "sha256")).decode()
    headers = {
        "x-zendesk-webhook-signature": signature,
        "x-zendesk-webhook-signature-timestamp": now,
        "x-zendesk-webhook-id": "01GK8E6BKWMJZD2T8Y5AXJQMG5",
    }
    return Webhook("zendesk", payload["detail"]["id"], "8811", "lee@example.com", body, headers)


def glpi(payloads: Path, secret: str) -> Webhook:
    """GLPI 11: hex over body and time stamp. Its payload is the vendor's template, filled in."""
    payload = read_json(payloads / "glpi" / "derived-webhook_ticket_default_payload_template.Webhook_php.json")
    now = _now()
    payload["event"] = "update"
    item = payload["item"]
    item.update(
        id=4711,
        name="VPN",
        content="",
        is_deleted=False,
        category={"id": 3, "name": "Network"},
        location={"id": 1, "name": "HQ"},
        type=1,
        priority=3,
        status={"id": 5, "name": "Solved"},
        entity={"id": 2, "name": "ACME", "completename": "Root > ACME"},
        team=[{"id": 77, "name": "lin", "type": "User", "role": "requester"}],
        date_mod=now.isoformat(timespec="seconds"),
    )
    body = _dump(payload)
    stamp = str(int(now.timestamp()))
    headers = {"x-glpi-signature": _hex(secret, body + stamp.encode()), "x-glpi-timestamp": stamp}
    return Webhook("glpi", "4711", "77", "lin@example.cn", body, headers)
