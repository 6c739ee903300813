"""`run --fallback`: the recording that takes the place of a run that cannot go on."""

import os
import sys
import time
from collections.abc import Callable

from operator_demo.commands import output
from operator_demo.commands.replay import as_lines, on_screen
from operator_demo.errors import UsageError
from operator_demo.events import Note
from operator_demo.replay.live_text import with_live_text
from operator_demo.replay.player import Player
from operator_demo.replay.source import HOW, Record, load, recordings
from operator_demo.replay.timeline import Timeline
from operator_demo.screen.color import choose_display

IDLE_LIMIT = 2.0  # seconds


class FromRecording:
    """See `stage.fallback.Fallback`. With `manual` the presenter brings each chapter forward, as in the run."""

    def __init__(self, record: Record, display: str, manual: bool) -> None:
        self.played = False
        self._record, self._display, self._manual = record, display, manual

    def __call__(self, chapter: str, why: str, asked_to_end: Callable[[], bool] = lambda: False) -> None:
        self.played = True
        timeline = Timeline(with_live_text(self._record.events), IDLE_LIMIT)
        player = Player(timeline, time.monotonic, pause_on_chapters=self._manual)
        player.seek(timeline.chapters.get(chapter, 0))
        text = f"From here on this is a recording. {why}"
        if self._display == "tui":
            player.tell(Note(level="warning", text=text))
            on_screen(player, lambda: asked_to_end() or (player.at_end and not self._manual))
        else:
            output.line(text, "warn")
            as_lines(player, is_over=asked_to_end)


def from_recording(subject: str, scenario: str, display: str, manual: bool) -> FromRecording:
    """Raises `UsageError` where no recording of this scenario is shipped."""
    name = f"{subject}/{scenario}"
    if name not in recordings():
        raise UsageError(f"There is no recording of {name} to fall back on.", HOW)
    return FromRecording(load(name), choose_display(display, sys.stdin, sys.stdout, os.environ), manual)
