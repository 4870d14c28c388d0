"""Servers that stand still: every process of them stopped (SIGSTOP), with their sockets open."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.postgres import PostgreSQL


@contextmanager
def frozen(postgres: PostgreSQL, *, backends_only: bool = False) -> Iterator[None]:
    """Freezes the server for as long as the block lasts; with `backends_only`, new connections still come about."""
    postmaster = psutil.Process(postgres.pid)
    processes = postmaster.children(recursive=True) + ([] if backends_only else [postmaster])
    _tell(processes, signal.SIGSTOP)
    try:
        yield
    finally:
        _tell(processes, signal.SIGCONT)


def _tell(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
