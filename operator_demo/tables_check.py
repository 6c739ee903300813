"""Do the tables of runs, tickets and sessions say what the events of a run say?

The lists show the tables. They are computed from the events, so computing them again finds a table that was edited.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from operator_demo.chain import Entry
from operator_demo.projection import project
from operator_demo.store import Store
from operator_demo.store_schema import migrate

_TABLES = {"runs": "run", "tickets": "ticket", "agent_sessions": "session"}
_NOT_OF_EVENTS = ("lease_until",)  # the containers' own


def contradictions(store: Store, run: str, entries: list[Entry]) -> Iterator[str]:
    """In words, what the tables of the store say otherwise than the events, which must be unaltered. Tables of a run
    that began before the chain existed are not looked at: the order of its events is not known."""
    if any(entry.position is None for entry in entries):
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        migrate(db, 0)
        for entry in entries:
            event = replace(entry.event, raw=json.loads(entry.data))
            if event.ticket:  # a late event of a ticket makes the projection read its older ones
                _insert(db, entry)
            project(db, event)
        for table, key in _TABLES.items():
            query = f"SELECT * FROM {table} WHERE run=? ORDER BY {key}"
            computed = {row[key]: dict(row) for row in db.execute(query, (run,))}
            stored = {row[key]: row for row in store.rows(query, run)}
            yield from _differences(table, stored, computed)


def _insert(db: sqlite3.Connection, entry: Entry) -> None:
    e = entry.event
    db.execute("INSERT INTO events (run, source, seq, ts, type, ticket, session, data) VALUES (?,?,?,?,?,?,?,?)",
               (e.run, e.source, e.seq, e.ts, e.type, e.ticket, e.session, entry.data))


def _differences(table: str, stored: dict[str, Any], computed: dict[str, Any]) -> Iterator[str]:
    for key in sorted(stored.keys() - computed.keys(), key=str):
        yield f"{key} in the table {table}: no event tells of it"
    for key in sorted(computed.keys() - stored.keys()):
        yield f"the table {table}: {key} is missing"
    for key in sorted(computed.keys() & stored.keys()):
        columns = [name for name, value in computed[key].items()
                   if name not in _NOT_OF_EVENTS and stored[key].get(name) != value]
        if columns:
            yield f"{key} in the table {table}: the events say otherwise about {', '.join(columns)}"
