import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scheduler.sample import draw


def test_the_draw_is_the_documented_one() -> None:
    """By an outside tool: `printf "itss-incident/incident\\0jira\\0IT-1\\0001\\0" | b2sum -l 64`."""
    assert draw("itss-incident/incident", "jira", "IT-1", 1) == (0x11F99DDB138E4AD4 >> 11) / 2**53


@given(st.text(max_size=20), st.text(max_size=20), st.integers(1, 9))
def test_a_draw_is_a_share_and_stays_the_same(source: str, ticket: str, closure: int) -> None:
    number = draw("seed", source, ticket, closure)
    assert 0 <= number < 1
    assert number == draw("seed", source, ticket, closure)


def test_parts_do_not_run_into_each_other() -> None:
    assert draw("a", "bc") != draw("ab", "c")


def test_draws_are_even() -> None:
    draws = [draw("seed", "source", number) for number in range(10_000)]
    tenths = [sum(low / 10 <= each < (low + 1) / 10 for each in draws) for low in range(10)]
    assert all(900 < count < 1_100 for count in tenths)


@given(seed=st.text(max_size=20), unit=st.text(max_size=20))
def test_the_page_on_plans_shows_quality_staff_the_same_draw(seed: str, unit: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "plans.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown: dict[str, Any] = {}
    exec(code, shown)
    assert shown["draw"](seed, unit) == draw(seed, unit)
