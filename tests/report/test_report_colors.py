"""Whatever is read on a page has a contrast of at least 4.5:1, on light and on dark ground."""

import re
from importlib.resources import files

import pytest

CSS = files("operator_demo.report").joinpath("assets/page.css").read_text(encoding="utf-8")
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
               for block in re.findall(r":root(?:\[data-theme=\"dark\"\])? \{(.*?)\}", CSS, re.DOTALL)[:2])
PAIRS = [(ink, ground) for ink in ("ink", "soft", "accent", "good", "warn", "bad", "agent")
         for ground in ("ground", "card", "sunken")]
PAIRS += [(tone, f"{tone}-ground") for tone in ("accent", "good", "warn", "bad", "agent")]
PAIRS += [("ink", f"{tone}-ground") for tone in ("accent", "good", "warn", "bad", "agent", "leader")]


def luminance(color: str) -> float:
    """Of WCAG 2."""
    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return float(value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(color[n:n + 2]) for n in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_both_palettes_have_the_same_colors() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert len(LIGHT) > 15


@pytest.mark.parametrize(("ink", "ground"), PAIRS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(palette: dict[str, str], ink: str, ground: str) -> None:
    assert contrast(palette[ink], palette[ground]) >= 4.5
