"""A run as an asciicast, version 3: JSON lines, first a header, then what a terminal shows.

Each line is `[seconds since the one before, kind, text]`. The kinds here are `o` (output), `m` (a marker, where a
chapter begins) and `x` (the end, with an exit status).
"""

from collections.abc import Callable, Iterator

from operator_demo import events
from operator_demo.json_text import to_json
from operator_demo.replay.player import Player
from operator_demo.replay.timeline import Timeline
from operator_demo.screen.screen_state import ScreenState

FRAME_MS = 100  # between two looks
STILL_MS = 1000  # after which the clocks are drawn anew
_BEGIN = "\x1b[2J\x1b[?25l"  # an empty screen, no cursor
_END = "\x1b[0m\x1b[?25h\r\n"

Draw = Callable[[ScreenState, float], list[str]]
"""The lines of the screen for a state at a time (seconds since the epoch)."""


def asciicast(timeline: Timeline, size: tuple[int, int], draw: Draw) -> Iterator[str]:
    """The lines of the file; `size` is in columns and lines."""
    ms = 0
    player = Player(timeline, lambda: ms / 1000)
    yield _header(player, size)
    yield _line(0, "o", _BEGIN)
    lines: list[str] = []
    written, drawn = 0, -STILL_MS
    while True:
        before = player.shown
        moved = player.turn()
        for title in _chapters(timeline.events[before:player.shown]):
            yield _line(ms - written, "m", title)
            written = ms
        if moved or ms - drawn >= STILL_MS:
            drawn, last, lines = ms, lines, draw(player.state, player.now)
            if changes := _changes(last, lines):
                yield _line(ms - written, "o", changes)
                written = ms
        if player.at_end:
            break
        ms += FRAME_MS
    yield _line(0, "o", _END)
    yield _line(0, "x", "0")


def _header(player: Player, size: tuple[int, int]) -> str:
    began, about = player.timeline.events[0].at, player.about
    return to_json({"version": 3, "term": {"cols": size[0], "rows": size[1], "type": "xterm-256color"},
                    "timestamp": int(began), "title": f"operator-demo, {about.date}, {about.brain_label}"})


def _line(passed_ms: int, kind: str, text: str) -> str:
    return to_json([passed_ms / 1000, kind, text])


def _chapters(shown: list[events.Event]) -> list[str]:
    return [e.data.title or e.data.name for e in shown if isinstance(e.data, events.Chapter)]


def _changes(before: list[str], after: list[str]) -> str:
    """What makes one screen of the other: each line that differs, at its place."""
    before = before + [""] * (len(after) - len(before))
    return "".join(f"\x1b[{number};1H{line}" for number, (old, line) in enumerate(zip(before, after, strict=False), 1)
                   if old != line)
