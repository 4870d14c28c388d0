"""The folder below which embedded mode keeps everything: made at the first start, kept ever after, locked in use."""

import base64
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.errors import ConfigurationError
from services.seal import KeyRing

SOURCES = ("jira", "servicenow", "zendesk", "zammad", "glpi", "generic")
LEAST_SECRET = 24


class FolderTaken(ConfigurationError):
    """Another process works on the folder."""


@dataclass(frozen=True)
class Folder:
    """An open folder with its keys. Everything secret in it is of mode 0600."""

    path: Path
    admin_key: str
    keyring: str
    source_secrets: Mapping[str, str]

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def clock(self) -> Path:
        return self.path / "clock.json"

    @property
    def sample(self) -> Path:
        return self.path / "sample.json"


def default_path() -> Path:
    """`huifang` below `XDG_DATA_HOME`, which is `~/.local/share` unless it is set to an absolute path."""
    data_home = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (data_home if data_home.is_absolute() else Path.home() / ".local/share") / "huifang"


@contextmanager
def open_folder(path: Path | None = None) -> Iterator[Folder]:
    """The folder, locked for this process; what is missing in it is made.

    Raises `FolderTaken` where another process has it, `ConfigurationError` where it cannot be used.
    """
    path = (path or default_path()).expanduser().absolute()
    try:
        # PostgreSQL's account, which is another one when root starts it, has to pass through here; it can list nothing.
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
        with _locked(path):
            yield _furnished(path)
    except PermissionError as error:
        raise ConfigurationError(f"{error.filename}: not permitted; choose another folder with --data") from error


def write_whole(path: Path, text: str, *, durably: bool = True) -> None:
    """Writes a file of mode 0600: it holds all of `text` or what it held before, after a kill or (durably) a crash."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        if durably:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds `lock`, which the kernel takes back whatever ends the process, and leaves the own process id in it."""
    with open(os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = lock.read().strip() or "another process"
            raise FolderTaken(
                f"{path} is in use: huifang runs on it as process {owner}; stop that one, or choose another --data"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _furnished(path: Path) -> Folder:
    (path / "sources").mkdir(mode=0o700, exist_ok=True)
    return Folder(
        path=path,
        admin_key=_kept(path / "admin.key", _secret),
        keyring=_kept(path / "keyring", KeyRing.generate),
        source_secrets={name: _kept(path / "sources" / f"{name}.secret", _secret) for name in SOURCES},
    )


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The text of a secret file, made if it is missing; refused where others could have read it or it is too short."""
    if not path.exists():
        write_whole(path, make())
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{path}: others may read it; renew what is in it, or: chmod 600 {path}")
    text = path.read_text(encoding="utf-8").strip()
    if len(text) < LEAST_SECRET:
        raise ConfigurationError(f"{path}: shorter than {LEAST_SECRET} characters; delete it, and a new one is made")
    return text


def _secret() -> str:
    """32 random bytes in base64: text for most systems, and the key of Standard Webhooks as it stands."""
    return base64.b64encode(secrets.token_bytes(32)).decode()
