"""What really happened to the containers, as Docker tells it, and who caused it, as far as that can be known.

`explained` is, in this order: `policy` (the engine restarted what had died by itself, or that died once more),
`tool_call` (the guard forwarded a request of the agent that it follows from: see `requests`), `fault` (the host
announced it), `workload` (our own load's container), or null: somebody else's doing.

What is unexplained and concerns our own containers is recorded during a session; what others do with theirs is counted
then (`others`). What the host, the guard and the engine themselves do is not recorded: see `exempt`.
"""

from collections.abc import Callable
from typing import Any

from operator_demo import labels, tickets
from operator_demo.engine import EngineEvent
from operator_demo.events import Effect
from operator_demo.monitor.announced import Announced
from operator_demo.monitor.exempt import Exempt
from operator_demo.monitor.health_checks import HealthChecks
from operator_demo.monitor.members import Members
from operator_demo.monitor.others import Others
from operator_demo.monitor.requests import Requests
from operator_demo.redaction import shown_command
from operator_demo.store import Recorder, Row
from operator_demo.text import one_line

ACTIONS = ("create", "start", "die", "kill", "stop", "pause", "unpause", "restart", "destroy", "oom", "rename",
           "update", "exec_start")
_ENDS = ("die", "oom")  # what containers also do by themselves: of others' nothing follows from it
_COMMAND = 2000  # characters of an exec's command that are looked at


class Effects:
    """Records one effect after the other; `record` is used by one thread."""

    def __init__(self, recorder: Recorder, members: Members, project: str, announced: Announced,
                 health: HealthChecks, restarted: Callable[[str], bool],
                 is_probe: Callable[[str], bool] = lambda exec_id: False) -> None:
        """`restarted` tells whether it was the engine's restart policy that started a container last, `is_probe`
        whether the monitor itself made an exec."""
        self._recorder, self._members, self._project = recorder, members, project
        self._announced, self._health, self._restarted = announced, health, restarted
        self._is_probe = is_probe
        self._exempt, self._requests = Exempt(announced, health), Requests(recorder)
        self._others = Others(recorder)
        self._looping: set[str] = set()  # containers that the policy started last, and nobody touched since
        self._cut_off: set[str] = set()  # containers that were taken off their network while they ran

    def record(self, h: EngineEvent) -> None:
        if not self._matters(h):
            return
        checks_health = self._checks_health(h)
        if checks_health and not ((self._subject(h) or self._own(h)) and self._in_session()):
            return
        call = self._requests.cause(h)
        explained = self._explain(h, call)
        if explained is None and not self._subject(h):
            if not self._own(h):
                self._count_others(h)
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
        if call is not None and call["call"]:
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
        if action not in ACTIONS or self._exempt.is_helper(h) or self._is_probe(h.attributes.get("execID", "")):
            return False
        if self._subject(h) or self._own(h):
            return True
        if labels.SESSION in h.attributes:
            return action == "create"  # (what a session does with what it made is its own affair)
        return action not in _ENDS and not self._requests.is_guards_own(h)

    def _count_others(self, h: EngineEvent) -> None:
        """Others may do as they like on the engine."""
        if self._in_session():
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
        if call is not None:
            return "tool_call"
        if self._announced.is_fault(h.container, h.time):
            return "fault"
        return "workload" if self._own(h) and h.service == "workload" else None

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

    def _in_session(self) -> bool:
        ticket = tickets.current(self._recorder.store, self._recorder.run)
        return ticket is not None and ticket["state"] in ("acknowledged", "verifying")
