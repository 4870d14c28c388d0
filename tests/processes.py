"""Child processes that never outlive the tests, whatever ends them: an error, Ctrl-C, or a kill."""

import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Runs in the child before the program: becomes the user, asks Linux to send the signal when the parent dies (in this
# order, since a change of user undoes the wish; `preexec_fn` may not be used beside threads), becomes the program.
_TIE = """
import ctypes, os, sys
sign, parent, user, group, *command = sys.argv[1:]
if user:
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(sign))
if os.getppid() != int(parent):
    sys.exit(1)
os.execvp(command[0], command)
"""


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    account: pwd.struct_passwd | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    farewell: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own, so that Ctrl-C reaches the tests alone, who then stop it in order.

    It runs as `account` (the same as the tests by default), gets `farewell` when the test process dies, and writes
    its output to `log`.
    """
    user, group = ("", "") if account is None else (str(account.pw_uid), str(account.pw_gid))
    tie = [sys.executable, "-I", "-S", "-c", _TIE, str(int(farewell)), str(os.getpid()), user, group]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*tie, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=None if environment is None else dict(environment),
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], sign: signal.Signals = signal.SIGTERM, patience: float = 10) -> int:
    """Ends a process: asks by `sign`, kills after `patience` seconds. Returns its exit status."""
    if process.poll() is None:
        process.send_signal(sign)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
