import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services.embedded.folder import SOURCES, FolderTaken, default_path, open_folder, write_whole
from services.errors import ConfigurationError
from services.seal import KeyRing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_first_start_makes_the_keys_and_later_ones_keep_them(tmp_path: Path) -> None:
    with open_folder(tmp_path / "data") as first:
        pass
    with open_folder(tmp_path / "data") as second:
        assert second == first
    assert tuple(first.source_secrets) == SOURCES
    secrets = [first.admin_key, *first.source_secrets.values()]
    assert len(set(secrets)) == 1 + len(SOURCES)
    assert all(len(base64.b64decode(secret, validate=True)) == 32 for secret in secrets)
    KeyRing(first.keyring)


def test_scripts_find_each_secret_in_its_file_and_nobody_else_reads_it(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        assert (tmp_path / "admin.key").read_text() == folder.admin_key
        for name, secret in folder.source_secrets.items():
            assert (tmp_path / "sources" / f"{name}.secret").read_text() == secret
    assert {mode(path) for path in tmp_path.rglob("*") if path.is_file()} == {0o600}


def test_a_second_process_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    hold = "import sys; from pathlib import Path; from services.embedded.folder import open_folder\n"
    hold += "with open_folder(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(FolderTaken, match=rf"process {other.pid}\b"), open_folder(tmp_path):
            pass
        other.kill()
    with open_folder(tmp_path):
        pass


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with open_folder(tmp_path):
        pass
    (tmp_path / "admin.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"), open_folder(tmp_path):
        pass


def test_a_secret_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with open_folder(tmp_path):
        pass
    write_whole(tmp_path / "sources/jira.secret", "changeme\n")
    with pytest.raises(ConfigurationError, match=r"jira\.secret.*24"), open_folder(tmp_path):
        pass


def test_a_draft_left_by_a_killed_process_of_the_same_number_does_not_stand_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "admin.key"
    path.with_name(f".admin.key.{os.getpid()}").write_text("half a key")
    write_whole(path, "whole")
    assert path.read_text() == "whole"
    assert [each.name for each in tmp_path.iterdir()] == ["admin.key"]


def test_the_default_is_below_the_users_data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "huifang"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/invalid")
    assert default_path() == Path.home() / ".local/share/huifang"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_path() == Path.home() / ".local/share/huifang"
