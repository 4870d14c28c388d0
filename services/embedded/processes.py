"""Child processes that do not outlive this one, whatever ends it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Runs in the child before the program. It becomes the user, then asks Linux to send a signal when the parent dies (in
# this order: a change of user undoes the wish), then becomes the program. `preexec_fn` may not be used beside threads.
_TIE = """
import ctypes, os, sys
sign, parent, user, group, *command = sys.argv[1:]
if user != "-":
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(sign))
if os.getppid() != int(parent):
    sys.exit(1)
os.execv(command[0], command)
"""


class Account(NamedTuple):
    """Whom a child runs as."""

    user: int
    group: int


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    account: Account | None,
    directory: Path | None = None,
    farewell: signal.Signals = signal.SIGTERM,
) -> "subprocess.Popen[bytes]":
    """Starts `command` in a session of its own, so that Ctrl-C reaches this process alone, which stops it in order.

    It runs as `account` (None: as this process), appends its output to `log`, and gets `farewell` when this process
    dies. Linux ties it to the calling *thread*: call it from one that lives as long as the process does.
    """
    user, group = ("-", "-") if account is None else (str(account.user), str(account.group))
    tie = [sys.executable, "-I", "-S", "-c", _TIE, str(int(farewell)), str(os.getpid()), user, group]
    with open(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as output:
        return subprocess.Popen(  # noqa: S603 (the house's own commands)
            [*tie, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            start_new_session=True,
        )


async def ended(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether the process ends within `seconds`."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
