"""The chain over the events of a run, in the order in which the host took them in.

The hash of an entry is SHA-256 over the hash of the entry before it and the entry as canonical JSON. The hash of the
last entry, the head, therefore stands for all of them: nothing can be changed later without another head.
"""

import functools
import sqlite3
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted

from operator_demo.events import Event


@dataclass(frozen=True)
class Chain:
    """Where the chain of a run stands. `unchained` events were recorded before the chain existed; `entries` are in it,
    and `head` is the hash of the last of them."""

    run: str
    unchained: int
    entries: int
    head: bytes

    @classmethod
    def begin(cls, run: str, unchained: int = 0) -> "Chain":
        return cls(run, unchained, 0, seed(run, unchained))


@dataclass(frozen=True)
class Entry:
    """An event as it is recorded. `data` is the JSON text of its payload, byte by byte as it was hashed; `position`
    counts from 1. `position` and `hash` are None where it was recorded before the chain existed."""

    event: Event
    data: str
    position: int | None
    hash: bytes | None

    def canonical(self) -> bytes:
        """Raises `TypeError` where a field holds something else than text."""
        return canonical(self.event, self.data)


def entries_in_words(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def seed(run: str, unchained: int) -> bytes:
    """What stands in the place of the hash before the first entry."""
    return sha256(f'{{"run":{quoted(run)},"unchained":{unchained}}}'.encode()).digest()


def link(previous: bytes, entry: bytes) -> bytes:
    """The hash of an entry (canonical) that follows the one with the hash `previous`."""
    return sha256(previous + entry).digest()


def canonical(event: Event, data: str) -> bytes:
    """The one form in which an event is hashed: JSON without white space, in ASCII, its fields in this order.

    `data` is the JSON text of its payload.
    """
    begin, end = _envelope(event.run, event.source, event.type, event.ticket, event.session)
    return f'{begin}{data},"seq":{event.seq},"ts":{quoted(event.ts)}{end}'.encode()


@functools.lru_cache(maxsize=256)  # the same few again and again
def _envelope(run: str, source: str, type: str, ticket: str | None, session: str | None) -> tuple[str, str]:
    begin = f'{{"run":{quoted(run)},"source":{quoted(source)},"type":{quoted(type)},"data":'
    return begin, f',"ticket":{_quoted_or_null(ticket)},"session":{_quoted_or_null(session)}}}'


def _quoted_or_null(text: str | None) -> str:
    return "null" if text is None else quoted(text)


class ChainWriter:
    """Continues the chains of a store within its transactions. What is appended is kept in memory until `save`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._open: dict[str, _OpenChain] = {}

    def next(self, event: Event, data: str) -> tuple[int, bytes]:
        """Position and hash that the event gets if it is appended."""
        chain = self._open.get(event.run) or self._read(event.run)
        return chain.entries + 1, sha256(chain.head + canonical(event, data)).digest()

    def append(self, run: str, position: int, hash: bytes) -> None:
        """What `next` returned."""
        chain = self._open[run]
        chain.entries, chain.head = position, hash

    def begin(self, run: str, unchained: int) -> None:
        """The chain of a run of which so many events are recorded without one."""
        self._open[run] = _OpenChain(Chain.begin(run, unchained))

    def chain(self, run: str) -> Chain:
        """As it stands within the transaction."""
        grown = self._open.get(run)
        if grown is None:
            return stored_chain(self._db, run) or Chain.begin(run)
        return Chain(run, grown.unchained, grown.entries, grown.head)

    def save(self) -> None:
        """Before the commit."""
        self._db.executemany("INSERT OR REPLACE INTO chains (run, unchained, entries, head) VALUES (?,?,?,?)",
                             [(run, chain.unchained, chain.entries, chain.head) for run, chain in self._open.items()])
        self._open.clear()

    def forget(self) -> None:
        """After a rollback."""
        self._open.clear()

    def _read(self, run: str) -> "_OpenChain":
        chain = _OpenChain(self.chain(run))
        self._open[run] = chain
        return chain


class _OpenChain:
    """A chain that grows."""

    def __init__(self, chain: Chain) -> None:
        self.unchained, self.entries, self.head = chain.unchained, chain.entries, chain.head


def stored_chain(db: sqlite3.Connection, run: str) -> Chain | None:
    """None for a run without one; what the host never writes counts as none."""
    row = db.execute("SELECT unchained, entries, head FROM chains WHERE run=?", (run,)).fetchone()
    if row is None or not (isinstance(row["unchained"], int) and isinstance(row["entries"], int)):
        return None
    head = row["head"] if isinstance(row["head"], bytes) else seed(run, row["unchained"])
    return Chain(run, row["unchained"], row["entries"], head)
