"""Identifiers that sort by time: UUID version 7 (RFC 9562), kind to B-tree indexes."""

from uuid import UUID

import uuid6


def uuid7() -> UUID:
    """A new UUIDv7. Its time part is the machine's clock: an order, never a business time."""
    return UUID(int=uuid6.uuid7().int)
