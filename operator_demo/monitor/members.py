"""The members as the engine describes them: by label, state and address, never by name resolution."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from operator_demo.engine import Container, Engine, EngineEvent, members
from operator_demo.monitor.probes import Probes
from operator_demo.subject import Member, Observation

MISSING = "missing"
_DEADLY = ("9", "15", "SIGKILL", "SIGTERM")  # signals after which the engine does not start a container again


class Members:
    """The subject's members, refreshed on demand. Safe to use from several threads."""

    def __init__(self, engine: Engine, project: str, names: Sequence[str], probes: Probes | None = None) -> None:
        self._engine, self._project, self._names = engine, project, names
        self._probes = probes or Probes(engine)
        self._lock = threading.Lock()
        self._containers: dict[str, Container] = {}
        self._members = [Member(name, "", MISSING) for name in names]
        self._applied = 0  # events
        self._killed: set[str] = set()  # ids of containers that got a deadly signal

    def refresh(self) -> list[Member]:
        """Asks the engine. Raises `OperatorError` if it does not answer; `latest` then stays as it was."""
        while True:
            applied = self._applied
            containers = {c.service: c for c in members(self._engine, self._project)}
            with self._lock:
                if applied != self._applied:
                    continue  # the answer is older than an event that was applied meanwhile
                self._containers.update({name: c for name, c in containers.items() if name in self._names})
                self._members = [self._member(name, containers.get(name)) for name in self._names]
                return list(self._members)

    def _member(self, name: str, c: Container | None) -> Member:
        if c is None:
            known = self._containers.get(name)
            return Member(name, known.name if known else "", MISSING)
        return Member(name, c.name, c.state, c.address, c.exit_code, c.health, partial(self._probes.run, c.id))

    def apply(self, event: EngineEvent) -> bool:
        """Updates a member from an event alone; False if the engine must be asked for the new state.

        An exit after a deadly signal is final. To ask would take a third of a second, because the engine keeps the
        container locked while it removes it from its networks. A container that exits by itself may be restarted, so
        then the engine must be asked.
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
    """`last` with the engine's present report: a member that does not run is unreachable. What only the subject can
    tell (is a member healthy again?) stays as it was."""
    reported = {}
    for m in members:
        before = last.members.get(m.name, {"reachable": False, "healthy": False, "leader": False, "error": None})
        reported[m.name] = before | {"container": m.container, "state": m.state, "address": m.address,
                                     "exit_code": m.exit_code}
        if m.state != "running" or not m.address:
            error = "not on the network" if m.state == "running" else m.state
            reported[m.name] |= {"reachable": False, "healthy": False, "leader": False, "error": error}
    cluster = dict(last.cluster)
    leader = reported.get(cluster.get("leader") or "")
    if leader is None or not leader["reachable"]:
        cluster["leader"] = None
    return Observation(ts, reported, cluster, last.load, failure=last.failure, limits=last.limits)
