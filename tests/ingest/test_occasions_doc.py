"""`docs/occasions.md` is true: its command works, its table is read, and its words are those of the code."""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from ingest.handlers import sweep_reports
from services.auth import Role, install_key
from services.contracts.customers import OWN_KINDS, OccasionReported, read_kind
from services.contracts.language.asking import On
from services.contracts.sheet import fold
from services.contracts.ticket_file import COLUMNS, read_tickets
from services.house import House
from tests.ingest.test_occasions import swept
from tests.ingest.test_sources_doc import address as address

TEXT = (Path(__file__).parents[2] / "docs/occasions.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


async def test_the_command_reports_an_occasion(house: House, address: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    async with house.database.transaction("ingest") as transaction:
        await install_key(transaction, "crm", Role.integration, "hf_crm")
    command = COMMANDS[0].replace("curl ", "curl --silent --show-error --max-time 20 ", 1)
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HUIFANG": address, "KEY": "hf_crm", "no_proxy": "*"}
    process = await asyncio.create_subprocess_exec(
        "bash", "-ec", command, env=environment, stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await process.communicate()
    assert json.loads(answer) == {"status": "accepted", "accepted": 1}
    (report,) = (await swept(house, sweep_reports)).said
    assert isinstance(report, OccasionReported)
    assert (report.subject, report.facts.project) == ("crm/project accepted/P-7", "P-7")
    assert report.contact is not None


def test_the_table_is_read() -> None:
    (table,) = re.findall(r"```csv\n(.*?)```", TEXT, re.DOTALL)
    found = read_tickets(table.encode(), ZoneInfo("Asia/Shanghai"))
    assert found.findings == ()
    assert [(each.on, each.ticket, each.closure) for each in found.closings] == [
        ("ticket closed", "T-1", 1),
        ("ticket closed", "T-1", 2),
        ("project accepted", "P-7", 1),
    ]
    assert (found.left_open, found.unknown) == (1, ())


def test_the_policy_s_words_and_those_that_are_none_are_told() -> None:
    for kind in {*get_args(On), *OWN_KINDS} - {"occasion"}:
        assert read_kind(kind) == kind
        assert f"`{kind}`" in TEXT


def test_every_column_is_told_and_no_synonym_is_made_up() -> None:
    rows = [line.split("|") for line in TEXT.partition("| column |")[2].splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert told == {*COLUMNS}
    known = {fold(word) for name, words in COLUMNS.items() for word in (name, *words)}
    for row in rows:
        if "closed_by" not in row[1]:
            words = re.split(r"[,;]\s*", re.sub(r"\(.*?\)", "", row[2]))
            assert {fold(word) for word in words if word.strip()} <= known, row
