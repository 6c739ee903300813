"""The store: one SQLite file of events, and the state that follows from them.

The `events` table is the truth. Runs, tickets and sessions are projections of it, written in the same transaction as
the event that changes them, so that state and record cannot disagree. The same module serves the containers (they write
`tickets.db` in the shared volume, where the next `seq` is given out) and the host (which imports what it reads from
the logs, idempotently by (run, source, seq)).

`record` stamps an event inside the transaction, later than every event of the run before it, so that `ts` is the order
in which things were written. The host may read the sources in another order; a ticket of which an older event comes
late is then folded anew in the order of `ts`.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

from operator_demo import events, wire
from operator_demo.errors import OperatorError
from operator_demo.events import Event, Payload
from operator_demo.fields import encode
from operator_demo.text import clean
from operator_demo.ticket_state import CLOSED_STATES, OPEN, STATE_AFTER

APPLICATION_ID = 0x6F706D6F  # "opmo": tells our files from other SQLite files
Row = dict[str, Any]
_to_json = json.JSONEncoder(separators=(",", ":")).encode  # (json.dumps makes an encoder each time)

_MIGRATIONS = [
    """
    CREATE TABLE events (
        run TEXT NOT NULL, source TEXT NOT NULL, seq INTEGER NOT NULL, ts TEXT NOT NULL, type TEXT NOT NULL,
        ticket TEXT, session TEXT, data TEXT NOT NULL,
        PRIMARY KEY (run, source, seq)
    ) WITHOUT ROWID;
    CREATE INDEX events_by_time ON events (run, ts);
    CREATE INDEX events_by_session ON events (session, ts) WHERE session IS NOT NULL;
    CREATE TABLE runs (
        run TEXT PRIMARY KEY, project TEXT, subject TEXT, mode TEXT, model TEXT, brain TEXT, version TEXT,
        started TEXT NOT NULL, finished TEXT, outcome TEXT, exit_status INTEGER, ttd REAL, ttm REAL
    );
    CREATE TABLE tickets (
        ticket TEXT PRIMARY KEY, run TEXT NOT NULL, subject TEXT, state TEXT NOT NULL DEFAULT 'open',
        severity TEXT, title TEXT, violations TEXT NOT NULL DEFAULT '[]',
        opened TEXT, updated TEXT NOT NULL DEFAULT '', closed TEXT,
        holder TEXT, lease_until REAL NOT NULL DEFAULT 0, returns INTEGER NOT NULL DEFAULT 0, reason TEXT
    );
    CREATE TABLE agent_sessions (
        session TEXT PRIMARY KEY, run TEXT NOT NULL, ticket TEXT, model TEXT, brain TEXT, mode TEXT,
        status TEXT NOT NULL DEFAULT 'running', started TEXT, finished TEXT, summary TEXT,
        steps INTEGER NOT NULL DEFAULT 0, tool_calls INTEGER NOT NULL DEFAULT 0,
        input_tokens INTEGER NOT NULL DEFAULT 0, output_tokens INTEGER NOT NULL DEFAULT 0,
        cache_read_tokens INTEGER NOT NULL DEFAULT 0, cache_write_tokens INTEGER NOT NULL DEFAULT 0,
        cost_usd REAL DEFAULT 0, verdict TEXT
    );
    CREATE VIEW agent_log_entries AS
        SELECT session, ts, run, source, seq, type, ticket, data FROM events
        WHERE session IS NOT NULL AND type IN
            ('reasoning', 'tool_call', 'tool_result', 'finding', 'usage', 'retry', 'refusal', 'interrupt', 'effect');
    """,
]
"""Each entry brings a file from the version of its index to the next; `PRAGMA user_version` tells where it is."""


class StoreError(OperatorError):
    """The file is missing, damaged, of another program, of a newer version, or cannot be written."""


class StoreBusy(StoreError):
    """Another process holds the file; it can be tried again."""


class Store:
    """An open store. Safe to share between threads; each method is one transaction unless inside `transaction()`.

    `durable` (the containers) uses WAL and syncs each commit to the disk. The host's file uses the plain journal, so
    that readers never write beside it. `skew` is by how many seconds the clock that stamps new events is ahead of this
    machine's: the host stamps by the engine's clock, as the containers do.
    """

    skew = 0.0

    def __init__(self, path: Path, *, read_only: bool = False, durable: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        if read_only and not path.exists():
            raise StoreError(f"There is no store at {path}.", "Nothing was recorded yet; `operator-demo run` makes it.")
        with self._guard():
            if read_only:
                _roll_back(path)
            else:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
            if version < len(_MIGRATIONS):
                raise StoreError(f"{self.path} was written by an older version.", "Any `operator-demo run` updates it.")
            return
        self._db.execute(f"PRAGMA journal_mode={'WAL' if durable else 'DELETE'}")
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        with self.transaction():
            for number in range(self._identify(), len(_MIGRATIONS)):  # again, now that no one else can migrate
                for statement in _MIGRATIONS[number].split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={number + 1}")
            self._db.execute(f"PRAGMA application_id={APPLICATION_ID}")

    def _identify(self) -> int:
        """The schema version of the file (0: empty). Raises `StoreError` unless it is ours and not newer than us."""
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        owner = self._db.execute("PRAGMA application_id").fetchone()[0]
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if tables and owner != APPLICATION_ID:
            raise StoreError(f"{self.path} is a database of another program; it was left untouched.",
                             "Name another place with OPERATOR_HOME, or move that file away.")
        if version > len(_MIGRATIONS):
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
                if self._depth == 1 and self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            else:
                if self._depth == 1:
                    self._commit()
            finally:
                self._depth -= 1

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error:  # a reader that holds on (BUSY), a full disk: what was begun must not stay open
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

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
            _project(self._db, event)
        return event

    def import_(self, many: Iterable[Event]) -> list[Event]:
        """Takes over durable events as they are; returns those that were new."""
        new = []
        with self.transaction():
            for event in many:
                if self._insert(event):
                    _project(self._db, event)
                    new.append(event)
        return new

    def _insert(self, event: Event) -> bool:
        done = self._db.execute(
            "INSERT OR IGNORE INTO events (run, source, seq, ts, type, ticket, session, data) VALUES (?,?,?,?,?,?,?,?)",
            (event.run, event.source, event.seq, event.ts, event.type, event.ticket, event.session,
             _to_json(event.raw)))
        return done.rowcount == 1

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
            yield _event(row)

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


def _project(db: sqlite3.Connection, e: Event) -> None:
    """Carries what an event changes into runs, tickets and sessions."""
    match e.data:
        case events.RunStarted() as run:
            db.execute("INSERT OR IGNORE INTO runs (run, project, subject, mode, model, brain, version, started) "
                       "VALUES (?,?,?,?,?,?,?,?)",
                       (e.run, run.project, run.subject, run.mode, run.model, run.brain, run.version, e.ts))
        case events.RunFinished() as end:
            db.execute("UPDATE runs SET finished=?, outcome=?, exit_status=?, ttd=?, ttm=? WHERE run=?",
                       (e.ts, end.outcome, end.exit_status, end.ttd, end.ttm, e.run))
        case events.SessionStarted() as started:
            _session(db, e, ticket=e.ticket, model=started.model, brain=started.brain, mode=started.mode, started=e.ts)
        case events.SessionFinished() as finished:
            _session(db, e, status=finished.status, summary=finished.summary, finished=e.ts)
        case events.Usage() as usage:
            _session(db, e)
            db.execute(
                "UPDATE agent_sessions SET steps=steps+1, input_tokens=input_tokens+?, output_tokens=output_tokens+?, "
                "cache_read_tokens=cache_read_tokens+?, cache_write_tokens=cache_write_tokens+?, cost_usd=cost_usd+? "
                "WHERE session=?",
                (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens,
                 usage.cost_usd, e.session))
        case events.ToolCall():
            _session(db, e)
            db.execute("UPDATE agent_sessions SET tool_calls=tool_calls+1 WHERE session=?", (e.session,))
        case events.Verdict(phase="final") as verdict if e.session:
            told = {"passed": verdict.passed, "checks": encode(verdict.checks), "ts": e.ts}
            _session(db, e, verdict=json.dumps(told))
        case _ if e.type.startswith("ticket_"):
            _project_ticket(db, e)


def _project_ticket(db: sqlite3.Connection, e: Event) -> None:
    db.execute("INSERT OR IGNORE INTO tickets (ticket, run) VALUES (?,?)", (e.ticket, e.run))
    newest = db.execute("SELECT updated FROM tickets WHERE ticket=?", (e.ticket,)).fetchone()[0]
    if e.ts >= newest:
        _fold_ticket(db, e)
        return
    _set(db, "tickets", "ticket", e.ticket, {"state": OPEN, "holder": None, "returns": 0, "updated": ""})
    for row in db.execute("SELECT * FROM events WHERE run=? AND ticket=? AND type LIKE 'ticket%' ORDER BY ts",
                          (e.run, e.ticket)).fetchall():
        _fold_ticket(db, _event(row))


def _fold_ticket(db: sqlite3.Connection, e: Event) -> None:
    changes: dict[str, Any] = {"updated": e.ts}
    state = STATE_AFTER.get(type(e.data))
    if state is not None:
        changes |= {"state": state, "closed": e.ts if state in CLOSED_STATES else None}
    match e.data:
        case events.TicketOpened() as opened:
            changes |= {"subject": opened.subject, "severity": opened.severity, "title": opened.title, "opened": e.ts,
                        "violations": json.dumps(encode(opened.violations))}
        case events.TicketUpdated(violations=violations):
            changes |= {"violations": json.dumps(encode(violations))}
        case events.TicketClaimed(holder=holder):
            changes |= {"holder": holder}
        case events.TicketReturned():
            db.execute("UPDATE tickets SET returns=returns+1 WHERE ticket=?", (e.ticket,))
        case events.TicketReleased():
            changes |= {"holder": None, "lease_until": 0}
        case events.TicketResolved() | events.TicketCleared():
            changes |= {"reason": None}
        case events.TicketEscalated(reason=reason):
            changes |= {"reason": reason}
    _set(db, "tickets", "ticket", e.ticket, changes)


def _event(row: sqlite3.Row | Row) -> Event:
    return Event(row["run"], row["source"], row["type"], json.loads(row["data"]), row["seq"], row["ts"], row["ticket"],
                 row["session"])


def _session(db: sqlite3.Connection, e: Event, **columns: Any) -> None:
    db.execute("INSERT OR IGNORE INTO agent_sessions (session, run) VALUES (?,?)", (e.session, e.run))
    _set(db, "agent_sessions", "session", e.session, columns)


def _set(db: sqlite3.Connection, table: str, key: str, value: str | None, columns: dict[str, Any]) -> None:
    if columns:
        names = ", ".join(f"{name}=?" for name in columns)
        db.execute(f"UPDATE {table} SET {names} WHERE {key}=?", (*columns.values(), value))


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
