"""What every panel is drawn with: the room it has, what the terminal can show, and lines that fit.

Text from events becomes `Text`, never markup. Every state has a symbol of its own, so that the screen can be read
without colour.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from rich.console import Console
from rich.text import Text

from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.steering import Steering
from operator_demo.screen.terminal_text import Symbols

GREEN, RED, AMBER, BLUE, GREY = "#008800", "#c25050", "#b06000", "#5f5fff", "#767676"
"""Legible on black and on white, and as what a terminal of 256 colours makes of them."""
STYLES = {"": "", "good": GREEN, "bad": f"bold {RED}", "warn": AMBER, "dim": GREY, "strong": "bold",
          "accent": BLUE, "command": f"bold {BLUE}", "think": "italic"}
CALM, ALARM, WORK = GREY, RED, AMBER

Lines = list[Text]


@dataclass(frozen=True)
class View:
    """The room for a body (in cells), the time (seconds since the epoch) and what the terminal can show.

    `mark` says that this is no run that goes on now; "" where it is one. It must stand on the screen at every size.
    `big`: few things at a time, for a terminal with a big font.
    """

    console: Console
    symbols: Symbols
    now: float
    manual: bool
    width: int = 80
    height: int = 24
    steering: Steering = field(default_factory=Steering)
    mark: str = ""
    big: bool = False

    def sized(self, width: int, height: int) -> "View":
        return replace(self, width=max(width, 1), height=max(height, 0))


def line(*parts: str | tuple[str, str]) -> Text:
    """One line of (text, tone) parts."""
    row = Text(no_wrap=True, end="")
    for part in parts:
        text, tone = (part, "") if isinstance(part, str) else part
        row.append(text.expandtabs(4).replace("\n", " "), STYLES[tone])
    return row


def fit(lines: Iterable[Text], view: View) -> Lines:
    """At most as many lines as there is room for, each cut to the width."""
    shown = list(lines)[:view.height]
    for text in shown:
        text.truncate(view.width, overflow="ellipsis" if view.symbols.ellipsis == "…" else "crop")
    return shown


def wrapped(text: str, tone: str, view: View, first: str = "", rest: str | None = None) -> Iterator[Text]:
    """`text` broken into lines; `first` and `rest` stand before the first line and the others."""
    rest = " " * len(first) if rest is None else rest
    head = first
    for paragraph in text.expandtabs(4).splitlines():
        room = max(view.width - len(head), 8)
        for part in Text(paragraph, STYLES[tone]).wrap(view.console, room) or [Text("")]:
            part.rstrip()
            yield Text.assemble((head, STYLES[tone]), part, no_wrap=True, end="")
            head = rest


Body = Callable[[ScreenState, View], Lines]
