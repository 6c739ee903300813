"""What the stage talks to: one way to show a run, whatever the terminal.

All methods are called from one thread, but for `restore()`, which a signal handler may call at any moment.
"""

import os
import sys
import threading
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Protocol, TextIO

from operator_demo import wire
from operator_demo.approvals import ALWAYS, NO, YES
from operator_demo.events import Event
from operator_demo.run_state import RunState
from operator_demo.screen.color import use_color
from operator_demo.screen.plain import Plain
from operator_demo.screen.summary import summary
from operator_demo.screen.terminal_text import Writer

_ANSWERS = {b"y": YES, b"yes": YES, b"n": NO, b"no": NO, b"a": ALWAYS, b"always": ALWAYS}


class Display(Protocol):
    """`keys` yields what a person pressed: `next`, `quit`, `yes`, `no` or `always`; it stays empty where nobody can
    press anything."""

    keys: SimpleQueue[str]

    def start(self) -> None: ...

    def event(self, e: Event) -> None:
        """Takes in an event, durable or not."""
        ...

    def tick(self, now: float) -> None:
        """To be called about ten times a second; `now` is in seconds since the epoch, on the clock of the events."""
        ...

    def stop(self) -> None:
        """Ends the display and prints the summary of the run. May be called twice."""
        ...

    def restore(self) -> None:
        """Gives the terminal back as it was, at once, and prints nothing more. May be called twice."""
        ...


class Lines:
    """The plain display; `quiet` says only how the run ended."""

    def __init__(self, out: TextIO, env: Mapping[str, str], quiet: bool = False,
                 answers_from: int | None = None) -> None:
        """`answers_from` is a descriptor from which lines are read: `y`, `n`, `a`."""
        self._answers_from = answers_from
        self.keys: SimpleQueue[str] = SimpleQueue()
        self._writer = Writer(out, use_color(out, env))
        self._plain = None if quiet else Plain(self._writer)
        self._state = RunState()
        self._stopped = False

    def start(self) -> None:
        if self._answers_from is not None:
            # A daemon that reads the descriptor itself, so that the end of the program waits for nothing.
            threading.Thread(target=self._hear, args=(self._answers_from,), name="answers", daemon=True).start()

    def _hear(self, fd: int) -> None:
        heard = b""
        while piece := _read(fd):
            *lines, heard = (heard + piece).split(b"\n")
            for line in lines:
                if word := _ANSWERS.get(line.strip().lower()):
                    self.keys.put(word)

    def event(self, e: Event) -> None:
        self._state.apply(e)
        if self._plain:
            self._plain.event(e)

    def tick(self, now: float) -> None:
        pass

    def stop(self) -> None:
        if not self._stopped and self._state.run.id:
            self._writer.lines(summary(self._state, self._writer.symbols))
        self._stopped = True

    def restore(self) -> None:
        pass


def _read(fd: int) -> bytes:
    """b"" at the end, and where nobody is there any more."""
    try:
        return os.read(fd, 1024)
    except OSError:
        return b""


class Json:
    """One event a line, for programs."""

    def __init__(self, out: TextIO) -> None:
        self.keys: SimpleQueue[str] = SimpleQueue()
        self._writer = Writer(out, color=False)

    def start(self) -> None:
        pass

    def event(self, e: Event) -> None:
        self._writer.line(wire.to_json(e))

    def tick(self, now: float) -> None:
        pass

    def stop(self) -> None:
        pass

    def restore(self) -> None:
        pass


def make_display(name: str, *, out: TextIO | None = None, env: Mapping[str, str] = os.environ,
                 manual: bool = False, answers: bool = False, big: bool = False) -> Display:
    """`name` is one of `color.DISPLAYS`; `manual` says that keys bring the run forward (for the footer),
    `answers` that lines on stdin answer what is asked (in the plain display), `big` that the full screen shows few
    things at a time."""
    stream = sys.stdout if out is None else out
    if name == "json":
        return Json(stream)
    if name == "tui":
        from operator_demo.screen.live import LiveScreen  # Rich is needed for this one only

        return LiveScreen(stream, env, manual=manual, big=big)
    answers_from = sys.stdin.fileno() if answers and name == "plain" and sys.stdin.isatty() else None
    return Lines(stream, env, quiet=name == "quiet", answers_from=answers_from)
