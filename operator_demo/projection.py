"""Runs, tickets and sessions, computed from the events: each event carries what it changes into their tables."""

import json
import sqlite3
from typing import Any

from operator_demo import events, outcomes
from operator_demo.errors import Exit
from operator_demo.events import Event
from operator_demo.fields import encode
from operator_demo.store_schema import event_of
from operator_demo.ticket_state import CLOSED_STATES, OPEN, STATE_AFTER

_FREQUENT = ("load", "observation")  # the most of a record; they change nothing here


def project(db: sqlite3.Connection, e: Event) -> None:
    """Carries what an event changes into runs, tickets and sessions."""
    if e.type in _FREQUENT:
        return
    match e.data:
        case events.RunStarted() as run:
            db.execute("INSERT OR IGNORE INTO runs (run, project, subject, mode, model, brain, version, started) "
                       "VALUES (?,?,?,?,?,?,?,?)",
                       (e.run, run.project, run.subject, run.mode, run.model, run.brain, run.version, e.ts))
        case events.RunFinished() as end:
            db.execute("UPDATE runs SET finished=?, outcome=?, exit_status=?, ttd=?, ttm=? WHERE run=?",
                       (e.ts, end.outcome, end.exit_status, end.ttd, end.ttm, e.run))
        case events.Contradiction():
            places = ",".join("?" * len(outcomes.JUDGED))
            db.execute(f"UPDATE runs SET outcome=?, exit_status=? WHERE run=? AND outcome IN ({places})",
                       (outcomes.UNVERIFIED, int(Exit.NOT_REACHED), e.run, *outcomes.JUDGED))
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
        _fold_ticket(db, event_of(row))


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


def _session(db: sqlite3.Connection, e: Event, **columns: Any) -> None:
    db.execute("INSERT OR IGNORE INTO agent_sessions (session, run) VALUES (?,?)", (e.session, e.run))
    _set(db, "agent_sessions", "session", e.session, columns)


def _set(db: sqlite3.Connection, table: str, key: str, value: str | None, columns: dict[str, Any]) -> None:
    if columns:
        names = ", ".join(f"{name}=?" for name in columns)
        db.execute(f"UPDATE {table} SET {names} WHERE {key}=?", (*columns.values(), value))
