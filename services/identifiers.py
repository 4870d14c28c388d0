"""Identifiers that sort by time: UUID version 7 (RFC 9562), kind to B-tree indexes."""

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """A new UUIDv7. Its time part is the machine's clock: an order, never a business time.

    Below the millisecond it sorts by a fraction in 12 bits (RFC 9562, section 6.2, method 3); 62 bits are random.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    head = milliseconds << 16 | 7 << 12 | rest * 4096 // 1_000_000
    tail = 2 << 62 | int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=head << 64 | tail)
