import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.statements import Statements

Load = Callable[[str], Statements]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    def load(text: str) -> Statements:
        folder = tmp_path / "cellar"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "store.sql").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        return Statements("cellar")

    yield load
    sys.modules.pop("cellar", None)


def test_statements_are_found_by_their_names(load: Load) -> None:
    found = load("-- For readers.\n\n-- name: one\n-- The one.\nselect 1;\n\n-- name: two\n-- Another.\nselect 2\n")
    assert dict(found) == {"one": "-- The one.\nselect 1", "two": "-- Another.\nselect 2"}
    assert len(found) == 2
    with pytest.raises(KeyError):
        found["three"]


def test_a_statement_can_stand_for_every_room(load: Load) -> None:
    found = load("-- name: count\n-- How many.\nselect count(*) from {room}.outbox;\n")
    assert found.of("count", "ingest").endswith("from ingest.outbox")
    with pytest.raises(ValueError, match="no room"):
        found.of("count", "ingest; drop table")


def test_a_folder_of_files_is_read_as_one(load: Load, tmp_path: Path) -> None:
    load("-- name: unread\n-- Not in the folder.\nselect 0\n")
    store = tmp_path / "cellar" / "store"
    store.mkdir()
    (store / "people.sql").write_text("-- name: two\n-- Another.\nselect 2;\n")
    (store / "closures.sql").write_text("-- name: one\n-- The one.\nselect 1;\n")
    assert list(Statements("cellar")) == ["one", "two"]


def test_a_name_given_twice_is_refused(load: Load) -> None:
    with pytest.raises(ValueError, match=r"cellar/store\.sql names one twice"):
        load("-- name: one\n-- A.\nselect 1;\n-- name: one\n-- B.\nselect 2;\n")


def test_the_frame_describes_each_of_its_statements() -> None:
    for name, text in Statements("services").items():
        assert text.startswith("-- "), name
        assert text.partition("\n")[2], name
