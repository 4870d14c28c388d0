"""The random draw behind a share: reproducible by anybody who knows the seed, and stored with the decision."""

from hashlib import blake2b

_BITS = 53


def draw(seed: str, *unit: str | int) -> float:
    """A number in [0, 1) for one unit of a sample, the same whenever it is drawn; below the share means chosen.

    The first 53 bits of BLAKE2b (8 bytes) over the seed and the unit's parts, each followed by a zero byte.
    """
    text = b"".join(str(part).encode() + b"\0" for part in (seed, *unit))
    number = int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
    return (number >> (64 - _BITS)) / (1 << _BITS)
