"""`python -m tests.replay.rooms PORT CLOCK`: ingest and scheduler in one process, on a clock that stands in a file."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from ingest.commands import ensure_sources
from services import logs
from services.run import open_house, run_loop, running, stop_on_signal
from services.settings import read_settings


class FileClock:
    """Time as another process writes it into a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.fromisoformat(self._path.read_text()).astimezone(UTC)

    def place(self, at: datetime) -> datetime:
        return at.astimezone(UTC)


async def main(port: int, clock: Path) -> None:
    settings = read_settings()
    logs.configure("WARNING")
    async with open_house(settings, FileClock(clock)) as house:
        async with house.database.transaction("ingest") as transaction:
            await ensure_sources(house, transaction, {"servicenow": "a secret that nobody signs with here"})
        async with running(house, ("ingest", "scheduler"), port):
            await stop_on_signal().wait()


if __name__ == "__main__":
    run_loop(main(int(sys.argv[1]), Path(sys.argv[2])))
