"""The fault of a run: planned, injected, watched until the verdict, and injected again where the scenario says so.

What is on the disk comes first (see `chaos.journal`). Most of this asks the engine and takes its time, so the stage
calls it from a background thread. `see`, `turn` and `pending` ask nothing; they are for its loop.
"""

import queue
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.injector import Injector, revert_all
from operator_demo.chaos.journal import INJECTED, INJECTING, REVERTED, FaultJournal, Record
from operator_demo.chaos.primitive import FaultError, Ground, Proof
from operator_demo.chaos.spec import FaultSpec, parse_parameters
from operator_demo.chaos.targets import choose
from operator_demo.engine import Engine
from operator_demo.errors import OperatorError
from operator_demo.events import Event, Fault

LIMIT = 120.0  # seconds that an injection may take
TAIL = 0.3  # seconds by which the engine may report it late
WATCH_PATIENCE = 5.0  # seconds that the watch has to end; it may wait for an engine that does not answer


class Host(Protocol):
    """Who injects: the stage of a run, or `operator-demo chaos inject`."""

    @property
    def run(self) -> str: ...

    @property
    def subject(self) -> str:
        """The subject as the journal names it: its name, or its folder where it is not part of the program."""
        ...

    def ground(self, image: str = "", *, up: bool = True) -> Ground:
        """Where the fault happens. Without `up` the subject need not be there, and the ground has no network.

        `ground.ask` puts a request to the monitor; it is None where no monitor runs and none is needed.
        """
        ...

    def tell(self, fault: Fault) -> None:
        """Makes it known. May be called from any thread."""
        ...


class Injection:
    def __init__(self, host: Host, journal: FaultJournal, spec: FaultSpec) -> None:
        self.host, self.journal, self.spec = host, journal, spec
        self.record: Record | None = None
        self._injected_again = spec.again is None
        self._healthy_since: float | None = None
        self._watch: _Watch | None = None
        self._touched_by: dict[str, str] = {}  # member -> who did something to it last, as the engine's events tell

    # -- planning ----------------------------------------------------------------------------------------------------

    def plan(self, roles: Mapping[str, str], seed: int, image: str) -> Record:
        """Chooses the targets, and writes down what will be done and put back."""
        ground, chance = self.host.ground(image), random.Random(seed)
        fault = FAULTS[self.spec.kind]
        try:
            chosen: list[str] = []
            if fault.targeted:
                chosen = choose(self.spec.target, self.spec.count, roles, ground.subject, chance,
                                        fault.aims_at(ground.subject))
            values = parse_parameters(self.spec.kind, self.spec.parameters)
        except ValueError as e:
            raise FaultError(f"The fault {self.spec.kind} cannot be injected: {e}.") from e
        return self._plan(ground, chosen, values)

    def _plan(self, ground: Ground, chosen: list[str], values: Mapping[str, float]) -> Record:
        injector = Injector(ground, self.journal)
        self.record = injector.plan(self.host.run, self.host.subject, self.spec.kind, chosen, values)
        return self.record

    # -- injecting ---------------------------------------------------------------------------------------------------

    def inject(self, phase: str = "injecting") -> None:
        """Injects what was planned, and starts to watch it. Raises `OperatorError` where it does not take effect."""
        record = self._planned()
        ground = self.host.ground(record.image)
        containers = self._containers(ground, [record])
        self._announce(ground, containers, LIMIT, hold=FAULTS[record.kind].in_steps)
        self._tell(phase, record)
        try:
            proof = Injector(ground, self.journal).inject(record)
        except OperatorError as e:
            self._tell("failed", record, saw=e.message)
            raise
        finally:
            self._try_to_announce(ground, [record], TAIL)
        self._tell("injected", record, saw=proof.saw)
        self.watch()

    def resume(self, fault: str, in_trouble: bool) -> None:
        """Goes on where a host that is gone had stopped, as the journal and the engine tell. `fault` is the id of the
        record, `in_trouble` whether a ticket is open."""
        record = self.record = self._last_like(fault)
        if record is None:
            raise OperatorError(f"The journal of faults ({self.journal.path}) does not know this run's fault.",
                                "`operator-demo down` clears up.")
        if record.phase == REVERTED:
            return
        if record.phase == INJECTING and (in_trouble or self._bites(record)):
            record.phase = INJECTED
            self._injector(record).note(record)
            self._tell("injected", record)
        elif record.phase == INJECTING:
            self._injector(record).revert(record)
            self._plan(self.host.ground(record.image), record.targets, record.parameters)
            self.inject()
        elif record.phase != INJECTED:
            self.inject()
        self.watch()

    def _last_like(self, fault: str) -> Record | None:
        """The newest record of the same fault: that of the second injection, where there was one."""
        first = self.journal.find(fault)
        if first is None:
            return None
        same = [r for r in self.journal.records()
                if (r.run, r.kind, r.targets) == (first.run, first.kind, first.targets)]
        return same[-1]

    def _bites(self, record: Record) -> bool:
        try:
            return self._injector(record).holds(record).bites
        except OperatorError:
            return False

    def inject_again(self) -> None:
        """The same fault, the same targets."""
        self._injected_again = True
        record = self._planned()
        self.stop()
        self._injector(record).revert(record)  # (somebody repaired it: that ends it)
        self._plan(self.host.ground(record.image), record.targets, record.parameters)
        self.inject("again")

    # -- until the verdict -------------------------------------------------------------------------------------------

    def watch(self) -> None:
        record = self._planned()
        if self._watch is None and FAULTS[record.kind].lasting:
            self._touched_by.clear()
            self._watch = _Watch(self._injector(record), record)

    def see(self, event: Event) -> None:
        """Notes who touched the members last, and, in a run that is resumed, whether the fault came back."""
        if event.type == "fault" and event.raw["phase"] == "again":
            self._injected_again = True
        if event.type == "effect" and event.raw.get("explained") in ("tool_call", "policy") and event.raw["member"]:
            self._touched_by[event.raw["member"]] = event.raw["explained"]

    def turn(self, healthy: bool) -> bool:
        """Tells what the watch has seen. True when it is time to inject again."""
        watch = self._watch
        proof = watch.ended() if watch is not None else None
        if proof is not None:
            self._watch = None  # its thread has ended with this proof
            record = self._planned()
            by = [self._touched_by[name] for name in record.targets if name in self._touched_by]
            self._tell("ended", record, saw=proof.saw, by=by[-1] if by else "unknown")
        if not self.pending or self._watch is not None or not healthy:
            self._healthy_since = None
            return False
        now = time.monotonic()
        self._healthy_since = self._healthy_since or now
        return now - self._healthy_since >= (self.spec.again or 0.0)

    @property
    def pending(self) -> bool:
        """Will the fault come back?"""
        return self.record is not None and self.record.phase == INJECTED and not self._injected_again

    def stop(self) -> None:
        """Ends the watch."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    # -- afterwards --------------------------------------------------------------------------------------------------

    def take_back(self, record: Record) -> None:
        ground = self.host.ground(record.image)
        self._try_to_announce(ground, [record], LIMIT)
        Injector(ground, self.journal).revert(record)
        self._try_to_announce(ground, [record], TAIL)
        self._tell("reverted", record)

    def clear_up(self, image: str) -> list[str]:
        """Takes back what an earlier run of this project left, as far as that can be now; returns what could not be,
        in words."""
        if not self.journal.open():
            self.journal.clear()
            return []
        ground = self.host.ground(up=False)
        _, problems = revert_all(ground.engine, ground.project, self.journal, image)
        return problems

    def revert(self, containers_go: bool) -> list[str]:
        """Takes back what is left of all faults of this project; with `containers_go` (and their volumes) only what
        does not go with them. Returns what could not be taken back, in words."""
        left = [r for r in self.journal.open() if not containers_go or FAULTS[r.kind].lives_in == "engine"]
        if not left:
            return []
        ids = {r.id for r in left}
        ground = self.host.ground(up=False)
        self._try_to_announce(ground, left, LIMIT)
        done, problems = revert_all(ground.engine, ground.project, self.journal, ask=ground.ask,
                                    wanted=lambda r: r.id in ids)
        for record in done:
            self._tell("reverted", record)
        self._try_to_announce(ground, left, TAIL)
        return problems

    # -- small things ------------------------------------------------------------------------------------------------

    def _tell(self, phase: str, record: Record, saw: str = "", by: str = "") -> None:
        targets = tuple(record.targets)
        self.host.tell(Fault(phase=phase, kind=record.kind, targets=targets, id=record.id, saw=saw, by=by))

    def _planned(self) -> Record:
        assert self.record is not None
        return self.record

    def _injector(self, record: Record) -> Injector:
        return Injector(self.host.ground(record.image), self.journal)

    def _containers(self, ground: Ground, records: Sequence[Record]) -> list[str]:
        """The ids of the targets' containers."""
        containers = ground.containers()
        return [containers[name].id for record in records for name in record.targets if name in containers]

    def _announce(self, ground: Ground, containers: list[str], seconds: float, hold: bool = False) -> None:
        """Tells the monitor that what happens to these containers in the next seconds is the fault, nobody's action;
        with `hold` no ticket opens meanwhile."""
        if ground.ask is not None:
            ground.ask("fault", containers=containers, seconds=seconds, hold=hold)

    def _try_to_announce(self, ground: Ground, records: Sequence[Record], seconds: float) -> None:
        """A monitor that is gone must not keep a fault from being taken back."""
        try:
            self._announce(ground, self._containers(ground, records), seconds)
        except OperatorError:
            pass


def undo_before_down(engine: Engine, project: str, journal: FaultJournal, volumes: bool) -> list[str]:
    """Before the containers (and with `volumes` their data) are removed: takes back what would not go with them.
    Returns what could not be taken back."""
    gone = ("container", "volume") if volumes else ("container",)
    try:
        _, problems = revert_all(engine, project, journal, wanted=lambda r: FAULTS[r.kind].lives_in not in gone)
    except OperatorError as e:  # a journal that cannot be read must not keep anybody from taking it all down
        return [e.message]
    return problems


class _Watch:
    """Proves again and again, in a thread of its own, until the fault is seen to hold no more."""

    def __init__(self, injector: Injector, record: Record) -> None:
        self._injector, self._record, self._every = injector, record, FAULTS[record.kind].every
        self._stop = threading.Event()
        self._ended: queue.SimpleQueue[Proof] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fault watch", daemon=True)
        self._thread.start()

    def ended(self) -> Proof | None:
        try:
            return self._ended.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> None:
        """A thread that hangs in an engine call is left behind; it does not keep the process alive."""
        self._stop.set()
        self._thread.join(WATCH_PATIENCE)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                proof = self._injector.holds(self._record)
            except OperatorError:
                continue  # cannot be told now
            if not proof.bites and not self._stop.is_set():
                self._ended.put(proof)
                return
