"""The full screen: draws the state on the alternate screen, and gives the terminal back on every way out.

Rich's own refresh thread dies silently when a panel raises, so the caller's loop draws (`tick`); each panel catches
what goes wrong in it. Everything goes out through `Terminal`, which writes to the descriptor itself: no buffer and no
lock stands between a signal handler and the terminal.
"""

import atexit
import io
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Mapping
from queue import SimpleQueue
from typing import IO, Any, TextIO, cast

from rich.console import Console, RenderableType
from rich.live import Live

from operator_demo.events import Chapter, Event
from operator_demo.screen.color import use_color
from operator_demo.screen.keys import Keyboard
from operator_demo.screen.layout import arrange
from operator_demo.screen.panels.view import View
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.steering import Steering
from operator_demo.screen.summary import summary
from operator_demo.screen.terminal_text import Line, Symbols, Writer, symbols_for

FASTEST, SLOWEST = 0.1, 1.0  # seconds between frames while something happens, and while nothing does
_PATIENCE = 1.0  # seconds to wait for a terminal that takes nothing
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # synchronized output: a frame appears at once
_ENTER, _LEAVE, _SHOW_CURSOR, _PLAIN = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h", "\x1b[0m"
_BRACKET_PASTES, _LEAVE_PASTES = "\x1b[?2004h", "\x1b[?2004l"  # what is pasted can be told from keys


class Terminal:
    """A file for Rich that writes to a terminal at once, and knows whether the alternate screen is on.

    It never waits for a reader that stalls (a frozen ssh): a frame that comes while the one before is not written to
    its end is dropped.
    """

    def __init__(self, out: IO[str]) -> None:
        self.encoding = getattr(out, "encoding", None) or "ascii"
        self._fd = out.fileno()
        self._own = _open_again(self._fd)
        self._rest = b""  # of the last frame
        self._alternate = False
        self._closed = False

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def flush(self) -> None:
        pass

    def write(self, text: str) -> int:
        if self._closed:
            return len(text)
        if _ENTER in text:
            self._alternate = True
            text = _BRACKET_PASTES + text
        self._send_rest()
        if not self._rest:
            self._rest = (_BEGIN + text + _END).encode(self.encoding, "replace")
            self._send_rest()
        return len(text)

    def leave(self, last_words: bytes = b"") -> None:
        """Back to the normal screen, with its cursor; what is written later is dropped. May be called twice.

        What a stalled reader has not taken is thrown away, so that the way back finds room.
        """
        if self._closed:
            return
        self._closed = True
        self._send_rest()
        if self._rest:
            self._throw_away()
        back = _END + _PLAIN + _LEAVE_PASTES + _SHOW_CURSOR + _LEAVE if self._alternate else ""
        self._rest = back.encode() + last_words
        self._send_rest(_PATIENCE)
        self._alternate = False
        if self._own == self._fd:
            os.set_blocking(self._fd, True)
        else:
            os.close(self._own)

    def _throw_away(self) -> None:
        try:
            termios.tcflush(self._own, termios.TCOFLUSH)
        except termios.error:
            pass  # no terminal any more

    def _send_rest(self, patience: float = 0.0) -> None:
        """Writes what the terminal takes now; with `patience` all, unless it takes nothing for so many seconds."""
        while self._rest:
            try:
                if not select.select([], [self._own], [], patience)[1]:
                    return
                self._rest = self._rest[os.write(self._own, self._rest):]
            except BlockingIOError:
                return
            except OSError:
                self._closed, self._rest = True, b""  # nobody is there any more
                return


def _open_again(fd: int) -> int:
    """The same terminal, opened so that a write does not wait. The flag would be everybody's on the old descriptor:
    that gets it only where the terminal cannot be opened (it belongs to another user)."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        os.set_blocking(fd, False)
        return fd


class LiveScreen:
    """See `display.Display`."""

    def __init__(self, out: TextIO, env: Mapping[str, str], *, stdin: IO[Any] | None = None,
                 manual: bool = False, steering: Steering | None = None, big: bool = False) -> None:
        self.keys: SimpleQueue[str] = SimpleQueue()
        self._out, self._manual, self._big = out, manual, big
        self._color = use_color(out, env)
        # A size in the environment would freeze the screen at it.
        self._env = {k: v for k, v in env.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")}
        self._pressed: SimpleQueue[str] = SimpleQueue()
        self._keyboard = Keyboard((stdin or sys.stdin).fileno(), self._pressed.put)
        self._steering = steering or Steering()
        self._state = ScreenState()
        self._terminal: Terminal | None = None
        self._live: Live | None = None
        self._console: Console | None = None
        self._dirty, self._drawn, self._size = True, 0.0, (0, 0)
        self._suspended = threading.Event()
        self._handlers: dict[int, Any] = {}
        self._said = False
        self._report_failure = threading.excepthook
        self._failures: list[threading.ExceptHookArgs] = []  # of threads, reported when the screen is left

    def start(self) -> None:
        atexit.register(self.restore)
        threading.excepthook = self._failures.append
        self._enter()
        if threading.current_thread() is threading.main_thread():
            self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, lambda *_: self._suspended.set())

    def event(self, e: Event) -> None:
        self._state.apply(e)
        if isinstance(e.data, Chapter):
            self._steering.again = 0
        self._dirty = True

    def tick(self, now: float) -> None:
        """Draws if there is something new (at most ten times a second) or a second has passed."""
        if self._suspended.is_set():
            self._suspend()
        self._take_keys()
        console = self._console
        if self._live is None or console is None:
            return
        size = (console.size.width, console.size.height)
        since = now - self._drawn
        if 0 <= since < FASTEST or (0 <= since < SLOWEST and not self._dirty and size == self._size):
            return
        self._dirty, self._drawn, self._size = False, now, size
        self._live.update(self.arranged(self.view(console, now, size)), refresh=True)

    def _take_keys(self) -> None:
        while not self._pressed.empty():
            key = self._pressed.get()
            self._dirty = True
            if key == "suspend":
                self._suspend(whole_job=True)
                continue
            word = self._steering.press(key, asked=self.asks(), confirming=bool(self._state.prompt.question))
            if word:
                self.keys.put(word)

    def view(self, console: Console, now: float, size: tuple[int, int]) -> View:
        """With what it is drawn."""
        return View(console, symbols_for(console.encoding), now, self._manual, *size, steering=self._steering,
                    big=self._big)

    def asks(self) -> bool:
        """Do the keys answer a request of the agent?"""
        return bool(self._state.waiting)

    def arranged(self, view: View) -> RenderableType:
        """What the whole screen shows."""
        return arrange(self._state, view)

    def farewell(self, symbols: Symbols) -> list[Line]:
        """What stays on the terminal afterwards."""
        return summary(self._state, symbols)

    def stop(self) -> None:
        self._leave(self._last_words())
        atexit.unregister(self.restore)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
        threading.excepthook = self._report_failure
        while self._failures:
            self._report_failure(self._failures.pop(0))

    def _last_words(self) -> bytes:
        """The farewell, once; nothing where no run was shown."""
        if self._said or self._terminal is None or not self._state.run.id:
            return b""
        self._said = True
        raw = io.BytesIO()
        writer = Writer(io.TextIOWrapper(raw, encoding=self._terminal.encoding, write_through=True), self._color)
        writer.lines(self.farewell(writer.symbols))
        return raw.getvalue()

    def restore(self) -> None:
        terminal = self._terminal
        if terminal is not None:
            terminal.leave()
        self._keyboard.restore()

    def _enter(self) -> None:
        self._terminal = Terminal(self._out)
        self._console = Console(file=cast(IO[str], self._terminal), force_terminal=True, no_color=not self._color,
                                _environ=self._env, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stdout=False,
                          redirect_stderr=False)
        self._keyboard.start()
        self._live.start()
        self._drawn, self._dirty = 0.0, True

    def _leave(self, last_words: bytes = b"") -> None:
        self._live = None  # (its own `stop` would wait for the terminal)
        if self._terminal is not None:
            self._terminal.leave(last_words)
        self._keyboard.stop()

    def _suspend(self, whole_job: bool = False) -> None:
        """The terminal is given back, the process stops here, and draws anew when it is continued. `whole_job`: as the
        terminal does it on Ctrl-Z, with what started us (sudo, timeout), so that the shell takes notice."""
        self._suspended.clear()
        self._leave()
        if whole_job:
            ours = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(0, signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, ours)
        else:
            os.kill(os.getpid(), signal.SIGSTOP)
        self._enter()
