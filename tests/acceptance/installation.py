"""`huifang up` as a user runs it, and what a script may rely on about it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
PATIENCE_SECONDS = 60

Found = TypeVar("Found")


def eventually(look: Callable[[], Found | None], what: str, seconds: float = PATIENCE_SECONDS) -> Found:
    """What `look` finds, as soon as it finds something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class Installation:
    """A running `huifang up` on a folder and a port of its own."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.folder = folder
        self._arguments = arguments
        self._settings = settings
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns when it is ready."""
        log = self.folder.parent / f"{self.folder.name}.log"
        command = [sys.executable, "-m", "services", "up", "--data", str(self.folder), "--port", str(self._port)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                cwd=ROOT,
                env={**os.environ, "LANG": "en_US.UTF-8", **self._settings},
                stdout=output,
                stderr=output,
            )
        eventually(self._ready, f"/readyz answers; see {log}", START_SECONDS)

    def kill(self) -> None:
        """`kill -9`, at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=40)

    @property
    def key(self) -> dict[str, str]:
        """The header that opens REST."""
        return {"authorization": f"Bearer {(self.folder / 'admin.key').read_text().strip()}"}

    def secret(self, source: str) -> str:
        """What the ITSM signs with."""
        return (self.folder / "sources" / f"{source}.secret").read_text().strip()

    def get(self, path: str, **query: str) -> Any:
        """JSON from REST, with the administrator's key."""
        answer = httpx.get(self.url + path, params=query, headers=self.key, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def messages(self, address: str) -> list[dict[str, Any]]:
        """What the mailbox holds for an address or number, oldest first."""
        held: list[dict[str, Any]] = httpx.get(f"{self.url}/mailbox/messages", timeout=20).json()
        return [message for message in held if message["to"] == address]

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = httpx.get(f"{self.url}/metrics", timeout=20).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"`up` ended with {self._process.returncode}"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def installation(folder: Path, *arguments: str, **settings: str) -> Iterator[Installation]:
    """A started installation with these settings in its environment, stopped at the end."""
    running = Installation(folder, *arguments, **settings)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_json(path: Path) -> Any:
    """A payload file."""
    return json.loads(path.read_text(encoding="utf-8"))
