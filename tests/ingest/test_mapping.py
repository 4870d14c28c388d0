from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingest.mapping import MappingError, Reading, UnmappableError, parse_mapping
from ingest.store import load_mappings
from services.contracts.tickets import Requester, TicketFacts, TicketReported
from tests.ingest import payloads

Z = ZoneInfo("UTC")
SHANGHAI = ZoneInfo("Asia/Shanghai")
SYSTEMS: dict[str, Callable[..., dict[str, Any]]] = {
    "jira": payloads.jira,
    "servicenow": payloads.servicenow,
    "zendesk": payloads.zendesk,
    "zammad": payloads.zammad,
    "glpi": payloads.glpi,
    "generic": payloads.generic,
}


def read(system: str, payload: Any, zone: ZoneInfo = Z) -> Reading:
    return load_mappings(None)[system].read(payload, f"{system}-main", zone)


def report(system: str, payload: Any, zone: ZoneInfo = Z) -> TicketReported:
    (only,) = read(system, payload, zone).reports
    return only


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_jira() -> None:
    assert report("jira", payloads.jira()) == TicketReported(
        source="jira-main",
        ticket="OPS-41",
        state="closed",
        at=at("2026-03-02T01:15:40.470Z"),
        facts=TicketFacts(
            category="Network",
            priority="High",
            agent="Li Wei",
            project="OPS",
            tags=("vpn", "office"),
            closed_by="agent",
        ),
        requester=Requester(id="r-1", name="Emily Adams", email="emily@example.com", timezone="Europe/London"),
        requester_id="r-1",
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"name": "Erledigt", "statusCategory": {"key": "done"}}, "closed"),
        ({"name": "Resolved", "statusCategory": {"key": "indeterminate"}}, "closed"),
        ({"name": "CLOSED"}, "closed"),
        ({"name": "In Progress", "statusCategory": {"key": "indeterminate"}}, "open"),
        ({"name": "To Do", "statusCategory": {"key": "new"}}, "open"),
    ],
)
def test_jira_s_states(status: dict[str, Any], state: str) -> None:
    assert report("jira", payloads.jira(status=status)).state == state


def test_jira_without_a_resolution_date_was_closed_when_it_was_changed() -> None:
    assert report("jira", payloads.jira(resolutiondate=None)).at == at("2026-03-02T01:15:41Z")


def test_jira_s_issue_alone_and_what_it_says_besides() -> None:
    assert report("jira", payloads.jira()["issue"]).ticket == "OPS-41"
    comment = payloads.jira() | {"webhookEvent": "comment_created"}
    assert read("jira", comment) == Reading([], "event")
    assert report("jira", payloads.jira(resolution={"name": "Duplicate"})).facts.closed_by == "merged"
    assert report("jira", payloads.jira(issuetype={"name": "Service Request"})).facts.type == "request"


def test_our_own_people_are_marked() -> None:
    me = {"accountId": "r-1", "displayName": "Emily"}
    own = {
        "jira": payloads.jira(assignee=me),
        "servicenow": payloads.servicenow(resolved_by={"value": "u-1"}),
        "zendesk": payloads.zendesk(assignee_id=8811),
        "zammad": payloads.zammad(customer={"id": 4, "email": "a@example.com", "roles": ["Agent"]}),
        "glpi": payloads.glpi(team=[{"id": 7, "type": "User", "role": role} for role in ("requester", "assigned")]),
        "generic": payloads.generic(requester={"id": "7", "staff": True}),
    }
    for system, payload in own.items():
        requester = report(system, payload).requester
        assert requester is not None, system
        assert requester.staff, system
        customer = report(system, SYSTEMS[system]()).requester
        assert customer is not None, system
        assert not customer.staff, system


def test_servicenow() -> None:
    found = report("servicenow", payloads.servicenow())
    assert (found.ticket, found.state, found.at) == ("INC0000060", "closed", at("2026-03-02T01:46:44Z"))
    assert found.requester == Requester(id="u-1")
    assert found.facts == TicketFacts(category="inquiry", priority="3", customer="c-1", group="g-1", agent="a-1")


@pytest.mark.parametrize("wrap", [{"result": None}, {"incident": None}, {"record": None}])
def test_servicenow_s_record_comes_in_several_wrappings(wrap: dict[str, None]) -> None:
    (name,) = wrap
    assert report("servicenow", {name: payloads.servicenow()}).ticket == "INC0000060"


def test_servicenow_s_list_has_several_tickets() -> None:
    records = [payloads.servicenow(), payloads.servicenow(number="INC0000061", caller_id="u-2")]
    reports = read("servicenow", {"result": records}).reports
    assert [(each.ticket, each.requester_id) for each in reports] == [("INC0000060", "u-1"), ("INC0000061", "u-2")]


@pytest.mark.parametrize(
    ("changes", "state", "moment"),
    [
        ({"state": "6", "incident_state": "6"}, "closed", "2026-03-01T21:43:14Z"),
        ({"state": "6", "incident_state": "6", "resolved_at": ""}, "closed", "2026-03-02T01:46:44Z"),
        ({"state": 7, "closed_at": ""}, "closed", "2026-03-01T21:43:14Z"),
        ({"state": "Resolved", "closed_at": "", "resolved_at": ""}, "closed", "2026-03-02T01:46:45Z"),
        ({"state": "2", "incident_state": "2"}, "open", "2026-03-02T01:46:45Z"),
    ],
)
def test_servicenow_s_states_and_times(changes: dict[str, Any], state: str, moment: str) -> None:
    found = report("servicenow", payloads.servicenow(**changes))
    assert (found.state, found.at) == (state, at(moment))


def test_servicenow_s_times_are_meant_in_the_source_s_zone() -> None:
    assert report("servicenow", payloads.servicenow(), SHANGHAI).at == at("2026-03-01T17:46:44Z")


def test_servicenow_says_nothing_of_other_tables_and_cancelled_incidents() -> None:
    assert read("servicenow", payloads.servicenow(sys_class_name="problem")).ignored == "table"
    assert read("servicenow", payloads.servicenow(state="8", incident_state="8")).ignored == "state"


def test_zendesk() -> None:
    reading = read("zendesk", payloads.zendesk())
    (found,) = reading.reports
    assert (found.ticket, found.state, found.at) == ("5158", "closed", at("2026-03-02T01:45:20.987654Z"))
    assert (found.requester, found.requester_id) == (Requester(id="8811"), "8811")
    assert found.facts == TicketFacts(priority="HIGH", customer="3", group="7", agent="42", tags=("vpn",))
    assert reading.delivery == "a8b9c1d2 5158 SOLVED"


@pytest.mark.parametrize(
    ("status", "state"),
    [("SOLVED", "closed"), ("Closed", "closed"), ("OPEN", "open"), ("Pending", "open"), ("hold", "open")],
)
def test_zendesk_s_states_in_any_case(status: str, state: str) -> None:
    assert report("zendesk", payloads.zendesk(status)).state == state


def test_zendesk_says_nothing_of_people_and_deleted_tickets() -> None:
    assert read("zendesk", payloads.zendesk() | {"type": "zen:event-type:user.created"}).ignored == "event"
    assert read("zendesk", payloads.zendesk() | {"type": "zen:event-type:ticket.soft_deleted"}).ignored == "deleted"
    assert report("zendesk", payloads.zendesk(tags=["closed_by_merge"])).facts.closed_by == "merged"


def test_zammad() -> None:
    assert report("zammad", payloads.zammad()) == TicketReported(
        source="zammad-main",
        ticket="10081",
        state="closed",
        at=at("2026-03-02T01:34:30Z"),
        facts=TicketFacts(
            priority="2 normal",
            customer="Awesome Customer Inc.",
            group="Service Desk",
            agent="Emma Taylor",
        ),
        requester=Requester(
            id="8",
            name="Emily Adams",
            email="emily@example.com",
            phone="+86 138 0013 8000",
            customer="Awesome Customer Inc.",
        ),
        requester_id="8",
    )


def test_zammad_s_states_and_times() -> None:
    assert report("zammad", payloads.zammad(state="merged")).facts.closed_by == "merged"
    assert report("zammad", payloads.zammad(state={"name": "closed"})).state == "closed"
    assert report("zammad", payloads.zammad(state="pending reminder")).state == "open"
    assert report("zammad", payloads.zammad(state="erledigt")).state == "closed"
    assert report("zammad", payloads.zammad(close_at=None)).at == at("2026-03-02T01:34:35.333Z")
    again = payloads.zammad(last_close_at="2026-03-02T01:34:33Z")
    assert report("zammad", again).at == at("2026-03-02T01:34:33Z")
    assert read("zammad", {"chat": {}}).ignored == "event"


def test_zammad_s_unassigned_owner_is_nobody() -> None:
    owner = {"id": 1, "login": "-", "firstname": "-", "lastname": ""}
    assert report("zammad", payloads.zammad(owner=owner)).facts.agent is None


def test_glpi() -> None:
    found = report("glpi", payloads.glpi())
    assert (found.ticket, found.state, found.at) == ("4711", "closed", at("2026-03-02T01:45:20Z"))
    assert found.requester == Requester(id="77")
    assert found.facts == TicketFacts(
        category="Network", priority="3", customer="Root > ACME", group="Service desk", agent="Wei Li", region="HQ"
    )


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": {"id": "5", "name": "Solved"}}, "closed"),
        ({"status": 6}, "closed"),
        ({"status": {"id": 2, "name": "Processing (assigned)"}}, "open"),
        ({"status": {"name": "Closed"}}, "closed"),
    ],
)
def test_glpi_s_states(changes: dict[str, Any], state: str) -> None:
    assert report("glpi", payloads.glpi(**changes)).state == state


def test_glpi_s_times_and_team() -> None:
    solved = payloads.glpi(date_mod="2026-03-02 09:45:20", date_solve="2026-03-02 09:40:00", team=[])
    found = report("glpi", solved, SHANGHAI)
    assert (found.at, found.requester) == (at("2026-03-02T01:40:00Z"), None)
    as_text = payloads.glpi(team='[{"id": "78", "type": "User", "role": "requester"}]')
    assert report("glpi", as_text).requester_id == "78"
    assert report("glpi", payloads.glpi(team=[{"id": 79, "role": 1}])).requester_id == "79"
    assert report("glpi", payloads.glpi(team="{{ item.team }}")).requester is None


def test_glpi_says_nothing_of_followups_and_deleted_tickets() -> None:
    followup = {"event": "new", "item": {"id": 3, "itemtype": "Ticket", "items_id": 4711, "content": "…"}}
    assert read("glpi", followup).ignored == "event"
    assert read("glpi", payloads.glpi() | {"event": "delete"}).ignored == "deleted"
    assert read("glpi", payloads.glpi(is_deleted=True)).ignored == "deleted"


def test_generic() -> None:
    assert report("generic", payloads.generic()) == TicketReported(
        source="generic-main",
        ticket="T-1",
        state="closed",
        at=at("2026-03-02T01:45:20Z"),
        facts=TicketFacts(
            category="network", priority="2", customer="ACME", group="Service desk", agent="Wei Li", tags=("vpn",)
        ),
        requester=Requester(id="u-1", name="王芳", email="fang@example.cn", phone="13800138000", locale="zh-CN"),
        requester_id="u-1",
    )


def test_generic_in_the_envelope_of_standard_webhooks() -> None:
    assert report("generic", {"type": "ticket.closed", "data": payloads.generic()}).ticket == "T-1"
    assert report("generic", payloads.generic(state="重新打开")).state == "open"
    assert report("generic", payloads.generic(closed_by="auto")).facts.closed_by == "auto"
    assert report("generic", payloads.generic(closed_by="somebody")).facts.closed_by == "agent"


@pytest.mark.parametrize("system", SYSTEMS)
def test_row_17_further_fields_pass(system: str) -> None:
    assert read(system, SYSTEMS[system]() | {"further": {"field": [1]}}).reports


@pytest.mark.parametrize(
    ("system", "payload", "field"),
    [
        ("jira", payloads.jira() | {"issue": {"id": "1"}}, "ticket"),
        ("jira", payloads.jira(status=None), "state"),
        ("jira", payloads.jira(resolutiondate=None, updated=None), "at"),
        ("jira", payloads.jira(resolutiondate="2026-02-30T00:00:00.000+0000"), "at"),
        ("servicenow", {}, "ticket"),
        ("zendesk", payloads.zendesk(id=None), "ticket"),
        ("zammad", payloads.zammad(close_at="2026-03-02 01:34:30"), "at"),
        ("glpi", payloads.glpi(status=None), "state"),
        ("glpi", payloads.glpi(id="{{ item.id }}"), "ticket"),
        ("generic", payloads.generic(state=None), "state"),
        ("generic", payloads.generic(at=None), "at"),
        ("generic", payloads.generic(at="2026-03-02T09:45:20"), "at"),
        ("generic", {"data": [payloads.generic()] * 101}, "records"),
        ("generic", [], "ticket"),
        ("generic", "text", "ticket"),
        ("generic", None, "ticket"),
    ],
)  # fmt: skip
def test_row_17_a_missing_or_impossible_field_is_named(system: str, payload: Any, field: str) -> None:
    with pytest.raises(UnmappableError) as refusal:
        read(system, payload)
    assert refusal.value.field == field


def test_row_17_a_state_that_nobody_knows_says_nothing() -> None:
    assert read("generic", payloads.generic(state="hovering")).ignored == "state"


def test_long_words_are_cut_and_long_lists_too() -> None:
    found = report("generic", payloads.generic(category="x" * 300, tags=[str(number) for number in range(99)]))
    assert found.facts.category == "x" * 200
    assert len(found.facts.tags) == 50


MINIMAL = """
title: Minimal
ticket: id
state: [{value: status, closed: [done], otherwise: open}]
at: {closed: when, open: when}
"""


def test_a_mapping_of_one_s_own_needs_little() -> None:
    (found,) = (
        parse_mapping(MINIMAL, "own.yaml").read({"id": 7, "status": "DONE", "when": 1772416800}, "own", Z).reports
    )
    assert found == TicketReported(source="own", ticket="7", state="closed", at=at("2026-03-02T02:00:00Z"))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (MINIMAL.replace("title: Minimal", ""), "title"),
        (MINIMAL + "colour: red", "colour"),
        (MINIMAL + "title: again", "title"),
        (MINIMAL.replace("ticket: id", "ticket: 'a..b'"), "a..b"),
        (MINIMAL + "facts: {closed_by: status}", "closed_by"),
        (MINIMAL + "facts: {closed_by: {value: status, map: {x: robot}, otherwise: agent}}", "closed_by"),
        (MINIMAL + "zone: [", "own.yaml"),
        (MINIMAL.replace("otherwise: open", "otherwise: ajar"), "ajar"),
        ("- a list", "own.yaml"),
        ("!!python/object:os.system {}", "own.yaml"),
    ],
)
def test_a_wrong_mapping_is_refused_and_the_place_named(text: str, word: str) -> None:
    with pytest.raises(MappingError, match=r"own\.yaml") as refusal:
        parse_mapping(text, "own.yaml")
    assert word in str(refusal.value)
