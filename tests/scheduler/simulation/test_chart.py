from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.simulation.chart import HEIGHT, WIDTH, Chart, columns, days

FIRST = date(2026, 1, 1)


def within(chart: Chart) -> None:
    for bar in chart.bars:
        assert chart.left <= bar.x <= bar.x + bar.width <= chart.width + 0.01
        assert 0 <= bar.y <= bar.y + bar.height <= chart.bottom + 0.02
    assert [mark.at for mark in chart.up] == sorted((mark.at for mark in chart.up), reverse=True)


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 10**6)), max_size=30))
def test_bars_stay_in_their_frame_and_are_as_high_as_their_values(values: list[tuple[str, int]]) -> None:
    chart = columns([(name, float(value)) for name, value in values])
    within(chart)
    assert len(chart.bars) == sum(1 for _, value in values if value)
    assert len(chart.across) == len(values)
    heights = [bar.height for bar in chart.bars]
    ordered = [value for _, value in values if value]
    for (one, high), (other, low) in zip(
        zip(ordered, heights, strict=True), zip(ordered[1:], heights[1:], strict=True), strict=False
    ):
        assert (one >= other) == (high >= low) or abs(high - low) < 0.02


@given(st.dictionaries(st.integers(0, 800), st.integers(1, 5000), max_size=50))
def test_days_have_their_place_whether_or_not_anything_happened(counted: dict[int, int]) -> None:
    known = [(FIRST + timedelta(days=number), count) for number, count in counted.items()]
    chart = days(known, FIRST, FIRST + timedelta(days=365))
    within(chart)
    assert len(chart.bars) == len(known)
    assert chart.total == sum(counted.values())
    assert 1 <= len(chart.across) <= 14


def test_lines_stand_at_round_numbers() -> None:
    chart = columns([("a", 37.0), ("b", 246.0)])
    assert [mark.text for mark in chart.up] == ["0", "100", "200", "300"]
    assert (chart.width, chart.height) == (WIDTH, HEIGHT)
    assert [bar.says for bar in chart.bars] == ["a: 37", "b: 246"]
