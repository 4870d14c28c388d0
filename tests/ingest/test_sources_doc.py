"""`docs/sources.md` is true: its commands work, its mapping compiles, its examples are understood."""

import asyncio
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import uvicorn

from ingest.app import open_room
from ingest.cloudevent import read_events
from ingest.commands import ensure_sources
from ingest.mapping import parse_mapping
from ingest.store import load_mappings
from services.clock import SystemClock
from services.house import House
from services.pulse import Pulse
from services.web import application
from tests.ingest import payloads
from tests.ingest.webhooks import SECRETS, dump

TEXT = (Path(__file__).parents[2] / "docs/sources.md").read_text(encoding="utf-8")
COMMANDS = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) if "/hooks/" in block]
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
Z = ZoneInfo("UTC")


@pytest.fixture
async def address(house: House) -> AsyncIterator[str]:
    """The room on the machine's own clock, since that is what the commands sign with."""
    house = House(settings=house.settings, clock=SystemClock(), database=house.database, seal=house.seal)
    async with house.database.transaction("ingest") as transaction:
        await ensure_sources(house, transaction, SECRETS)
    async with open_room(house) as room:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            app = application(house, [room], Pulse())
            server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
            serving = asyncio.create_task(server.serve([listening]))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            server.should_exit = True
            await serving


@pytest.mark.parametrize("command", COMMANDS, ids=re.findall(r'HUIFANG/hooks/(\w+)"', "".join(COMMANDS)))
async def test_a_webhook_can_be_signed_with_openssl(command: str, address: str, tmp_path: Path) -> None:
    if not (shutil.which("curl") and shutil.which("openssl")):
        pytest.skip("needs curl and openssl")
    found = re.search(r'/hooks/(\w+)".*@(\w+\.json)', command, re.DOTALL)
    assert found is not None
    name, file = found[1], found[2]
    (tmp_path / f"{name}.secret").write_text(SECRETS[name])
    (tmp_path / file).write_bytes(dump(getattr(payloads, name)()))
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-ec",
        command.replace("curl ", "curl --silent --show-error --max-time 20 ", 1),
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HUIFANG": address, "no_proxy": "*"},
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await process.communicate()
    assert json.loads(answer) == {"status": "accepted"}


def test_every_system_has_a_command() -> None:
    assert {name for command in COMMANDS for name in re.findall(r"/hooks/(\w+)", command)} == set(SECRETS)


def test_the_generic_format_is_understood() -> None:
    reading = load_mappings(None)["generic"].read(EXAMPLES[0], "erp", Z)
    assert [(each.ticket, each.state, each.facts.region) for each in reading.reports] == [("4711", "closed", "East")]


def test_the_canonical_event_is_understood() -> None:
    (report,) = read_events(EXAMPLES[1])
    assert (report.subject, report.facts.category) == (EXAMPLES[1]["subject"], "network")


def test_the_mapping_of_one_s_own_compiles() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    payload = {
        "action": "status",
        "tickets": [{"id": 5, "status": "DONE", "closed_at": "2026-03-02 10:00", "user": {"first": "A", "last": "B"}}],
    }
    (report,) = parse_mapping(text, "erp.yaml").read(payload, "erp", ZoneInfo("Asia/Shanghai")).reports
    assert (report.ticket, report.state, report.at.hour) == ("5", "closed", 2)
    assert report.requester is not None
    assert report.requester.name == "A B"
