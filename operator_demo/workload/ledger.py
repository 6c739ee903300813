"""What was written, and with which result: for each key a counter, which one writer counts up.

A value is acknowledged, refused (then it is used again) or unanswered (then it is never used again, and leaves a hole).
So all values from 1 to the highest acknowledged one were acknowledged, except the holes. A write `n` is kept if a later
linearizable read returns `n` or more. A read that returns an unanswered value says nothing about higher ones: a write
that a frozen member had received may take effect after them.

The file is ahead of the writer: a block of values is reserved on the disk before the first of them is used. After a
crash, reserved values that are not known to be acknowledged are holes.
"""

import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from operator_demo.errors import OperatorError

LEDGER_FILE = "workload.db"  # in the volume
_BLOCK = 8  # values of one key that are reserved at once, at least


@dataclass
class Entry:
    """One key. `holes` are ranges (first, last) of unanswered values, rising; `lost` counts acknowledged writes that a
    read during the run did not find."""

    acknowledged: int = 0
    last: int = 0  # highest value that was tried
    reserved: int = 0
    refused: int = 0
    lost: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)
    flushed: int = 0  # `last` as of the last flush

    def reserve(self) -> None:
        """Enough values for about twice the time that passed since the last flush."""
        self.reserved = self.last + max(_BLOCK, 2 * (self.last - self.flushed))
        self.flushed = self.last

    def count(self, above: int = 0) -> int:
        """The number of acknowledged writes with a value above `above`."""
        span = max(0, self.acknowledged - above)
        return span - sum(max(0, min(b, self.acknowledged) - max(a, above + 1) + 1) for a, b in self.holes)

    @property
    def unanswered(self) -> int:
        return sum(b - a + 1 for a, b in self.holes)

    def is_hole(self, value: int) -> bool:
        return any(a <= value <= b for a, b in self.holes)

    def leave_hole(self, first: int, last: int) -> None:
        if first > last:
            return
        if self.holes and self.holes[-1][1] == first - 1:
            self.holes[-1] = (self.holes[-1][0], last)
        else:
            self.holes.append((first, last))


class LedgerError(OperatorError):
    """The ledger's file cannot be read or written."""


class Ledger:
    """Safe to use from several threads, as long as each key has one writer."""

    def __init__(self, path: Path, keys: Sequence[str]) -> None:
        self._path, self._lock = path, threading.Lock()
        self._entries = {key: Entry() for key in keys}
        try:
            self._db = sqlite3.connect(path, timeout=15, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS ledger (key TEXT PRIMARY KEY, acknowledged INTEGER, "
                             "reserved INTEGER, refused INTEGER, lost INTEGER, holes TEXT)")
            for key, *values in self._db.execute("SELECT * FROM ledger").fetchall():
                if key in self._entries:
                    self._entries[key] = _restored(*values)
        except sqlite3.Error as e:
            raise LedgerError(f"{path} cannot be used ({e}).", "Is the disk full?") from e
        self.flush()

    def close(self) -> None:
        with self._lock:
            for entry in self._entries.values():
                entry.reserved = entry.last  # an orderly end leaves no holes
            self._write()
            self._db.close()

    def flush(self) -> None:
        """Writes all to the disk, and reserves the next values."""
        with self._lock:
            for entry in self._entries.values():
                entry.reserve()
            self._write()

    def _write(self) -> None:
        try:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR REPLACE INTO ledger VALUES (?,?,?,?,?,?)",
                [(key, e.acknowledged, e.reserved, e.refused, e.lost, json.dumps(e.holes))
                 for key, e in self._entries.items()])
            self._db.execute("COMMIT")
        except sqlite3.Error as e:
            raise LedgerError(f"{self._path} cannot be written ({e}).", "Is the disk full?") from e

    # -- writing -----------------------------------------------------------------------------------------------------

    def next(self, key: str) -> int:
        """The value to write next; report its result with one of the following three."""
        entry = self._entries[key]
        if entry.last >= entry.reserved:
            self.flush()
        with self._lock:
            entry.last += 1
            return entry.last

    def acknowledge(self, key: str, value: int) -> None:
        with self._lock:
            self._entries[key].acknowledged = value

    def refuse(self, key: str) -> None:
        with self._lock:
            self._entries[key].last -= 1
            self._entries[key].refused += 1

    def unanswered(self, key: str, value: int) -> None:
        with self._lock:
            self._entries[key].leave_hole(value, value)

    # -- reading -----------------------------------------------------------------------------------------------------

    def floor(self, key: str) -> int:
        """The least value that a linearizable read from now on must return."""
        return self._entries[key].acknowledged

    def missed(self, key: str, floor: int, value: int) -> bool:
        """A read that started when `floor` was acknowledged returned `value`, which is less: was something lost?"""
        with self._lock:
            entry = self._entries[key]
            if entry.is_hole(value):
                return False
            entry.lost = max(entry.lost, entry.count(value) - entry.count(floor))
            return True

    def entry(self, key: str) -> Entry:
        """A copy that does not change any more."""
        with self._lock:
            e = self._entries[key]
            return Entry(e.acknowledged, e.last, e.reserved, e.refused, e.lost, list(e.holes))

    @property
    def keys(self) -> list[str]:
        return list(self._entries)


class LeftLedger:
    """What a writer that is gone had on the disk, up to a second before its end. Changes nothing."""

    def __init__(self, path: Path) -> None:
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=15)) as db:
                self._entries = {key: _restored(*values) for key, *values in db.execute("SELECT * FROM ledger")}
        except sqlite3.Error as e:
            raise LedgerError(f"{path} cannot be read ({e}).") from e

    def entry(self, key: str) -> Entry:
        return self._entries[key]

    @property
    def keys(self) -> list[str]:
        return list(self._entries)


def _restored(acknowledged: int, reserved: int, refused: int, lost: int, holes: str) -> Entry:
    entry = Entry(acknowledged, reserved, reserved, refused, lost,
                  [(int(a), int(b)) for a, b in json.loads(holes)], reserved)
    answered = max(acknowledged, entry.holes[-1][1] if entry.holes else 0)
    entry.leave_hole(answered + 1, reserved)
    return entry


def number(value: str | None) -> int:
    """The counter in a value that was read; 0 for none, or for a foreign value."""
    return int(value) if value is not None and value.isascii() and value.isdigit() else 0
