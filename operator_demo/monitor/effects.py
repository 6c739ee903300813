"""What really happened to the containers, as Docker tells it, and who caused it, as far as that can be known.

`explained` is, in this order: `policy` (the engine restarted what had died by itself, or that died once more),
`tool_call` (it fell into a call of the agent), `fault` (the host announced it), `workload` (our own load's container),
or null.

An event during a call is the call's where it concerns the subject, or a container with the session's label. Any other
container (a stranger's, the fault's decoy, the monitor, the agent, the load) may change in that moment for another
reason, so evidence is needed as well: see `attribution`. Without evidence, an event of our own containers is recorded
as unexplained; those of strangers are counted (`others`): all during a call, and otherwise where a container is created
during a session. What the host and the engine themselves do is not recorded: see `exempt`.
"""

import time
from collections.abc import Callable
from typing import Any

from operator_demo import labels, tickets
from operator_demo.engine import EngineEvent
from operator_demo.events import Effect, parse_ts
from operator_demo.monitor.announced import Announced
from operator_demo.monitor.attribution import causes
from operator_demo.monitor.exempt import Exempt
from operator_demo.monitor.health_checks import HealthChecks
from operator_demo.monitor.members import Members
from operator_demo.monitor.others import Others
from operator_demo.redaction import shown_command
from operator_demo.store import Recorder, Row
from operator_demo.text import one_line

ACTIONS = ("create", "start", "die", "kill", "stop", "pause", "unpause", "restart", "destroy", "oom", "rename",
           "update", "exec_start")
_ENDS = ("die", "oom")  # what containers also do by themselves: of others' nothing follows from it
_AFTER = 0.25  # seconds by which an event of the engine may come later than the result of the call that caused it
_COMMAND = 2000  # characters of an exec's command that are looked at
_RECENT = 200  # events of the agent that are searched for the call


class Effects:
    """Records one effect after the other; `record` is used by one thread."""

    def __init__(self, recorder: Recorder, members: Members, project: str, announced: Announced,
                 health: HealthChecks, restarted: Callable[[str], bool]) -> None:
        """`restarted` tells whether it was the engine's restart policy that started a container last."""
        self._recorder, self._members, self._project = recorder, members, project
        self._announced, self._health, self._restarted = announced, health, restarted
        self._exempt = Exempt(announced, health)
        self._others = Others(recorder)
        self._looping: set[str] = set()  # containers that the policy started last, and nobody touched since
        self._cut_off: set[str] = set()  # containers that were taken off their network while they ran

    def record(self, h: EngineEvent) -> None:
        if not self._matters(h):
            return
        checks_health = self._checks_health(h)
        if checks_health and not ((self._subject(h) or self._own(h)) and self._in_session()):
            return
        call = self._call_at(h.time)
        explained = self._explain(h, call)
        if explained is None and not self._subject(h):
            if not self._own(h):
                self._count_others(h, call)
                return
            if not self._in_session():
                return  # the host sets up what is ours
        if explained != "tool_call":
            call = None
        more: dict[str, Any] = {}
        attributes = h.attributes or {}
        if h.action == "die" and attributes.get("exitCode", "").isdigit():
            more["exit_code"] = int(attributes["exitCode"])
        if h.action == "kill" and attributes.get("signal"):
            more["signal"] = attributes["signal"]
        action, _, command = h.action.partition(": ")
        if command:
            more["command"] = one_line(shown_command(command[:_COMMAND]), 200)
        if call is not None:
            more["call"] = call["call"]
        if h.kind != "container":
            more[h.kind] = h.name
        member = self._members.name_of(h.container) or (h.service if h.project == self._project else None)
        effect = Effect(
            container=h.name if h.kind == "container" else (self._container_name(h) or h.name), member=member,
            action=action if h.kind == "container" else f"{h.kind} {action}", explained=explained, time=h.time, **more)

        def tell() -> None:
            self._recorder.say(effect, ticket=call["ticket"] if call else None,
                               session=call["session"] if call else None)

        if checks_health or (self._own(h) and action in ("create", "exec_start")):
            self._exempt.wait(h, tell, checks_health=checks_health)
        else:
            tell()

    def settle(self, now: float) -> None:
        """Records what waited to be known as the host's or the engine's own and was not. Any thread may call it, again
        and again; at the end, with an infinite `now`."""
        self._exempt.settle(now)

    def tell_of_others(self, *, now: bool = False) -> None:
        """Tells in one line what others did meanwhile: after the session, or `now`. Any thread may call it."""
        if now or not self._in_session():
            self._others.tell()

    # -- what is told ------------------------------------------------------------------------------------------------

    def _matters(self, h: EngineEvent) -> bool:
        match h.kind:
            case "volume":
                return h.action == "destroy" and h.name.startswith(f"{self._project}_")
            case "network":
                return self._matters_network(h)
        action = h.action.partition(": ")[0]
        if action not in ACTIONS or self._exempt.is_helper(h):
            return False
        if self._subject(h) or self._own(h):
            return True
        if labels.SESSION in h.attributes:
            return action == "create"  # (what a session does with what it made is its own affair)
        return action not in _ENDS

    def _count_others(self, h: EngineEvent, call: Row | None) -> None:
        """Others may do as they like on the engine; only what may be the session's is counted."""
        if call is not None or (h.action == "create" and self._in_session()):
            self._others.count(h)

    def _matters_network(self, h: EngineEvent) -> bool:
        """A container that stops leaves its networks, and one that starts joins them: only what happens to one that
        runs is told."""
        name = self._members.name_of(h.container)
        if h.action == "destroy":
            return h.name.startswith(f"{self._project}_")
        if name is None or h.action not in ("connect", "disconnect"):
            return False
        if h.action == "connect":
            was_cut_off = h.container in self._cut_off
            self._cut_off.discard(h.container)
            return was_cut_off
        member = next(m for m in self._members.latest if m.name == name)
        if member.state not in ("running", "paused") or member.address or h.container in self._cut_off:
            return False  # (the engine tells of one disconnection twice)
        self._cut_off.add(h.container)
        return True

    def _subject(self, h: EngineEvent) -> bool:
        return h.kind != "container" or h.project == self._project or self._members.name_of(h.container) is not None

    def _own(self, h: EngineEvent) -> bool:
        """Of the monitor, the load and the agent themselves."""
        return h.project == f"{self._project}-operator"

    def _container_name(self, h: EngineEvent) -> str | None:
        name = self._members.name_of(h.container)
        return next((m.container for m in self._members.latest if m.name == name), None)

    def _checks_health(self, h: EngineEvent) -> bool:
        action, _, command = h.action.partition(": ")
        return action == "exec_start" and command == self._health.command(h.container)

    # -- who did it --------------------------------------------------------------------------------------------------

    def _explain(self, h: EngineEvent, call: Row | None) -> str | None:
        if h.kind == "container" and (self._subject(h) or self._own(h)) and self._by_policy(h):
            return "policy"
        if call is not None and (self._subject(h) or labels.SESSION in h.attributes
                                 or causes(call["command"] or "", h, self._names_of_the_subject())):
            return "tool_call"
        if self._announced.is_fault(h.container, h.time):
            return "fault"
        return "workload" if self._own(h) and h.service == "workload" else None

    def _names_of_the_subject(self) -> list[str]:
        members = self._members.latest
        ids = (self._members.container_id(m.name) for m in members)
        return [self._project, *(m.name for m in members), *(m.container for m in members), *filter(None, ids)]

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
            "SELECT type, ts, ticket, session, json_extract(data, '$.call') AS call, "
            "json_extract(data, '$.input.command') AS command FROM events WHERE run=? AND source='agent' AND seq > ? "
            "AND (type='tool_result' OR type='tool_call' AND json_extract(data, '$.tool')='shell') ORDER BY seq DESC",
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
