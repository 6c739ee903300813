"""Standard output and standard error, which never keep a run from its end.

A write waits for a reader that is slow. Once somebody asked the process to end, a reader that takes nothing (a stopped
pager, a frozen ssh) is waited for no more: the rest of the output is dropped. Output that cannot be written at all (a
reader that is gone, a full disk) is dropped too, so that a take-down always completes.
"""

import io
import os
import select
import time
from collections.abc import Callable
from typing import Any, ClassVar, TextIO

PIECE = select.PIPE_BUF  # bytes; a pipe that is ready for writing takes so many without blocking
PATIENCE = 0.5  # seconds without progress after which the rest is dropped, once the end is asked for
_LOOK = 0.1  # seconds between two looks whether it is


class Outlet(io.FileIO):
    """Writes to a descriptor. That nobody reads on (`| head`) is no error; a full disk is one, kept in `failure`."""

    asked_to_end: ClassVar[Callable[[], bool]] = staticmethod(lambda: False)  # of the whole process

    def __init__(self, descriptor: int) -> None:
        try:
            super().__init__(descriptor, "w", closefd=False)
        except OSError:  # closed from the beginning (`>&-`)
            super().__init__(os.open(os.devnull, os.O_WRONLY), "w")
        self.failure = ""
        self._target = _open_again(self.fileno())

    def write(self, data: Any) -> int:
        """Writes the first piece of `data`; returns its length."""
        piece = memoryview(data)[:PIECE]
        try:
            return self._write_when_ready(piece)
        except OSError as e:
            if not isinstance(e, BrokenPipeError | TimeoutError):
                self.failure = e.strerror or str(e)
            self._write_to_nowhere()
            return len(piece)

    def _write_when_ready(self, piece: memoryview) -> int:
        """Raises `TimeoutError` when the reader stalls and the process shall end."""
        deadline: float | None = None
        while True:
            try:
                if select.select([], [self._target], [], _LOOK)[1]:
                    return os.write(self._target, piece)
            except BlockingIOError:
                time.sleep(_LOOK)
            if not Outlet.asked_to_end():
                continue
            deadline = deadline or time.monotonic() + PATIENCE
            if time.monotonic() > deadline:
                raise TimeoutError

    def _write_to_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        self._target = self.fileno()


def through(outlet: Outlet, stream: Any) -> TextIO:
    """As Python set up `stream`, which is None where the descriptor was closed."""
    return io.TextIOWrapper(io.BufferedWriter(outlet), encoding=getattr(stream, "encoding", "utf-8"),
                            errors=getattr(stream, "errors", "backslashreplace"),
                            line_buffering=getattr(stream, "line_buffering", False),
                            write_through=getattr(stream, "write_through", False))


def _open_again(descriptor: int) -> int:
    """A terminal may block in the middle of a piece. Opened again, it need not, and the old descriptor, which other
    processes share, stays as it is."""
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return descriptor
