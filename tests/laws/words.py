"""Laws on wires, metrics, settings, names and sizes."""

import ast
import re
from collections.abc import Iterator
from statistics import median

from services.contracts.topics import WIRES, heard_by
from tests.laws.source import ROOMS, Module, Tree

MOST_LINES = 400
LONG = frozenset({".lock", ".csv", ".json", ".svg"})
"""Endings of files that no person reads from top to bottom."""
EMPTY_NAMES = frozenset({
    "utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "service", "base", "lib",
    "core", "stuff",
})  # fmt: skip
EMPTY_CLASSES = re.compile(r"\w+(Service|Manager|Helper|Helpers|Utils|Util|Impl)$")
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
REFUSED = frozenset({"BaseHTTPMiddleware", "BackgroundTasks", "BackgroundTask"})
# In pieces, so that the law keeps itself: no file of the project names a registry's host.
REGISTRIES = re.compile(
    r"\b(py" r"pi\.org|python" r"hosted\.org|registry\." r"npmjs|npm" r"js\.com|crates\." r"io|proxy\."
    r"golang|repo1?\." r"maven|deb\." r"debian)\b"
)  # fmt: skip
ENVIRONMENT_READERS = {
    "services/settings.py": "every setting",
    "services/embedded/folder.py": "XDG_DATA_HOME, where a person keeps data",
    "services/embedded/up.py": "lays embedded mode's defaults beneath the environment; NO_COLOR and the like",
}
CLOCK_READERS = {
    "services/clock.py": "the clocks themselves",
    "services/embedded/sample.py": "plays an ITSM, which goes by the time outside",
    "notifier/channels/http.py": "Retry-After as a date speaks of the provider's wall clock",
}
METRIC_FILES = frozenset({"services/metrics.py"})


def wires_have_a_speaker_and_an_ear(tree: Tree) -> Iterator[str]:
    """Law 6: rooms say and hear exactly what `contracts/topics.py` tells."""
    for room in ROOMS:
        heard = {event.__name__ for events in heard_by(room).values() for event in events}
        handled = _handled(tree.module(f"{room}/handlers.py") or tree.module(f"{room}/handlers/__init__.py"))
        yield from (f"{room}: a wire brings {name}, and no handler hears it" for name in sorted(heard - handled))
        yield from (f"{room}: handles {name}, which no wire brings" for name in sorted(handled - heard))
        said = {wire.event.__name__ for wire in WIRES if room in wire.said_by}
        made = _made(tree, room)
        yield from (f"{room}: should say {name} and never makes one" for name in sorted(said - made))
        yield from (f"{room}: makes {name}, which it should not say" for name in sorted(made - said))


def metrics_are_declared_in_one_file(tree: Tree) -> Iterator[str]:
    """Law 9."""
    for module in tree.modules:
        if module.path not in METRIC_FILES:
            for each in module.imports:
                if each.root == "prometheus_client" and each.name in {
                    None,
                    "Counter",
                    "Gauge",
                    "Histogram",
                    "Summary",
                    "Info",
                }:
                    yield module.at(each.line, "declares metrics; they stand in services/metrics.py")


def the_environment_is_read_in_one_place(tree: Tree) -> Iterator[str]:
    """Law 9: settings are read once and passed by value."""
    for module in tree.modules:
        for node in module.nodes:
            match node:
                case ast.Attribute(attr="environ" | "environb" | "getenv" | "putenv"):
                    if module.path not in ENVIRONMENT_READERS:
                        yield module.at(node, "reads the environment")
                case ast.Call(func=ast.Name(id="read_settings")) if module.package in ROOMS:
                    yield module.at(node, "reads the settings; they are passed")


def the_clock_is_asked_in_one_place(tree: Tree) -> Iterator[str]:
    """Time comes from `services.clock`; technical time from PostgreSQL."""
    for module in tree.modules:
        for call, name in module.calls():
            match call.func:
                case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr="now" | "today" | "utcnow"):
                    if module.path not in CLOCK_READERS:
                        yield module.at(call, f"asks the machine for the time by {name}()")


def door_plates_tell_what_a_room_does(tree: Tree) -> Iterator[str]:
    """Each room's `__init__.py` tells what it owns, hears, says and never does; `__main__.py` has three lines."""
    for room in ROOMS:
        plate = tree.module(f"{room}/__init__.py")
        text = (ast.get_docstring(plate.syntax) or "") if plate else ""
        yield from (f"{room}/__init__.py: does not tell what it {word}" for word in _missing(text))
        door = tree.module(f"{room}/__main__.py")
        if door and len(door.text.splitlines()) > 3:
            yield f"{room}/__main__.py: longer than three lines"


def files_are_short(tree: Tree) -> Iterator[str]:
    """No file over 400 lines."""
    for path, text in tree.files.items():
        lines = len(text.splitlines())
        if lines > MOST_LINES and not any(path.endswith(ending) for ending in LONG):
            yield f"{path}: {lines} lines"


def functions_are_short(tree: Tree) -> Iterator[str]:
    """Half of them under ten lines, nine of ten under 35."""
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for module in tree.modules
        for node in module.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    )
    if lengths and median(lengths) >= 10:
        yield f"the median function has {median(lengths)} lines"
    if lengths and lengths[len(lengths) * 9 // 10] >= 35:
        yield f"one function of ten has {lengths[len(lengths) * 9 // 10]} lines or more"


def names_say_something(tree: Tree) -> Iterator[str]:
    """No `utils.py`, no `*Service`, nothing that is refused."""
    for path in tree.files:
        stem = path.rpartition("/")[2].partition(".")[0]
        if path.endswith(".py") and stem in EMPTY_NAMES:
            yield f"{path}: a name that says nothing"
    for module in tree.modules:
        for node in module.nodes:
            if isinstance(node, ast.ClassDef) and EMPTY_CLASSES.match(node.name):
                yield module.at(node, f"class {node.name}")
            if isinstance(node, ast.Name | ast.Attribute | ast.alias):
                name = (
                    node.id
                    if isinstance(node, ast.Name)
                    else node.attr
                    if isinstance(node, ast.Attribute)
                    else node.name
                )
                if name in REFUSED:
                    yield module.at(node, f"{name} is refused: it loses work or connections when a client goes")


def nothing_is_left_undone(tree: Tree) -> Iterator[str]:
    """No note to finish something later, and no host of a package registry: machines have their own."""
    for path, text in tree.files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if path.startswith("tests/laws/"):
                continue
            if UNDONE.search(line) and path.endswith((".py", ".sql", ".html", ".yaml", ".md")):
                yield f"{path}:{number}: {line.strip()[:60]}"
            if REGISTRIES.search(line):
                yield f"{path}:{number}: names a package registry"


def _missing(text: str) -> list[str]:
    return [word for word in ("owns", "hears", "says", "never") if not re.search(rf"\b{word}\b", text, re.IGNORECASE)]


def _handled(module: Module | None) -> set[str]:
    if module is None:
        return set()
    for node in module.nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id="HANDLERS")], value=ast.Dict(keys=keys)):
                return {key.id for key in keys if isinstance(key, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id="HANDLERS"), value=ast.Dict(keys=keys)):
                return {key.id for key in keys if isinstance(key, ast.Name)}
    return set()


def _made(tree: Tree, room: str) -> set[str]:
    events = {wire.event.__name__ for wire in WIRES}
    made = set()
    for module in tree.rooms:
        if module.package == room:
            made |= {name for _, name in module.calls()}
            chosen = [each for node in module.nodes if isinstance(node, ast.IfExp) for each in (node.body, node.orelse)]
            made |= {each.id for each in chosen if isinstance(each, ast.Name)}
    return made & events
