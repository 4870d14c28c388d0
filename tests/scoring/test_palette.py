import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scoring.palette import ERROR, INK, LINE, MUTED, STAR, WHITE, contrast, mix, palette
from services.contracts.messages import Brand


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert contrast("#0b5cad", "#0b5cad") == 1


def test_mixing() -> None:
    assert mix("#000000", "#ffffff", 0.5) == "#808080"
    assert mix("#123456", "#ffffff", 1) == "#123456"


@given(st.integers(0, 0xFFFFFF))
def test_every_brand_colour_that_a_policy_may_have_gives_a_readable_page(number: int) -> None:
    color = f"#{number:06x}"
    try:
        Brand(color=color)
    except ValidationError:
        assert contrast(color, WHITE) < 4.5 + 1e-9
        return
    colors = palette(color)
    assert contrast(WHITE, colors.brand) >= 4.5
    for background in (WHITE, colors.tint, colors.wash):
        assert contrast(colors.strong, background) >= 4.5
        assert contrast(MUTED, background) >= 4.5
        assert contrast(INK, background) >= 7
    assert contrast(ERROR, WHITE) >= 4.5
    # Borders of controls, stars, and the mark of what is chosen.
    assert min(contrast(LINE, WHITE), contrast(STAR, WHITE), contrast(colors.brand, colors.tint)) >= 3
