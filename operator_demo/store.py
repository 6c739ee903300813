"""The store: one SQLite file of events, and the state that follows from them.

The `events` table is the truth. Runs, tickets and sessions are projections of it, written in the same transaction as
the event that changes them, so that state and record cannot disagree. The same module serves the containers (they write
`tickets.db` in the shared volume, where the next `seq` is given out) and the host (which imports what it reads from
the logs, idempotently by (run, source, seq)).

`record` stamps an event inside the transaction, later than every event of the run before it, so that `ts` is the order
in which things were written. The host may read the sources in another order; a ticket of which an older event comes
late is then folded anew in the order of `ts`.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

from operator_demo import events, wire
from operator_demo.chain import Chain, ChainWriter, Entry
from operator_demo.errors import OperatorError
from operator_demo.events import Event, Payload
from operator_demo.home import close_to_others, make_private_folder
from operator_demo.json_text import to_json
from operator_demo.projection import project
from operator_demo.store_schema import APPLICATION_ID, FIRST_CHAINED, TABLES, VERSION, event_of, migrate
from operator_demo.text import clean

Row = dict[str, Any]

class StoreError(OperatorError):
    """The file is missing, damaged, of another program, of a newer version, or cannot be written."""


class StoreBusy(StoreError):
    """Another process holds the file; it can be tried again."""


class Store:
    """An open store. Safe to share between threads; each method is one transaction unless inside `transaction()`.

    `durable` (the containers) uses WAL and syncs each commit to the disk. The host's file uses the plain journal, so
    that readers never write beside it, and chains the events of each run (`operator_demo.chain`). `skew` is by how many
    seconds the clock that stamps new events is ahead of this machine's: the host stamps by the engine's clock, as the
    containers do.
    """

    skew = 0.0

    def __init__(self, path: Path, *, read_only: bool = False, durable: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._chains: ChainWriter | None = None
        self._has_chains = True
        if read_only and not path.exists():
            raise StoreError(f"There is no store at {path}.", "Nothing was recorded yet; `operator-demo run` makes it.")
        with self._guard():
            if read_only:
                _roll_back(path)
            else:
                make_private_folder(path.parent)
            mode = "ro" if read_only else "rwc"
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=15,
                                       isolation_level=None, check_same_thread=False)
            self._db.row_factory = sqlite3.Row
            try:
                self._prepare(read_only, durable)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, read_only: bool, durable: bool) -> None:
        version = self._identify()
        if read_only:
            if version == 0:
                raise StoreError(f"{self.path} is empty.", "Any `operator-demo run` fills it.")
            self._has_chains = version >= FIRST_CHAINED
            return
        if not durable:
            close_to_others(self.path)  # (SQLite gives its files beside this one the same permissions)
        self._db.execute(f"PRAGMA journal_mode={'WAL' if durable else 'DELETE'}")
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        with self.transaction():
            migrate(self._db, self._identify())  # again, now that no one else can migrate
        if not durable:
            self._chains = ChainWriter(self._db)

    def _identify(self) -> int:
        """The schema version of the file (0: empty). Raises `StoreError` unless it is ours and not newer than us."""
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        owner = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if tables and owner != APPLICATION_ID:
            raise StoreError(f"{self.path} is a database of another program; it was left untouched.",
                             "Name another place with OPERATOR_HOME, or move that file away.")
        if version > VERSION:
            raise StoreError(f"{self.path} was written by a newer version of operator-demo{self._newest_run()}; it was "
                             "left untouched.", "Use that version, or name another place with OPERATOR_HOME.")
        return version

    def _newest_run(self) -> str:
        """Which version recorded it, as far as a file of another schema tells."""
        try:
            row = self._db.execute("SELECT version FROM runs ORDER BY started DESC LIMIT 1").fetchone()
        except sqlite3.Error:
            return ""
        return f" (its newest run: {clean(str(row['version']))})" if row and row["version"] else ""

    def wait_for_lock(self, seconds: float) -> None:
        """How long each call from now on waits while another process holds the file."""
        with self._lock:
            self._db.execute(f"PRAGMA busy_timeout={round(seconds * 1000)}")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            busy = (getattr(e, "sqlite_errorname", "") or "").startswith("SQLITE_BUSY")
            raise (StoreBusy if busy else StoreError)(*_explain(self.path, e)) from e
        except OSError as e:
            raise StoreError(f"{self.path} cannot be used: {e.strerror}.",
                             "Name a place that can be written with OPERATOR_HOME.") from e

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with the write lock held from the start (so a read inside it stays true). Nests."""
        with self._lock, self._guard():
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if self._depth == 1:
                    self._roll_back()
                raise
            else:
                if self._depth == 1:
                    self._commit()
            finally:
                self._depth -= 1

    def _commit(self) -> None:
        try:
            if self._chains:
                self._chains.save()
            self._db.execute("COMMIT")
        except sqlite3.Error:  # a reader that holds on (BUSY), a full disk: what was begun must not stay open
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._chains:
            self._chains.forget()
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside belongs together: nobody writes meanwhile."""
        with self._lock, self._guard():
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("ROLLBACK")

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        with self._lock, self._guard():
            return [dict(row) for row in self._db.execute(sql, parameters)]

    def row(self, sql: str, *parameters: Any) -> Row | None:
        found = self.rows(sql, *parameters)
        return found[0] if found else None

    def execute(self, sql: str, *parameters: Any) -> int:
        """Runs one writing statement; returns the number of rows it changed."""
        with self.transaction():
            return self._db.execute(sql, parameters).rowcount

    # -- events ------------------------------------------------------------------------------------------------------

    def record(self, event: Event) -> Event:
        """Writes an event of our own under the next `seq` of its source, stamped now, with what it changes."""
        with self.transaction():
            seq = self.last_seq(event.run, event.source) + 1
            newest = self._db.execute("SELECT max(ts) FROM events WHERE run=?", (event.run,)).fetchone()[0]
            event = event.numbered(seq, events.after(newest, self.skew))
            self._insert(event)
            project(self._db, event)
        return event

    def import_(self, many: Iterable[Event]) -> list[Event]:
        """Takes over durable events as they are; returns those that were new."""
        new = []
        with self.transaction():
            for event in many:
                if self._insert(event):
                    project(self._db, event)
                    new.append(event)
        return new

    def _insert(self, event: Event, *, chained: bool = True) -> bool:
        """False where it is there already. The host's file appends what is new to the chain of its run."""
        data = to_json(event.raw)
        position = hash = None
        if self._chains and chained:
            position, hash = self._chains.next(event, data)
        done = self._db.execute(
            "INSERT OR IGNORE INTO events (run, source, seq, ts, type, ticket, session, data, position, hash) "
            "VALUES (?,?,?,?,?,?,?,?,?,?)",
            (event.run, event.source, event.seq, event.ts, event.type, event.ticket, event.session, data, position,
             hash))
        is_new = done.rowcount == 1
        if is_new and self._chains and position and hash:
            self._chains.append(event.run, position, hash)
        return is_new

    def import_unchained(self, run: str, many: list[Event]) -> None:
        """Begins a run, which is not here yet, with events that were recorded before the chain existed."""
        assert self._chains is not None, "only the host's store has chains"
        with self.transaction():
            self._chains.begin(run, sum(self._insert(event, chained=False) for event in many))
            for event in many:
                project(self._db, event)

    def holds(self, run: str) -> bool:
        """Is anything of the run recorded?"""
        return self.row("SELECT 1 FROM events WHERE run=?1 UNION ALL SELECT 1 FROM runs WHERE run=?1", run) is not None

    def delete(self, run: str) -> None:
        """Removes all that is recorded of a run, and overwrites it in the file."""
        with self._lock, self._guard():
            self._db.execute("PRAGMA secure_delete=ON")
        with self.transaction():
            for table in TABLES:
                self._db.execute(f"DELETE FROM {table} WHERE run=?", (run,))

    def shrink(self) -> None:
        """Gives back the space of what was deleted."""
        with self._lock, self._guard():
            self._db.execute("VACUUM")

    def began(self, run: str) -> float | None:
        """When the run's first event was recorded, in seconds since the epoch; None before."""
        row = self.row("SELECT min(ts) AS ts FROM events WHERE run=?", run)
        return events.parse_ts(row["ts"]) if row and row["ts"] else None

    def last_seq(self, run: str, source: str) -> int:
        row = self.row("SELECT max(seq) AS last FROM events WHERE run=? AND source=?", run, source)
        return int(row["last"] or 0) if row else 0

    def events(self, run: str, *, source: str | None = None, after: int = 0, types: Iterable[str] = (),
               session: str | None = None) -> Iterator[Event]:
        """Events in the order of their times; `after` is a `seq` and goes with `source`."""
        sql, parameters = "SELECT * FROM events WHERE run=?", [run]
        if source is not None:
            sql, parameters = sql + " AND source=? AND seq>?", [*parameters, source, after]  # type: ignore[list-item]
        wanted = list(types)
        if wanted:
            sql, parameters = sql + f" AND type IN ({','.join('?' * len(wanted))})", parameters + wanted
        if session is not None:
            sql, parameters = sql + " AND session=?", [*parameters, session]
        order = "seq" if source is not None else "ts, source, seq"
        for row in self.rows(sql + f" ORDER BY {order}", *parameters):
            yield event_of(row)

    def entries(self, run: str) -> list[Entry]:
        """All events of a run as they are recorded: those without a chain, then the others in their order."""
        order = "position, source, seq" if self._has_chains else "source, seq"
        return [_entry(row) for row in self.rows(f"SELECT * FROM events WHERE run=? ORDER BY {order}", run)]

    def chain(self, run: str) -> Chain:
        """The chain of a run, as it stands; without any entry where the file is older than the chain."""
        if self._has_chains:
            with self._lock, self._guard():
                return (self._chains or ChainWriter(self._db)).chain(run)
        row = self.row("SELECT count(*) AS unchained FROM events WHERE run=?", run)
        return Chain.begin(run, row["unchained"] if row else 0)

    def sizes(self) -> dict[str, int]:
        """How many entries each run has; the oldest run first."""
        counted = "SELECT run, unchained + entries AS entries FROM chains" if self._has_chains else \
            "SELECT run, count(*) AS entries FROM events GROUP BY run"
        rows = self.rows(f"SELECT c.run, c.entries FROM ({counted}) c LEFT JOIN runs r ON r.run = c.run "
                         "ORDER BY r.started, c.run")
        return {row["run"]: row["entries"] for row in rows}

    def missing(self, run: str, source: str) -> list[tuple[int, int]]:
        """The ranges of `seq` (first, last) that are not here although later ones are."""
        gaps, expected = [], 1
        for row in self.rows("SELECT seq FROM events WHERE run=? AND source=? ORDER BY seq", run, source):
            if row["seq"] > expected:
                gaps.append((expected, row["seq"] - 1))
            expected = row["seq"] + 1
        return gaps

    def spent(self, run: str) -> Row:
        """What all sessions of a run used together: steps, tokens, cost_usd (None when a price was unknown)."""
        row = self.row(
            "SELECT coalesce(sum(steps),0) AS steps, coalesce(sum(input_tokens+output_tokens+cache_read_tokens"
            "+cache_write_tokens),0) AS tokens, CASE WHEN count(*)=count(cost_usd) THEN coalesce(sum(cost_usd),0.0) "
            "END AS cost_usd, min(started) AS started FROM agent_sessions WHERE run=?", run)
        assert row is not None
        return row


class Recorder:
    """How a container speaks: an event is committed to the store first and printed (and flushed) after.

    Ephemeral events are printed only. Safe to use from several threads.
    """

    def __init__(self, store: Store, run: str, source: str, out: TextIO) -> None:
        self.store, self.run, self.source = store, run, source
        self._out = out
        self._lock = threading.RLock()
        self._held: list[Event] | None = None

    def say(self, content: Payload, *, ticket: str | None = None, session: str | None = None) -> Event:
        """Raises `BadEvent` where the contract is not kept, `StoreError` where it could not be written."""
        with self._lock:
            event = events.event(self.run, self.source, content, ticket=ticket, session=session)
            if content.ephemeral:
                self._print(event)
                return event
            event = self.store.record(event)
            if self._held is not None:
                self._held.append(event)
            else:
                self._print(event)
            return event

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Reads and events that belong together; what is said inside is printed after the commit, or not at all."""
        with self._lock:
            if self._held is not None:
                yield
                return
            self._held = []
            try:
                with self.store.transaction():
                    yield
                for event in self._held:
                    self._print(event)
            finally:
                self._held = None

    def _print(self, event: Event) -> None:
        try:
            for line in wire.encode(event):
                self._out.write(line + "\n")
            self._out.flush()
        except (BrokenPipeError, ValueError, OSError):
            pass  # nobody listens; the store has it


def _roll_back(path: Path) -> None:
    """Undoes the half transaction of a host that was killed in it: SQLite does so when a writer opens the file.

    Only for a file of ours, told by the application id in its header (bytes 68 to 71, see SQLite's file format).
    """
    if Path(f"{path}-journal").exists() and _header(path)[68:72] == APPLICATION_ID.to_bytes(4, "big"):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=15)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(100)


def _entry(row: Row) -> Entry:
    """A position or a hash that the host never writes counts as none."""
    position, hash = row.get("position"), row.get("hash")
    return Entry(event_of({**row, "data": "{}"}), row["data"], position if isinstance(position, int) else None,
                 hash if isinstance(hash, bytes) else None)


def _explain(path: Path, error: sqlite3.Error) -> tuple[str, str]:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return f"{path} is damaged or not a SQLite database; it was left untouched.", \
            "Move it away; the next run starts a new one. `sqlite3 FILE .recover` may save its content."
    if name.startswith("SQLITE_FULL"):
        return f"The disk that holds {path} is full.", "Free some space; nothing that was recorded is lost."
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_IOERR")):
        return f"{path} cannot be opened or written ({error}).", \
            "Check its permissions and the disk, or name another place with OPERATOR_HOME."
    if name.startswith("SQLITE_BUSY"):
        return f"{path} is held by another process.", "Wait until it is done, or end it."
    return f"{path} cannot be used ({error}).", "Move it away if it is not a store of operator-demo."
