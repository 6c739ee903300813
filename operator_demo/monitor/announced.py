"""What the host has announced of its doings, kept in the volume: a monitor that is started again still knows it."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path

from operator_demo.home import replace_json

MOST_OWN = 200  # ids of the host's own that are remembered; nothing happens to older ones any more


class Announced:
    """Safe to use from several threads. Times are seconds since the epoch."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._faults: dict[str, float] = {}  # container id -> until when what happens to it is the fault
        self._own: list[str] = []  # ids of the host's own containers and execs
        self.held_until = 0.0  # no ticket is opened before
        try:
            kept = json.loads(file.read_text())
            self._faults, self.held_until = dict(kept["faults"]), float(kept["held_until"])
            self._own = [str(id_) for id_ in kept["own"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # nothing was announced yet

    def announce(self, containers: Iterable[str], until: float, hold: bool = False) -> None:
        """Until then what happens to these containers (ids) is the fault; with `hold` no ticket is opened meanwhile.
        Raises `OperatorError` where it cannot be kept."""
        with self._lock:
            self._faults = self._faults | dict.fromkeys(containers, until)
            self.held_until = until if hold else 0.0
            self._keep()

    def is_fault(self, container: str, moment: float) -> bool:
        return moment <= self._faults.get(container, 0.0)

    def announce_own(self, ids: Iterable[str]) -> None:
        """These containers and execs are the host's own, from now on. Raises as `announce`."""
        with self._lock:
            self._own = [*self._own, *ids][-MOST_OWN:]
            self._keep()

    def is_own(self, id_: str) -> bool:
        return id_ != "" and id_ in self._own

    def _keep(self) -> None:
        replace_json(self._file, {"faults": self._faults, "held_until": self.held_until, "own": self._own})
