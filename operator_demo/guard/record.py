"""The guard's entries in the record: on disk before what they tell of happens."""

from dataclasses import replace

from operator_demo import approvals, events, phrases
from operator_demo.guard.decision import Decision, Ruling
from operator_demo.guard.http import target
from operator_demo.guard.request import AGENT, GUARD, Request
from operator_demo.store import Recorder, Row
from operator_demo.text import clean, one_line

Entry = events.Guard | events.ApprovalRequested | events.ApprovalAnswered

_PATH = 500  # characters of a request's path and query that are told


class Record:
    """Writes what was decided; safe to use from several threads."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def write(self, caller: str, request: Request, decision: Decision) -> None:
        """Returns when it is committed. Raises `StoreError` where it could not be."""
        about = decision.target
        self._say(caller, events.Guard(
            caller=caller, ruling=decision.ruling.value, rule=decision.rule, method=request.method,
            path=one_line(target("", request.path, request.query), _PATH), object=about.name if about else "",
            object_id=about.id if about else "", member=about.member if about else None, reason=decision.reason,
            digest=request.digest, destructive=decision.destructive))

    def requested(self, id: str, request: Request, decision: Decision, limit: float) -> events.ApprovalRequested:
        """The request waits for a human; what is told of it. Raises `StoreError`."""
        about = decision.target
        told = self._say(AGENT, events.ApprovalRequested(
            id=id, rule=decision.rule, method=request.method,
            path=one_line(target("", request.path, request.query), _PATH), digest=request.digest, limit=limit,
            object=about.name if about else "", member=about.member if about else None,
            destructive=decision.destructive))
        assert isinstance(told, events.ApprovalRequested)
        return told

    def why(self, call: str | None) -> str:
        """The command of a tool call and the agent's own reasoning, as they may be shown; "" where it is not known."""
        for event in self._recorder.store.events(self._recorder.run, source=events.AGENT, types=("tool_call",)):
            match event.data:
                case events.ToolCall(call=id, tool=tool, input=given) if id == call:
                    return f"{phrases.command(tool, given)}\n{phrases.why(given)}".strip()
        return ""

    def answered(self, id: str, answer: str, by: str) -> None:
        """It waits no more. Raises `StoreError`."""
        self._say(AGENT, events.ApprovalAnswered(id=id, answer=answer, by=by))

    def withdraw_open(self) -> None:
        """Ends what waited for a guard that is gone. Raises `StoreError`."""
        store, run = self._recorder.store, self._recorder.run
        told = list(store.events(run, source=events.GUARD, types=("approval_requested", "approval_answered")))
        answered = {e.raw["id"] for e in told if e.type == "approval_answered"}
        for e in told:
            if e.raw["id"] not in answered:
                self.answered(e.raw["id"], approvals.WITHDRAWN, "the guard, which started again")

    def malformed(self, caller: str, line: str, problem: str) -> None:
        """A request that could not be read; `line` is its first line. Raises `StoreError`."""
        method, _, path = one_line(clean(line), _PATH).partition(" ")
        self._say(caller, events.Guard(caller=caller, ruling=Ruling.DENY.value, rule="malformed request", method=method,
                                       path=path, reason=problem))

    def warn(self, text: str) -> None:
        self._recorder.say(events.Note(level="warning", text=text))

    def own(self, rule: str, name: str, caller: str) -> None:
        """What the guard does itself for a caller, with a container of this name. Raises `StoreError`."""
        self._say(caller, events.Guard(caller=GUARD, ruling=Ruling.ALLOW.value, rule=rule, method="", path="",
                                      object=name))

    def _say(self, caller: str, entry: Entry) -> events.Payload:
        during = self._session() if caller == AGENT else {}
        if call := during.get("call"):
            entry = replace(entry, call=call)
        return self._recorder.say(entry, ticket=during.get("ticket"), session=during.get("session")).data

    def session(self) -> str:
        """The agent's session that goes on; "" without one."""
        return str(self._session().get("session") or "")

    def _session(self) -> Row:
        """The agent's session that goes on, with its ticket, and the tool call that runs, if one does."""
        row = self._recorder.store.row(
            "SELECT type, ticket, session, json_extract(data, '$.call') AS call FROM events WHERE run=? AND "
            "source='agent' AND type IN ('session_started', 'session_finished', 'tool_call', 'tool_result') "
            "ORDER BY seq DESC LIMIT 1", self._recorder.run)
        if row is None or row["type"] == "session_finished":
            return {}
        return row if row["type"] == "tool_call" else {**row, "call": None}
