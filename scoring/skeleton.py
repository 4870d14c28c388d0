"""A page that is printed once and then only filled in: bytes with a few places. Pure."""

import re
from collections.abc import Mapping
from typing import Final

# Private characters: no text of a policy can contain them by accident, and HTML lets them pass.
_OPEN: Final = "\ue000"
_CLOSE: Final = "\ue001"
_MARKED = re.compile(f"{_OPEN}([a-z0-9_-]+){_CLOSE}")


def place(name: str) -> str:
    """What stands in a page where `name` will be filled in."""
    return f"{_OPEN}{name}{_CLOSE}"


class Skeleton:
    """A page cut at its places."""

    def __init__(self, text: str) -> None:
        parts = _MARKED.split(text)
        self._fixed = [part.encode() for part in parts[::2]]
        self._places = parts[1::2]

    def fill(self, values: Mapping[str, str]) -> bytes:
        """The page; what a place has no value for stays empty. Values are HTML already."""
        encoded = {name: value.encode() for name, value in values.items()}
        filled = self._fixed[:1]
        for name, fixed in zip(self._places, self._fixed[1:], strict=True):
            filled += (encoded.get(name, b""), fixed)
        return b"".join(filled)
