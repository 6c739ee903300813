"""The screen of a recorded run as pictures: stills in SVG, and its lines for a recording of the terminal. Drawn by the
code that draws it live."""

import io
import re

from rich.console import Console
from rich.screen import Screen
from rich.terminal_theme import MONOKAI

from operator_demo.screen.layout import arrange
from operator_demo.screen.panels.view import View
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.terminal_text import UNICODE

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # Rich names a server for them; any monospaced font will do

Size = tuple[int, int]
"""Columns and lines."""


def svg(state: ScreenState, now: float, size: Size, title: str) -> str:
    """A still; `now` is in seconds since the epoch."""
    console = _console(size, record=True)
    console.print(_screen(state, now, console, size), end="")
    return _FONTS.sub("", console.export_svg(title=title, theme=MONOKAI))


class Painter:
    """Draws one frame after the other."""

    def __init__(self, size: Size) -> None:
        self._size, self._console = size, _console(size)

    def lines(self, state: ScreenState, now: float) -> list[str]:
        """The lines of the whole screen, each with its own colours."""
        with self._console.capture() as captured:
            self._console.print(_screen(state, now, self._console, self._size), end="")
        return captured.get().split("\n")


def _screen(state: ScreenState, now: float, console: Console, size: Size) -> Screen:
    return Screen(arrange(state, View(console, UNICODE, now, False, *size)))


def _console(size: Size, record: bool = False) -> Console:
    return Console(file=io.StringIO(), record=record, force_terminal=True, color_system="truecolor", width=size[0],
                   height=size[1], highlight=False, markup=False, emoji=False, _environ={})
