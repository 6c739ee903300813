"""The keyboard: keys by name, read by one thread; and the terminal's settings, given back in any case."""

import os
import re
import select
import termios
import threading
import tty
from collections.abc import Callable

_NAMES = {" ": "space", "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\x08": "backspace",
          "\x1a": "suspend",
          "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left",
          "\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left",
          "\x1b[5~": "page_up", "\x1b[6~": "page_down", "\x1b[H": "home", "\x1b[F": "end", "\x1bOH": "home",
          "\x1bOF": "end", "\x1b[1~": "home", "\x1b[4~": "end", "\x1b[7~": "home", "\x1b[8~": "end"}
_KEY = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b[^\[O]|[^\x1b]", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?$")
_PASTE, _PASTED = "\x1b[200~", "\x1b[201~"
_ALONE = 0.05  # seconds after which an escape that nothing follows is the key


class Parser:
    """Turns what a terminal sends into keys: the name of a special one, else the character.

    Other keys, and what is pasted, are left out whole.
    """

    def __init__(self) -> None:
        self._rest = ""
        self._pasting = False

    @property
    def waits(self) -> bool:
        """Has a sequence begun that is not at its end?"""
        return bool(self._rest)

    def feed(self, text: str) -> list[str]:
        text = self._rest + text
        unfinished = _UNFINISHED.search(text)
        self._rest = unfinished.group()[:32] if unfinished else ""
        keys = _KEY.findall(text[:unfinished.start()] if unfinished else text)
        return [name for key in keys if (name := self._name(key))]

    def _name(self, key: str) -> str:
        if key in (_PASTE, _PASTED):
            self._pasting = key == _PASTE
            return ""
        if self._pasting:
            return ""
        return _NAMES.get(key) or (key if key.isprintable() else "")

    def end(self) -> list[str]:
        """Nothing follows: an escape that stands alone is a key, a sequence that broke off is none."""
        rest, self._rest = self._rest, ""
        return ["escape"] if rest == "\x1b" and not self._pasting else []


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
            # Ctrl-Z comes as a key: the terminal is given back before the job stops, not by a race with the shell.
            attributes[6][termios.VSUSP] = bytes([os.fpathconf(self._fd, "PC_VDISABLE") & 0xFF])
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
        """The terminal's settings as they were. Safe in a signal handler; may be called twice.

        A terminal that the shell has taken back is the shell's: to set it would stop the process.
        """
        settings, self._settings = self._settings, None
        if settings is not None and not _in_background(self._fd):
            try:
                termios.tcsetattr(self._fd, termios.TCSANOW, settings)  # type: ignore[arg-type]
            except (termios.error, OSError):
                pass  # the terminal is gone

    def _read(self) -> None:
        parser = Parser()
        while True:
            ready, _, _ = select.select([self._fd, self._wake[0]], [], [], _ALONE if parser.waits else None)
            if self._wake[0] in ready:
                return
            if not ready:
                self._press(parser.end())
                continue
            try:
                raw = os.read(self._fd, 256)
            except OSError:
                return  # the terminal is gone
            if not raw:
                return
            self._press(parser.feed(raw.decode("utf-8", "ignore")))

    def _press(self, keys: list[str]) -> None:
        for key in keys:
            self._pressed(key)


def _in_background(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) != os.getpgrp()
    except OSError:
        return False  # it controls nobody
