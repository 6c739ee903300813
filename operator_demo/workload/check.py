"""Is every acknowledged write still there? Each key is read, linearizably."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from operator_demo.subject import Deadline, KeyValue
from operator_demo.workload.ledger import Entry, Ledger, LeftLedger, number

_READERS = 4
_TRIES = 3  # to read one key
_AGAIN, _PAUSE = 5, 0.2  # times, and seconds between them, that a key with an unclear value is read again

Connect = Callable[[], KeyValue]


@dataclass(frozen=True)
class Outcome:
    """The acknowledged writes of one key. `unknown` counts those whose key could not be read (then none counts as
    kept), and those about which the value says nothing."""

    key: str
    entry: Entry
    value: int | None
    kept: int = 0
    lost: int = 0
    unknown: int = 0


def judge(key: str, entry: Entry, value: int | None) -> Outcome:
    """`entry` is from before the read that returned `value` (None: the key could not be read)."""
    written = entry.count()
    if value is None:
        return Outcome(key, entry, value, lost=entry.lost, unknown=written - entry.lost)
    if entry.is_hole(value):
        unknown = min(entry.count(value), written - entry.lost)
        return Outcome(key, entry, value, kept=written - entry.lost - unknown, lost=entry.lost, unknown=unknown)
    lost = max(entry.lost, entry.count(value))
    return Outcome(key, entry, value, kept=written - lost, lost=lost)


def check(ledger: Ledger | LeftLedger, connect: Connect, limit: float) -> dict[str, Any]:
    """Reads all keys within about `limit` seconds. `refused` and `unanswered` count the other writes."""
    deadline, keys = Deadline(limit), ledger.keys

    def look(client: "_Reader", key: str) -> Outcome:
        outcome = judge(key, ledger.entry(key), client.read(key))
        for _ in range(_AGAIN):
            if not outcome.unknown or outcome.value is None:
                break
            time.sleep(_PAUSE)  # the next write of the key clears it up
            outcome = judge(key, ledger.entry(key), client.read(key))
        return outcome

    def read(reader: int) -> list[Outcome]:
        with _Reader(connect, deadline) as client:
            return [look(client, key) for key in keys[reader::_READERS]]

    with ThreadPoolExecutor(_READERS, thread_name_prefix="check") as pool:
        outcomes = [o for part in pool.map(read, range(_READERS)) for o in part]
    return {
        "kept": sum(o.kept for o in outcomes), "lost": sum(o.lost for o in outcomes),
        "unknown": sum(o.unknown for o in outcomes), "keys": len(outcomes),
        "refused": sum(o.entry.refused for o in outcomes),
        "unanswered": sum(o.entry.unanswered for o in outcomes),
        "details": [f"{o.key}: {o.lost} lost, {o.entry.acknowledged} was acknowledged, "
                    f"{'it could not be read' if o.value is None else f'{o.value} was read'}"
                    for o in outcomes if o.lost][:5],
    }


class _Reader:
    """Reads with one client, and some times if that fails: the client then tries another member."""

    def __init__(self, connect: Connect, deadline: Deadline) -> None:
        self._connect, self._deadline = connect, deadline
        self._client: KeyValue | None = None

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def read(self, key: str) -> int | None:
        """The counter, or None if no member answers in time."""
        for _ in range(_TRIES):
            if not self._deadline.left():
                return None
            try:
                if self._client is None:
                    self._client = self._connect()
                return number(self._client.get(key))
            except Exception:  # whatever a client raises: the key is not known yet
                time.sleep(min(_PAUSE, self._deadline.left()))
        return None
