import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.postgres import PostgreSQL

OWNER = """
import sys, time
from tests.postgres import PostgreSQL
with PostgreSQL() as server:
    print(server.pid, server.folder, flush=True)
    time.sleep(120)
"""


def test_every_test_has_a_database_of_its_own(postgres: PostgreSQL, database_url: str) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    postgres.execute("create table mine (a integer)", database=name)
    assert "mine" in postgres.schema(name)
    assert "mine" not in postgres.schema("huifang_template")


def test_a_statement_that_fails_is_told(postgres: PostgreSQL) -> None:
    with pytest.raises(RuntimeError, match="division by zero"):
        postgres.execute("select 1 / 0")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_the_server_does_not_outlive_its_tests(end: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().decode().split()
        owner.send_signal(end)
        owner.wait(20)
        assert _gone(int(pid))
        assert end is signal.SIGKILL or not Path(folder).exists()
        shutil.rmtree(folder, ignore_errors=True)


def test_it_runs_where_its_user_may_not_read_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tests.postgres as module

    wheel = tmp_path / module.WHEEL.name
    wheel.symlink_to(module.WHEEL)
    wheel.with_name(f"{wheel.name}.libs").symlink_to(module.WHEEL.with_name(f"{wheel.name}.libs"))
    tmp_path.chmod(0o700)
    monkeypatch.setattr(module, "WHEEL", wheel)
    with PostgreSQL() as server:
        assert server.execute("select 1") == "1\n"


def test_a_durable_server_keeps_what_it_committed_through_an_immediate_stop() -> None:
    with PostgreSQL(durable=True) as server:
        server.execute("create table kept (a integer)", "insert into kept values (1)")
        server.stop(signal.SIGQUIT)
        server.start()
        assert server.execute("select a from kept", "show fsync") == "1\non\n"


def _gone(pid: int, patience: float = 10) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
