"""The JSON Schema of policy files, from which editors complete and explain keys."""

import json

from services.contracts.policy import Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema() -> str:
    """The schema as text, as it stands in `docs/policy.schema.json`."""
    schema = {
        "$schema": DIALECT,
        **Policy.model_json_schema(by_alias=True),
        "title": "Huifang policy",
        "description": "A company's customer-satisfaction policy. docs/policy.md explains it by example.",
    }
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
