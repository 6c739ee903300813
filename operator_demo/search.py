"""A search over the words of all runs: what the agent thought, ran and saw, and what was told of it.

The index is a file of its own beside the store, so that a search never waits for a run, nor a run for a search, and so
that an older version of the program still opens the store. It holds the words alone, not the texts: these are read from
the store. Each search first takes in what was recorded since the one before. `audit delete` takes a run out again.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from operator_demo import audit
from operator_demo.errors import OperatorError, UsageError
from operator_demo.events import Event
from operator_demo.home import close_to_others
from operator_demo.screen.terminal_text import UNICODE
from operator_demo.store import Row, Store, StoreBusy, StoreError
from operator_demo.store_schema import event_of
from operator_demo.telling import tell

VERSION = 1  # of the index, and of the words that `words_of` finds in an event; another one is built anew
SEARCHED = tuple(sorted({*audit.ABOUT_A_RUN} - {"usage", "armed", "ticket_claimed"}))
_EXCERPT = 160  # characters

_SCHEMA = """
    CREATE TABLE runs (run TEXT PRIMARY KEY, entries INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE entries (id INTEGER PRIMARY KEY, run TEXT NOT NULL, source TEXT NOT NULL, seq INTEGER NOT NULL);
    CREATE INDEX entries_of_run ON entries (run);
    CREATE VIRTUAL TABLE words USING fts5 (text, content='');
"""

Progress = Callable[[int, int], None]
"""Is told how many of how many runs are taken in."""


def index_path(store: Path) -> Path:
    return store.with_name(f"{store.name}.search")


def search(store: Store, words: list[str], limit: int, progress: Progress = lambda done, total: None) -> list[Row]:
    """Entries that hold all of the words, the newest first: {"run", "ts", "source", "type", "session", "ticket",
    "speaker", "text"}; `text` is the line that holds most of them. A word that ends in * is the beginning of one.

    Raises `UsageError` for words without a letter or digit.
    """
    asked = _query(words)
    with _open(index_path(store.path)) as index:
        _catch_up(store, index, progress)
        places = index.execute("SELECT e.run, e.source, e.seq FROM words JOIN entries e ON e.id = words.rowid "
                               "WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?", (asked, limit)).fetchall()
    found = (store.row("SELECT * FROM events WHERE run=? AND source=? AND seq=?", *place) for place in places)
    return [_hit(event_of(row), words) for row in found if row is not None]


def forget(store: Store, run: str) -> None:
    """Takes a run out of the index, and overwrites its words in the file. Before the store loses it."""
    path = index_path(store.path)
    if not path.exists():
        return
    with _open(path) as index:
        index.execute("PRAGMA secure_delete=ON")
        index.execute("BEGIN IMMEDIATE")
        known = {(row["source"], row["seq"]): row["id"]
                 for row in index.execute("SELECT * FROM entries WHERE run=?", (run,))}
        for event in store.events(run, types=SEARCHED):
            ident = known.get((event.source, event.seq))
            if ident is not None:
                index.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)",
                              (ident, words_of(event)))
        index.execute("DELETE FROM entries WHERE run=?", (run,))
        index.execute("DELETE FROM runs WHERE run=?", (run,))
        index.execute("INSERT INTO words (words) VALUES ('optimize')")  # the words themselves leave the file
        index.execute("COMMIT")
        index.execute("VACUUM")


def words_of(event: Event) -> str:
    """What is told of an event, and therefore found."""
    telling = tell(event, UNICODE)
    return "\n".join(text for text, _ in telling.lines) if telling is not None else ""


def _query(words: Iterable[str]) -> str:
    """Each word as a phrase, so that nothing in it is syntax."""
    phrases = []
    for word in words:
        bare = word.rstrip("*").replace("\0", "")
        if any(c.isalnum() for c in bare):
            quoted = bare.replace('"', '""')
            phrases.append(f'"{quoted}"{"*" if word.endswith("*") else ""}')
    if not phrases:
        raise UsageError("There is no word to search for.", "Give one or more: `operator-demo audit search memory`.")
    return " ".join(phrases)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=15, isolation_level=None)) as index:
            index.row_factory = sqlite3.Row
            close_to_others(path)
            _prepare(index)
            yield index
    except sqlite3.DatabaseError as e:
        raise _explained(path, e) from e


def _explained(path: Path, error: sqlite3.DatabaseError) -> OperatorError:
    if "no such module" in str(error):
        return OperatorError(f"The SQLite of this Python ({sqlite3.sqlite_version}) lacks FTS5, which a search needs.",
                             "`operator-demo audit show RUN | grep WORD` searches one run.")
    if (getattr(error, "sqlite_errorname", "") or "").startswith("SQLITE_BUSY"):
        return StoreBusy(f"Another search is using the index {path}.", "Try again in a moment.")
    return StoreError(f"The index {path} cannot be used: {error}.", "Remove that file; the next search builds it anew.")


def _prepare(index: sqlite3.Connection) -> None:
    if index.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    index.execute("BEGIN IMMEDIATE")
    _begin_anew(index)
    index.execute("COMMIT")


def _begin_anew(index: sqlite3.Connection) -> None:
    for table in ("words", "entries", "runs"):
        index.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in filter(str.strip, _SCHEMA.split(";")):
        index.execute(statement)
    index.execute(f"PRAGMA user_version={VERSION}")


def _catch_up(store: Store, index: sqlite3.Connection, progress: Progress) -> None:
    """Takes in what was recorded since, one run after the other, so that an interrupted search loses little."""
    recorded = store.sizes()
    known = {row["run"]: row["entries"] for row in index.execute("SELECT * FROM runs")}
    if known.keys() - recorded.keys():  # another store than the one that was indexed
        index.execute("BEGIN IMMEDIATE")
        _begin_anew(index)
        index.execute("COMMIT")
        known = {}
    late = [run for run, entries in recorded.items() if known.get(run) != entries]
    for done, run in enumerate(late):
        progress(done, len(late))
        index.execute("BEGIN IMMEDIATE")
        _take_in(store, index, run)
        index.execute("INSERT OR REPLACE INTO runs (run, entries) VALUES (?,?)", (run, recorded[run]))
        index.execute("COMMIT")
    progress(len(late), len(late))


def _take_in(store: Store, index: sqlite3.Connection, run: str) -> None:
    there = {(row["source"], row["seq"]) for row in index.execute("SELECT * FROM entries WHERE run=?", (run,))}
    for event in store.events(run, types=SEARCHED):
        if (event.source, event.seq) in there:
            continue
        ident = index.execute("INSERT INTO entries (run, source, seq) VALUES (?,?,?)",
                              (run, event.source, event.seq)).lastrowid
        index.execute("INSERT INTO words (rowid, text) VALUES (?,?)", (ident, words_of(event)))


def _hit(event: Event, words: list[str]) -> Row:
    telling = tell(event, UNICODE)
    speaker = telling.speaker if telling is not None else event.source
    return {"run": event.run, "ts": event.ts, "source": event.source, "type": event.type, "session": event.session,
            "ticket": event.ticket, "speaker": speaker, "text": _excerpt(words_of(event), words)}


def _excerpt(text: str, words: list[str]) -> str:
    """The line that holds most of the words, cut around the first of them."""
    wanted = [word.rstrip("*").lower() for word in words]
    line = max(text.splitlines() or [""], key=lambda line: sum(word in line.lower() for word in wanted))
    places = [at for word in wanted if (at := line.lower().find(word)) >= 0]
    begin = max(0, min(places, default=0) - _EXCERPT // 3)
    piece = line[begin:begin + _EXCERPT].strip()
    return ("…" if begin else "") + piece + ("…" if begin + _EXCERPT < len(line) else "")
