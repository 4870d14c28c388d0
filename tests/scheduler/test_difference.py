from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from scheduler.difference import differences, leaves, text_difference, written
from services.contracts.document import read_document

PACK = (Path(__file__).parents[2] / "policies" / "itss-incident.yaml").read_text(encoding="utf-8")

words = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" .→:#[]{}\"'"), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-1000, 1000) | words
keys = st.text("abcxyz._ 1\u5ba2[", min_size=1, max_size=4)
things = st.fixed_dictionaries({"id": st.sampled_from(["speed", "why", "overall"])}, optional={"text": words})
values = st.recursive(
    scalars,
    lambda below: st.lists(below | things, max_size=4) | st.dictionaries(keys, below, max_size=4),
    max_leaves=12,
)
files = st.dictionaries(keys, values, max_size=5)


def as_file(data: Any) -> str:
    out = StringIO()
    yaml = YAML()
    yaml.width = 10_000
    yaml.dump(data, out)
    return out.getvalue()


def paths(data: Any) -> set[tuple[str | int, ...]]:
    """Every leaf, found in another way than by the code under test."""
    if isinstance(data, dict) and data:
        return {(key, *rest) for key, below in data.items() for rest in paths(below)}
    if isinstance(data, list) and any(isinstance(each, dict | list) for each in data):
        return {(number, *rest) for number, below in enumerate(data) for rest in paths(below)}
    return {()}


@given(files)
def test_a_file_does_not_differ_from_itself(data: dict[str, Any]) -> None:
    text = as_file(data)
    assert differences(text, "# a remark\n" + text) == []
    assert text_difference(text, text, ("a", "b")) == ""


@given(files, files)
def test_every_leaf_that_changed_is_named_and_no_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = leaves(before), leaves(after)
    found = differences(as_file(before), as_file(after))
    assert len({each.path for each in found}) == len(found)
    assert all(each.before != each.after for each in found)
    rebuilt = dict(old)
    for each in found:
        assert rebuilt.pop(each.path, None) == each.before
        if each.after is not None:
            rebuilt[each.path] = each.after
    assert rebuilt == new
    assert found or before == after


@given(files)
def test_no_leaf_is_left_out(data: dict[str, Any]) -> None:
    named = [path for path in leaves(data) if not path.endswith("[]")]
    assert len(named) == len(paths(data))


@given(scalars, scalars)
def test_different_values_are_written_differently(one: object, other: object) -> None:
    assert (written(one) == written(other)) == (type(one) is type(other) and one == other)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("after: 2h, within: 2d", "after: 2h, within: 1d", "surveys.incident.send.within: 2d → 1d"),
        ("  per_person: 5 in 14 days", "  per_person: 3 in 14 days", "limits.per_person: 5 in 14 days → 3 in 14 days"),
        ("[mon, tue, wed, thu, fri]", "[mon, fri]", "calendar.workdays: [mon, tue, wed, thu, fri] → [mon, fri]"),
        ('  quiet: "21:00-08:30"\n', "", "- calendar.quiet: 21:00-08:30"),
        ("  holidays: CN\n", "  holidays: CN\n  surprise: true\n", "+ calendar.surprise: true"),
    ],
)  # fmt: skip
def test_a_change_is_told_in_the_policy_s_own_words(old: str, new: str, line: str) -> None:
    assert PACK.count(old) == 1
    assert [str(each) for each in differences(PACK, PACK.replace(old, new))] == [line]


def test_an_item_is_known_by_its_id_wherever_it_stands() -> None:
    old = as_file({"items": [{"id": "speed", "scale": "likert5"}, {"id": "why", "kind": "text"}]})
    new = as_file({"items": [{"id": "why", "kind": "text"}, {"id": "speed", "scale": "ten"}]})
    assert [str(each) for each in differences(old, new)] == [
        "items[]: [speed, why] → [why, speed]",
        "items[speed].scale: likert5 → ten",
    ]


def test_what_is_gone_stands_where_it_stood() -> None:
    found = differences("a: 1\nb: 2\nc: 3\n", "a: 1\nc: 4\nd: 5\n")
    assert [str(each) for each in found] == ["- b: 2", "c: 3 → 4", "+ d: 5"]


def test_the_texts_differ_line_by_line() -> None:
    assert text_difference("a: 1\nb: 2\n", "a: 1\nb: 3\n", ("test version 1", "test version 2")).splitlines() == [
        "--- test version 1",
        "+++ test version 2",
        "@@ -1,2 +1,2 @@",
        " a: 1",
        "-b: 2",
        "+b: 3",
    ]


def test_a_whole_pack_has_a_leaf_for_every_value() -> None:
    data = read_document(PACK, "pack").data
    assert len(leaves(data)) > len(paths(data)) > 100
