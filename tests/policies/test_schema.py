import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.contracts.document import read_document
from services.contracts.schema import policy_schema

ROOT = Path(__file__).parents[2]
PACKS = sorted((ROOT / "policies").glob("*.yaml"))
RENEW = (
    "it is renewed by: .venv/bin/python -c "
    "'from services.contracts.schema import policy_schema; print(policy_schema(), end=\"\")' > docs/policy.schema.json"
)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(policy_schema())
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


def test_the_published_schema_is_that_of_the_language() -> None:
    assert (ROOT / "docs/policy.schema.json").read_text(encoding="utf-8") == policy_schema(), RENEW


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_every_pack_validates_against_the_schema(pack: Path, schema: dict[str, Any]) -> None:
    data = read_document(pack.read_text(encoding="utf-8"), pack.name).data
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(data))
    assert not errors, [f"{error.json_path}: {error.message}" for error in errors]


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_every_pack_names_the_schema_for_editors(pack: Path) -> None:
    first = pack.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../docs/policy.schema.json"


@pytest.mark.parametrize(
    ("key", "value"),
    [("send", {"within": "2 fortnights"}), ("steps", [{"ring": "x"}]), ("share", "a lot"), ("every", "monthly")],
)
def test_the_schema_refuses_what_the_language_refuses(key: str, value: object, schema: dict[str, Any]) -> None:
    data = read_document(PACKS[0].read_text(encoding="utf-8"), "pack").data
    next(iter(data["surveys"].values()))[key] = value
    assert not jsonschema.Draft202012Validator(schema).is_valid(data)


def test_every_key_is_explained(schema: dict[str, Any]) -> None:
    parts = {"Policy": schema, **schema["$defs"]}
    mute = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, value in part.get("properties", {}).items()
        if not value.get("description")
    ]
    assert mute == []
