"""`huifang import tickets`: what stands in a file is reported, all of it or nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import Result

from ingest import store
from ingest.cloudevent import Reported
from ingest.commands import EXIT_REFUSED, ensure_sources, import_
from ingest.past import look_back
from services.contracts.customers import OccasionReported
from services.contracts.ticket_file import read_tickets
from services.contracts.tickets import TicketClosed, TicketReopened, TicketReported
from services.errors import ConfigurationError
from services.house import House
from tests.ingest.webhooks import SECRETS
from tests.ingest.world import closures, hear, said

Import = Callable[..., Awaitable[Result]]

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
TABLE = """ticket,occasion,opened_at,closed_at,category,email,colour
T-1,,2026-02-01 09:00,2026-02-01 10:00,network,fang@example.cn,red
T-1,,2026-02-02 09:00,2026-02-02 10:00,network,fang@example.cn,red
T-2,,2026-02-03 09:00,,network,,
P-7,project accepted,,2026-02-04 10:00,,,
"""


@pytest.fixture
def run(command: Callable[..., Result], tmp_path: Path) -> Import:
    """Imports a table from a file. In a thread, because a command has an event loop of its own."""

    async def run(table: str | bytes, *words: str) -> Result:
        file = tmp_path / "tickets.csv"
        file.write_bytes(table if isinstance(table, bytes) else table.encode())
        return await asyncio.to_thread(command, import_, "tickets", str(file), *words)

    return run


async def promised(house: House) -> list[Reported]:
    async with house.database.transaction("ingest") as transaction:
        return [report for _, report in await store.claim_overdue_reports(transaction, timedelta(), 100)]


async def furnish(house: House) -> None:
    async with house.database.transaction("ingest") as transaction:
        await ensure_sources(house, transaction, SECRETS)


def test_what_was_closed_opened_again_and_happened_is_reported() -> None:
    past = look_back(read_tickets(TABLE.encode(), UTC), "erp", NOW, lambda at: at, "CN")
    told = [(each.TYPE, each.at.day) for each in past.reports]
    ticket, occasion = TicketReported.TYPE, OccasionReported.TYPE
    assert told == [(ticket, 1), (ticket, 2), (ticket, 2), (occasion, 4)]
    assert past.findings == ()
    assert past.summary() == {
        "tickets": 1,
        "closings": 2,
        "reopenings": 1,
        "occasions": 1,
        "left_open": 1,
        "since": "2026-02-01 10:00+00:00",
        "until": "2026-02-04 10:00+00:00",
        "unread_columns": ["colour"],
        "refused": [],
    }


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("T-1,2026-03-03 10:00,,", "Closed-At"),
        ("T-1,1999-12-31 10:00,,", "Closed-At"),
        ("T-1,2026-02-01 10:00,fang@,", "email"),
        ("T-1,2026-02-01 10:00,,123", "phone"),
        ("T-1,yesterday,,", "Closed-At"),
    ],
)
def test_one_row_that_cannot_be_believed_refuses_the_file(row: str, column: str) -> None:
    table = f"ticket,Closed-At,email,phone\nT-0,2026-02-01 10:00,,\n{row}\n"
    past = look_back(read_tickets(table.encode(), UTC), "erp", NOW, lambda at: at, "CN")
    assert past.reports == ()
    (finding,) = past.findings
    assert (finding.line, finding.column) == (3, column)
    assert finding.remedy


async def test_a_file_is_reported_in_the_source_s_zone_and_twice_has_no_effect_twice(house: House, run: Import) -> None:
    await furnish(house)
    result = await run(TABLE, "--source", "generic", "--timezone", "Asia/Shanghai", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["closings"], summary["occasions"], summary["reported"]) == (2, 1, True)
    assert summary["since"] == "2026-02-01 02:00+00:00"
    reports = await promised(house)
    assert len(reports) == 4
    assert all(report.requester is None for report in reports)
    first = await hear(house, *reports)
    assert len(said(first, TicketClosed)) == 2
    assert len(said(first, TicketReopened)) == 1
    assert [row[2] for row in await closures(house)] == [1, 2]
    assert (await run(TABLE, "--source", "generic", "--timezone", "Asia/Shanghai")).exit_code == 0
    assert (await hear(house, *await promised(house))).said == []


async def test_a_dry_run_reports_nothing(house: House, run: Import) -> None:
    await furnish(house)
    result = await run(TABLE, "--source", "generic", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "closings=2" in result.stdout
    assert "reported=False" in result.stdout
    assert await promised(house) == []


async def test_refused_rows_are_named_and_nothing_is_reported(house: House, run: Import) -> None:
    await furnish(house)
    result = await run(TABLE + "T-9,,,soon,,,\nT-8,,,2026-02-01 10:00,,a@b,\n", "--source", "generic")
    assert result.exit_code == EXIT_REFUSED
    assert "line 6, column closed_at: 'soon' is no time" in result.stderr
    assert "line 7, column email: " in result.stderr
    assert await promised(house) == []


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["--source", "erp"], "no source 'erp'"),
        (["--source", "Not A Name", "--timezone", "UTC"], "no name for a source"),
        (["--source", "plan", "--timezone", "UTC"], "no name for a source"),
        (["--source", "generic", "--timezone", "Asia/NoWhere"], "no time zone"),
    ],
)
async def test_a_source_or_zone_that_is_none_is_named(house: House, run: Import, words: list[str], word: str) -> None:
    error = (await run(TABLE, *words)).exception
    assert isinstance(error, ConfigurationError)
    assert word in str(error)


async def test_the_real_log_is_reported(house: House, run: Import, shared: Path) -> None:
    await furnish(house)
    log = (shared / "data" / "uci_incident_event_log.csv.gz").read_bytes()
    result = await run(log, "--source", "servicenow", "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["tickets"] + summary["left_open"], summary["refused"]) == (12_461, [])
