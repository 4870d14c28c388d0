"""Named SQL: a room's `store.sql`, or the files of its folder `store/`, read once, as a mapping from name to text."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


class Statements(Mapping[str, str]):
    """The statements of `<package>/store.sql` or `<package>/store/*.sql`.

    Each begins with `-- name: …` and a comment line that describes it.
    `{room}` in the frame's own statements stands for a room's schema; `of` fills it in.
    """

    def __init__(self, package: str) -> None:
        named = [each for file in _files(package) for each in _read(file)]
        if twice := [name for name, times in Counter(name for name, _ in named).items() if times > 1]:
            raise ValueError(f"{package}/store.sql names {twice[0]} twice")
        self._statements = dict(named)

    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)

    def of(self, name: str, room: str) -> str:
        """The statement for a room's own tables."""
        if not room.isidentifier():
            raise ValueError(f"{room!r} is no room")
        return self._statements[name].replace("{room}", room)


def _files(package: str) -> list[Traversable]:
    folder = files(package).joinpath("store")
    if not folder.is_dir():
        return [files(package).joinpath("store.sql")]
    return sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)


def _read(file: Traversable) -> Iterator[tuple[str, str]]:
    parts = _NAME.split(file.read_text(encoding="utf-8"))
    return ((name, body.strip().rstrip(";")) for name, body in zip(parts[1::2], parts[2::2], strict=True))
