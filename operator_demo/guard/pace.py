"""A bound on how often something happens."""

import time
from collections.abc import Callable


class Pace:
    """`burst` at once, and after that `rate` a second: who comes faster waits."""

    def __init__(self, burst: int, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period, self._ahead, self._clock = 1 / rate, burst / rate, clock
        self._booked = 0.0  # until when all places are taken

    def delay(self) -> float:
        """Takes the next place; the seconds until its turn."""
        now = self._clock()
        self._booked = max(self._booked, now - self._ahead) + self._period
        return max(0.0, self._booked - now)
