"""The JSON Schema of policy files, from which editors complete and explain keys."""

import ast
import inspect
import json
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent
from typing import Any

from services.contracts.part import Part
from services.contracts.policy import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> str:
    """The schema as text, as it stands in `docs/policy.schema.json`: each key with the sentence below it in the code.

    The sentences are read here, out of the sources, because Pydantic would do so at every start of every process.
    """
    schema = Policy.model_json_schema(by_alias=True)
    parts = {"Policy": schema, **schema["$defs"]}
    for part in _parts(Part):
        for key, sentence in _sentences(part):
            parts.get(part.__name__, {}).get("properties", {}).get(key, {})["description"] = sentence
    head = {
        "$schema": DIALECT,
        **schema,
        "title": "Huifang policy",
        "description": "A company's customer-satisfaction policy. docs/policy.md explains it by example.",
    }
    return json.dumps(head, ensure_ascii=False, indent=2) + "\n"


def _parts(part: type[Part]) -> Iterator[type[Part]]:
    for below in part.__subclasses__():
        if below.__module__.startswith("services.contracts."):
            yield below
            yield from _parts(below)


def _sentences(part: type[Part]) -> Iterator[tuple[str, str]]:
    """The keys of a part as a file writes them, each with the text that stands below it."""
    (node,) = ast.parse(dedent(inspect.getsource(part))).body
    for field, below in pairwise(node.body if isinstance(node, ast.ClassDef) else ()):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield _key(part, name), inspect.cleandoc(text)


def _key(part: type[Part], name: str) -> Any:
    return part.model_fields[name].validation_alias or name
