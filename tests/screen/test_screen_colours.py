"""The colours can be read on a dark and on a light background."""

import pytest
from rich.color import Color, ColorSystem
from rich.color_triplet import ColorTriplet

from operator_demo.screen.panels.view import AMBER, BLUE, GREEN, GREY, RED

LEAST = 4.5  # WCAG 2, level AA
LEAST_OF_256 = 4.4  # the palette has no nearer amber and green
BLACK, WHITE = 0.0, 1.0


def luminance(color: ColorTriplet) -> float:
    """Relative, as WCAG 2 defines it."""
    parts = [channel / 255 for channel in color]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    lighter, darker = max(one, other), min(one, other)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("name", [GREEN, RED, AMBER, BLUE, GREY])
@pytest.mark.parametrize("background", [BLACK, WHITE])
def test_contrast(name: str, background: float) -> None:
    color = Color.parse(name)
    assert color.triplet is not None
    assert contrast(luminance(color.triplet), background) >= LEAST
    nearest = Color.from_ansi(color.downgrade(ColorSystem.EIGHT_BIT).number or 0).get_truecolor()
    assert contrast(luminance(nearest), background) >= LEAST_OF_256
