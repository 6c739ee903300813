"""The commands that a subject declares to look at its members, run in their containers.

The guard lets the monitor run exactly these, word for word. A command that does not end in time is ended by the guard,
because the engine cannot end one.
"""

import http.client
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from operator_demo.engine import Engine, ExecTimeout, probe_in
from operator_demo.errors import OperatorError
from operator_demo.guard.callers import end_leftovers
from operator_demo.subject import Probed

_REMEMBERED = 1000  # execs, newest
_END = 10.0  # seconds for the guard to end a command


class Probes:
    """Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._execs: deque[str] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def run(self, container: str, command: Sequence[str], timeout: float) -> Probed:
        """In the container with this id. Never raises."""
        began = time.time()
        started: list[str] = []

        def begin(exec_id: str) -> None:
            started.append(exec_id)
            with self._lock:
                self._execs.append(exec_id)

        try:
            status, out, err = probe_in(self._engine, container, command, timeout=timeout, begin=begin)
        except ExecTimeout as e:
            with suppress(OSError, ValueError, http.client.HTTPException):  # the guard may be gone
                end_leftovers(began, _END, started[0])
            return Probed(None, e.message)
        except OperatorError as e:
            return Probed(None, e.message)
        return Probed(status, (out + err).decode(errors="replace"))

    def is_one(self, exec_id: str) -> bool:
        """Is it the exec of a probe? Known before the engine starts it."""
        with self._lock:
            return exec_id in self._execs
