import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from services.embedded.postgres import SOCKET_BYTES, Server, open_postgres
from services.errors import ConfigurationError
from tests.services.waiting import until

HOLD = """
import asyncio, sys
from pathlib import Path
from services.embedded.postgres import Server

async def main():
    server = Server(Path(sys.argv[1]))
    await server.start()
    print(server.url, server.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@contextmanager
def holder(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str, int]]:
    """Another process with a server on the folder: itself, the server's URL and its number."""
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url, pid = next(line for line in process.stdout if line.startswith(b"postgresql:")).decode().split()
        try:
            yield process, url, int(pid)
        finally:
            process.kill()


async def test_data_outlives_a_stop_and_the_server_does_not(tmp_path: Path) -> None:
    async with open_postgres(tmp_path / "postgres") as url:
        await ask(url, "create table kept as select 42 as answer")
        assert await ask(url, "select current_setting('fsync') || current_setting('synchronous_commit')") == "onon"
        assert await ask(url, "select current_setting('server_version_num')::int / 10000") == 18
    with pytest.raises(OSError, match=r"PGSQL|No such file"):
        await ask(url, "select 1")
    async with open_postgres(tmp_path / "postgres") as url:
        assert await ask(url, "select answer from kept") == 42


async def test_only_its_own_account_and_root_reach_the_socket(tmp_path: Path) -> None:
    async with open_postgres(tmp_path / "postgres") as url:
        folder = tmp_path / "postgres"
        assert stat.S_IMODE((folder / ".s.PGSQL.5432").stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert await ask(url, "select current_setting('listen_addresses')") == ""
        account = (folder / "data").stat().st_uid
        assert account != 0
        assert os.geteuid() in (0, account)


async def test_killed_parent_takes_the_server_along_and_the_next_one_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    with holder(folder) as (parent, url, pid):
        await ask(url, "create table kept as select generate_series(1, 1000) as number")
        parent.kill()
        async with open_postgres(folder) as again:
            assert await ask(again, "select count(*) from kept") == 1000
            assert is_gone(pid)


async def test_a_server_that_outlived_its_parent_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    with holder(folder) as (parent, url, pid):
        await ask(url, "create table kept as select 42 as answer")
        # A stopped parent stands for a system where no signal tells the server that its parent has died.
        parent.send_signal(signal.SIGSTOP)
        async with open_postgres(folder) as again:
            assert await ask(again, "select answer from kept") == 42
            assert is_gone(pid)


async def test_a_stale_note_with_a_number_that_another_process_has_now(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with open_postgres(folder) as url:
        await ask(url, "create table kept as select 42 as answer")
        note = (folder / "data/postmaster.pid").read_text()
    stranger = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    (folder / "data/postmaster.pid").write_text(f"{stranger.pid}\n{note.partition(chr(10))[2]}")
    async with open_postgres(folder) as url:
        assert await ask(url, "select answer from kept") == 42
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()


async def test_a_killed_server_comes_back_at_the_same_address(tmp_path: Path) -> None:
    async with open_postgres(tmp_path / "postgres") as url:
        await ask(url, "create table kept as select 42 as answer")
        pid = int((tmp_path / "postgres/data/postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

        async def answers() -> bool:
            try:
                return await ask(url, "select answer from kept") == 42
            except (OSError, asyncpg.PostgresError):
                return False

        await until(answers)


async def test_an_interrupted_creation_is_begun_anew(tmp_path: Path) -> None:
    draft = tmp_path / "postgres/data.draft"
    (draft / "base").mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    async with open_postgres(tmp_path / "postgres") as url:
        assert await ask(url, "select 1") == 1
    assert not draft.exists()


async def test_a_cluster_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres/data").mkdir(parents=True)
    (tmp_path / "postgres/data/PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match="is of PostgreSQL 16"):
        async with open_postgres(tmp_path / "postgres"):
            pass


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    async with open_postgres(tmp_path / "postgres"):
        pass
    (tmp_path / "postgres/data/postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ConfigurationError, match="no_such_setting"):
        async with open_postgres(tmp_path / "postgres"):
            pass


async def test_a_folder_too_deep_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * (SOCKET_BYTES // 4)) / "postgres"
    async with open_postgres(folder) as url:
        assert await ask(url, "select 1") == 1
        elsewhere = str(await ask(url, "select current_setting('unix_socket_directories')"))
        assert elsewhere not in map(str, folder.parents)
    assert not os.path.exists(elsewhere)  # noqa: ASYNC240


async def test_stopping_is_quick_with_a_client_connected(tmp_path: Path) -> None:
    server = Server(tmp_path / "postgres")
    await server.start()
    connection = await asyncpg.connect(server.url)
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 5
    connection.terminate()
