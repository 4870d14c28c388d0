import re

import pytest

from scheduler.policy import REASONS
from services.contracts.policy import parse_policy
from tests.scheduler.reference import ANSWERS, ASKING, DOCS, references

PAGE = (DOCS / "policy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [ASKING, ANSWERS])
def test_the_reference_is_what_the_language_says_of_itself(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == references()[name], "run `python -m tests.scheduler.reference`"


def test_the_smallest_policy_of_the_page_is_one() -> None:
    example = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    assert parse_policy(example, "docs/policy.md").policy == "own-incidents"


def test_every_reason_is_explained() -> None:
    explained = set(re.findall(r"^\| (?:survey|skip) \| `([a-z_]+)` \|", PAGE, re.MULTILINE))
    assert explained == set(REASONS)
