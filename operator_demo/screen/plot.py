"""Columns of points, two to a cell: braille where the terminal has it, else signs of ASCII."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from operator_demo.screen.panels.view import STYLES, Lines
from operator_demo.screen.terminal_text import Symbols

_POINTS = 4  # of a cell, from its foot to its head
_LEFT, _RIGHT = (0x00, 0x40, 0x44, 0x46, 0x47), (0x00, 0x80, 0xA0, 0xB0, 0xB8)
"""What is added to the empty pattern for so many points from the foot."""


@dataclass(frozen=True)
class Plot:
    """`levels` from 0 to 1, None where nothing is known, and whether each is `marked`; both have two for each cell.
    `rows` is the height in lines."""

    levels: Sequence[float | None]
    marked: Sequence[bool]
    rows: int


def columns(latest: int, cells: int) -> range:
    """The seconds that so many cells show, the latest at the right. A cell begins with an even second, so that the
    picture moves by whole cells."""
    end = latest + 2 - latest % 2
    return range(end - 2 * cells, end)


def plotted(plot: Plot, symbols: Symbols) -> Lines:
    """From the top row down. Something that is more than nothing has at least one point."""
    most = _POINTS * plot.rows
    heights = [0 if level is None else max(min(round(level * most), most), 1 if level > 0 else 0)
               for level in plot.levels]
    lines = []
    for row in reversed(range(plot.rows)):
        text = Text(no_wrap=True, end="")
        for marked, cells in groupby(range(0, len(heights), 2), lambda n: plot.marked[n] or plot.marked[n + 1]):
            shown = "".join(_cell(heights[n:n + 2], row, symbols) for n in cells)
            text.append(shown, STYLES["bad" if marked else "good"])
        lines.append(text)
    return lines


def _cell(heights: Sequence[int], row: int, symbols: Symbols) -> str:
    """What two columns of so many points show in this row, counted from the lowest."""
    left, right = (min(max(height - _POINTS * row, 0), _POINTS) for height in heights)
    if left == right == 0:
        return " "
    if symbols.braille:
        return chr(ord(symbols.braille) + _LEFT[left] + _RIGHT[right])
    return symbols.bars[max(left, right) * 2 - 1]
