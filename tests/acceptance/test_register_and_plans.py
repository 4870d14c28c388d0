"""A customer register, an occasion and a survey by the calendar, from a file to the message, an hour in a second."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.acceptance.installation import Installation, eventually, installation

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
POLICY = """\
policy: care
title: {{zh: 客户关怀, en: Customer care}}
approval: {{author: A, reviewer: B, approver: C, effective: 2026-01-01}}
calendar: {{timezone: UTC, workdays: [mon, tue, wed, thu, fri, sat, sun], hours: "00:00-23:59", quiet: "00:00-00:00"}}
questionnaires:
  short:
    title: {{zh: 问卷, en: Questions}}
    purpose: {{zh: 保密，您可以不填写。, en: Confidential; you need not answer.}}
    items:
      - {{id: overall, overall: true, required: true, scale: likert5, text: {{zh: 满意吗？, en: Satisfied?}}}}
surveys:
  project:
    on: project accepted
    ask: {{contacts: {{role: [leader]}}}}
    questionnaire: short
    send: {{after: 1h, within: 2d}}
    steps: [{{first: [email]}}]
  weekly:
    title: {{zh: 每周回访, en: Weekly survey}}
    every: week, on {weekday}
    ask: {{customers: {{tier: [core]}}, contacts: {{role: [leader]}}, most: 1}}
    questionnaire: short
    send: {{within: 2d}}
    steps: [{{first: [email]}}]
plans: {{ready: 1-2 days before, approve: director, coverage: {{share: 50%, active_within: 6 months}}}}
"""
REGISTER = """\
客户编号,客户名称,客户级别,最近业务日期,联系人,邮箱,角色,同意,语言
C-1,示例科技,core,{today},张三,zhang@one.test,leader,email,zh-CN
C-1,示例科技,core,{today},李四,li@one.test,user,email,zh-CN
C-2,Example Two,ordinary,{today},Ann,ann@two.test,leader,email,en
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("register")
    policies = folder / "policies"
    policies.mkdir()
    weekday = WEEKDAYS[(datetime.now(UTC).weekday() + 3) % 7]
    (policies / "care.yaml").write_text(POLICY.format(weekday=weekday), encoding="utf-8")
    with installation(folder / "data", "--speed", "3600", HUIFANG_POLICIES=str(policies)) as running:
        yield running


def import_register(house: Installation, text: str, charset: str = "utf-8", **query: str) -> httpx.Response:
    headers = {**house.key, "content-type": "text/csv"}
    url = f"{house.url}/v1/customers/import"
    return httpx.post(url, params=query, content=text.encode(charset), headers=headers, timeout=20)


def register() -> str:
    return REGISTER.format(today=datetime.now(UTC).date())


def test_a_file_is_tried_first_and_then_taken_whole(house: Installation) -> None:
    assert import_register(house, register(), "gb18030", dry_run="true").status_code == 200
    assert house.get("/v1/customers")["items"] == []
    damaged = import_register(house, register() + "C-3,Three,core,someday,Bob,no address,leader,email,en\n")
    assert damaged.status_code == 422, damaged.text
    assert "line 5" in damaged.text or '"line":5' in damaged.text.replace(" ", "")
    assert house.get("/v1/customers")["items"] == []
    taken = import_register(house, register(), "gb18030")
    assert taken.status_code == 200, taken.text
    assert [each["customer"] for each in house.get("/v1/customers")["items"]] == ["C-1", "C-2"]
    assert "zhang@one.test" not in str(house.get("/v1/customers/C-1"))


def test_when_a_project_is_accepted_its_leader_is_asked(house: Installation) -> None:
    at = datetime.now(UTC).isoformat()
    data = {"source": "crm", "kind": "project accepted", "id": "P-7", "at": at, "facts": {"customer": "C-1"}}
    event = {
        "specversion": "1.0",
        "id": "019cab2c-0000-7000-8000-000000000001",
        "source": "/crm",
        "time": at,
        "type": "huifang.occasion.reported.v1",
        "subject": "crm/project accepted/P-7",
        "data": data,
    }
    answer = httpx.post(f"{house.url}/v1/events", json=event, headers=house.key, timeout=20)
    assert answer.status_code == 202, answer.text
    message = eventually(lambda: house.messages("zhang@one.test"), "a message to the leader")[0]
    assert any("/s/" in link for link in message["links"])
    assert house.messages("li@one.test") == []
    story = house.get("/v1/tickets/crm/project accepted/P-7")
    assert [decision["rule"] for decision in story["decisions"]] == ["care/project"]


@pytest.mark.timeout(300)
def test_a_survey_by_the_calendar_waits_for_its_plan_to_be_approved(house: Installation) -> None:
    plan = eventually(lambda: _plan(house), "a plan is drawn up", 120)
    assert plan["units"]["chosen"] == 1
    before = len(house.messages("zhang@one.test"))
    url = f"{house.url}/v1/plans/{plan['id']}/approve"
    approved = httpx.post(url, json={"note": "as every week"}, headers=house.key, timeout=20)
    assert approved.status_code == 200, approved.text
    eventually(lambda: len(house.messages("zhang@one.test")) > before, "the weekly message", 150)
    assert house.messages("li@one.test") == []
    assert house.messages("ann@two.test") == []
    opened_at = datetime.fromisoformat(house.get(f"/v1/plans/{plan['id']}")["opens_at"])
    contacted_at = eventually(lambda: _contacted_at(house), "the scheduler hears of the weekly message")
    assert datetime.fromisoformat(contacted_at) - opened_at < timedelta(days=2)


def _contacted_at(house: Installation) -> str | None:
    surveys = (each for each in house.get("/v1/surveys")["items"] if each["name"] == "weekly")
    return next((each["contacted_at"] for each in surveys), None)


def _plan(house: Installation) -> dict[str, Any] | None:
    items: list[dict[str, Any]] = house.get("/v1/plans")["items"]
    return items[0] if items else None
