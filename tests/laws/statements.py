"""Laws on SQL: where it stands, how it is named, what it may touch."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from tests.laws.source import PACKAGES, ROOMS, Module, Tree

SQL_TEXT = re.compile(
    r"^\s*(select\b.+\bfrom|select\s+\w+\(|insert\s+into|update\s+[\w.]+\s+set|delete\s+from|with\s+\w+\s+as\s*\(|"
    r"(create|alter|drop)\s+(table|schema|index|unique|view|materialized|function|procedure|type|database|trigger)|"
    r"truncate\s+\w|copy\s+[\w.]+\s*(\(|from|to)|lock\s+table|set\s+(local|session)\b|(begin|commit|rollback)\s*;)",
    re.IGNORECASE | re.DOTALL,
)
NAME_LINE = re.compile(r"^-- name:.*$", re.MULTILINE)
GOOD_NAME = re.compile(r"-- name: [a-z_]+")
RELATION = re.compile(
    r"(?<!\bdo )(?<!\bfor )(?<!\bkey )\b(?:from|join|into|update)\s+(?:only\s+|lateral\s+)?"
    r"([a-z_{][a-z_0-9}]*(?:\.[a-z_0-9]+)?)(\s*\()?"
)
NOT_RELATIONS = re.compile(r"\b(extract|substring|trim|overlay|position)\s*\([^()]*|\bis\s+(not\s+)?distinct\s+from\b")
CTE = re.compile(r"\b([a-z_]+)\s*(?:\([a-z_, ]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s+)?\(")
SERVER_TIME = re.compile(
    r"\bnow\s*\(|\bcurrent_(timestamp|date|time)\b|\blocaltime(stamp)?\b|\btransaction_timestamp\b"
)
ENDS_TRANSACTION = re.compile(r"^\s*(begin|start\s+transaction|commit|rollback|savepoint\s+\w+|end)\s*;", re.MULTILINE)
FREE_OF_SCHEMA = frozenset({"select", "set", "skip", "of", "nowait", "unnest", "generate_series"})


def no_sql_stands_in_python(tree: Tree) -> Iterator[str]:
    """Law 3."""
    for module in tree.modules:
        words = {id(node.value) for node in module.nodes if isinstance(node, ast.Expr)}
        for node in module.nodes:
            match node:
                case ast.Constant(value=str(text)) if id(node) not in words and SQL_TEXT.match(text):
                    yield module.at(node, f"SQL: {text.strip()[:40]!r}")


def statements_are_named_and_described(tree: Tree) -> Iterator[str]:
    """Law 3: `-- name: insert_moves`, a comment that tells what it does, the statement."""
    for package in PACKAGES:
        for path, text in tree.sql(package):
            if "/migrations/" in path:
                if not text.startswith("-- "):
                    yield f"{path}:1: does not begin with a comment that describes it"
                continue
            if text.strip() and not text.startswith("-- name: "):
                yield f"{path}:1: SQL without a name"
            lines = text.splitlines()
            for number, line in enumerate(lines, 1):
                if line.startswith("-- name:"):
                    if not GOOD_NAME.fullmatch(line):
                        yield f"{path}:{number}: {line!r} names nothing (lower case letters and _)"
                    if number == len(lines) or not re.match(r"-- (?!name:)\S", lines[number]):
                        yield f"{path}:{number}: {line!r} is not described"


def statements_are_used_and_known(tree: Tree) -> Iterator[str]:
    """Law 3: one typed function for each statement; none unnamed, none unused, none used from two places."""
    for package in _packages_with_statements(tree):
        text = "\n".join(text for path, text in tree.files.items() if _package_of(path) == package)
        named = Counter(line.removeprefix("-- name: ") for line in NAME_LINE.findall(text))
        used = Counter(name for _, name in _used(tree, package))
        yield from (f"{package}: statement {name} stands twice" for name, times in named.items() if times > 1)
        yield from (f"{package}: no statement {name}" for name in sorted(used.keys() - named.keys()))
        yield from (f"{package}: statement {name} is not used" for name in sorted(named.keys() - used.keys()))
        if package in ROOMS:
            yield from (f"{package}: {name} is used from {times} places" for name, times in used.items() if times > 1)
            yield from (
                module.at(0, "uses statements; only store.py does")
                for module in {module.path: module for module, _ in _used(tree, package)}.values()
                if not module.path.startswith((f"{package}/store.py", f"{package}/store/"))
            )


def sql_stays_in_its_own_schema(tree: Tree) -> Iterator[str]:
    """A room never reads another's schema, and names its own: all rooms share one pool."""
    for package in PACKAGES:
        for path, text in tree.sql(package):
            plain = _without_comments_and_words(text)
            for other in ROOMS:
                if other != package and re.search(rf"\b{other}\.\w", plain):
                    yield f"{path}: touches the schema {other}"
            if "/migrations/" not in path:
                yield from (f"{path}: {name} without its schema" for name in _bare_relations(plain))


def sql_keeps_to_the_house_rules(tree: Tree) -> Iterator[str]:
    """Law 3, and the two kinds of time: business time is an argument, technical time is `clock_timestamp()`."""
    for package in PACKAGES:
        for path, text in tree.sql(package):
            plain = _without_comments_and_words(text).lower()
            if ENDS_TRANSACTION.search(plain) and path != "services/store.sql":
                yield f"{path}: opens or ends a transaction"
            if SERVER_TIME.search(plain):
                yield f"{path}: asks the server for the time; use $1, or clock_timestamp() for leases and ages"
            if re.search(r"\bin\s*\(?\s*\$\d", plain):
                yield f"{path}: `in $1` is wrong in asyncpg; `= any($1)`"


def migrations_are_numbered_and_forward_compatible(tree: Tree) -> Iterator[str]:
    """Law 10: 0001, 0002, … without a gap; nothing that running code still reads goes away."""
    for package in PACKAGES:
        paths = sorted(path for path, _ in tree.sql(package) if "/migrations/" in path)
        for _, series in groupby(paths, key=lambda path: path.rpartition("/")[0]):
            for number, path in enumerate(series, 1):
                if not re.fullmatch(rf"{number:04}_[a-z_]+\.sql", path.rpartition("/")[2]):
                    yield f"{path}: expected {number:04}_<what_it_does>.sql"
        for path, text in tree.sql(package):
            gone = re.search(
                r"\b(drop\s+(table|column|schema)|rename\s+(to|column))\b", _without_comments_and_words(text)
            )
            if "/migrations/" in path and gone:
                yield f"{path}: {gone[0]!r} breaks the code that still runs"


def _packages_with_statements(tree: Tree) -> set[str]:
    files = {package for path in tree.files if (package := _package_of(path))}
    return files | {package for module in tree.modules for package in _statement_names(module).values()}


def _package_of(path: str) -> str | None:
    """The package whose statements stand in a file: `<package>/store.sql` or `<package>/store/<subject>.sql`."""
    match = re.fullmatch(r"(.+?)/store(?:/[a-z_]+)?\.sql", path)
    return match[1].replace("/", ".") if match and path.partition("/")[0] in PACKAGES else None


def _statement_names(module: Module) -> dict[str, str]:
    """Variables that hold statements, and the package they come from: `SQL = Statements("ingest")`."""
    found = {}
    for node in module.nodes:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=variable)],
                value=ast.Call(func=ast.Name(id="Statements"), args=[ast.Constant(value=str(package))]),
            ):
                found[variable] = package
    return found


def _used(tree: Tree, package: str) -> Iterator[tuple[Module, str]]:
    for module in tree.modules:
        names = {variable for variable, of in _statement_names(module).items() if of == package}
        for node in module.nodes:
            match node:
                case ast.Subscript(value=ast.Name(id=variable), slice=key) if variable in names:
                    yield module, _key(key)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=variable), attr="of"), args=[key, *_]):
                    if variable in names:
                        yield module, _key(key)


def _key(key: ast.expr) -> str:
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else f"<{ast.unparse(key)}>"


def _without_comments_and_words(text: str) -> str:
    return re.sub(r"'(?:[^']|'')*'", "''", re.sub(r"--.*", "", text))


def _bare_relations(plain: str) -> Iterator[str]:
    lower = NOT_RELATIONS.sub(" ", plain.lower())
    known = set(CTE.findall(lower)) | FREE_OF_SCHEMA
    for name, call in RELATION.findall(lower):
        if not call and "." not in name and name not in known:
            yield name
