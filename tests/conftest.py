"""What tests stand on: a real PostgreSQL, a real Kafka where Java and Maven are, a clock that stands still.

Every test has a database of its own, cloned from a migrated template, and finds the flow's topics empty.
"""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from services import logs
from services.clock import DrivenClock
from services.contracts.topics import topics
from services.database import Database
from services.embedded.broker import open_broker
from services.house import House
from services.migrate import migrate
from services.seal import KeyRing, Seal
from services.settings import Settings
from tests.kafka import server
from tests.kafka.topics import PARTITIONS, renew
from tests.postgres import PostgreSQL

ROOT = Path(__file__).parents[1]
MONDAY_TEN_IN_SHANGHAI = datetime(2026, 3, 2, 2, tzinfo=UTC)
KEYRING = ",".join(f"{name}:{base64.b64encode(name.encode().ljust(32, b'.')).decode()}" for name in ("test", "index"))
TEMPLATE = "huifang_template"
NOWHERE = "127.0.0.1:1"

_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        choices=("auto", "real", "embedded"),
        default="auto",
        help="Broker of the tests; auto: Apache Kafka where Java 17 and Maven are, else the embedded broker.",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_kafka: needs Apache Kafka itself; skipped on the embedded broker")


def pytest_report_header(config: pytest.Config) -> str:
    return f"kafka: {_loudly(config) or 'Apache Kafka from its jars (deploy/kafka)'}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if warning := _loudly(config):
        terminalreporter.section("not on Apache Kafka", yellow=True, bold=True)
        terminalreporter.line(warning, yellow=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if why := _why_embedded(config):
        for item in items:
            if item.get_closest_marker("real_kafka"):
                item.add_marker(pytest.mark.skip(reason=f"needs Apache Kafka: {why}"))


def _loudly(config: pytest.Config) -> str | None:
    why = _why_embedded(config)
    return why and f"!!! EMBEDDED BROKER, not Apache Kafka: {why}. Tests marked real_kafka are skipped. !!!"


def _why_embedded(config: pytest.Config) -> str | None:
    wanted = config.getoption("--kafka")
    if wanted == "embedded":
        return "asked for by --kafka embedded"
    why = server.missing()
    if why is not None and wanted == "real":
        raise pytest.UsageError(f"--kafka real: {why}")
    return why


@pytest.fixture(autouse=True)
def own_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps commands that run inside a test from sending the logs of all later tests to their own standard error."""
    monkeypatch.setattr(logs, "configure", lambda *_: None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """The server; tests that stop or freeze one start their own."""
    with PostgreSQL() as postgres:
        yield postgres


@pytest.fixture(scope="session")
def template(postgres: PostgreSQL) -> str:
    """The name of a database with every migration applied."""
    postgres.execute(f"create database {TEMPLATE}")
    asyncio.run(migrate(postgres.url(TEMPLATE)))
    return TEMPLATE


@pytest.fixture
def database_url(postgres: PostgreSQL, template: str) -> Iterator[str]:
    """A fresh database with the schema of today."""
    name = f"huifang_{next(_numbers)}"
    postgres.execute(f"create database {name} template {template} strategy file_copy")
    yield postgres.url(name)
    postgres.execute(f"drop database {name} with (force)")


@pytest.fixture
def clock() -> DrivenClock:
    """Stands at 10:00 in Shanghai on Monday, 2 March 2026."""
    return DrivenClock(MONDAY_TEN_IN_SHANGHAI)


@pytest.fixture
async def database(database_url: str, clock: DrivenClock) -> AsyncIterator[Database]:
    database = await Database.open(database_url, clock)
    yield database
    await database.close()


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_url: str) -> Settings:
    """Settings with no way out: no mail, no SMS; Kafka only in tests that use the fixture `kafka` too."""
    kafka = request.getfixturevalue("kafka") if "kafka" in request.fixturenames else NOWHERE
    return Settings.model_validate({"database_url": database_url, "kafka": kafka, "keyring": KEYRING})


@pytest.fixture
def house(settings: Settings, clock: DrivenClock, database: Database) -> House:
    return House(settings=settings, clock=clock, database=database, seal=Seal(KeyRing(KEYRING)))


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[server.Kafka]:
    """The node that tests share; those that kill or freeze one start their own."""
    with server.Kafka() as kafka:
        yield kafka


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> Iterator[str]:
    """The bootstrap address of a broker that has the flow's topics, empty, and no consumer groups."""
    names = [name for topic in topics() for name in (topic, f"{topic}.dead")]
    if _why_embedded(request.config):
        with open_broker(dict.fromkeys(names, PARTITIONS)) as bootstrap:
            yield bootstrap
    else:
        apache_kafka: server.Kafka = request.getfixturevalue("apache_kafka")
        renew(apache_kafka.bootstrap, names)
        yield apache_kafka.bootstrap


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `../shared` with real logs and payloads, which is never part of the repository."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs real data in ../shared, which is not here")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium fontconfig fonts-noto-cjk")
    return path
