"""The load of one connection, on a schedule.

Each worker has its own keys and its own schedule, which does not depend on how fast operations are answered. A slow
member makes operations wait, and their latency counts from when they were due.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from operator_demo.subject import KeyValue, Refused
from operator_demo.workload.ledger import Ledger, number
from operator_demo.workload.tally import Tally

TIMEOUT = 1.0  # seconds that one operation may take
MAX_LATE = 1.0  # seconds after which an operation that has not begun is given up

Connect = Callable[[], KeyValue]


class Worker:
    def __init__(self, index: int, own: Sequence[str], connect: Connect, ledger: Ledger, tally: Tally, period: float,
                 offset: float) -> None:
        """`own` are the keys that this worker alone writes; `period` and `offset` (seconds) are its schedule. The
        period may be changed at any time."""
        self._index, self._connect = index, connect
        self._ledger, self._tally = ledger, tally
        self.period, self._offset = period, offset
        self._writes, self._reads = _round(own, 0), _round(ledger.keys, index)
        self._client: KeyValue | None = None

    def run(self, start: float, stop: threading.Event) -> None:
        """Works from `start` (monotonic) until `stop`; half of the operations are reads."""
        due, reading = start + self._offset, self._index % 2 == 0
        while not stop.wait(max(0.0, due - time.monotonic())):
            if time.monotonic() - due > MAX_LATE:
                self._tally.failed("late")
            else:
                self._operate(due, reading)
            due, reading = due + self.period, not reading
        if self._client is not None:
            self._client.close()

    def _operate(self, due: float, reading: bool) -> None:
        try:
            if self._client is None:
                self._client = self._connect()
            if reading:
                self._read(self._client, next(self._reads))
            else:
                self._write(self._client, next(self._writes))
            self._tally.done(time.monotonic() - due, reading)
        except Exception as e:  # whatever a client raises is a failed operation
            self._tally.failed(kind(e))

    def _read(self, client: KeyValue, key: str) -> None:
        floor = self._ledger.floor(key)
        if number(client.get(key)) >= floor:
            return
        # Lost or stale: a member that was frozen may return an old value once. A second read decides.
        value = number(client.get(key))
        if value >= floor or not self._ledger.missed(key, floor, value):
            self._tally.stale()

    def _write(self, client: KeyValue, key: str) -> None:
        value = self._ledger.next(key)
        try:
            client.put(key, str(value))
        except Refused:
            self._ledger.refuse(key)
            raise
        except BaseException:
            self._ledger.unanswered(key, value)
            raise
        self._ledger.acknowledge(key, value)


def kind(error: Exception) -> str:
    """How the load's events name an error."""
    if isinstance(error, Refused):
        return "refused"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "unavailable" if isinstance(error, OSError) else "other"


def _round(keys: Sequence[str], start: int) -> Iterator[str]:
    """The keys one after the other, endlessly, from `start`."""
    n = start
    while True:
        yield keys[n % len(keys)]
        n += 1
