from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.expression import ExpressionError, compile_alternatives, compile_expression, is_true, says_something

EXPRESSIONS = [
    "a",
    "a.b",
    "a.b.c",
    "@",
    "a[0]",
    "a[-1].b",
    "a[0].b || c",
    "a || b || 'none'",
    "a && b",
    "!a",
    "a == b",
    "a != 'x'",
    "a == `1`",
    "a == `true`",
    "a > `1`",
    "[a, b.c]",
    "a.[b, c]",
    "a.{x: b}",
    "a | b",
    "a[].b",
    "a[*].b",
    "a[?b].c",
    "a[?b == 'x'].c | [0]",
    "a.*.b",
    "contains(a, 'x')",
    "starts_with(a, 'x')",
    "length(a)",
    "to_string(a)",
    "max_by(a, &b)",
    "sort(a)",
    "`[1, 2]`",
    "not_null(a, b)",
    "(a || b).c",
    "a[?b == `1` || c == 'x'].b | [0]",
    "a[1:2]",
]

_SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x", "xy"])
_DOCUMENTS = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)


def reference(text: str, document: Any) -> Any:
    try:
        return jmespath.search(text, document)
    except jmespath.exceptions.JMESPathError:
        return None


@given(st.sampled_from(EXPRESSIONS), _DOCUMENTS)
def test_a_compiled_expression_finds_what_the_interpreter_finds(text: str, document: Any) -> None:
    assert compile_expression(text)(document) == reference(text, document)


def test_json_inside_a_string_can_be_looked_into() -> None:
    find = compile_expression("from_json(team)[?role == 'requester'].id | [0]")
    assert find({"team": '[{"id": 7, "role": "requester"}]'}) == 7
    assert find({"team": [{"id": 7, "role": "requester"}]}) == 7
    assert find({"team": "Array"}) is None


def test_a_part_that_fails_finds_nothing_and_the_rest_goes_on() -> None:
    find = compile_expression("starts_with(a, 'x') || b")
    assert find({"a": None, "b": 1}) == 1
    assert find({"a": "xy", "b": 1}) is True


def test_what_is_no_expression_is_refused_when_it_is_compiled() -> None:
    with pytest.raises(ExpressionError):
        compile_expression("a..b")


def test_the_first_alternative_that_says_something_wins() -> None:
    find = compile_alternatives(["a", "b", "c"])
    assert find({"a": "", "b": "{{ ticket.b }}", "c": 0}) == 0
    assert find({"a": None, "b": [], "c": False}) is None


@pytest.mark.parametrize(
    ("value", "says"), [([None, ""], False), (["", "x"], True), (0, True), (" ", False), ({}, False)]
)
def test_values_that_say_nothing(value: object, says: bool) -> None:
    assert says_something(value) is says


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_what_is_not_true_to_json(value: object) -> None:
    assert not is_true(value)
    assert is_true([value])


def test_zero_is_true_to_json() -> None:
    assert is_true(0)
