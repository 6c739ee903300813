"""What part of a long text is looked at, and the search in it.

A key says only what is wanted; how many lines there are is known when they are drawn, which tells `Scroll`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

STEPS = {"up": -1, "down": 1}
PAGES = {"page_up": -1, "page_down": 1}
_ABOVE_A_MATCH = 3  # lines that are shown over it


@dataclass
class Scroll:
    """`top` is the first line shown; None as long as nobody has scrolled, or is back where it rests: at the end of a
    text that `grows`, else at its beginning. So what comes in later moves nothing that is read."""

    grows: bool = False
    top: int | None = None
    query: str = ""
    seek: int = 0  # 1 for the next match, -1 for the one before: found when it is drawn
    match: int | None = None  # the line of it
    missing: bool = False  # nothing matches
    lines: int = 0  # as drawn last
    height: int = 1
    shown: int = 0  # the first line, as drawn last

    def press(self, key: str) -> bool:
        """Is this a key that moves?"""
        if key in STEPS:
            self._go(self.shown + STEPS[key])
        elif key in PAGES:
            self._go(self.shown + PAGES[key] * max(self.height - 2, 1))
        elif key == "home":
            self._go(0)
        elif key == "end":
            self._go(self.lines)
        elif key in ("n", "N") and self.query:
            self.seek = 1 if key == "n" else -1
        else:
            return False
        return True

    def search(self, query: str) -> None:
        self.query, self.seek, self.match, self.missing = query, 1 if query else 0, None, False

    def _go(self, top: int) -> None:
        last = max(self.lines - self.height, 0)
        top = min(max(top, 0), last)
        rests = top == last if self.grows else top == 0
        self.top = None if rests else top

    def window(self, lines: Sequence[str], height: int) -> int:
        """Takes note of what is drawn, looks for what is sought, and gives the first line to show."""
        self.lines, self.height = len(lines), max(height, 1)
        if self.seek:
            self._find(lines)
        last = max(self.lines - self.height, 0)
        rest = last if self.grows else 0
        self.shown = rest if self.top is None else min(self.top, last)
        return self.shown

    def _find(self, lines: Sequence[str]) -> None:
        """The match after (or before) the last one, else after the first line shown; around the end, too."""
        step, self.seek = self.seek, 0
        query, count = self.query.casefold(), len(lines)
        begin = self.match + step if self.match is not None else self.shown
        turns = ((begin + step * n) % count for n in range(count))
        self.match = next((at for at in turns if query in lines[at].casefold()), None)
        self.missing = self.match is None
        if self.match is not None:
            self._go(self.match - min(_ABOVE_A_MATCH, self.height // 3))
