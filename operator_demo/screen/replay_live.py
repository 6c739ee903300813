"""The screen of a record that is replayed: the one that draws a run live, marked, and with keys of its own."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import IO, Any, TextIO

from rich.console import Console

from operator_demo.events import Event
from operator_demo.replay.player import Player
from operator_demo.screen import steering
from operator_demo.screen.live import LiveScreen
from operator_demo.screen.panels.view import View
from operator_demo.screen.summary import summary
from operator_demo.screen.terminal_text import Line, Symbols


class ReplayScreen(LiveScreen):
    """Draws where the player is, and steers it by keys."""

    def __init__(self, out: TextIO, env: Mapping[str, str], player: Player, *, stdin: IO[Any] | None = None) -> None:
        super().__init__(out, env, stdin=stdin, steering=steering.Steering(steering.REPLAY))
        self._player = player

    def event(self, e: Event) -> None:
        """The player alone says what is shown."""

    def turn(self) -> bool:
        """One turn of the player and the screen; False when somebody wants to leave."""
        moved = self._player.turn()
        self._dirty = self._dirty or moved
        self._state = self._player.state
        self.tick(time.time())
        while not self.keys.empty():
            word = self.keys.get()
            if word == steering.QUIT:
                return False
            self._steer(word)
        return True

    def _steer(self, word: str) -> None:
        self._dirty = True
        match word:
            case steering.PAUSE:
                self._player.pause()
            case steering.EVENT_LATER:
                self._player.step(1)
            case steering.EVENT_EARLIER:
                self._player.step(-1)
            case steering.CHAPTER_LATER:
                self._player.chapter(1)
            case steering.CHAPTER_EARLIER:
                self._player.chapter(-1)

    def asks(self) -> bool:
        return False  # what was asked then is answered in the record

    def view(self, console: Console, now: float, size: tuple[int, int]) -> View:
        live = super().view(console, now, size)
        return replace(live, now=self._player.now, mark=mark(self._player, live.symbols))

    def farewell(self, symbols: Symbols) -> list[Line]:
        return [("", ""), (self._player.about.title, "strong"), *summary(self._state, symbols, program="")]


def mark(player: Player, symbols: Symbols) -> str:
    """`REPLAY ▶ 2026-11-28 rehearsal`, short enough to stand beside the keys."""
    moves = symbols.here if player.playing else symbols.paused
    return " ".join(part for part in ("REPLAY", moves, player.about.date, player.about.brain) if part)
