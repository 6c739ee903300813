"""A whole screen as the lines that a terminal of some size shows."""

import io
from collections.abc import Callable, Iterable

from rich.console import Console, RenderableType
from rich.screen import Screen
from story import START

from operator_demo.events import Event
from operator_demo.screen.panels.view import View
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.steering import Steering
from operator_demo.screen.terminal_text import UNICODE, Symbols


def drawn(many: Iterable[Event], size: tuple[int, int], at: float, symbols: Symbols, manual: bool,
          arranged: Callable[[ScreenState, View], RenderableType]) -> list[str]:
    """The lines of the screen, as wide as it is, `at` seconds after the start."""
    return drawn_of(folded(many), size, at, symbols, manual, arranged, Steering())


def folded(many: Iterable[Event]) -> ScreenState:
    state = ScreenState()
    for e in many:
        state.apply(e)
    return state


def drawn_of(state: ScreenState, size: tuple[int, int], at: float, symbols: Symbols, manual: bool,
             arranged: Callable[[ScreenState, View], RenderableType], steering: Steering) -> list[str]:
    """The same of a state, for somebody who looks at it by `steering`."""
    encoding = "utf-8" if symbols is UNICODE else "ascii"
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    console = Console(file=out, width=size[0], height=size[1], color_system=None, force_terminal=True, _environ={})
    view = View(console, symbols, START + at, manual, *size, steering=steering)
    with console.capture() as capture:
        console.print(Screen(arranged(state, view)), end="")
    return capture.get().splitlines()
