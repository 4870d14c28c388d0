"""Small payloads of our own, in the shapes in which the systems send theirs."""

from typing import Any


def jira(**changes: Any) -> dict[str, Any]:
    fields = {
        "status": {"name": "Done", "statusCategory": {"key": "done"}},
        "resolution": {"name": "Done"},
        "resolutiondate": "2026-03-02T09:15:40.470+0800",
        "updated": "2026-03-02T09:15:41.000+0800",
        "created": "2026-03-01T09:15:41.000+0800",
        "issuetype": {"name": "Bug"},
        "priority": {"name": "High"},
        "labels": ["vpn", "office"],
        "components": [{"name": "Network"}],
        "project": {"key": "OPS"},
        "assignee": {"accountId": "a-1", "displayName": "Li Wei"},
        "reporter": {
            "accountId": "r-1",
            "displayName": "Emily Adams",
            "emailAddress": "emily@example.com",
            "timeZone": "Europe/London",
        },
    }
    issue = {"id": "10040", "key": "OPS-41", "fields": fields | changes}
    return {"timestamp": 1772414140507, "webhookEvent": "jira:issue_updated", "issue": issue}


def servicenow(**changes: Any) -> dict[str, Any]:
    record = {
        "number": "INC0000060",
        "sys_id": "1c741bd70b2322007518478d83673af3",
        "sys_class_name": "incident",
        "state": "7",
        "incident_state": "7",
        "closed_at": "2026-03-02 01:46:44",
        "resolved_at": "2026-03-01 21:43:14",
        "sys_updated_on": "2026-03-02 01:46:45",
        "opened_at": "2026-02-28 15:19:57",
        "close_code": "Solved (Permanently)",
        "category": "inquiry",
        "priority": "3",
        "company": {"link": "https://example.com/c", "value": "c-1"},
        "assignment_group": {"link": "https://example.com/g", "value": "g-1"},
        "assigned_to": {"link": "https://example.com/a", "value": "a-1"},
        "resolved_by": {"link": "https://example.com/a", "value": "a-1"},
        "caller_id": {"link": "https://example.com/u", "value": "u-1"},
        "location": "",
    }
    return record | changes


def zendesk(status: str = "SOLVED", **changes: Any) -> dict[str, Any]:
    detail = {
        "id": "5158",
        "status": status,
        "priority": "HIGH",
        "requester_id": 8811,
        "assignee_id": 42,
        "group_id": 7,
        "organization_id": 3,
        "tags": ["vpn"],
        "updated_at": "2026-03-02T01:45:20Z",
    }
    return {
        "account_id": 22129848,
        "id": "a8b9c1d2",
        "type": "zen:event-type:ticket.status_changed",
        "time": "2026-03-02T01:45:20.987654321Z",
        "subject": "zen:ticket:5158",
        "detail": detail | changes,
        "event": {"current": status, "previous": "OPEN"},
    }


def zammad(**changes: Any) -> dict[str, Any]:
    ticket = {
        "id": 81,
        "number": "10081",
        "state": "closed",
        "state_id": 4,
        "updated_at": "2026-03-02T01:34:35.333Z",
        "close_at": "2026-03-02T01:34:30.000Z",
        "priority": {"name": "2 normal"},
        "group": {"name": "Service Desk"},
        "organization": {"name": "Awesome Customer Inc."},
        "owner": {"id": 5, "login": "emma@example.com", "firstname": "Emma", "lastname": "Taylor"},
        "owner_id": 5,
        "customer_id": 8,
        "customer": {
            "id": 8,
            "firstname": "Emily",
            "lastname": "Adams",
            "email": "emily@example.com",
            "phone": "+86 138 0013 8000",
            "organization": "Awesome Customer Inc.",
            "roles": ["Customer"],
        },
    }
    return {"ticket": ticket | changes, "article": {"type": "phone"}}


def glpi(**changes: Any) -> dict[str, Any]:
    item = {
        "id": 4711,
        "name": "VPN",
        "is_deleted": False,
        "type": 1,
        "priority": 3,
        "category": {"id": 3, "name": "Network"},
        "location": {"id": 1, "name": "HQ"},
        "entity": {"id": 2, "name": "ACME", "completename": "Root > ACME"},
        "status": {"id": 6, "name": "Closed"},
        "date_mod": "2026-03-02T09:45:20+08:00",
        "team": [
            {"id": 77, "name": "lin", "type": "User", "role": "requester"},
            {"id": 5, "name": "wei", "display_name": "Wei Li", "type": "User", "role": "assigned"},
            {"id": 9, "name": "Service desk", "type": "Group", "role": "assigned"},
        ],
    }
    return {"event": "update", "item": item | changes}


def generic(**changes: Any) -> dict[str, Any]:
    ticket = {
        "ticket": "T-1",
        "state": "closed",
        "at": "2026-03-02T09:45:20+08:00",
        "type": "incident",
        "category": "network",
        "priority": "2",
        "customer": "ACME",
        "group": "Service desk",
        "agent": "Wei Li",
        "tags": ["vpn"],
        "requester": {
            "id": "u-1",
            "name": "王芳",
            "email": "fang@example.cn",
            "phone": "13800138000",
            "locale": "zh-CN",
        },
    }
    return ticket | changes
