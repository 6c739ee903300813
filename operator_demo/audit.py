"""Reading the record: which sessions there were, and everything that one of them thought, did and caused.

Reads the host's store and nothing else: no engine, and nothing is ever written.

The JSON of `audit list` is an array of sessions, newest first:
    {"session", "run", "ticket", "subject", "scenario", "project", "brain", "model", "mode", "status", "verdict",
     "started", "finished", "duration", "steps", "tool_calls",
     "tokens": {"input", "output", "cache_read", "cache_write", "total"}, "cost_usd", "summary"}
`scenario` is known once the sealed cause was opened; `verdict` is "passed", "failed" or null; times are UTC ISO-8601,
durations in seconds; null where unknown.

The JSON of `audit show` is an object:
    {"kind": "session" | "run" | "ticket", "id", "run": {...}, "tickets": [...], "sessions": [as above],
     "chain": {"entries", "head", "unchained"},
     "verdicts": [{"ts", "phase", "passed", "checks"}],
     "entries": [{"ts", "source", "seq", "type", "session", "ticket", "data"}]}
Entries are events in the order of their times; what `data` holds is in `events.TYPES`. The input of a tool call is as
it may be shown: control characters escaped, plain words that look like a secret redacted; `sha256` and `length` are
those of the command that ran. A tool call has besides `outcome`: the `data` of its result, or null where none was
written, and `effects` and `guard`: the effects and the decisions of the guard that were linked to it.
`chain` is that of the whole run: `unchained` counts the entries that were recorded before the chain existed.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from operator_demo.errors import UsageError
from operator_demo.events import ENTRY_TYPES, Event, parse_ts, timestamp
from operator_demo.redaction import Scrubber
from operator_demo.store import Row, Store, StoreError
from operator_demo.ticket_state import CLOSED_STATES, OPEN_STATES

STATUSES = ("running", "verified", "unverified", "escalated", "interrupted", "budget", "observed", "error")
TICKET_STATES = (*OPEN_STATES, *CLOSED_STATES)

TICKET_MOVES = ("ticket_opened", "ticket_updated", "ticket_claimed", "ticket_verifying", "ticket_returned",
                "ticket_released", "ticket_resolved", "ticket_cleared", "ticket_escalated")
_ABOUT_A_SESSION = (*ENTRY_TYPES, *TICKET_MOVES, "session_started", "session_finished", "effect", "guard",
                    "approval_requested", "approval_answered", "verdict", "note")
ABOUT_A_RUN = (*_ABOUT_A_SESSION, "run_started", "truth_sealed", "fault", "truth_opened", "gap", "contradiction",
                "armed", "agent_started", "write_check", "run_finished")
SORTS = {"started": "s.started", "took": "julianday(s.finished) - julianday(s.started)", "steps": "s.steps",
         "tokens": "s.input_tokens + s.output_tokens + s.cache_read_tokens + s.cache_write_tokens",
         "cost": "s.cost_usd"}
"""By what a list of sessions can be sorted, the greatest first."""
ONLY = {"commands": ("tool_call",), "reasoning": ("reasoning", "finding"),
        "refusals": ("refusal", "approval_requested", "approval_answered", "guard", "tool_call"),
        "effects": ("effect",)}
"""Kinds of entries that one may want alone, by their types."""
_SCENARIO = ("(SELECT json_extract(e.data, '$.truth.scenario') FROM events e WHERE e.run = {run} "
             "AND e.source = 'stage' AND e.type = 'truth_opened' LIMIT 1)")
_SESSIONS = ("SELECT s.*, coalesce(t.subject, r.subject) AS subject, r.project FROM agent_sessions s "
             "LEFT JOIN tickets t ON t.ticket = s.ticket LEFT JOIN runs r ON r.run = s.run")
_BEFORE = 5.0  # seconds before a session's start whose effects still belong to its story


@contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """The store, read-only. What is found to be damaged while reading is a `StoreError` as well."""
    with Store(path, read_only=True) as store:
        try:
            yield store
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as e:
            raise StoreError(f"{path} holds records that cannot be read; it was left untouched.",
                             "Move it away; the next run starts a new one.") from e


# -- lists -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """Which sessions a list shows; None stands for any. `since` is a time stamp, `sort` a key of `SORTS`."""

    limit: int | None = None
    status: str | None = None
    subject: str | None = None
    model: str | None = None
    scenario: str | None = None
    mode: str | None = None
    since: str | None = None
    sort: str = "started"


ANY = Wanted()


def sessions(store: Store, wanted: Wanted = ANY) -> list[Row]:
    """Those that are wanted; of equals the newest first."""
    scenario = _SCENARIO.format(run="s.run")
    rows = store.rows(f"{_SESSIONS} WHERE (?1 IS NULL OR s.status = ?1) "
                      "AND (?2 IS NULL OR coalesce(t.subject, r.subject) = ?2) AND (?3 IS NULL OR s.model = ?3) "
                      "AND (?4 IS NULL OR s.mode = ?4) AND (?5 IS NULL OR s.started >= ?5) "
                      f"AND (?6 IS NULL OR {scenario} = ?6) "
                      f"ORDER BY {SORTS[wanted.sort]} DESC NULLS LAST, s.started DESC, s.session LIMIT ?7",
                      wanted.status, wanted.subject, wanted.model, wanted.mode, wanted.since, wanted.scenario,
                      -1 if wanted.limit is None else wanted.limit)
    return [_session(store, row) for row in rows]


def since(text: str) -> str:
    """The time stamp that `90m`, `12h`, `7d` or `2w` (so long ago), or a date (and time) of this machine's clock means.

    Raises `UsageError`.
    """
    try:
        if match := re.fullmatch(r"(\d{1,5})([mhdw])", text):
            unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[match[2]]
            return timestamp(datetime.now(UTC) - timedelta(**{unit: int(match[1])}))
        return timestamp(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError, OSError) as e:
        raise UsageError(f"{text!r} is no time.", "Say how long ago (12h, 7d, 2w), or a date (2026-03-14).") from e


def runs(store: Store) -> list[str]:
    """The ids of all runs of which anything is recorded, in the order of their names."""
    return [str(row["run"]) for row in store.rows("SELECT run FROM runs UNION SELECT DISTINCT run FROM events")]


def tickets(store: Store, *, limit: int | None = None, state: str | None = None,
            subject: str | None = None) -> list[Row]:
    """Newest first."""
    rows = store.rows("SELECT * FROM tickets WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR subject = ?2) "
                      "ORDER BY opened DESC, ticket LIMIT ?3", state, subject, -1 if limit is None else limit)
    return [_ticket(row) for row in rows]


def _session(store: Store, row: Row) -> Row:
    opened = store.row(f"SELECT {_SCENARIO.format(run='?')} AS scenario", row["run"]) or {}
    tokens = {kind: int(row[f"{kind}_tokens"]) for kind in ("input", "output", "cache_read", "cache_write")}
    verdict = json.loads(row["verdict"]) if row["verdict"] else None
    return {
        **{key: row[key] for key in ("session", "run", "ticket", "subject")}, "scenario": opened["scenario"],
        **{key: row[key] for key in ("project", "brain", "model", "mode", "status")},
        "verdict": None if verdict is None else "passed" if verdict["passed"] else "failed",
        "started": row["started"], "finished": row["finished"],
        "duration": duration(row["started"], row["finished"]),
        "steps": row["steps"], "tool_calls": row["tool_calls"],
        "tokens": tokens | {"total": sum(tokens.values())},
        "cost_usd": row["cost_usd"], "summary": row["summary"],
    }


def _ticket(row: Row) -> Row:
    kept = {key: row[key] for key in ("ticket", "run", "subject", "state", "severity", "title", "opened", "closed",
                                      "holder", "returns", "reason")}
    return kept | {"duration": duration(row["opened"], row["closed"]), "violations": json.loads(row["violations"])}


def duration(started: str | None, finished: str | None) -> float | None:
    """Seconds between two time stamps, None unless both are known."""
    if not started or not finished:
        return None
    try:
        return round(max(0.0, parse_ts(finished) - parse_ts(started)), 6)
    except ValueError:
        return None


# -- one of them -----------------------------------------------------------------------------------------------------


def find(store: Store, name: str, kinds: tuple[str, ...] = ("session", "run", "ticket")) -> tuple[str, str]:
    """The kind and whole id of what `name` means: an id, the beginning of exactly one, or `last`.

    Raises `UsageError` when it means nothing, or more than one.
    """
    if name == "last":
        return _last(store, kinds)
    if not name:
        raise UsageError("An id is needed.", _where(kinds))
    tables = {"session": ("agent_sessions", "started"), "run": ("runs", "started"), "ticket": ("tickets", "opened")}
    found: list[tuple[str, str]] = []
    for kind in kinds:
        table, order = tables[kind]
        for row in store.rows(f"SELECT {kind} AS id FROM {table} WHERE substr({kind}, 1, length(?1)) = ?1 "
                              f"ORDER BY {order} DESC", name):
            if row["id"] == name:
                return kind, row["id"]
            found.append((kind, row["id"]))
    if not found:
        raise UsageError(f"There is no {' or '.join(kinds)} whose id begins with {name!r}.", _where(kinds))
    if len(found) > 1:
        shown = ", ".join(ident for _, ident in found[:10]) + (", ..." if len(found) > 10 else "")
        raise UsageError(f"{name!r} could be any of {len(found)}: {shown}.", "Give more of the id.")
    return found[0]


def _last(store: Store, kinds: tuple[str, ...]) -> tuple[str, str]:
    if kinds == ("ticket",):
        newest = store.row("SELECT ticket AS id FROM tickets ORDER BY opened DESC LIMIT 1")
        kind = "ticket"
    elif kinds == ("run",):
        newest = store.row("SELECT run AS id FROM runs ORDER BY started DESC LIMIT 1")
        kind = "run"
    else:
        newest = store.row("SELECT 'session' AS kind, session AS id, started FROM agent_sessions "
                           "UNION ALL SELECT 'run', run, started FROM runs "
                           "WHERE run NOT IN (SELECT run FROM agent_sessions) ORDER BY started DESC LIMIT 1")
        kind = newest["kind"] if newest else ""
    if newest is None:
        raise UsageError("Nothing was recorded yet.", "`operator-demo run` makes the first record.")
    return kind, newest["id"]


def _where(kinds: tuple[str, ...]) -> str:
    return f"`operator-demo {'tickets' if kinds == ('ticket',) else 'audit'} list` shows what there is."


def record(store: Store, kind: str, name: str) -> Row:
    """All that is known of a session, a run or a ticket, in the shape that the module describes."""
    mine = {"session": "s.session", "run": "s.run", "ticket": "s.ticket"}[kind]
    held = [_session(store, row) for row in store.rows(f"{_SESSIONS} WHERE {mine} = ? ORDER BY s.started", name)]
    if kind == "ticket":
        found = store.row("SELECT * FROM tickets WHERE ticket = ?", name)
        run, about = (found or {})["run"], [found or {}]
    elif kind == "session":
        run = held[0]["run"]
        about = store.rows("SELECT * FROM tickets WHERE ticket = ?", held[0]["ticket"])
    else:
        run = name
        about = store.rows("SELECT * FROM tickets WHERE run = ? ORDER BY opened", name)
    chosen = list(_events(store, kind, name, run, held))
    return {
        "kind": kind, "id": name,
        "run": store.row("SELECT * FROM runs WHERE run = ?", run) or {"run": run},
        "tickets": [_ticket(row) for row in about],
        "sessions": held,
        "chain": _chain(store, run),
        "verdicts": [{"ts": e.ts, **{key: e.raw[key] for key in ("phase", "passed", "checks")}}
                     for e in chosen if e.type == "verdict"],
        "entries": _entries(chosen),
    }


def only(record: Row, kind: str) -> Row:
    """The record with those entries alone that `kind`, a key of `ONLY`, stands for."""
    return record | {"entries": [e for e in record["entries"] if e["type"] in ONLY[kind] and _is_one(e, kind)]}


def _is_one(entry: Row, kind: str) -> bool:
    """A refusal is also a call that did not run, and what the guard denied."""
    if kind != "refusals" or entry["type"] not in ("guard", "tool_call"):
        return True
    if entry["type"] == "guard":
        return bool(entry["data"].get("ruling") == "deny")
    denied = any(guard.get("ruling") == "deny" for guard in entry["guard"])
    return denied or (entry["outcome"] or {}).get("status") == "refused"


def is_over(record: Row) -> bool:
    """Will nothing more come to it?"""
    if record["kind"] == "session":
        return all(session["finished"] for session in record["sessions"])
    return bool(record["run"].get("finished")) or \
        (record["kind"] == "ticket" and all(ticket["closed"] for ticket in record["tickets"]))


def _chain(store: Store, run: str) -> Row:
    chain = store.chain(run)
    return {"entries": chain.entries, "head": chain.head.hex(), "unchained": chain.unchained}


def _events(store: Store, kind: str, name: str, run: str, held: list[Row]) -> Iterator[Event]:
    if kind == "run":
        yield from store.events(run, types=ABOUT_A_RUN)
        return
    names = {s["session"] for s in held}
    of = {s["ticket"] for s in held} | ({name} if kind == "ticket" else set())
    start = min((s["started"] for s in held if s["started"]), default=None)
    ends = [s["finished"] for s in held]
    end = max((e for e in ends if e), default=None) if all(ends) else None
    for e in store.events(run, types=_ABOUT_A_SESSION):
        if e.session is not None:
            if e.session in names:
                yield e
        elif e.ticket is not None:
            if e.ticket in of:
                yield e
        elif e.type == "note":
            if e.raw.get("stand_ins"):
                yield e
        elif e.type == "effect" and start is not None and _within(e.ts, start, end):
            yield e


def _shown(call: Row) -> Row:
    """The data of a tool call, which holds its input exactly as it ran, with the input as it may be shown."""
    given = call["input"]
    return call | {"input": Scrubber().shown_input(given)} if isinstance(given, dict) else call


def _within(ts: str, start: str, end: str | None) -> bool:
    try:
        return parse_ts(ts) >= parse_ts(start) - _BEFORE and (end is None or ts <= end)
    except ValueError:
        return True


def _entries(chosen: list[Event]) -> list[Row]:
    """Events as entries, each call together with its outcome and its effects."""
    results = {(e.session, e.raw["call"]): e.raw for e in chosen if e.type == "tool_result"}
    calls = {e.raw["call"] for e in chosen if e.type == "tool_call"}
    linked: dict[tuple[str, str], list[Row]] = {}
    for e in chosen:
        if e.type in ("effect", "guard") and e.raw.get("call") in calls:
            linked.setdefault((e.type, e.raw["call"]), []).append({"ts": e.ts, **e.raw})
    entries = []
    for e in chosen:
        entry: Row = {"ts": e.ts, "source": e.source, "seq": e.seq, "type": e.type, "session": e.session,
                      "ticket": e.ticket, "data": _shown(e.raw) if e.type == "tool_call" else e.raw}
        if e.type == "tool_call":
            entry["outcome"] = results.get((e.session, e.raw["call"]))
            entry["effects"] = linked.get(("effect", e.raw["call"]), [])
            entry["guard"] = linked.get(("guard", e.raw["call"]), [])
        entries.append(entry)
    return entries
