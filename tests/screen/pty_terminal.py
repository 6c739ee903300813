"""A program in a terminal of its own (a pty), seen through a terminal emulator."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

import pyte

ENTER, LEAVE, SHOW = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
PATIENCE = 20.0  # seconds; generous, the machine may be busy


class Terminal:
    """A program in a pty of a given size; with `command`, something else than a program in Python."""

    def __init__(self, program: str, columns: int = 120, lines: int = 32, env: dict[str, str] | None = None,
                 command: list[str] | None = None) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self.slave)
        self.raw = b""
        self.process = subprocess.Popen(
            command or [sys.executable, "-c", program], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            start_new_session=True, preexec_fn=_controlled if command else None,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **(env or {})})

    def resize(self, columns: int, lines: int) -> None:
        self.size = (columns, lines)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self) -> None:
        """Until the program is quiet for a moment."""
        end = time.monotonic() + PATIENCE
        while self._read_once():
            assert time.monotonic() < end, "it is never quiet"

    def _read_once(self) -> bool:
        """What is there, or comes within a moment; False when nothing does."""
        if not select.select([self.master], [], [], 0.05)[0]:
            return False
        try:
            self.raw += os.read(self.master, 65536)
        except OSError:
            return False
        return True

    def until(self, wanted: bytes) -> None:
        end = time.monotonic() + PATIENCE
        while wanted not in self.raw:
            assert time.monotonic() < end, f"{wanted!r} never came: {self.raw[-2000:]!r}"
            self._read_once()

    def until_full(self) -> None:
        """Reads nothing until the terminal takes nothing more."""
        end = time.monotonic() + PATIENCE
        while select.select([], [self.slave], [], 0)[1]:
            assert time.monotonic() < end, "it is never full"
            time.sleep(0.05)

    def ended(self) -> int:
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self._read_once()
        self.read()
        return self.process.returncode

    def screen(self) -> list[str]:
        """What stands on the alternate screen now."""
        screen = pyte.Screen(*self.size)
        pyte.ByteStream(screen).feed(self.raw.rpartition(ENTER)[2])
        return list(screen.display)

    def is_as_before(self) -> bool:
        """The terminal's settings, the screen and the cursor were given back."""
        return (termios.tcgetattr(self.slave) == self.before and self.raw.rfind(LEAVE) > self.raw.rfind(ENTER)
                and self.raw.rfind(SHOW) > self.raw.rfind(b"\x1b[?25l")
                and self.raw.count(LEAVE) == self.raw.count(ENTER))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def _controlled() -> None:
    """The terminal controls the jobs of what is started, as it does for a shell."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
