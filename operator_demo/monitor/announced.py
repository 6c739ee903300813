"""What the host has announced of its fault, kept in the volume: a monitor that is started again still knows it."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path

from operator_demo.home import replace_json


class Announced:
    """Safe to use from several threads. Times are seconds since the epoch."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._faults: dict[str, float] = {}  # container id -> until when what happens to it is the fault
        self.held_until = 0.0  # no ticket is opened before
        try:
            kept = json.loads(file.read_text())
            self._faults, self.held_until = dict(kept["faults"]), float(kept["held_until"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # nothing was announced yet

    def announce(self, containers: Iterable[str], until: float, hold: bool = False) -> None:
        """Until then what happens to these containers (ids) is the fault; with `hold` no ticket is opened meanwhile.
        Raises `OperatorError` where it cannot be kept."""
        with self._lock:
            self._faults = self._faults | dict.fromkeys(containers, until)
            self.held_until = until if hold else 0.0
            replace_json(self._file, {"faults": self._faults, "held_until": self.held_until})

    def is_fault(self, container: str, moment: float) -> bool:
        return moment <= self._faults.get(container, 0.0)
