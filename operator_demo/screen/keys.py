"""The keyboard: single keys as words, read by one thread; and the terminal's settings, given back in any case."""

import os
import re
import select
import termios
import threading
import tty
from collections.abc import Callable

NEXT, QUIT, YES, NO, ALWAYS = "next", "quit", "yes", "no", "always"
_WORDS = {" ": NEXT, "\r": NEXT, "\n": NEXT, "\x1b[C": NEXT, "\x1bOC": NEXT,  # (space, enter, right arrow)
          "q": QUIT, "Q": QUIT, "y": YES, "n": NO, "a": ALWAYS}
_KEY = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b[^\[O]|[^\x1b]", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?$")


class Parser:
    """Turns what a terminal sends into words; other keys are left out whole."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[str]:
        text = self._rest + text
        unfinished = _UNFINISHED.search(text)
        self._rest = unfinished.group()[:32] if unfinished else ""
        keys = _KEY.findall(text[:unfinished.start()] if unfinished else text)
        return [_WORDS[key] for key in keys if key in _WORDS]


class Keyboard:
    """Reads the terminal behind `fd` from `start()` to `stop()` and calls `pressed` from its own thread."""

    def __init__(self, fd: int, pressed: Callable[[str], None]) -> None:
        self._fd, self._pressed = fd, pressed
        self._settings: list[object] | None = None
        self._thread: threading.Thread | None = None
        self._wake = (-1, -1)

    def start(self) -> None:
        """Raises nothing: a terminal that cannot be set up has no keys."""
        try:
            self._settings = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd, termios.TCSANOW)  # (DRAIN would wait for a stalled reader)
            attributes = termios.tcgetattr(self._fd)
            attributes[0] &= ~termios.IXON  # a stray Ctrl-S would hold up the run
            termios.tcsetattr(self._fd, termios.TCSANOW, attributes)
        except (termios.error, OSError):
            self._settings = None
            return
        self._wake = os.pipe()
        # A daemon, so that a program that dies without `stop()` is not held up; `stop()` joins it.
        self._thread = threading.Thread(target=self._read, name="keyboard", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and gives the terminal back."""
        if self._thread is not None:
            os.write(self._wake[1], b"x")
            self._thread.join()
            self._thread = None
            for fd in self._wake:
                os.close(fd)
        self.restore()

    def restore(self) -> None:
        """The terminal's settings as they were. Safe in a signal handler; may be called twice."""
        settings, self._settings = self._settings, None
        if settings is not None:
            try:
                termios.tcsetattr(self._fd, termios.TCSANOW, settings)  # type: ignore[arg-type]
            except (termios.error, OSError):
                pass  # the terminal is gone

    def _read(self) -> None:
        parser = Parser()
        while True:
            ready, _, _ = select.select([self._fd, self._wake[0]], [], [])
            if self._wake[0] in ready:
                return
            try:
                raw = os.read(self._fd, 256)
            except OSError:
                return  # the terminal is gone
            if not raw:
                return
            for key in parser.feed(raw.decode("utf-8", "ignore")):
                self._pressed(key)
