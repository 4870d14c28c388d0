"""`huifang import customers`, and how long and how much memory a large register takes."""

import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import Result

from ingest.commands import EXIT_REFUSED, MOST_FILE_BYTES, import_
from ingest.handlers.customer_import import import_customers
from services.contracts.customer_file import read_customers
from services.errors import ConfigurationError
from services.house import House
from tests.ingest.test_customer_import import TABLE, stored

Import = Callable[..., Awaitable[Result]]

MANY = 60_000
SECONDS = 90
GROWTH = 700 * 1024
"""In KiB."""


@pytest.fixture
def run(command: Callable[..., Result], tmp_path: Path) -> Import:
    """Imports a table from a file. In a thread, because a command has an event loop of its own."""

    async def run(table: str, *words: str) -> Result:
        file = tmp_path / "customers.csv"
        file.write_text(table, "utf-8")
        return await asyncio.to_thread(command, import_, "customers", str(file), *words)

    return run


async def test_a_file_is_imported_and_what_was_done_is_told(house: House, run: Import) -> None:
    dry = await run(TABLE, "--dry-run", "--json")
    assert (dry.exit_code, await stored(house)) == (0, {})
    told = json.loads(dry.stdout)
    assert (told["customers"], told["imported"]) == ({"new": 3, "changed": 0, "same": 0}, False)
    result = await run(TABLE)
    assert result.exit_code == 0, result.output
    assert "'new': 3" in result.stdout
    assert set(await stored(house)) == {"C-1", "C-2", "C-3"}
    again = await run(TABLE, "--json")
    assert json.loads(again.stdout)["people"] == {"new": 0, "changed": 0, "same": 3}


async def test_every_refused_place_is_named_and_nothing_is_imported(house: House, run: Import) -> None:
    wrong = TABLE + "C-9,,sect,,,,,,,,,\n,,,core,,,,,,,,\n"
    result = await run(wrong)
    assert result.exit_code == EXIT_REFUSED
    assert result.stderr.splitlines() == [
        "line 6, column kind: not a kind of customer. Write organisation (企业) or consumer (个人)",
        "line 7, column customer: empty. Give the customer's number on every row",
        "nothing was imported: 2 places are refused",
    ]
    for_machines = await run(wrong, "--json", "--dry-run")
    assert (for_machines.exit_code, for_machines.stderr) == (EXIT_REFUSED, "")
    assert [each["line"] for each in json.loads(for_machines.stdout)["refused"]] == [6, 7]
    assert await stored(house) == {}


async def test_a_wrong_source_or_no_file_is_told(run: Import, command: Callable[..., Result], tmp_path: Path) -> None:
    result = await run(TABLE, "--source", "plan")
    assert isinstance(result.exception, ConfigurationError)
    missing = await asyncio.to_thread(command, import_, "customers", str(tmp_path / "none.csv"))
    assert "cannot be read" in str(missing.exception)
    with (tmp_path / "large.csv").open("wb") as large:
        large.truncate(MOST_FILE_BYTES + 1)
    huge = await asyncio.to_thread(command, import_, "customers", large.name)
    assert "import it in several files" in str(huge.exception)


async def test_a_large_register_is_taken_in_within_time_and_memory(house: House) -> None:
    rows = (
        f"C-{number // 2},Customer {number // 2},core,{number // 2}.5,u-{number},Person {number},u{number}@example.com,"
        f"1380{number:07},leader,email;call"
        for number in range(MANY)
    )
    header = "customer,customer_name,tier,figure:revenue,person,person_name,email,phone,roles,consent"
    table = "\n".join((header, *rows)).encode()
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps: list[int] = []
    async with house.database.transaction("ingest") as transaction:
        imported = await import_customers(house, transaction, read_customers(table), "register", False, steps.append)
    assert imported.findings == []
    assert (imported.customers.new, imported.people.new) == (MANY // 2, MANY)
    assert sum(steps) == MANY // 2
    assert len(steps) > 10
    assert time.monotonic() - begun < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH
