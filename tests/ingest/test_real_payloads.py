"""The mappings on what the systems really send (`../shared/data/payloads`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingest.mapping import Reading
from ingest.payload import parse
from ingest.store import load_mappings
from services.contracts.tickets import Requester, TicketFacts

Read = Callable[..., Reading]


@pytest.fixture
def read(shared: Path) -> Read:
    def read(system: str, file: str, change: Callable[[Any], Any] = lambda payload: payload) -> Reading:
        payload = parse((shared / "data/payloads" / system / file).read_bytes())
        return load_mappings(None)[system].read(change(payload), system, ZoneInfo("UTC"))

    return read


def summary(reading: Reading) -> tuple[str, str, str, str | None]:
    (report,) = reading.reports
    return report.ticket, report.state, report.at.isoformat(), report.requester_id


ADMIN = "5c5f880629be9642ba529340"
SAMPLE = "5cedcb4355a88a0fc86388ba"


@pytest.mark.parametrize(
    ("system", "file", "meant"),
    [
        (
            "jira",
            "webhook-issue-updated-resolved.json",
            ("TES-41", "closed", "2019-02-16T03:15:40.470000+00:00", ADMIN),
        ),
        (
            "jira",
            "webhook-issue-updated-resolved-one-changelog.json",
            ("TES-41", "closed", "2019-02-16T03:15:40.470000+00:00", ADMIN),
        ),
        ("jira", "webhook-issue-updated-reopened.json", ("TES-41", "open", "2019-02-16T03:17:06.501000+00:00", ADMIN)),
        (
            "jira",
            "webhook-issue-updated-reopened-one-changelog.json",
            ("TES-41", "open", "2019-02-16T03:17:06.501000+00:00", ADMIN),
        ),
        ("jira", "webhook-issue-updated-assigned.json", ("TES-41", "open", "2019-02-16T03:18:01.707000+00:00", ADMIN)),
        ("jira", "webhook-issue-created.json", ("TES-41", "open", "2019-02-16T03:01:52.971000+00:00", ADMIN)),
        (
            "jira",
            "webhook-cloud-issue-created-many-fields.json",
            ("KT-22", "open", "2019-08-27T19:43:24.193000+00:00", SAMPLE),
        ),
        (
            "jira",
            "webhook-cloud-issue-updated-custom-field.json",
            ("TES-14", "open", "2019-08-12T01:49:13.412000+00:00", SAMPLE),
        ),
        (
            "jira",
            "webhook-server-issue-updated-in-progress.json",
            ("TES-4", "open", "2019-08-14T03:02:33.678000+00:00", "admin"),
        ),
        (
            "servicenow",
            "table-api.incident.closed.sn-scripts.json",
            ("INC0000060", "closed", "2016-12-14T02:46:44+00:00", "681ccaf9c0a8016400b98a06818d57c7"),
        ),
        (
            "servicenow",
            "table-api.incident.get.new.servicenowdocs.json",
            ("INC0000046", "open", "2015-11-01T22:37:27+00:00", "46c6f9efa9fe198101ddf5eed9adf6e7"),
        ),
        (
            "servicenow",
            "table-api.incident.patch.in_progress.servicenowdocs.json",
            ("INC0000050", "open", "2016-01-22T14:12:37+00:00", "5b7c200d0a640069006b3845b5d0fa7c"),
        ),
        (
            "servicenow",
            "table-api.incident.post.created.servicenowdocs.json",
            ("INC0010002", "open", "2016-01-22T14:28:24+00:00", None),
        ),
        ("zendesk", "ticket.status_changed.dust.json", ("5158", "closed", "2025-01-08T16:45:20.987654+00:00", None)),
        ("zammad", "default_payload.admin-docs.json", ("10081", "open", "2020-11-13T14:34:35.333000+00:00", "8")),
    ],
)
def test_what_a_payload_reports(read: Read, system: str, file: str, meant: tuple[str, str, str, str | None]) -> None:
    assert summary(read(system, file)) == meant


def test_jira_s_resolved_issue_in_full(read: Read) -> None:
    (report,) = read("jira", "webhook-issue-updated-resolved.json").reports
    assert report.facts == TicketFacts(category="COMP-1", priority="High", project="TES", tags=("test-label",))
    assert report.requester == Requester(
        id=ADMIN, name="Test User", email="some-instance-test@gmail.com", timezone="America/Los_Angeles"
    )


def test_zammad_s_ticket_once_it_is_closed(read: Read) -> None:
    def close(payload: Any) -> Any:
        payload["ticket"] |= {"state": "closed", "state_id": 4, "close_at": "2026-03-02T01:00:00.000Z"}
        return payload

    (report,) = read("zammad", "default_payload.admin-docs.json", close).reports
    assert (report.state, report.at.isoformat()) == ("closed", "2026-03-02T01:00:00+00:00")
    assert report.facts.customer == "Awesome Customer Inc."
    assert report.facts.agent == "Emma Taylor"
    assert report.requester is not None
    assert (report.requester.name, report.requester.email) == ("Emily Adams", "emily@example.com")
    assert not report.requester.staff


def test_zendesk_s_event_names_the_person_once_it_does(read: Read) -> None:
    def name(payload: Any) -> Any:
        payload["detail"]["requester_id"] = 387
        return payload

    assert summary(read("zendesk", "ticket.status_changed.dust.json", name))[3] == "387"


def test_zendesk_s_body_inside_prismatic_s_envelope(read: Read) -> None:
    def unwrap(payload: Any) -> Any:
        return payload["payload"]["body"]["data"]

    found = summary(read("zendesk", "ticket.created_with_headers.prismatic.json", unwrap))
    assert found == ("35436", "open", "2024-04-17T17:18:10+00:00", None)


def test_glpi_s_default_template_once_it_is_filled(read: Read) -> None:
    def fill(payload: Any) -> Any:
        payload["event"] = "update"
        payload["item"] |= {
            "id": 12,
            "is_deleted": False,
            "status": {"id": 6, "name": "Closed"},
            "date_mod": "2026-03-02T09:00:00+08:00",
            "team": [{"id": 7, "name": "normal", "type": "User", "role": "requester"}],
        }
        return payload

    file = "derived-webhook_ticket_default_payload_template.Webhook_php.json"
    assert summary(read("glpi", file, fill)) == ("12", "closed", "2026-03-02T01:00:00+00:00", "7")


def test_glpi_s_followup_says_nothing(read: Read) -> None:
    assert read("glpi", "derived-webhook_followup_new.WebhookTest_php.json").ignored == "event"


def test_glpi_s_tickets_of_the_classic_rest_api(read: Read) -> None:
    reports = read("glpi", "apirest_v1.tickets_list.glpi_hoiol.redacted.json").reports
    assert len(reports) == 15
    assert reports[0].at.isoformat() == "2022-07-28T09:00:49+00:00"
    # Only who wrote them down is told, and he is not the one who was served.
    assert {report.requester_id for report in reports} == {None}
