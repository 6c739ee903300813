"""Our own containers are watched: one that ended and does not come back, an engine that does not answer any more.

A thread looks once a second, because the loop of a run must not wait for the engine. A container that its restart
policy brings back (three times at most) is `restarting` meanwhile and no loss.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from operator_demo.engine import ContainerState
from operator_demo.errors import OperatorError

PERIOD = 1.0  # seconds between two looks
PATIENCE = 15.0  # seconds without an answer after which the engine counts as gone
ENDED = ("exited", "dead")

Look = Callable[[], Sequence[ContainerState]]


@dataclass(frozen=True)
class Loss:
    """A container that is gone for good. `exit_code` is None where it was removed, or cannot be told."""

    service: str
    name: str
    exit_code: int | None
    removed: bool = False

    def __str__(self) -> str:
        if self.removed:
            return f"The container {self.name} was removed from elsewhere."
        code = "unknown" if self.exit_code is None else self.exit_code
        return f"The container {self.name} ended (exit code {code}) and does not come back."


@dataclass(frozen=True)
class EngineLost:
    """The engine has not answered for `seconds`; `words` is what the last try said."""

    seconds: float
    words: str


class ContainerWatch:
    """Puts what it finds into `findings`, each loss once. `look` tells of the containers that are there; it may raise
    `OperatorError` when the engine does not answer."""

    def __init__(self, look: Look, *, period: float = PERIOD, patience: float = PATIENCE) -> None:
        self.findings: queue.SimpleQueue[Loss | EngineLost] = queue.SimpleQueue()
        self._look, self._period, self._patience = look, period, patience
        self._known: dict[str, ContainerState] = {}  # by id, as they were seen last
        self._lost: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="container watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A look that is under way is left to its end; nothing is found any more."""
        self._stop.set()

    def _run(self) -> None:
        silent_since: float | None = None
        while not self._stop.wait(self._period):
            try:
                states = self._look()
            except OperatorError as e:
                silent_since = silent_since or time.monotonic()
                if time.monotonic() - silent_since >= self._patience:
                    self.findings.put(EngineLost(time.monotonic() - silent_since, e.message))
                    return
                continue
            silent_since = None
            if not self._stop.is_set():
                self._compare({state.id: state for state in states})

    def _compare(self, now: dict[str, ContainerState]) -> None:
        for id_, before in self._known.items():
            if id_ not in self._lost and id_ not in now:
                self._lose(id_, Loss(before.service, before.name, None, removed=True))
        for id_, state in now.items():
            # Twice in a row: an engine may say `exited` in the moment before it starts it again.
            was_ended = id_ in self._known and self._known[id_].state in ENDED
            if id_ not in self._lost and was_ended and state.state in ENDED:
                self._lose(id_, Loss(state.service, state.name, state.exit_code))
        self._known |= now

    def _lose(self, id_: str, loss: Loss) -> None:
        self._lost.add(id_)
        self.findings.put(loss)
