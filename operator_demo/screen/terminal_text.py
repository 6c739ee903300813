"""Lines for a stream: symbols it can show, a little colour, and an encoding that never fails."""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from operator_demo.text import clean

Line = tuple[str, str]
"""A line and its tone."""

TONES = {"": "", "good": "32", "bad": "1;31", "warn": "33", "dim": "90", "strong": "1", "accent": "36", "agent": "35"}
"""What the tones look like: parameters of the terminal's SGR sequence."""


@dataclass(frozen=True)
class Symbols:
    """Each says what it means by its shape alone, so that it works without colour."""

    ok: str = "✔"
    bad: str = "✖"
    warn: str = "▲"
    healthy: str = "●"
    paused: str = "‖"
    unknown: str = "?"
    refused: str = "⊘"
    shield: str = "⛨"
    leader: str = "★"
    here: str = "▶"
    todo: str = "○"
    stated: str = "◆"
    dot: str = "·"
    none: str = "—"
    ellipsis: str = "…"
    rule: str = "─"
    cursor: str = "▌"
    quote: str = "│"
    bars: str = "▁▂▃▄▅▆▇█"
    working: str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
    now: str = "◉"
    done_line: str = "━"
    open_line: str = "╌"
    keys: str = "¹²³⁴"
    ties: str = "├┤┬┴┼"
    link: str = "═"
    broken: str = "\u2573"  # a diagonal cross
    block: str = "█"
    marker: str = "▼"
    braille: str = "\u2800"  # the empty pattern, from which the others count; "" where there are none
    # Frames: two corners above, two below, a horizontal and a vertical line.
    frame: str = "╭╮╰╯─│"
    gone_frame: str = "╭╮╰╯╌╎"
    frozen_frame: str = "╔╗╚╝═║"
    slow_frame: str = "┌┐└┘┈┊"


UNICODE = Symbols()
ASCII = Symbols(ok="+", bad="x", warn="!", healthy="*", paused="=", unknown="?", refused="-", shield="#", leader="L",
                here=">", todo="o", stated="*", dot="-", none="-", ellipsis="...", rule="-", cursor="_", quote="|",
                bars="_.-~=+*#", working="|/-\\", now="@", done_line="=", open_line=".", keys="1234", ties="+++++",
                link="=", broken="x", block="#", marker="v", braille="", frame="++++-|", gone_frame=".....:",
                frozen_frame="####=#", slow_frame="++++~|")


def symbols_for(encoding: str | None) -> Symbols:
    """The Unicode set where the encoding holds all of it, else ASCII."""
    try:
        "".join(UNICODE.__dict__.values()).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def encodable(text: str, encoding: str | None) -> str:
    """`text` with what `encoding` cannot hold written as escapes."""
    try:
        name = codecs.lookup(encoding or "ascii").name
    except LookupError:
        name = "ascii"
    return text.encode(name, "backslashreplace").decode(name)


def paint(text: str, tone: str, color: bool) -> str:
    return f"\x1b[{TONES[tone]}m{text}\x1b[0m" if color and TONES[tone] and text else text


class Writer:
    """Writes lines to a stream. A reader that went away (`run | head`) is no reason to stop a run: it falls silent."""

    def __init__(self, out: TextIO, color: bool) -> None:
        self.out, self.color = out, color
        self.encoding = getattr(out, "encoding", None)
        self.symbols = symbols_for(self.encoding)
        self._deaf = False

    def paint(self, text: str, tone: str) -> str:
        """`text` in the colour of its tone. Nothing else in it can steer the terminal, whoever wrote it."""
        return encodable(paint(clean(text), tone, self.color), self.encoding)

    def line(self, text: str, tone: str = "") -> None:
        self.row((text, tone))

    def row(self, *parts: Line) -> None:
        """One line of parts, each in its tone."""
        if self._deaf:
            return
        try:
            self.out.write("".join(self.paint(text, tone) for text, tone in parts) + "\n")
            self.out.flush()
        except (OSError, ValueError):
            self._deaf = True

    def lines(self, many: Iterable[Line]) -> None:
        for text, tone in many:
            self.line(text, tone)
