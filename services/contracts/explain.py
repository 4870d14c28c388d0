"""What Pydantic found wrong with a policy, in words that tell the writer what to do."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from re import findall, fullmatch
from typing import Any

from pydantic_core import ErrorDetails

from services.contracts.document import Document, Finding, Path, Place
from services.contracts.part import SEVERAL

_READ = "docs/policy.md describes every key"
_TYPES: dict[str, tuple[str, str]] = {
    "bool_type": ("true or false", "Write true or false; yes, no, on and off are only words in YAML 1.2"),
    "string_type": ("a text", "Put it in quotes"),
    "int_type": ("a whole number", "Write it in digits, without quotes, like 2"),
    "float_type": ("a number", "Write digits alone, without quotes, like 90 or 0.5"),
    "tuple_type": ("a list", "Write it as a list: [a, b]"),
    "dict_type": ("a mapping", "Write it as key: value, indented"),
    "model_type": ("a mapping", "Write it as key: value, indented"),
    "date_type": ("a date", "Write it like 2026-01-31"),
    "string_pattern_mismatch": ("a short name", "Begin with a letter and use a to z, 0 to 9, - and _ only"),
    "string_too_short": ("some text", "Write it out"),
    "too_short": ("a value", "Write at least one"),
    "date_parsing": ("a date", "Write it like 2026-01-31"),
    "date_from_datetime_parsing": ("a date", "Write it like 2026-01-31"),
}


def explain(errors: Sequence[ErrorDetails], document: Document, schema: dict[str, Any]) -> list[Finding]:
    """One finding for each error, at its place in the document; `schema` is the JSON Schema of the language."""
    told = [error for error in errors if not _follows(error, errors)]
    return [finding for error in told for finding in _findings(error, document, schema)]


def _follows(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Whether a list only seems too short because one of its values is wrong, which is told where it stands."""
    place = error["loc"]
    below = (other["loc"] for other in errors if len(other["loc"]) > len(place))
    return error["type"] == "too_short" and any(other[: len(place)] == place for other in below)


def _findings(error: ErrorDetails, document: Document, schema: dict[str, Any]) -> list[Finding]:
    if error["type"] != SEVERAL:
        return [_finding(error, document, schema)]
    found = []
    for fault in error.get("ctx", {})["faults"]:
        place = document.values.get(_known((*error["loc"], *fault.at), document), Place(1, 1))
        found.append(Finding(place, fault.message, fault.remedy))
    return found


def _finding(error: ErrorDetails, document: Document, schema: dict[str, Any]) -> Finding:
    context = error.get("ctx", {})
    path = _known((*error["loc"], *context.get("at", ())), document)
    place = document.values.get(path, Place(1, 1))
    key = document.keys.get(path, place)
    explanation = _SPECIAL.get(error["type"])
    if explanation is not None:
        return Finding(key, *explanation(error, _keys_at(path[:-1], schema)))
    if error["type"] in _TYPES:
        expected, usual = _TYPES[error["type"]]
        remedy = _with_what_was_written(error) or usual
        return Finding(place, f"expected {expected}, found {_short(error['input'])}", remedy)
    message = error["msg"].removeprefix("Value error, ")
    if message.startswith("Input should be "):
        return Finding(place, f"{_short(error['input'])} is out of range", f"It should be {message[16:]}")
    return Finding(place, message, str(context.get("remedy", _READ)))


def _with_what_was_written(error: ErrorDetails) -> str | None:
    """The remedy in the writer's own words, where they tell what he meant; else None."""
    written = error["input"]
    if not isinstance(written, str):
        return None
    if error["type"] == "float_type" and (percent := fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?) ?%", written)):
        return f"Write {percent[1]}, without the sign"
    if error["type"] == "tuple_type":
        return f"Write it as a list: [{written}]"
    if error.get("ctx", {}).get("class_name") == "Words":
        return "Write it in both languages: {zh: …, en: …}"
    return None


def _known(location: Sequence[str | int], document: Document) -> Path:
    """The part of an error's location that stands in the document: Pydantic adds the names of alternatives."""
    path: Path = ()
    for step in location:
        if (*path, step) in document.values:
            path = (*path, step)
    return path


def _unknown_key(error: ErrorDetails, keys: Sequence[str]) -> tuple[str, str]:
    key = str(error["loc"][-1])
    close = get_close_matches(key, keys, n=1)
    if list(keys) == ["zh", "en"] and not close:
        return f"unknown key {key!r}", "Only zh and en stand here; put a text with a comma or a colon in quotes"
    known = f"Known here: {', '.join(keys)}" if keys else _READ
    return f"unknown key {key!r}", f"Did you mean {close[0]!r}?" if close else known


def _missing_key(error: ErrorDetails, keys: Sequence[str]) -> tuple[str, str]:
    key = error["loc"][-1]
    return f"{key!r} is missing", f"Add `{key}: …`"


def _choice(error: ErrorDetails, keys: Sequence[str]) -> tuple[str, str]:
    expected = str(error.get("ctx", {}).get("expected", _READ))
    close = get_close_matches(str(error["input"]).lower(), findall(r"'([^']+)'", expected), n=1)
    meant = f"Did you mean {close[0]!r}? " if close else ""
    return f"{_short(error['input'])} is not allowed here", f"{meant}Write {expected}"


def _no_step(error: ErrorDetails, keys: Sequence[str]) -> tuple[str, str]:
    return "a step that is none of first, reminder, call, visit", "Write it like - first: [sms, email]"


_SPECIAL: dict[str, Callable[[ErrorDetails, Sequence[str]], tuple[str, str]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing_key,
    "literal_error": _choice,
    "union_tag_not_found": _no_step,
}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _keys_at(path: Path, schema: dict[str, Any]) -> list[str]:
    """The keys that the language knows at a place."""
    here = [schema]
    for step in path:
        here = [below for part in here for below in _below(_resolved(part, schema), step, schema)]
    return [key for part in here for key in _resolved(part, schema).get("properties", {})]


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rpartition("/")[2]
    return schema["$defs"][name] if name else part


def _below(part: dict[str, Any], step: str | int, schema: dict[str, Any]) -> list[dict[str, Any]]:
    alternatives = [_resolved(choice, schema) for word in ("anyOf", "oneOf") for choice in part.get(word, ())]
    found = []
    for choice in (part, *alternatives):
        if isinstance(step, int):
            inner = choice.get("items")
        else:
            named = {**choice.get("properties", {}), "": choice.get("additionalProperties")}
            inner = named.get(step) or named[""] or next(iter(choice.get("patternProperties", {}).values()), None)
        if isinstance(inner, dict):
            found.append(inner)
    return found
