"""What an ITSM sends, before anybody looks at what it means: strict JSON, content types, delivery ids."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from ingest.ticket import OWN_SOURCES

MOST_BYTES = 256 * 1024
"""The largest webhook body that is read."""

SOURCE_NAME = r"^[a-z][a-z0-9_-]{0,62}$"

_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_DELIVERY = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,128}")
_CONTENT_TYPE = re.compile(r"application/([a-z+-]+)(?:\s*;\s*charset\s*=\s*\"?utf-?8\"?)?\s*;?", re.IGNORECASE)


class PayloadError(ValueError):
    """The bytes are not JSON that everybody reads alike."""


def parse(body: bytes) -> Any:
    """The JSON document. Raises `PayloadError`.

    Stricter than the standard library: no duplicate keys, NaN, infinities or numbers out of range, nothing too deep,
    no NUL (PostgreSQL cannot keep it), no half of a surrogate pair, UTF-8 only.
    """
    try:
        text = body.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_distinct, parse_float=_finite, parse_constant=_refuse_constant)
    except PayloadError:
        raise
    except RecursionError:
        raise PayloadError("nested too deep") from None
    except UnicodeDecodeError as error:
        raise PayloadError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise PayloadError(f"no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise PayloadError("a number is out of range") from None
    if _SUSPICIOUS.search(text):
        _refuse_unstorable(document)
    return document


def is_json(content_type: str | None, *others: str) -> bool:
    """Whether a Content-Type header says JSON in UTF-8; `others` are further subtypes that will do."""
    found = _CONTENT_TYPE.fullmatch(content_type.strip()) if content_type else None
    return found is not None and found[1].lower() in ("json", *others)


def is_source_name(text: str) -> bool:
    """Whether a source can be called that: it is a part of an address and a label of metrics."""
    return re.fullmatch(SOURCE_NAME, text) is not None and "\n" not in text and text not in OWN_SOURCES


def is_delivery_id(text: str) -> bool:
    """Whether a delivery id can be trusted to mean one delivery: 1–128 visible ASCII characters, no full stop.

    The full stop separates id, time and body in what Standard Webhooks signs.
    """
    return _DELIVERY.fullmatch(text) is not None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PayloadError("a key stands twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise PayloadError("a number is out of range")
    return number


def _refuse_constant(text: str) -> float:
    raise PayloadError(f"{text} is not JSON")


def _refuse_unstorable(document: Any) -> None:
    for text in _texts(document):
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise PayloadError("a text holds NUL or half of a surrogate pair")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
