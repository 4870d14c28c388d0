"""Rows as PostgreSQL takes them: column by column, as arguments of `unnest`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any


def columns(rows: Iterable[Iterable[Any]], width: int) -> list[list[Any]]:
    """The columns of rows that are `width` wide; so many empty ones where there is no row."""
    found = [list(column) for column in zip(*rows, strict=True)]
    return found or [[] for _ in range(width)]


def array(values: Sequence[str | datetime | None]) -> str:
    """An array as PostgreSQL writes it: rows of arrays cannot be passed column by column."""
    return "{" + ",".join("NULL" if value is None else f'"{value}"' for value in values) + "}"
