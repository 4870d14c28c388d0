"""Colours of the page, made from the policy's one brand colour so that everything can be read (WCAG 2.2). Pure."""

from dataclasses import dataclass
from typing import Final

TEXT_LEAST: Final = 4.5
"""Contrast of text, and 3 of what marks a control or its state."""

WHITE: Final = "#ffffff"
INK: Final = "#1a2230"
MUTED: Final = "#4a5565"
LINE: Final = "#7f8a9a"
EDGE: Final = "#e3e7ed"
STAR: Final = "#b36b00"
ERROR: Final = "#b42318"
_PAPER: Final = "#f6f7f9"


@dataclass(frozen=True, slots=True)
class Palette:
    """`brand` carries white text; `strong` is text on `tint` and `wash`, the two pale backgrounds."""

    brand: str
    strong: str
    tint: str
    wash: str


def palette(brand: str) -> Palette:
    """The page's colours for a brand colour on which white can be read."""
    tint, wash = mix(brand, WHITE, 0.09), mix(brand, _PAPER, 0.05)
    strong = brand
    while min(contrast(strong, tint), contrast(strong, wash)) < TEXT_LEAST:
        strong = mix(strong, "#000000", 0.92)
    return Palette(brand=brand, strong=strong, tint=tint, wash=wash)


def mix(color: str, other: str, share: float) -> str:
    """`share` of one colour, the rest of the other."""
    pairs = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round(one * share + two * (1 - share)):02x}" for one, two in pairs)


def contrast(color: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_light(color), _light(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _light(color: str) -> float:
    red, green, blue = (_channel_light(channel / 255) for channel in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channel_light(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)
