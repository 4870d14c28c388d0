"""The language's reference, written from the language itself: `python -m tests.scheduler.reference`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.contracts.schema import policy_schema

DOCS = Path(__file__).parents[2] / "docs"
ASKING, ANSWERS = "policy-asking.md", "policy-answers.md"
HEADS = {
    ASKING: f"""# Policies: every key about asking

The file as a whole, its calendar, questions, surveys and plans. [policy.md](policy.md) shows it by example;
[{ANSWERS}]({ANSWERS}) goes on with what becomes of the answers.
""",
    ANSWERS: f"""# Policies: every key about answers

Scores, follow-up, reports, grading, rewards, wording and privacy. [policy.md](policy.md) shows it by example;
[{ASKING}]({ASKING}) has the file as a whole.
""",
}
WRITTEN = "<!-- written by tests/scheduler/reference.py from the language itself -->\n"
FIRST_OF_ANSWERS = "scores"


def references() -> dict[str, str]:
    """The pages by name: every part of the language with its keys, in the order in which the file meets them."""
    schema = json.loads(policy_schema())
    keys = list(schema["properties"])
    border = keys.index(FIRST_OF_ANSWERS)
    parts, pages = schema["$defs"], {"Policy": ASKING}
    for page, some in ((ASKING, keys[:border]), (ANSWERS, keys[border:])):
        for name in _met({key: schema["properties"][key] for key in some}, parts, tuple(pages)):
            pages[name] = page
    parts = {"Policy": schema, **parts}
    lines = {page: [HEADS[page], WRITTEN] for page in HEADS}
    for name, page in pages.items():
        lines[page] += [_linked(line, page, pages) for line in _section(name, parts[name])]
    return {page: "\n".join(text).rstrip() + "\n" for page, text in lines.items()}


def _linked(line: str, page: str, pages: dict[str, str]) -> str:
    """The line with its links to parts that stand on the other page."""
    for name, other in pages.items():
        if other != page:
            line = line.replace(f"](#{name.lower()})", f"]({other}#{name.lower()})")
    return line


def _met(part: Any, parts: dict[str, Any], seen: tuple[str, ...] = ()) -> Iterator[str]:
    """The parts that a part speaks of, each once, depth first."""
    known = set(seen)
    for name in _names(part):
        if name not in known and parts[name].get("properties"):
            known.add(name)
            yield name
            for below in _met(parts[name], parts, tuple(known)):
                known.add(below)
                yield below


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for each in value.values():
            yield from _names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)


def _section(name: str, part: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    about = part.get("description", "").strip()
    yield f"{_prose(about)}\n" if about else ""
    yield "| key | value | meaning |"
    yield "|---|---|---|"
    required = part.get("required", ())
    for key, value in part["properties"].items():
        need = " (required)" if key in required else ""
        yield f"| `{key}`{need} | {_kind(value)} | {_prose(value.get('description', ''))} |"
    yield ""


def _kind(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in value:
        return " · ".join(f"`{each}`" for each in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    for choice in ("anyOf", "oneOf"):
        if choice in value:
            return " or ".join(dict.fromkeys(_kind(each) for each in value[choice] if each.get("type") != "null"))
    if value.get("type") == "array":
        return f"list of {_kind(value['items'])}" if "items" in value else "list"
    if value.get("type") == "object":
        below = value.get("additionalProperties") or next(iter(value.get("patternProperties", {}).values()), None)
        return f"names, each with {_kind(below)}" if isinstance(below, dict) and below else "mapping"
    if value.get("examples"):
        return " · ".join(f"`{each}`" for each in value["examples"])
    return {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}.get(
        str(value.get("type")), "value"
    )


def _prose(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for name, text in references().items():
        (DOCS / name).write_text(text, encoding="utf-8")
