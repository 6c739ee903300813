"""What the host and the engine itself do is no effect, and is known by identity.

The host announces the ids of its helper containers and of its own execs. The engine logs its health checks. Names,
labels and commands prove nothing, because anybody can choose them. The identity may be known a moment after the event,
so an effect that may be exempt waits, and is told if nothing exempts it in time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from operator_demo.engine import EngineEvent
from operator_demo.monitor.announced import Announced
from operator_demo.monitor.health_checks import HealthChecks

ANNOUNCED_WITHIN = 5.0  # seconds after the event
LOGGED_WITHIN = 35.0  # seconds; the engine's own limit of a health check is 30, unless the subject sets another


@dataclass(frozen=True)
class _Waiting:
    event: EngineEvent
    until: float
    checks_health: bool
    tell: Callable[[], None]


class Exempt:
    """Safe to use from several threads. Times are seconds since the epoch."""

    def __init__(self, announced: Announced, health: HealthChecks) -> None:
        self._announced, self._health = announced, health
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def is_helper(self, h: EngineEvent) -> bool:
        """Is it about a helper container of the host?"""
        return self._announced.is_own(h.container)

    def wait(self, h: EngineEvent, tell: Callable[[], None], *, checks_health: bool = False) -> None:
        """`tell` is called by `settle` if nothing exempts the event in time."""
        patience = LOGGED_WITHIN if checks_health else ANNOUNCED_WITHIN
        with self._lock:
            self._waiting.append(_Waiting(h, h.time + patience, checks_health, tell))

    def settle(self, now: float) -> None:
        """Drops what is exempt and tells what has waited long enough."""
        with self._lock:
            still = [waiting for waiting in self._waiting if not self._is_exempt(waiting)]
            due = [waiting for waiting in still if waiting.until <= now]
            self._waiting = [waiting for waiting in still if waiting.until > now]
        for waiting in due:
            waiting.tell()

    def _is_exempt(self, waiting: _Waiting) -> bool:
        h = waiting.event
        if waiting.checks_health and self._health.was_one(h.container, h.time):
            return True
        return self._announced.is_own(h.container) or self._announced.is_own(h.attributes.get("execID", ""))
