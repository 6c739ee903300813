"""One host at a time: who shows a project now, and how another process asks it to leave.

A file per engine and project holds the process id of the host. The host keeps a lock (flock) on it as long as it lives;
the kernel frees the lock when the process ends, however it ends. Whoever wants the host to leave writes a reason into a
second file beside it, which the host reads about once a second.
"""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

from operator_demo.errors import OperatorError
from operator_demo.home import journal_path, make_private_folder, take_lock

_LOOK = 0.1  # seconds between two looks whether the host has left


class HostRuns(OperatorError):
    """Another process shows this project now; `pid` is its process id."""

    def __init__(self, project: str, pid: int) -> None:
        super().__init__(f"Another operator-demo (process {pid}) shows project {project} now.",
                         f"End it first (`q`, Ctrl-C, or `operator-demo down --project {project}`), or use --project "
                         "NAME to run beside it.")
        self.pid = pid


class HostLock:
    def __init__(self, home: Path, engine_id: str, project: str) -> None:
        self._project = project
        self._path = journal_path(home, engine_id, project, ".host")
        self._request = journal_path(home, engine_id, project, ".leave")
        self._file: TextIO | None = None

    def __enter__(self) -> "HostLock":
        """Raises `HostRuns` when another process holds the lock."""
        make_private_folder(self._path.parent)
        file = open(self._path, "a+", opener=_private)
        if not take_lock(file):
            pid = _pid(file)
            file.close()
            raise HostRuns(self._project, pid)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._request.unlink(missing_ok=True)
        self._file = file
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        """The file stays: removing it could take the lock from a host that has just opened it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # -- asked of the host -------------------------------------------------------------------------------------------

    def asked_to_leave(self) -> str:
        """The reason that another process gave, "" while nobody asks."""
        try:
            return self._request.read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    # -- for the others ----------------------------------------------------------------------------------------------

    def holder(self) -> int | None:
        """The process id of the living host; None when there is none."""
        if not self._path.exists():
            return None
        with open(self._path, "r+") as file:
            return None if take_lock(file) else _pid(file)

    def ask_to_leave(self, reason: str, patience: float) -> bool:
        """Asks the living host to leave, and waits up to `patience` seconds; False when it is still there."""
        self._request.write_text(reason + "\n", encoding="utf-8")
        deadline = time.monotonic() + patience
        while self.holder() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK)
        self._request.unlink(missing_ok=True)
        return True


def _pid(file: TextIO) -> int:
    """The process id in the file; 0 in the moment before it is written."""
    file.seek(0)
    text = file.read().strip()
    return int(text) if text.isdecimal() else 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
