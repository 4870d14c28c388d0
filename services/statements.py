"""Named SQL: a room's `store.sql`, read once, as a mapping from name to statement."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


class Statements(Mapping[str, str]):
    """The statements of `<package>/store.sql`. Each begins with `-- name: …` and a comment line that describes it.

    `{room}` in the frame's own statements stands for a room's schema; `of` fills it in.
    """

    def __init__(self, package: str) -> None:
        text = files(package).joinpath("store.sql").read_text(encoding="utf-8")
        parts = _NAME.split(text)
        if twice := [name for name, times in Counter(parts[1::2]).items() if times > 1]:
            raise ValueError(f"{package}/store.sql names {twice[0]} twice")
        self._statements = {name: body.strip().rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)}

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
