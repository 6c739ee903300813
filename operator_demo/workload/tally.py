"""The results of one second."""

import math
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any


class Tally:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies: list[float] = []
        self._reads = 0
        self._errors: Counter[str] = Counter()
        self._stale = 0

    def done(self, latency: float, read: bool) -> None:
        """`latency` in seconds from the time at which the operation was due."""
        with self._lock:
            self._latencies.append(latency)
            self._reads += read

    def failed(self, kind: str) -> None:
        with self._lock:
            self._errors[kind] += 1

    def stale(self) -> None:
        """A read returned less than was acknowledged when it began, though nothing was lost."""
        with self._lock:
            self._stale += 1

    def take(self) -> dict[str, Any]:
        """The data of a `load` event for the results since the last call."""
        with self._lock:
            latencies, reads, errors, stale = sorted(self._latencies), self._reads, self._errors, self._stale
            self._latencies, self._reads, self._errors, self._stale = [], 0, Counter(), 0
        return {"ops": len(latencies), "reads": reads, "writes": len(latencies) - reads,
                "p50": _percentile(latencies, 0.50), "p99": _percentile(latencies, 0.99),
                "errors": dict(errors), "late": errors["late"], "stale": stale}


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """By nearest rank, in seconds."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(len(ordered) * share) - 1)], 6)
