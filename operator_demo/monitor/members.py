"""Who the members are, as the engine tells it: by label, state and address, never by name resolution."""

import threading
from collections.abc import Sequence
from dataclasses import replace

from operator_demo.engine import Container, Engine, EngineEvent, members
from operator_demo.subject import Member, Observation

MISSING = "missing"
_DEADLY = ("9", "15", "SIGKILL", "SIGTERM")  # signals after which the engine does not start a container again


class Members:
    """The subject's members, refreshed on demand. Safe to use from several threads."""

    def __init__(self, engine: Engine, project: str, names: Sequence[str]) -> None:
        self._engine, self._project, self._names = engine, project, names
        self._lock = threading.Lock()
        self._containers: dict[str, Container] = {}
        self._members = [Member(name, "", MISSING) for name in names]
        self._applied = 0  # events
        self._killed: set[str] = set()  # ids of containers that somebody ordered to end

    def refresh(self) -> list[Member]:
        """Asks the engine. Raises `OperatorError` where it does not answer; what was known stays known."""
        while True:
            applied = self._applied
            found = {c.service: c for c in members(self._engine, self._project)}
            with self._lock:
                if applied != self._applied:
                    continue  # the answer is older than an event that was applied meanwhile
                self._containers.update({name: c for name, c in found.items() if name in self._names})
                self._members = [self._member(name, found.get(name)) for name in self._names]
                return list(self._members)

    def _member(self, name: str, c: Container | None) -> Member:
        if c is None:
            known = self._containers.get(name)
            return Member(name, known.name if known else "", MISSING)
        return Member(name, c.name, c.state, c.address, c.exit_code)

    def apply(self, event: EngineEvent) -> bool:
        """Updates a member from an event alone; False where the engine must be asked for the new state.

        An exit that somebody ordered is final, so it needs no question. To ask would cost a third of a second: the
        engine keeps the container locked while it takes down its network. A container that exits by itself may be
        restarted, so there the engine must be asked.
        """
        if event.kind != "container":
            return False
        if event.action == "kill" and (event.attributes or {}).get("signal") in _DEADLY:
            self._killed.add(event.container)
        if event.action != "die" or event.container not in self._killed:
            return False
        self._killed.discard(event.container)
        code = (event.attributes or {}).get("exitCode", "")
        with self._lock:
            self._applied += 1
            self._members = [
                replace(m, state="exited", address=None, exit_code=int(code) if code.isdigit() else None)
                if m.name == self.name_of(event.container) else m for m in self._members]
        return True

    @property
    def latest(self) -> list[Member]:
        """As of the last refresh."""
        return list(self._members)

    def container_id(self, name: str) -> str | None:
        """The container that is, or last was, this member."""
        known = self._containers.get(name)
        return known.id if known else None

    def name_of(self, container_id: str) -> str | None:
        """The member whose container this is, or last was."""
        return next((name for name, c in self._containers.items() if c.id == container_id), None)


def as_reported(last: Observation, members: Sequence[Member], ts: float) -> Observation:
    """`last` with what the engine reports now: a member that does not run answers nobody. What only the subject can
    tell (is it healthy again?) stays as it was."""
    seen = {}
    for m in members:
        before = last.members.get(m.name, {"reachable": False, "healthy": False, "leader": False, "error": None})
        seen[m.name] = before | {"container": m.container, "state": m.state, "address": m.address,
                                 "exit_code": m.exit_code}
        if m.state != "running" or not m.address:
            error = "not on the network" if m.state == "running" else m.state
            seen[m.name] |= {"reachable": False, "healthy": False, "leader": False, "error": error}
    cluster = dict(last.cluster)
    leader = seen.get(cluster.get("leader") or "")
    if leader is None or not leader["reachable"]:
        cluster["leader"] = None
    return Observation(ts, seen, cluster, last.load, failure=last.failure)
