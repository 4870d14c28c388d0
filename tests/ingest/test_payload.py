import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.payload import PayloadError, is_delivery_id, is_json, is_source_name, parse

ROW_13 = [
    b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 5_000,
    b'{"n":' + b"9" * 100_000 + b"}",
    b'{"n": 1e999}',
    b'{"n": -1e999}',
]
ROW_13 += [b'{"n": NaN}', b'{"n": Infinity}', b'{"n": -Infinity}']
ROW_14 = [b'{"id": 1, "id": 2}', b'{"a": [{"b": {"c": 1, "c": 1}}]}', b'{"a": 1, "\\u0061": 2}']
ROW_15 = [b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "\\ud800"}', b'{"a": "\\udc00 x"}', b'{"\\ud800": 1}']
ROW_15 += [b'{"a": "\\u0000"}', b'{"a\\u0000": 1}', b'{"a": ["x", "\\u0000"]}', b'{"a": "\x00"}']
NO_JSON = [b"", b"{", b'{"a": 1}x', b"{'a': 1}", b'{"a": 01}', b"\xef\xbb\xbf{}", b"\x1f\x8b\x08", b'"', b'{"a": tru']


@pytest.mark.parametrize("body", ROW_13, ids=range(len(ROW_13)))
def test_row_13_too_deep_or_no_number(body: bytes) -> None:
    with pytest.raises(PayloadError):
        parse(body)


@pytest.mark.parametrize("body", ROW_14)
def test_row_14_a_key_twice(body: bytes) -> None:
    with pytest.raises(PayloadError, match="twice"):
        parse(body)


@pytest.mark.parametrize("body", ROW_15)
def test_row_15_what_cannot_be_kept(body: bytes) -> None:
    with pytest.raises(PayloadError):
        parse(body)


@pytest.mark.parametrize("body", NO_JSON)
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(PayloadError):
        parse(body)


def test_escapes_that_only_look_suspicious_pass() -> None:
    assert parse(rb'{"a": "\ud83d\ude00", "b": "\\u0000"}') == {"a": "😀", "b": "\\u0000"}


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner, max_size=4),
)  # fmt: skip


@given(_VALUES, st.booleans())
def test_everything_else_is_read_as_it_was_written(value: object, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary())
def test_no_bytes_do_more_harm_than_a_refusal(body: bytes) -> None:
    with suppress(PayloadError):
        json.dumps(parse(body), allow_nan=False)


@pytest.mark.parametrize(
    ("header", "good"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("Application/JSON;charset=UTF8", True),
        ('application/json; charset="UTF-8"', True),
        ("application/json; charset=utf-16", False),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
        ("application/cloudevents+json", False),
        ("application/json, text/plain", False),
        ("", False),
        (None, False),
    ],
)
def test_rows_9_and_10_content_types(header: str | None, good: bool) -> None:
    assert is_json(header) is good


def test_further_content_types_are_named() -> None:
    assert is_json("application/cloudevents+json; charset=utf-8", "cloudevents+json")


@pytest.mark.parametrize(("text", "good"), [("msg_1", True), ("a.b", False), ("x" * 128, True), ("x" * 129, False)])
def test_row_6_delivery_ids(text: str, good: bool) -> None:
    assert is_delivery_id(text) is good


@pytest.mark.parametrize("text", ["", "a b", "a\n", "a\x7f", "a\x00", "ä"])
def test_row_6_delivery_ids_with_odd_characters(text: str) -> None:
    assert not is_delivery_id(text)


def test_names_of_sources() -> None:
    assert is_source_name("jira-main_2")
    assert not any(map(is_source_name, ["", "Jira", "2jira", "a/b", "a\n", "x" * 64, "plan", "again"]))
