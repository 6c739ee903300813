"""Which member a worker uses: spread evenly, and avoiding one that fails."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

_AVOID = 1.0  # seconds for which a member that failed is avoided


class Targets:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses: list[str] = []
        self._avoid_until: dict[str, float] = {}

    def update(self, members: Sequence[Mapping[str, Any]]) -> None:
        """From the monitor's answer: the members that answer, or all that run if none answers."""
        running = [m for m in members if m["state"] == "running" and m["address"]]
        answering = [m for m in running if m.get("reachable")]
        with self._lock:
            self._addresses = [m["address"] for m in answering or running] or self._addresses

    def blame(self, address: str) -> None:
        with self._lock:
            self._avoid_until[address] = time.monotonic() + _AVOID

    def pick(self, worker: int) -> str | None:
        """The address for this worker: its own, or the next one that did not fail lately; None if none is known."""
        with self._lock:
            if not self._addresses:
                return None
            start, now = worker % len(self._addresses), time.monotonic()
            order = self._addresses[start:] + self._addresses[:start]
            return next((a for a in order if self._avoid_until.get(a, 0.0) <= now), order[0])

    @property
    def addresses(self) -> list[str]:
        with self._lock:
            return list(self._addresses)
