"""Rows as PostgreSQL takes many at once."""

from collections.abc import Sequence

Key = tuple[str, str]
"""A ticket, or a person: the source, and the name there."""


def columns(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as arrays, for unnest."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
