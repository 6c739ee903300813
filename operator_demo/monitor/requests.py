"""Which request of the agent caused an event of a container: by the guard's entries in the record.

The guard writes an entry before it forwards what changes something, so what happens without one is somebody else's.
"""

import time
from collections.abc import Mapping

from operator_demo import labels
from operator_demo.engine import EngineEvent
from operator_demo.events import parse_ts
from operator_demo.store import Recorder, Row

_ENDS = {"die", "oom"}
_STOPPING = {"kill", "stop", "die"}
_FOLLOWS: Mapping[str, set[str]] = {
    "start": {"start"} | _ENDS,
    "stop": _STOPPING,
    "kill": _STOPPING,
    "restart": _STOPPING | {"restart", "start"} | _ENDS,
    "pause": {"pause"},
    "unpause": {"unpause"} | _ENDS,
    "update": {"update"} | _ENDS,
    "exec": {"exec_start"} | _ENDS,  # of one that is started
    "archive": _ENDS,
    "connect": {"connect"},
    "disconnect": {"disconnect"},
    "create": {"create"},
}
"""The engine's events that follow from a request, by the last part of its path."""

_AFTER = 0.25  # seconds by which an event of the engine may come later than the result of the call that caused it
_LONGEST = 15.0  # seconds in which a request without a call may take effect
_RECENT = 400  # entries of the guard that are searched


class Requests:
    def __init__(self, recorder: Recorder) -> None:
        self._store, self._run = recorder.store, recorder.run

    def cause(self, h: EngineEvent) -> Row | None:
        """The entry (`call`, `ticket`, `session`) of the request that caused the event; None if it was not the
        agent's. The newest one counts."""
        one_shot = labels.SESSION in h.attributes
        for entry in self._entries("agent"):
            # A one-shot container has no id yet when its entry is written.
            about = entry["does"] == "create" if one_shot else entry["object_id"] == h.container
            if about and _follows(entry["does"], h) and self._begun(entry) <= h.time <= self._ended(entry):
                return entry
        return None

    def is_guards_own(self, h: EngineEvent) -> bool:
        """Is it about a helper container of the guard?"""
        return any(entry["object"] == h.name for entry in self._entries("guard"))

    def _entries(self, caller: str) -> list[Row]:
        """Those that were allowed, the newest first."""
        rows = self._store.rows(
            "SELECT ts, ticket, session, json_extract(data, '$.path') AS path, json_extract(data, '$.call') AS call, "
            "json_extract(data, '$.object') AS object, json_extract(data, '$.object_id') AS object_id FROM events "
            "WHERE run=? AND source='guard' AND type='guard' AND seq > ? AND json_extract(data, '$.ruling')='allow' "
            "AND json_extract(data, '$.caller')=? ORDER BY seq DESC",
            self._run, self._store.last_seq(self._run, "guard") - _RECENT, caller)
        return [row | {"does": _does(str(row["path"]))} for row in rows]

    def _begun(self, entry: Row) -> float:
        return parse_ts(entry["ts"]) - _AFTER

    def _ended(self, entry: Row) -> float:
        """When what the request did is over: with its tool call."""
        if entry["call"] is None:
            return parse_ts(entry["ts"]) + _LONGEST
        result = self._store.row(
            "SELECT ts FROM events WHERE run=? AND source='agent' AND type='tool_result' AND session=? AND "
            "json_extract(data, '$.call')=?", self._run, entry["session"], entry["call"])
        return parse_ts(result["ts"]) + _AFTER if result else time.time() + _AFTER


def _does(path: str) -> str:
    """What a request does: the last part of its path. That an exec is made starts nothing yet."""
    plain = path.partition("?")[0]
    last = plain.rpartition("/")[2]
    if last == "exec":
        return ""
    return "exec" if plain.startswith("/exec/") else last


def _follows(does: str, h: EngineEvent) -> bool:
    return h.action.partition(":")[0] in _FOLLOWS.get(does, set())
