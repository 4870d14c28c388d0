"""`huifang up --sample` as a newcomer runs it: a process of its own, seen from outside."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from services.embedded.folder import open_folder
from services.embedded.up import embedded_settings
from tests.acceptance.installation import ROOT, Installation, eventually, installation

CHEN, WANG, ANNA = "+447700900131", "wang.xiaoming@example.cn", "anna.keller@example.com"
PRIYA, LIN, TOM, ZHAO = "+447700900118", "lin.ruoxi@example.cn", "tom.okafor@example.com", "zhao.min@example.cn"
SUN = "sun.yue@example.cn"
EVERYBODY = {CHEN, WANG, ANNA, PRIYA, LIN, TOM, ZHAO, SUN, "liu.siyuan@example.cn", "claire.dubois@example.com"}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The sample at its own speed."""
    with installation(tmp_path_factory.mktemp("up") / "data", "--sample") as running:
        yield running


def answer(link: str, rating: int) -> httpx.Response:
    """Fills the page in as a browser without JavaScript does."""
    with httpx.Client(timeout=20, trust_env=False, follow_redirects=True) as client:
        page = client.get(link)
        assert page.status_code == 200
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        return client.post(link, data={**hidden, "overall": str(rating)}, headers={"origin": link.partition("/s/")[0]})


def ledger(house: Installation, source: str, ticket: str) -> list[tuple[str, str]]:
    """The decisions on a ticket: outcome and reason."""
    answer = httpx.get(f"{house.url}/v1/tickets/{source}/{ticket}", headers=house.key, timeout=20)
    return [(each["outcome"], each["reason"]) for each in answer.json()["decisions"]] if answer.is_success else []


def everything(house: Installation) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = httpx.get(f"{house.url}/mailbox/messages", timeout=20).json()
    return held


def _at_least(house: Installation, number: int) -> list[dict[str, Any]]:
    messages = everything(house)
    return messages if len(messages) >= number else []


@pytest.mark.parametrize(
    ("to", "channel", "word"),
    [
        (WANG, "email", "请"),
        (ANNA, "email", "request"),
        (CHEN, "sms", "请"),
        (PRIYA, "sms", "request"),
    ],
)
def test_customers_are_asked_in_their_language_by_their_channel(
    house: Installation, to: str, channel: str, word: str
) -> None:
    message = eventually(lambda: house.messages(to), f"a message to {to}")[0]
    assert message["channel"] == channel
    assert word in message["text"]
    assert message["links"][0].startswith(f"{house.url}/s/")
    assert "?" not in message["links"][0]


@pytest.mark.parametrize(
    ("source", "ticket", "reason"),
    [
        ("servicenow", "INC0010024", "no_contact"),
        ("zammad", "20261044", "filtered_out"),
        ("generic", "FX-8802", "filtered_out"),
        ("jira", "OPS-1044", "filtered_out"),
        ("zendesk", "35445", "person_limit"),
    ],
)
def test_who_is_left_out_stands_in_the_ledger(house: Installation, source: str, ticket: str, reason: str) -> None:
    assert eventually(lambda: ledger(house, source, ticket), "a decision") == [("skip", reason)]


def test_a_contact_that_arrives_late_is_asked_after_all(house: Installation) -> None:
    eventually(lambda: house.messages(SUN), "a message to the late contact")
    assert [outcome for outcome, _ in ledger(house, "glpi", "4712")] == ["skip", "survey"]


def test_reopened_before_anybody_was_asked_then_closed_again(house: Installation) -> None:
    first = eventually(lambda: house.messages(LIN), "a message after the second closing")[0]
    story = house.get("/v1/tickets/jira/OPS-1043")
    assert [each["outcome"] for each in story["decisions"]] == ["survey", "survey"]
    cancelled = [move for move in story["history"] if move["to"] == "cancelled"]
    assert len(cancelled) == 1
    assert datetime.fromisoformat(cancelled[0]["at"]) < datetime.fromisoformat(first["sent_at"])


def test_reopened_after_asking_and_closed_again_asks_again(house: Installation) -> None:
    eventually(lambda: len({message["links"][0] for message in house.messages(TOM)}) == 2, "a second survey")


def test_who_does_not_answer_is_reminded_and_who_does_is_not(house: Installation) -> None:
    link = eventually(lambda: house.messages(WANG), "a message")[0]["links"][0]
    assert answer(link, 5).status_code == 200
    eventually(lambda: house.get("/v1/responses", source="jira", ticket="OPS-1042")["items"], "the answer in REST")
    assert house.metric("huifang_responses_total") >= 1
    eventually(lambda: len(house.messages(ANNA)) == 2, "a reminder", 120)
    assert len(house.messages(WANG)) == 1


def test_nobody_gets_the_same_message_twice(house: Installation) -> None:
    eventually(lambda: len(house.messages(CHEN)) == 2, "a reminder", 120)
    same = Counter((message["to"], message["text"]) for message in everything(house))
    assert max(same.values()) == 1


def test_one_person_gets_five_surveys_and_no_more(house: Installation) -> None:
    eventually(lambda: len({message["links"][0] for message in house.messages(ZHAO)}) == 5, "five surveys")


def test_a_second_process_on_the_folder_is_refused_by_name(house: Installation) -> None:
    command = [sys.executable, "-m", "services", "up", "--data", str(house.folder), "--port", "1"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 78
    assert re.search(r"in use: huifang runs on it as process \d+", second.stderr)


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Installation]:
    """The sample, an hour a second, killed at the end if the test has not stopped it."""
    running = Installation(tmp_path / "data", "--sample", "--speed", "3600")
    running.start()
    yield running
    running.kill()


def test_killed_in_the_middle_it_goes_on_where_it_was(killable: Installation) -> None:
    house = killable
    for wanted in (1, 4, 8):
        before = eventually(lambda wanted=wanted: _at_least(house, wanted), "messages")  # type: ignore[misc]
        house.kill()
        house.start()
        after = [each for each in everything(house) if each not in before]
        assert all(each["sent_at"] >= before[-1]["sent_at"] for each in after)
    eventually(lambda: house.messages(TOM), "the story's last closing is asked about", 120)
    eventually(lambda: {each["to"] for each in everything(house)} == EVERYBODY, "everybody is asked", 120)
    same = Counter((message["to"], message["text"]) for message in everything(house))
    assert max(same.values()) == 1
    assert len({message["links"][0] for message in house.messages(CHEN)}) == 1
    assert [outcome for outcome, _ in ledger(house, "jira", "OPS-1043")] == ["survey", "survey"]


def test_a_killed_database_server_is_started_again_and_the_story_goes_on(killable: Installation) -> None:
    seen = eventually(lambda: everything(killable), "messages")
    os.kill(int((killable.folder / "postgres/data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    eventually(lambda: len(_held(killable)) > len(seen), "more messages")
    assert httpx.get(f"{killable.url}/readyz", timeout=20).json()["status"] == "ok"


def _held(house: Installation) -> list[dict[str, Any]]:
    """The mailbox, empty while the database is away."""
    answer = httpx.get(f"{house.url}/mailbox/messages", timeout=20)
    held: list[dict[str, Any]] = answer.json() if answer.is_success else []
    return held


def test_a_stop_in_order_leaves_nothing_running(killable: Installation) -> None:
    note = killable.folder / "postgres/data/postmaster.pid"
    server = psutil.Process(int(note.read_text().split()[0]))
    assert killable.stop() == 0
    assert not server.is_running()
    assert not note.exists()


def test_a_taken_port_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "services", "up", "--data", str(tmp_path / "data"), "--port", port]
        refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 78
    assert f"port {port}" in refused.stderr
    assert "--port" in refused.stderr
    assert not (tmp_path / "data/postgres").exists()


def test_messages_go_to_the_mailbox_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("SMTP_URL", "smtp://mail.example.com"),
        ("SMS_PROVIDER", "twilio"),
        ("SMS_URL", "https://sms.example.com"),
        ("HOST", "0.0.0.0"),
        ("LOG_LEVEL", "ERROR"),
        ("PUBLIC_URL", "https://survey.example.com"),
    ):
        monkeypatch.setenv(f"HUIFANG_{name}", value)
    servers = {"HUIFANG_DATABASE_URL": "postgresql://huifang@/huifang", "HUIFANG_KAFKA": "127.0.0.1:9"}
    with open_folder(tmp_path) as folder, socket.create_server(("127.0.0.1", 0)) as mails:
        settings = embedded_settings(folder, 8000, mails, servers)
        assert settings.smtp_url is not None
        assert settings.smtp_url.get_secret_value() == f"smtp://127.0.0.1:{mails.getsockname()[1]}?tls=none"
    assert settings.sms_provider == "http"
    assert str(settings.sms_url).startswith("http://127.0.0.1:8000/mailbox/sms/")
    assert settings.host == "127.0.0.1"
    assert settings.log_level == "ERROR"
    assert settings.public_url == "https://survey.example.com"
