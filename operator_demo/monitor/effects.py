"""What really happened to the containers, as Docker tells it, and who did it as far as that can be told.

`explained` is, in this order: `policy` (the engine restarted what had died by itself, or that died once more),
`tool_call` (it fell into a call of the agent), `fault` (the host announced it), `workload` (our own load's container),
or null. The host's one-shot helpers are not told of.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from operator_demo import tickets
from operator_demo.engine import EngineEvent
from operator_demo.events import parse_ts
from operator_demo.monitor.roster import Roster
from operator_demo.settings import HELPER_SERVICE, SESSION_LABEL
from operator_demo.store import Recorder, Row
from operator_demo.text import clean, one_line, redact

ACTIONS = ("create", "start", "die", "kill", "stop", "pause", "unpause", "restart", "destroy", "oom", "rename",
           "update", "exec_start")
_AFTER = 0.25  # seconds by which an event of the engine may come later than the result of the call that caused it
_RECENT = 200  # events of the agent that are searched for the call


class Effects:
    """Records one effect after the other; used by one thread, but for `expect`."""

    def __init__(self, recorder: Recorder, roster: Roster, project: str,
                 healthcheck: Callable[[str], str | None], restarted: Callable[[str], bool]) -> None:
        """`healthcheck` tells the command of a container's health check, which is noise; `restarted` whether it was
        the engine's restart policy that started a container last."""
        self._recorder, self._roster, self._project = recorder, roster, project
        self._healthcheck, self._restarted = healthcheck, restarted
        self._expected: dict[str, float] = {}
        self._looping: set[str] = set()  # containers that the policy started last, and nobody touched since
        self._cut_off: set[str] = set()  # containers that were taken off their network while they ran

    def expect(self, containers: Iterable[str], until: float) -> None:
        """Until then (engine's clock) what happens to these containers is the fault."""
        for container in containers:
            self._expected[container] = until

    def record(self, h: EngineEvent) -> None:
        if not self._matters(h):
            return
        explained, call = self._explain(h)
        member = self._roster.name_of(h.container) or (h.service if h.project == self._project else None)
        if not self._subject(h) and explained is None and not self._in_session():
            return  # the host sets up what is ours, and others may do as they like on the engine
        more: dict[str, Any] = {}
        attributes = h.attributes or {}
        if h.action == "die" and attributes.get("exitCode", "").isdigit():
            more["exit_code"] = int(attributes["exitCode"])
        if h.action == "kill" and attributes.get("signal"):
            more["signal"] = attributes["signal"]
        action, _, command = h.action.partition(": ")
        if command:
            more["command"] = one_line(redact(clean(command)), 200)
        if call is not None:
            more["call"] = call["call"]
        if h.kind != "container":
            more[h.kind] = h.name
        self._recorder.say(
            "effect", ticket=call["ticket"] if call else None, session=call["session"] if call else None,
            container=h.name if h.kind == "container" else (self._container_name(h) or h.name), member=member,
            action=action if h.kind == "container" else f"{h.kind} {action}", explained=explained, time=h.time, **more)

    # -- what is told ------------------------------------------------------------------------------------------------

    def _matters(self, h: EngineEvent) -> bool:
        match h.kind:
            case "volume":
                return h.action == "destroy" and h.name.startswith(f"{self._project}_")
            case "network":
                return self._matters_network(h)
        action, _, command = h.action.partition(": ")
        if action not in ACTIONS or self._helper(h):
            return False
        if action == "exec_start":
            if self._own(h):
                return "operator-demo ctl" not in command
            return self._subject(h) and command != self._healthcheck(h.container)
        return self._subject(h) or self._own(h) or action == "create"

    def _matters_network(self, h: EngineEvent) -> bool:
        """A container that stops leaves its networks, and one that starts joins them: only what happens to one that
        runs is told."""
        name = self._roster.name_of(h.container)
        if h.action == "destroy":
            return h.name.startswith(f"{self._project}_")
        if name is None or h.action not in ("connect", "disconnect"):
            return False
        if h.action == "connect":
            was_cut_off = h.container in self._cut_off
            self._cut_off.discard(h.container)
            return was_cut_off
        member = next(m for m in self._roster.members if m.name == name)
        if member.state not in ("running", "paused") or member.address or h.container in self._cut_off:
            return False  # (the engine tells of one disconnection twice)
        self._cut_off.add(h.container)
        return True

    def _subject(self, h: EngineEvent) -> bool:
        return h.kind != "container" or h.project == self._project or self._roster.name_of(h.container) is not None

    def _own(self, h: EngineEvent) -> bool:
        """Of the monitor, the load and the agent themselves."""
        return h.project == f"{self._project}-operator"

    def _helper(self, h: EngineEvent) -> bool:
        """One of the host's; what a session starts carries its mark, whatever else it says of itself."""
        return self._own(h) and h.service == HELPER_SERVICE and SESSION_LABEL not in (h.attributes or {})

    def _container_name(self, h: EngineEvent) -> str | None:
        name = self._roster.name_of(h.container)
        return next((m.container for m in self._roster.members if m.name == name), None)

    # -- who did it --------------------------------------------------------------------------------------------------

    def _explain(self, h: EngineEvent) -> tuple[str | None, Row | None]:
        if h.kind == "container" and self._by_policy(h):
            return "policy", None
        call = self._call_at(h.time)
        if call is not None and (self._subject(h) or self._own(h) or SESSION_LABEL in (h.attributes or {})):
            return "tool_call", call  # (of containers that are nobody's, only those that carry the session's mark)
        if h.time <= self._expected.get(h.container, 0.0):
            return "fault", None
        return ("workload" if self._own(h) and h.service == "workload" else None), None

    def _by_policy(self, h: EngineEvent) -> bool:
        match h.action:
            case "start" if self._restarted(h.container):
                self._looping.add(h.container)
                return True
            case "die" if h.container in self._looping:
                return True
            case "start" | "kill":
                self._looping.discard(h.container)
        return False

    def _call_at(self, moment: float) -> Row | None:
        """The agent's command that was running at `moment` (no other tool reaches the engine)."""
        rows = self._recorder.store.rows(
            "SELECT type, ts, ticket, session, json_extract(data, '$.call') AS call FROM events WHERE run=? AND "
            "source='agent' AND seq > ? AND (type='tool_result' OR type='tool_call' AND "
            "json_extract(data, '$.tool')='shell') ORDER BY seq DESC",
            self._recorder.run, self._recorder.store.last_seq(self._recorder.run, "agent") - _RECENT)
        ended: dict[str, float] = {}
        for row in rows:
            if row["type"] == "tool_result":
                ended[row["call"]] = parse_ts(row["ts"]) + _AFTER
            elif parse_ts(row["ts"]) <= moment <= ended.get(row["call"], time.time() + _AFTER):
                return row
        return None

    def _in_session(self) -> bool:
        ticket = tickets.current(self._recorder.store, self._recorder.run)
        return ticket is not None and ticket["state"] in ("acknowledged", "verifying")
