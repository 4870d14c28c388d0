"""Who may report, the mappings that understand him, and the deliveries that came."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ingest.mapping import ItsmMapping, MappingError, parse_mapping
from ingest.store.columns import Key, columns
from services.database import Transaction
from services.errors import ConfigurationError
from services.seal import Seal
from services.statements import Statements

SQL = Statements("ingest")

Receipt = tuple[str, str, bytes]
"""A delivery: source, id, hash of the body."""


class Source(NamedTuple):
    """An ITSM that may report, with the secrets that are valid now."""

    name: str
    mapping: str
    scheme: str
    timezone: ZoneInfo
    enabled: bool
    secrets: tuple[str, ...]


@cache
def load_mappings(folder: Path | None) -> Mapping[str, ItsmMapping]:
    """The mappings that come with the product, and those in `folder`, which win where the names are the same.

    Raises `ConfigurationError`.
    """
    found = [each for each in files("ingest").joinpath("mappings").iterdir() if each.name.endswith(".yaml")]
    texts = {each.name: each.read_text(encoding="utf-8") for each in found}
    try:
        own = sorted(folder.glob("*.yaml")) if folder else []
        texts.update({each.name: each.read_text(encoding="utf-8") for each in own})
        return {name.removesuffix(".yaml"): parse_mapping(text, name) for name, text in texts.items()}
    except (OSError, UnicodeDecodeError, MappingError) as error:
        raise ConfigurationError(f"mapping {error}") from error


async def list_sources(transaction: Transaction, seal: Seal) -> list[Source]:
    """Every source, disabled ones too."""
    return [
        Source(
            row["name"],
            row["mapping"],
            row["scheme"],
            ZoneInfo(row["timezone"]),
            row["enabled"],
            tuple(seal.open_secret(_purpose(row["name"]), sealed).decode() for sealed in row["secrets"]),
        )
        for row in await transaction.fetch(SQL["list_sources"])
    ]


async def source_names(transaction: Transaction) -> set[str]:
    """The names of all sources."""
    return {row["name"] for row in await transaction.fetch(SQL["source_names"])}


async def insert_source(transaction: Transaction, name: str, mapping: str, scheme: str, timezone: str) -> bool:
    """A new source, without a secret yet; False where the name is taken."""
    return await transaction.fetchval(SQL["insert_source"], name, mapping, scheme, timezone) is not None


async def enable_source(transaction: Transaction, name: str, enabled: bool) -> None:
    """Opens or closes a source."""
    await transaction.execute(SQL["enable_source"], name, enabled)


async def replace_secret(transaction: Transaction, seal: Seal, source: str, secret: str, overlap: timedelta) -> None:
    """Gives a source a new secret; the one it had is valid for `overlap` yet."""
    await transaction.execute(SQL["retire_secrets"], source, overlap)
    await transaction.execute(SQL["insert_secret"], source, seal.seal_secret(_purpose(source), secret.encode()))


async def insert_receipts(transaction: Transaction, receipts: Sequence[Receipt]) -> set[Receipt]:
    """Notes deliveries, and returns those that are new."""
    rows = await transaction.fetch(SQL["insert_receipts"], *columns(receipts, 3))
    return {(row["source"], row["delivery"], row["body_hash"]) for row in rows}


async def find_receipts(transaction: Transaction, deliveries: Sequence[Key]) -> dict[Key, bytes]:
    """The hashes of the bodies that came with deliveries (source and id) the first time."""
    rows = await transaction.fetch(SQL["find_receipts"], *columns(deliveries, 2)) if deliveries else []
    return {(row["source"], row["delivery"]): row["body_hash"] for row in rows}


async def forget_receipts(transaction: Transaction, most: int) -> int:
    """Drops up to `most` receipts that are older than eight days, and returns how many."""
    return int((await transaction.execute(SQL["forget_receipts"], most)).rpartition(" ")[2])


def _purpose(source: str) -> str:
    return f"source {source}"
