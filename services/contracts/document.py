"""A YAML 1.2 file as plain data that remembers where everything stands, so that errors can say line and column.

Refused, because a reader would be misled or a machine harmed: duplicate keys, anchors and aliases, tags, merge keys,
tabs, keys that are not words, more than one document, deep nesting, and files over a megabyte.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LARGEST = 1_000_000
DEEPEST = 40

Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_PLAIN = {_TAG + kind for kind in ("null", "bool", "int", "float", "str", "timestamp", "map", "seq")}
_SIMPLER = "Write the value itself where it is needed"


class Place(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


class Finding(NamedTuple):
    """One thing that is wrong in a file: where, what, and what to do about it."""

    place: Place
    message: str
    remedy: str


class Document(NamedTuple):
    """Plain data (dict, list, str, int, float, bool, None), and where each key and each value begins."""

    data: Any
    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]


class DocumentError(ValueError):
    """Everything that is wrong with a file, one finding a line: `file:line:column: message. remedy`."""

    def __init__(self, name: str, findings: Iterable[Finding]) -> None:
        self.name = name
        self.findings = tuple(sorted(findings))
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        return [f"{self.name}:{at.line}:{at.column}: {message}. {remedy}" for at, message, remedy in self.findings]


def read_document(text: str, name: str) -> Document:
    """The data of a YAML text; `name` stands in the errors. Raises `DocumentError` with all findings."""
    findings = _harmful(text)
    if findings:
        raise DocumentError(name, findings)
    reader = _Reader()
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        raise DocumentError(name, [_syntax(error, text)]) from None
    data = reader.value(node, ()) if node is not None else None
    if reader.findings:
        raise DocumentError(name, reader.findings)
    return Document(data, reader.keys, reader.values)


def _harmful(text: str) -> list[Finding]:
    """What must be found before any node is built."""
    if len(text) > LARGEST:
        return [Finding(Place(1, 1), f"the file has more than {LARGEST} characters", "Split it")]
    tabs = [
        Finding(Place(number, line.index("\t") + 1), "a tab in the indentation", "Use spaces")
        for number, line in enumerate(text.splitlines(), 1)
        if "\t" in line[: len(line) - len(line.lstrip())]
    ]
    try:
        return tabs or _events(text)
    except YAMLError as error:
        return [_syntax(error, text)]


def _events(text: str) -> list[Finding]:
    findings, depth, documents = [], 0, 0
    for event in YAML(typ="safe", pure=True).parse(text):
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if event.version not in (None, (1, 2)):
                return [Finding(place, "not YAML 1.2", "Remove the line that begins with %YAML")]
        if depth > DEEPEST:
            return [Finding(place, f"nested deeper than {DEEPEST} levels", "Flatten it")]
        if documents > 1:
            return [Finding(place, "a second document", "Write one document in a file")]
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            findings.append(Finding(place, "anchors and aliases are not allowed", _SIMPLER))
    return findings


def _syntax(error: YAMLError, text: str) -> Finding:
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        return Finding(place, str(error.problem or error.context), "Correct the YAML at this place")
    before = text[: getattr(error, "position", 0)]
    place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Finding(place, "a character that YAML does not allow", "Remove it")


class _Reader:
    """Turns nodes into plain data, collecting places and findings on the way."""

    def __init__(self) -> None:
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.findings: list[Finding] = []

    def value(self, node: Node, path: Path) -> Any:
        self.values[path] = place = _place(node)
        if str(node.tag) not in _PLAIN:
            self.findings.append(
                Finding(place, f"the tag {str(node.tag).removeprefix(_TAG)!r} is not allowed", _SIMPLER)
            )
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        try:
            return _scalar(node)
        except ValueError:
            self.findings.append(Finding(place, "a value that cannot be kept", "Write plain text or a plain number"))
            return None

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            place = _place(key)
            if not isinstance(key, ScalarNode) or str(key.tag) != _TAG + "str":
                self.findings.append(Finding(place, "a key that is not a word", "Write a word, or put it in quotes"))
            elif key.value in data:
                self.findings.append(Finding(place, f"the key {key.value!r} stands twice", "Remove one of them"))
            else:
                self.keys[(*path, key.value)] = place
                data[key.value] = self.value(value, (*path, key.value))
        return data


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


_BASES = {"0o": 8, "0x": 16}


def _scalar(node: Node) -> str | int | float | bool | None:
    """The value by YAML 1.2: `yes`, `no`, `on` and `off` are text; a date stays text. Raises `ValueError`."""
    text = str(node.value)
    text.encode()  # a lone surrogate could not be stored
    match str(node.tag).removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text.replace("_", ""), _BASES.get(text.lstrip("+-")[:2], 10))
        case "float":
            return _finite(float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan")))
    return text


def _finite(number: float) -> float:
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError
    return number
