"""Laws on who may know whom, and on what a noun of the business may do."""

import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from tests.laws.source import FOLDERS, PACKAGES, PLUMBING, ROOMS, STRANGERS, Module, Tree, within

IMPURE = frozenset({
    "os", "io", "sys", "time", "random", "secrets", "socket", "socketserver", "ssl", "select", "selectors",
    "signal", "subprocess", "threading", "multiprocessing", "asyncio", "concurrent", "logging", "pathlib",
    "shutil", "tempfile", "glob", "http", "urllib.request", "smtplib", "imaplib", "poplib", "ftplib",
    "sqlite3", "ctypes", "importlib", "pkgutil", "platform", "getpass", "resource", "mmap",
})  # fmt: skip
"""Parts of the standard library that touch the world, know the time or throw dice."""
COMPUTING = frozenset({
    "msgspec", "pydantic", "pydantic_core", "jmespath", "phonenumbers", "holidays", "ruamel", "markupsafe",
    "numpy", "scipy",
})  # fmt: skip
"""Libraries that only compute."""
IMPURE_CALLS = frozenset({
    "now", "today", "utcnow", "uuid1", "uuid4", "uuid7", "open", "print", "input", "exec", "eval",
    "__import__", "breakpoint", "read_text", "read_bytes",
})  # fmt: skip
CALLING = frozenset({
    "httpx", "aiosmtplib", "smtplib", "socket", "ssl", "http.client", "urllib.request", "imaplib", "poplib",
    "ftplib",
})  # fmt: skip
"""Libraries by which one calls strangers."""
FRAME_ONLY = frozenset({
    "asyncpg", "aiokafka", "confluent_kafka", "services.kafka", "services.listen", "services.outbox",
    "services.embedded",
})  # fmt: skip
"""What a room gets only through the frame: events leave by `Transaction.say`, rows come by its statements."""
PACKS = "policies/__init__.py"
"""Makes the packs findable wherever the project is installed; holds no code."""
ENTRANCES = {"services.run": {"__main__"}, "services.command_line": {"commands"}}
"""Parts of the frame that only one file of a room needs."""


def rooms_know_only_themselves_and_the_frame(tree: Tree) -> Iterator[str]:
    """Law 1: between rooms only events; the frame knows no room."""
    for module in tree.modules:
        for each in module.imports:
            if each.root in (*ROOMS, "tests", "bench") and each.root != module.package:
                yield module.at(each.line, f"imports {each.whole}")


def rooms_leave_servers_to_the_frame(tree: Tree) -> Iterator[str]:
    """Laws 3 and 4: no room opens a transaction, commits, or speaks past the outbox."""
    for module in tree.rooms:
        for each in module.imports:
            if any(within(each.whole, name) for name in FRAME_ONLY):
                yield module.at(each.line, f"imports {each.whole}, which is the frame's")
            for entrance, files in ENTRANCES.items():
                if within(each.whole, entrance) and module.name.rpartition(".")[2] not in files:
                    yield module.at(each.line, f"imports {each.whole}, which is for {', '.join(files)}")
        for call, name in module.calls():
            if name in {"transaction", "commit", "rollback", "begin"}:
                yield module.at(call, f"calls {name}(): transactions are opened and ended in services/")


def only_channels_call_strangers(tree: Tree) -> Iterator[str]:
    """Law 5: one place calls outside, and it has no database at hand while it does."""
    for module in tree.rooms:
        for each in module.imports:
            if not module.calls_strangers and any(within(each.whole, name) for name in CALLING):
                yield module.at(each.line, f"imports {each.whole}; only {STRANGERS} calls strangers")
            if module.calls_strangers and each.whole.startswith(
                ("services.database", "services.house", "notifier.store")
            ):
                yield module.at(each.line, f"imports {each.whole}; no connection is held while a stranger is called")


def plumbing_is_a_closed_set(tree: Tree) -> Iterator[str]:
    """Law 2: every room has the same plumbing, and beside it only nouns."""
    for room in ROOMS:
        files = {module.path.removeprefix(f"{room}/"): module for module in tree.rooms if module.package == room}
        for name in sorted(PLUMBING - {"pages", "commands"}):
            if not {f"{name}.py", f"{name}/__init__.py"} & {*files}:
                yield f"{room}/{name}.py: missing"
        for path in ("store", "migrations/0001_"):
            if not any(file.startswith(f"{room}/{path}") for file in tree.files):
                yield f"{room}/{path}: missing"
        for path, module in files.items():
            *folders, _ = path.split("/")
            if module.calls_strangers or module.is_plumbing or not folders:
                continue
            if len(folders) > 1 or folders[0] in PLUMBING | FOLDERS:
                yield f"{module.path}: a folder too deep, or of plumbing that is one file"


def nouns_are_pure(tree: Tree) -> Iterator[str]:
    """Law 2: a noun of the business does nothing to the world; `now` and randomness are arguments."""
    nouns = {module.name for module in tree.modules if module.is_pure}
    for module in tree.modules:
        if module.is_pure:
            yield from (_impure_imports(module, nouns))
            for call, name in module.calls():
                if name in IMPURE_CALLS:
                    yield module.at(call, f"calls {name}()")


def _impure_imports(module: Module, nouns: set[str]) -> Iterator[str]:
    for each in module.imports:
        library = each.root in COMPUTING or each.root in sys.stdlib_module_names
        inside = within(each.whole, "services.contracts") or each.module in nouns or each.whole in nouns
        touches = each.root in IMPURE or any(within(each.whole, name) for name in IMPURE)
        if touches or not (library or inside):
            yield module.at(each.line, f"imports {each.whole}, though a noun of the business is pure")


def imports_are_absolute_and_at_the_top(tree: Tree) -> Iterator[str]:
    """Law 8."""
    for module in tree.modules:
        for each in module.imports:
            if each.level:
                yield module.at(each.line, "a relative import")
            if not each.top:
                yield module.at(each.line, f"imports {each.whole} below the top of the file")
        for call, name in module.calls():
            if name == "import_module" and module.package != "services":
                yield module.at(call, "imports by name")


def imports_have_no_circle(tree: Tree) -> Iterator[str]:
    """Law 8."""
    names = {module.name for module in tree.modules}
    graph: dict[str, set[str]] = {}
    for module in tree.modules:
        targets = {each.whole if each.whole in names else each.module for each in module.imports if not each.level}
        graph[module.name] = {target for target in targets if target in names and target != module.name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " imports ".join(reversed(error.args[1]))


def embedded_mode_stays_out_of_real_installations(tree: Tree) -> Iterator[str]:
    """Only the command `up` knows it."""
    for module in tree.modules:
        if not within(module.name, "services.embedded") and module.name != "services.cli":
            yield from (
                module.at(each.line, f"imports {each.whole}")
                for each in module.imports
                if within(each.whole, "services.embedded")
            )


def packages_are_known(tree: Tree) -> Iterator[str]:
    """A top-level package with code is the frame, a room, the tests or the benchmarks."""
    for path in tree.files:
        top, _, rest = path.partition("/")
        if rest and path.endswith(".py") and top not in (*PACKAGES, "tests", "bench") and path != PACKS:
            yield f"{path}: no room of this name runs (services.run.PORTS)"
