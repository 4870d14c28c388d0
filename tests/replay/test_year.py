"""12,461 real incidents through real Kafka on a driven clock: each day shuffled, every tenth event sent twice, and the
process killed twenty times. What comes of it is held, row by row, against a count of the file alone."""

import asyncio
import itertools
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from services.contracts.topics import ITSM
from services.kafka import Outgoing, Producer
from services.settings import Settings
from tests.conftest import KEYRING, ROOT
from tests.replay.log import UNKNOWN, Closed, Row, closures, read

KILLS = 20
DAY = timedelta(days=1)
ROUND_SECONDS = 120
LIMIT, WINDOW = 5, timedelta(days=14)

DECIDED = "select ticket, closure, closed_at, reopened_at, outcome, reason from scheduler.closure"
SURVEYS = "select ticket, closure, person, asked_at, state from scheduler.survey"
PROGRESS = """select (select count(*) from ingest.closure where heard_at is not null) as heard,
    (select count(*) from ingest.closure) as closures,
    (select coalesce(sum(json_array_length(moves::json)), 0) from ingest.ticket) as moves"""

Key = tuple[str, int]


class Rooms:
    """The process that is killed: ingest and scheduler on a clock that stands in a file."""

    def __init__(self, folder: Path, database_url: str, kafka: str) -> None:
        policy = (ROOT / "policies" / "itss-incident.yaml").read_text(encoding="utf-8")
        policies = folder / "policies"
        policies.mkdir()
        (policies / "incident.yaml").write_text(
            policy.replace("effective: 2026-01-01", "effective: 2016-01-01"), "utf-8"
        )
        self._clock = folder / "clock"
        self._log = folder / "rooms.log"
        self._environment = {
            **os.environ,
            "HUIFANG_DATABASE_URL": database_url,
            "HUIFANG_KAFKA": kafka,
            "HUIFANG_KEYRING": KEYRING,
            "HUIFANG_POLICIES": str(policies),
            "HUIFANG_SWEEP_PATIENCE": "PT20S",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def set_clock(self, now: datetime) -> None:
        draft = self._clock.with_suffix(".draft")
        draft.write_text(now.isoformat())
        draft.replace(self._clock)

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "tests.replay.rooms", port, str(self._clock)]
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def check(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2000:]


def rounds(incidents: dict[str, list[Row]]) -> Iterator[tuple[datetime, list[Row]]]:
    """The log by days, each with the moment at which it is over."""
    rows = sorted((row for held in incidents.values() for row in held), key=lambda row: row.at)
    for day, held in itertools.groupby(rows, key=lambda row: row.at.date()):
        yield datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY, list(held)


def shuffled(rows: list[Row], chance: random.Random) -> list[Row]:
    """The rows in any order, every tenth of them twice."""
    sent = [*rows, *rows[::10]]
    chance.shuffle(sent)
    return sent


@pytest.mark.timeout(1500)
@pytest.mark.real_kafka
async def test_a_year_under_fire(
    shared: Path,
    database_url: str,
    kafka: str,
    settings: Settings,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    incidents = read(shared / "data" / "uci_incident_event_log.csv.gz")
    expected = {(each.incident, each.number): each for rows in incidents.values() for each in closures(rows)}
    seed = random.randrange(2**32)
    record_property("seed", seed)
    chance = random.Random(seed)
    days = list(rounds(incidents))
    fatal = set(chance.sample(range(len(days)), KILLS))
    rooms, producer = Rooms(tmp_path, database_url, kafka), Producer(settings)
    connection = await asyncpg.connect(database_url)
    sent: dict[str, list[Row]] = defaultdict(list)
    rooms.set_clock(days[0][0])
    rooms.start()
    try:
        for number, (over, rows) in enumerate(days):
            rooms.set_clock(over)
            records = [
                Outgoing(ITSM, row.incident.encode(), row.payload(), [("source", b"servicenow")])
                for row in shuffled(rows, chance)
            ]
            await producer.send(records)
            if number in fatal:
                await asyncio.sleep(chance.uniform(0, 0.6))
                rooms.kill()
                rooms.start()
            for row in rows:
                sent[row.incident].append(row)
            await heard(connection, rooms, sent)
        decided = {(row["ticket"], row["closure"]): row for row in await connection.fetch(DECIDED)}
        surveys = await connection.fetch(SURVEYS)
    finally:
        rooms.kill()
        await producer.close()
        await connection.close()
    report = explain(expected, decided, surveys)
    record_property("report", dict(report))
    assert sum(report.values()) == len(expected)


async def heard(connection: asyncpg.Connection, rooms: Rooms, sent: dict[str, list[Row]]) -> None:
    """Returns when everything that was sent is in the database, and what follows from it is decided."""
    moves = sum(len({(row.at, row.state in ("Resolved", "Closed")) for row in rows}) for rows in sent.values())
    number = sum(1 for rows in sent.values() for _ in closures(rows))
    deadline = time.monotonic() + ROUND_SECONDS
    while True:
        row = await connection.fetchrow(PROGRESS)
        assert row is not None
        if (row["moves"], row["closures"], row["heard"]) == (moves, number, number):
            return
        rooms.check()
        assert row["moves"] <= moves, (dict(row), moves)
        assert time.monotonic() < deadline, (dict(row), moves, number)
        await asyncio.sleep(0.03)


def explain(
    expected: dict[Key, Closed], decided: dict[Key, asyncpg.Record], surveys: list[asyncpg.Record]
) -> Counter[str]:
    """Every closure with the reason for what became of it, each checked against the file. Raises on a surprise."""
    assert decided.keys() == expected.keys()
    asked = {(row["ticket"], row["closure"]): row for row in surveys}
    assert len(asked) == len(surveys), "a closure has two surveys"
    by_person: dict[object, list[datetime]] = defaultdict(list)
    for row in surveys:
        if row["asked_at"] is not None:
            by_person[row["person"]].append(row["asked_at"])
    for moments in by_person.values():
        within_limit(sorted(moments))
    report: Counter[str] = Counter()
    for key, closed in expected.items():
        row = decided[key]
        assert (row["closed_at"], row["reopened_at"]) == (closed.at, closed.reopened_at), key
        assert (key in asked) == (row["outcome"] == "survey"), key
        if closed.caller == UNKNOWN:
            assert row["reason"] in ("no_contact", "reopened"), (key, dict(row))
        elif row["outcome"] == "skip":
            assert row["reason"] in ("person_limit", "reopened"), (key, dict(row))
        if row["reason"] == "reopened":
            assert closed.reopened_at is not None, key
        if key in asked and closed.reopened_at is not None:
            assert asked[key]["state"] in ("cancelled", "expired", "unreachable"), (key, dict(asked[key]))
        report[f"{row['outcome']}: {row['reason']}"] += 1
    return report


def within_limit(moments: list[datetime]) -> None:
    """At most five first contacts of a person in any fourteen days."""
    for first, sixth in zip(moments, moments[LIMIT:], strict=False):
        assert sixth - first >= WINDOW - timedelta(hours=12), (first, sixth)
