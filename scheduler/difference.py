"""What changed between two versions of a policy, in the policy's own words, and as a difference of the texts."""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any, NamedTuple

from services.contracts.document import read_document

_PLAIN_KEY = re.compile(r"[^\W\d][\w -]*")
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_OTHER_THAN_TEXT = re.compile(
    r"(true|false|null|~|[-+]?(\.inf|\.nan|0x[\da-f_]+|0o[0-7_]+|[\d_]*\.?[\d_]*(e[-+]?\d+)?))?", re.IGNORECASE
)
_NEEDS_QUOTES = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]|^\s|\s$|^[\[{\"'&*!|>%@`#-]|: |, | #|[\[\]{}]")


class Difference(NamedTuple):
    """One place where the versions differ: what stood there, and what stands there now; None: nothing."""

    path: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """`surveys.incident.send.within: 2d → 1d`, with + or - in front of what came or went."""
        if self.before is None:
            return f"+ {self.path}: {self.after}"
        if self.after is None:
            return f"- {self.path}: {self.before}"
        return f"{self.path}: {self.before} → {self.after}"


def differences(before: str, after: str) -> list[Difference]:
    """The places where two policy files say different things, in the order of the files.

    Comments and layout do not count. Things with an `id` are compared by it, other lists of mappings by their place,
    and lists of plain values as a whole. Raises `DocumentError` for what is no policy file.
    """
    old, new = (leaves(read_document(text, "policy").data) for text in (before, after))
    return [
        Difference(path, old.get(path), new.get(path))
        for path in dict.fromkeys([*_merged(list(old), list(new))])
        if old.get(path) != new.get(path)
    ]


def _merged(old: list[str], new: list[str]) -> Iterator[str]:
    """The paths of both: those of the new file in its order, each gone one after what stood before it."""
    kept = set(new)
    gone: dict[str | None, list[str]] = {}
    last: str | None = None
    for path in old:
        if path in kept:
            last = path
        else:
            gone.setdefault(last, []).append(path)
    yield from gone.get(None, ())
    for path in new:
        yield path
        yield from gone.get(path, ())


def leaves(data: Any) -> dict[str, str]:
    """Every value of a file by its path, as text: `surveys.incident.steps[1].reminder`, `….items[speed].scale`."""
    return dict(_leaves(data, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{_key(key)}" if path else _key(key))
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        names = _names(value)
        if names:
            yield f"{path}[]", f"[{', '.join(names)}]"
        for number, each in enumerate(value):
            yield from _leaves(each, f"{path}[{names[number] if names else number + 1}]")
    else:
        yield path, written(value)


def _names(values: list[Any]) -> list[str]:
    """The ids of things in a list, where each has its own."""
    ids = [each.get("id") if isinstance(each, Mapping) else None for each in values]
    found = [each for each in ids if isinstance(each, str) and _NAME.fullmatch(each)]
    return found if len(set(found)) == len(values) else []


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def written(value: Any) -> str:
    """A value in the words of YAML, on one line; two values that differ are never written alike."""
    match value:
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            return "{" + ", ".join(f"{_text(key)}: {written(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


def _text(value: str) -> str:
    if _OTHER_THAN_TEXT.fullmatch(value) or _NEEDS_QUOTES.search(value):
        return json.dumps(value, ensure_ascii=False)
    return value


def text_difference(before: str, after: str, named: tuple[str, str]) -> str:
    """The unified difference of two texts; `named` are their titles. Empty where they are alike."""
    lines = unified_diff(before.splitlines(), after.splitlines(), *named, lineterm="")
    return "\n".join(lines)
