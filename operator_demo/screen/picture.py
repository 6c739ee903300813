"""The screen of a recorded run as an SVG picture: drawn by the code that draws it live."""

import io
import re
from collections.abc import Iterable
from itertools import takewhile

from rich.console import Console
from rich.screen import Screen
from rich.terminal_theme import MONOKAI

from operator_demo import chapters, events
from operator_demo.errors import UsageError
from operator_demo.events import Event
from operator_demo.screen.layout import arrange
from operator_demo.screen.panels.view import View
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.terminal_text import UNICODE

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # Rich names a server for them; any monospaced font will do


def picture(record: Iterable[Event], chapter: str, size: tuple[int, int], title: str) -> str:
    """The SVG of the screen at the end of `chapter`; `size` is in columns and lines. `record` holds the events of one
    run in the order of time. Raises `UsageError` where the run never reached the chapter."""
    state = ScreenState()
    for event in _until_the_end_of(chapter, record):
        state.apply(event)
    if state.chapter.name != chapter:
        raise UsageError(f"This run never reached the chapter {chapter}.", "`audit show` tells how far it came.")
    console = Console(file=io.StringIO(), record=True, force_terminal=True, color_system="truecolor", width=size[0],
                      height=size[1], highlight=False, markup=False, emoji=False, _environ={})
    view = View(console, UNICODE, state.latest, False, *size)
    console.print(Screen(arrange(state, view)), end="")
    return _FONTS.sub("", console.export_svg(title=title, theme=MONOKAI))


def _until_the_end_of(chapter: str, record: Iterable[Event]) -> Iterable[Event]:
    later = chapters.NAMES[chapters.NAMES.index(chapter) + 1:]
    return takewhile(lambda e: not (isinstance(e.data, events.Chapter) and e.data.name in later), record)
