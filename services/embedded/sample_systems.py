"""How each ITSM system tells of a ticket: its JSON and its signature, as the real ones do it. Pure."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

State = Literal["open", "resolved", "closed"]


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who was served. `id` is what the ITSM calls him; a system that sends no more leaves the rest out."""

    id: str
    name: str
    locale: str
    organisation: str
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as a service desk knows it."""

    source: str
    number: str
    title: str
    customer: Customer
    agent: str
    group: str
    category: str
    priority: str = "3"
    type: str = "incident"
    closed_by: str = "agent"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook on its way: `id` is the sender's own for it, `at` when he sends it."""

    id: UUID
    at: datetime
    body: bytes


def tell(ticket: Ticket, state: State, at: datetime, opened: datetime) -> bytes:
    """The body by which the ticket's system tells that it entered a state."""
    told = _TELLERS[ticket.source](ticket, state, at.astimezone(UTC), opened.astimezone(UTC))
    return json.dumps(told, ensure_ascii=False).encode()


def sign(source: str, secret: str, delivery: Delivery) -> dict[str, str]:
    """The headers by which the system proves who it is."""
    return _SIGNERS[source](secret, delivery)


def _jira(ticket: Ticket, state: State, at: datetime, opened: datetime) -> dict[str, Any]:
    name, category = {
        "open": ("In Progress", "indeterminate"),
        "resolved": ("Resolved", "done"),
        "closed": ("Done", "done"),
    }[state]
    stamp = _milliseconds(at)
    return {
        "timestamp": int(at.timestamp() * 1000),
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_generic",
        "issue": {
            "id": ticket.number.rpartition("-")[2],
            "key": ticket.number,
            "fields": {
                "summary": ticket.title,
                "issuetype": {"name": {"incident": "Incident", "request": "Service Request"}[ticket.type]},
                "project": {"key": ticket.number.partition("-")[0]},
                "priority": {"name": ticket.priority},
                "components": [{"name": ticket.category}],
                "labels": [],
                "status": {"name": name, "statusCategory": {"key": category}},
                "resolution": None if state == "open" else {"name": "Done"},
                "resolutiondate": None if state == "open" else stamp,
                "created": _milliseconds(opened),
                "updated": stamp,
                "reporter": {
                    "accountId": ticket.customer.id,
                    "displayName": ticket.customer.name,
                    "emailAddress": ticket.customer.email,
                    "locale": ticket.customer.locale,
                },
                "assignee": {"accountId": ticket.agent, "displayName": ticket.agent},
            },
        },
        "changelog": {"items": [{"field": "status", "toString": name}]},
    }


def _servicenow(ticket: Ticket, state: State, at: datetime, opened: datetime) -> dict[str, Any]:
    code = {"open": "2", "resolved": "6", "closed": "7"}[state]
    stamp = f"{at:%Y-%m-%d %H:%M:%S}"
    return {
        "number": ticket.number,
        "sys_id": hmac.digest(b"sys_id", ticket.number.encode(), "md5").hex(),
        "sys_class_name": "incident",
        "short_description": ticket.title,
        "state": code,
        "incident_state": code,
        "opened_at": f"{opened:%Y-%m-%d %H:%M:%S}",
        "resolved_at": stamp if state == "resolved" else "",
        "closed_at": stamp if state == "closed" else "",
        "sys_updated_on": stamp,
        "caller_id": {"value": ticket.customer.id},
        "company": {"display_value": ticket.customer.organisation, "value": "c-" + ticket.customer.id},
        "category": ticket.category,
        "priority": ticket.priority,
        "assignment_group": {"display_value": ticket.group, "value": ticket.group},
        "assigned_to": {"display_value": ticket.agent, "value": ticket.agent},
        "close_code": "" if state == "open" else "Solved (Permanently)",
    }


def _zendesk(ticket: Ticket, state: State, at: datetime, opened: datetime) -> dict[str, Any]:
    status = {"open": "OPEN", "resolved": "SOLVED", "closed": "CLOSED"}[state]
    return {
        "account_id": 20260001,
        "id": f"{ticket.number}-{status}-{int(at.timestamp() * 1000)}",
        "type": "zen:event-type:ticket.status_changed",
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{ticket.number}",
        "time": f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z",
        "event": {"current": status, "previous": "OPEN" if status != "OPEN" else "SOLVED"},
        "detail": {
            "id": ticket.number,
            "subject": ticket.title,
            "status": status,
            "type": "INCIDENT",
            "priority": ticket.priority,
            "requester_id": ticket.customer.id,
            "organization_id": ticket.customer.organisation,
            "assignee_id": ticket.agent,
            "group_id": ticket.group,
            "tags": [ticket.category],
            "created_at": f"{opened:%Y-%m-%dT%H:%M:%SZ}",
            "updated_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        },
    }


def _zammad(ticket: Ticket, state: State, at: datetime, opened: datetime) -> dict[str, Any]:
    first, _, last = ticket.customer.name.partition(" ")
    name = (
        "merged" if ticket.closed_by == "merged" else {"open": "open", "resolved": "closed", "closed": "closed"}[state]
    )
    closed = {} if state == "open" else {"close_at": _milliseconds(at)}
    return {
        "ticket": {
            "id": int(ticket.number[-4:]),
            "number": ticket.number,
            "title": ticket.title,
            "state": name,
            "priority": {"name": ticket.priority},
            "group": {"name": ticket.group},
            "organization": {"name": ticket.customer.organisation},
            "customer_id": int(ticket.customer.id),
            "customer": {
                "id": int(ticket.customer.id),
                "firstname": first,
                "lastname": last,
                "email": ticket.customer.email,
                "phone": ticket.customer.phone,
                "roles": ["Customer"],
                "preferences": {"locale": ticket.customer.locale.lower()},
            },
            "owner": {"login": ticket.agent, "firstname": ticket.agent, "lastname": ""},
            "category": ticket.category,
            "created_at": _milliseconds(opened),
            "updated_at": _milliseconds(at),
            **closed,
        },
        "article": {"type": "note", "internal": True},
    }


def _glpi(ticket: Ticket, state: State, at: datetime, opened: datetime) -> dict[str, Any]:
    number, name = {"open": (2, "Processing (assigned)"), "resolved": (5, "Solved"), "closed": (6, "Closed")}[state]
    return {
        "event": "update",
        "item": {
            "id": int(ticket.number),
            "name": ticket.title,
            "status": {"id": number, "name": name},
            "type": 1,
            "priority": int(ticket.priority),
            "category": {"id": 3, "name": ticket.category},
            "entity": {"id": 2, "name": ticket.customer.organisation, "completename": ticket.customer.organisation},
            "date_creation": opened.isoformat(timespec="seconds"),
            "date_mod": at.isoformat(timespec="seconds"),
            "is_deleted": False,
            "team": [
                {"id": int(ticket.customer.id), "name": ticket.customer.name, "type": "User", "role": "requester"},
                {"id": 12, "name": ticket.agent, "type": "User", "role": "assigned"},
                {"id": 4, "name": ticket.group, "type": "Group", "role": "assigned"},
            ],
        },
    }


def _generic(ticket: Ticket, state: State, at: datetime, opened: datetime) -> dict[str, Any]:
    person = ticket.customer
    return {
        "ticket": ticket.number,
        "state": state,
        "at": at.isoformat(timespec="milliseconds"),
        "opened_at": opened.isoformat(timespec="milliseconds"),
        "type": ticket.type,
        "closed_by": ticket.closed_by,
        "category": ticket.category,
        "priority": ticket.priority,
        "customer": person.organisation,
        "group": ticket.group,
        "agent": ticket.agent,
        "requester": {
            "id": person.id,
            "name": person.name,
            "email": person.email,
            "phone": person.phone,
            "locale": person.locale,
        },
    }


def _sign_jira(secret: str, delivery: Delivery) -> dict[str, str]:
    signature = hmac.digest(secret.encode(), delivery.body, "sha256").hex()
    return {"x-hub-signature": f"sha256={signature}", "x-atlassian-webhook-identifier": str(delivery.id)}


def _sign_servicenow(secret: str, delivery: Delivery) -> dict[str, str]:
    """What a business rule makes with `CertificateEncryption.generateMac(key, "HmacSHA256", body)`."""
    signature = base64.b64encode(hmac.digest(secret.encode(), delivery.body, "sha256")).decode()
    return {"x-huifang-signature": signature, "x-huifang-delivery": str(delivery.id)}


def _sign_zendesk(secret: str, delivery: Delivery) -> dict[str, str]:
    stamp = f"{delivery.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    signature = base64.b64encode(hmac.digest(secret.encode(), stamp.encode() + delivery.body, "sha256")).decode()
    return {
        "x-zendesk-webhook-id": "01SAMPLE",
        "x-zendesk-webhook-invocation-id": str(delivery.id),
        "x-zendesk-webhook-signature-timestamp": stamp,
        "x-zendesk-webhook-signature": signature,
    }


def _sign_zammad(secret: str, delivery: Delivery) -> dict[str, str]:
    signature = hmac.digest(secret.encode(), delivery.body, "sha1").hex()
    return {"x-hub-signature": f"sha1={signature}", "x-zammad-delivery": str(delivery.id)}


def _sign_glpi(secret: str, delivery: Delivery) -> dict[str, str]:
    stamp = str(int(delivery.at.timestamp()))
    signature = hmac.digest(secret.encode(), delivery.body + stamp.encode(), "sha256").hex()
    return {"x-glpi-timestamp": stamp, "x-glpi-signature": signature}


def _sign_generic(secret: str, delivery: Delivery) -> dict[str, str]:
    """Standard Webhooks 1.0.0: the key is what the secret's base64 says."""
    stamp = str(int(delivery.at.timestamp()))
    signed = f"{delivery.id}.{stamp}.".encode() + delivery.body
    signature = base64.b64encode(hmac.digest(base64.b64decode(secret), signed, "sha256")).decode()
    return {"webhook-id": str(delivery.id), "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def _milliseconds(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


_TELLERS: Mapping[str, Callable[[Ticket, State, datetime, datetime], dict[str, Any]]] = {
    "jira": _jira,
    "servicenow": _servicenow,
    "zendesk": _zendesk,
    "zammad": _zammad,
    "glpi": _glpi,
    "generic": _generic,
}
_SIGNERS: Mapping[str, Callable[[str, Delivery], dict[str, str]]] = {
    "jira": _sign_jira,
    "servicenow": _sign_servicenow,
    "zendesk": _sign_zendesk,
    "zammad": _sign_zammad,
    "glpi": _sign_glpi,
    "generic": _sign_generic,
}
