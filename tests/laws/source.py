"""The repository's sources as a value."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Self

from services.run import ALL

ROOMS = ALL
PACKAGES = ("services", *ROOMS)
PLUMBING = frozenset({"__init__", "__main__", "app", "handlers", "api", "pages", "commands", "store"})
"""The names of a room's Python files that are not nouns of its business."""
FOLDERS = frozenset({"handlers", "api", "store"})
"""Plumbing that, grown too long for one sitting, becomes a folder of the same name with a file for each subject.

A noun may become a folder of nouns, too.
"""
STRANGERS = "notifier.channels"
"""The only code that calls anybody outside the house."""
MADE = frozenset({".git", ".venv", ".cache", ".data", "__pycache__", "build", "dist", "node_modules"})


class Import(NamedTuple):
    """One imported module, or one name out of a module."""

    line: int
    module: str
    name: str | None
    level: int
    top: bool

    @property
    def whole(self) -> str:
        return self.module if self.name is None else f"{self.module}.{self.name}"

    @property
    def root(self) -> str:
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: str
    text: str

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        return tuple(ast.walk(self.syntax))

    @property
    def name(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    @property
    def package(self) -> str:
        return self.path.partition("/")[0]

    @property
    def is_plumbing(self) -> bool:
        _, *folders, file = PurePosixPath(self.path).parts
        return file.removesuffix(".py") in PLUMBING if not folders else len(folders) == 1 and folders[0] in FOLDERS

    @property
    def calls_strangers(self) -> bool:
        return within(self.name, STRANGERS)

    @property
    def is_pure(self) -> bool:
        """Whether law 2 applies: a noun of a room's business, or the contracts."""
        if self.package == "services":
            return within(self.name, "services.contracts")
        return not self.is_plumbing and not self.calls_strangers

    @cached_property
    def imports(self) -> Sequence[Import]:
        top = set(self.syntax.body)
        return tuple(each for node in self.nodes for each in _imports_of(node, node in top))

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call with the name of what is called: `open`, or for `datetime.now()` the last part, `now`."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                match node.func:
                    case ast.Name(id=name) | ast.Attribute(attr=name):
                        yield node, name

    def at(self, node: ast.AST | int, what: str) -> str:
        line = node if isinstance(node, int) else getattr(node, "lineno", 0)
        return f"{self.path}:{line}: {what}"


@dataclass(frozen=True)
class Tree:
    """Files by their path from the root of the repository."""

    files: Mapping[str, str]

    @classmethod
    def read(cls, root: Path) -> Self:
        """Every text file of the repository that a person wrote."""
        return cls({path.relative_to(root).as_posix(): path.read_text("utf-8") for path in _written(root)})

    @cached_property
    def modules(self) -> Sequence[Module]:
        """The Python files of the house (not of its tests)."""
        return tuple(
            Module(path, text)
            for path, text in self.files.items()
            if path.endswith(".py") and path.partition("/")[0] in PACKAGES
        )

    @property
    def rooms(self) -> Iterator[Module]:
        return (module for module in self.modules if module.package in ROOMS)

    def module(self, path: str) -> Module | None:
        return next((module for module in self.modules if module.path == path), None)

    def sql(self, package: str) -> Iterator[tuple[str, str]]:
        """A package's SQL files with their texts."""
        return (
            (path, self.files[path]) for path in self.files if path.startswith(f"{package}/") and path[-4:] == ".sql"
        )


def within(name: str, package: str) -> bool:
    """Whether a dotted name is the package, or in it."""
    return name == package or name.startswith(f"{package}.")


def _imports_of(node: ast.AST, top: bool) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            yield from (Import(node.lineno, alias.name, None, 0, top) for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield from (Import(node.lineno, module or "", alias.name, level, top) for alias in names)


def _written(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.is_dir() and path.name not in MADE and not path.name.endswith(("_cache", ".egg-info", ".hypothesis")):
            yield from _written(path)
        elif path.is_file() and b"\0" not in path.read_bytes()[:4096]:
            yield path
