"""A provider's call to `/hooks/receipts/{provider}`, as the channels read it."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID


class Forged(ValueError):
    """The call does not come from the provider."""


class Unreadable(ValueError):
    """The call comes from the provider, and its body is not what he documents."""


@dataclass(frozen=True, slots=True)
class ReceiptCall:
    """The raw request: `url` as the provider called it (by the public address), header names in lower case."""

    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


def same(given: str, expected: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def sign(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in lower-case hexadecimal."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def own_reference(text: object) -> UUID | None:
    """Our reference as it comes back, or None for anything else."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
