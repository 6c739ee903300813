"""A subject that is what a test says, and the parts of the monitor around it."""

import io
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operator_demo import rpc
from operator_demo.engine import EngineEvent
from operator_demo.events import AGENT, MONITOR, WORKLOAD, Readiness
from operator_demo.guarded_subject import GuardedSubject
from operator_demo.monitor.announced import Announced
from operator_demo.monitor.incidents import Incidents
from operator_demo.monitor.observer import Observer
from operator_demo.store import Recorder, Store
from operator_demo.subject import Check, Invariant, KeyValue, Member, MembersNow, Observation, Violation

NAMES = ("m0", "m1", "m2")
WHOLE = [Member(name, f"p-{name}-1", "running", f"10.0.0.{n}") for n, name in enumerate(NAMES)]


class FakeSubject:
    name, title, members, quorum = "fake", "A fake", NAMES, 2
    invariants: Sequence[Invariant] = (
        Invariant("member_down", "critical", None, "", 3.0, "", ""),
        Invariant("slow", "warning", 1.0, "s", 3.0, "", ""))

    def __init__(self) -> None:
        self.found: list[Violation] = []
        self.checks = {name: Check(name, "passed", "fine") for name in ("data_plane", "agreement", "redundancy")}
        self.broken: Exception | None = None
        self.unhealthy: set[str] = set()
        self.heal_time: float | None = None

    def observe(self, members: Sequence[Member], deadline: float) -> Observation:
        if self.broken:
            raise self.broken
        seen: dict[str, dict[str, Any]] = {
            m.name: {"container": m.container, "state": m.state, "address": m.address, "exit_code": m.exit_code,
                     "reachable": m.state == "running", "leader": m.name == "m0",
                     "error": None, "id": f"id-{m.name}",
                     "healthy": m.state == "running" and m.name not in self.unhealthy} for m in members}
        return Observation(time.time(), seen, {"leader": "m0", "quorum": True})

    def violations(self, observation: Observation) -> list[Violation]:
        down = [Violation("member_down", name, "critical", f"{name} is {m['state']}.", certain=m["state"] != "running")
                for name, m in observation.members.items() if not m["reachable"]]
        return down + self.found

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        return self.checks["data_plane"]

    def agreement(self, members: Sequence[Member], keys: Sequence[str], deadline: float) -> Check:
        return self.checks["agreement"]

    def redundancy(self, baseline: Observation, now: Observation) -> Check:
        return self.checks["redundancy"]

    def client(self, members: MembersNow, timeout: float) -> KeyValue:
        raise NotImplementedError


class FakeMembers:
    """As `Members`, told by the test instead of an engine."""

    def __init__(self) -> None:
        self.latest = list(WHOLE)
        self.broken: Exception | None = None
        self.asked = 0

    def refresh(self) -> list[Member]:
        self.asked += 1
        if self.broken:
            raise self.broken
        return list(self.latest)

    def apply(self, event: EngineEvent) -> bool:
        return False

    def name_of(self, container: str) -> str | None:
        return container.removeprefix("id-") if container.removeprefix("id-") in NAMES else None

    def container_id(self, name: str) -> str | None:
        return f"id-{name}" if name in NAMES else None

    def set(self, name: str, **what: Any) -> None:
        self.latest = [Member(name, m.container, **({"state": m.state, "address": m.address} | what))
                        if m.name == name else m for m in self.latest]


class Bench:
    """Recorders of all sources over one store, and the observer over the fakes. The subject was well before, or, with
    `well=False`, is still starting."""

    def __init__(self, folder: Path, *, well: bool = True) -> None:
        self.folder = folder
        self.store = Store(folder / "tickets.db")
        self.monitor = self._recorder(MONITOR)
        self.agent = self._recorder(AGENT)
        self.workload = self._recorder(WORKLOAD)
        self.subject, self.members = FakeSubject(), FakeMembers()
        if well:
            self.monitor.say(Readiness(missing=()))
        self.observer = self.new_observer()

    def _recorder(self, source: str) -> Recorder:
        return Recorder(self.store, "run-1", source, io.StringIO())

    def new_observer(self) -> Observer:
        """As a monitor that is started again: what was in its memory is gone."""
        self.announced = Announced(self.folder / "announced.json")
        return Observer(GuardedSubject(self.subject), self.members, self.monitor,  # type: ignore[arg-type]
                       Incidents(self.monitor, "fake", self.announced))

    def of(self, type: str) -> list[dict[str, Any]]:
        return [e.raw for e in self.store.events("run-1", types=[type])]

    def states(self) -> list[str]:
        return [row["state"] for row in self.store.rows("SELECT state FROM tickets ORDER BY opened")]


class Serving:
    def __init__(self, path: Path, handlers: dict[str, rpc.Handler]) -> None:
        self.path, self.stop = path, threading.Event()
        self._thread = threading.Thread(target=rpc.serve, args=(path, handlers, self.stop))
        self._thread.start()
        while not path.exists():
            threading.Event().wait(0.01)

    def end(self) -> None:
        self.stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()
