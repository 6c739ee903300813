"""The tables of the store, and how a file of an older version becomes one of this version."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from operator_demo.events import Event

APPLICATION_ID = 0x6F706D6F  # "opmo": tells our files from other SQLite files
FIRST_CHAINED = 2  # the version in which events got a chain

MIGRATIONS = [
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
    """
    ALTER TABLE events ADD COLUMN position INTEGER;
    ALTER TABLE events ADD COLUMN hash BLOB;
    CREATE TABLE chains (
        run TEXT PRIMARY KEY, unchained INTEGER NOT NULL, entries INTEGER NOT NULL, head BLOB
    ) WITHOUT ROWID;
    INSERT INTO chains (run, unchained, entries) SELECT run, count(*), 0 FROM events GROUP BY run;
    """,
]
"""Each entry brings a file from the version of its index to the next; `PRAGMA user_version` tells where it is.

`position` and `hash` are those of `operator_demo.chain`, null in what was recorded before the chain existed, and in the
containers' files. `chains.unchained` counts such events of a run; `head` is null before the first chained one.
"""

VERSION = len(MIGRATIONS)
TABLES = ("events", "runs", "tickets", "agent_sessions", "chains")
"""Each has the run in a column `run`."""


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Within a transaction of the caller, who holds the write lock since before he read `version`."""
    for number in range(version, VERSION):
        for statement in MIGRATIONS[number].split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version={number + 1}")
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")


def event_of(row: Mapping[str, Any] | sqlite3.Row) -> Event:
    """The event in a row of `events`."""
    return Event(row["run"], row["source"], row["type"], json.loads(row["data"]), row["seq"], row["ts"], row["ticket"],
                 row["session"])
