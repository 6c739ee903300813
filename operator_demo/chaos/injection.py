"""The fault of a run: chosen, sealed, injected, watched until the verdict, struck once more where the scenario says so.

What is on the disk comes first (see `chaos.journal`); what the audience sees are `fault` events. `run.py` calls this
from its loop; the watch has a thread of its own, because a look at the engine must not hold up the screen.
"""

import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from operator_demo.chaos import targets
from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.injector import Injector, check, revert_all
from operator_demo.chaos.journal import INJECTED, INJECTING, REVERTED, FaultJournal, Record
from operator_demo.chaos.primitive import FaultError, Ground, Proof
from operator_demo.chaos.spec import FaultSpec, parse_parameters
from operator_demo.engine import Engine, discover_network, members
from operator_demo.errors import OperatorError
from operator_demo.events import Event
from operator_demo.stage import feed
from operator_demo.stage.environment import Environment
from operator_demo.stage.situation import STEADY, Situation

Say = Callable[..., None]
Work = Callable[[str, Callable[[Callable[[str, str], None]], Any]], Any]
Announce = Callable[..., None]

LIMIT = 120.0  # seconds that an injection may take
TAIL = 0.3  # seconds by which the engine may tell of it late


class Injection:
    """`say` tells an event, `work` does long work while the loop turns, `announce` tells the monitor that what happens
    to some containers in the next seconds is the fault (`hold`: and that no ticket is to open meanwhile)."""

    def __init__(self, environment: Environment, journal: FaultJournal, run: str, spec: FaultSpec, say: Say, work: Work,
                 announce: Announce) -> None:
        self.environment, self.journal, self.run, self.spec = environment, journal, run, spec
        self._say, self._work, self._announce = say, work, announce
        self.record: Record | None = None
        self._struck_again = spec.again is None
        self._well_since: float | None = None
        self._watch: _Watch | None = None
        self._touched_by: dict[str, str] = {}  # member -> who did something to it last, as the engine's events tell

    # -- planning ----------------------------------------------------------------------------------------------------

    def probe(self, image: str) -> None:
        """Raises `FaultError` where this engine, kernel or subject cannot do it, before anything has begun."""
        ground = Ground(self.environment.engine, self.environment.project, "", self.environment.found.subject, image)
        self._work("fault", lambda _: check(ground, self.spec.kind))

    def plan(self, roles: Mapping[str, str], seed: int, image: str) -> Record:
        """Chooses the targets, and writes down what will be done and put back."""
        ground, chance = self._ground(image), random.Random(seed)
        try:
            fault = FAULTS[self.spec.kind]
            chosen = targets.choose(self.spec.target, self.spec.count, roles, ground.subject, chance,
                                    fault.aims_at(ground.subject)) if fault.targeted else []
            values = parse_parameters(self.spec.kind, self.spec.parameters)
        except ValueError as e:
            raise FaultError(f"The fault {self.spec.kind} cannot be brought about: {e}.") from e
        self.record = self._plan(ground, chosen, values)
        return self.record

    def _plan(self, ground: Ground, chosen: list[str], values: Mapping[str, float]) -> Record:
        made = self._work("fault", lambda _: Injector(ground, self.journal).plan(
            self.run, self._subject, self.spec.kind, chosen, values))
        assert isinstance(made, Record)
        return made

    # -- bringing it about -------------------------------------------------------------------------------------------

    def inject(self, phase: str = "injecting") -> None:
        record = self._planned()
        containers = self._containers(record)
        self._announce(containers, LIMIT, hold=FAULTS[record.kind].in_steps)
        self._tell(phase)
        try:
            proof = self._work("fault", lambda _: self._injector(record).inject(record))
        except OperatorError as e:
            self._tell("failed", saw=e.message)
            raise
        finally:
            self._announce(containers, TAIL)
        self._tell("injected", saw=proof.saw)
        self.watch()

    def resume(self, fault: str, in_trouble: bool) -> None:
        """The host was gone: the journal and the engine tell how far it had come. `fault` is the id of the record."""
        first = self.journal.find(fault)
        record = next((r for r in reversed(self.journal.records()) if first is not None and
                       (r.run, r.kind, r.targets) == (first.run, first.kind, first.targets)), None)
        self.record = record  # that of the second strike, where there was one
        if record is None:
            raise OperatorError(f"The journal of faults ({self.journal.path}) does not know this run's fault.",
                                "`operator-demo down` clears up.")
        if record.phase == INJECTING and (in_trouble or self._bites(record)):
            record.phase = INJECTED
            self._work("fault", lambda _: self._injector(record).note(record))
            self._tell("injected")
        elif record.phase == INJECTING:
            self._work("fault", lambda _: self._injector(record).revert(record))
            self.record = self._plan(self._ground(record.image), record.targets, record.parameters)
            self.inject()
        elif record.phase != INJECTED:
            if record.phase == REVERTED:
                return
            self.inject()
        self.watch()

    def _bites(self, record: Record) -> bool:
        try:
            return bool(self._work("fault", lambda _: self._injector(record).holds(record)).bites)
        except OperatorError:
            return False

    # -- until the verdict -------------------------------------------------------------------------------------------

    def watch(self) -> None:
        record = self._planned()
        if self._watch is None and FAULTS[record.kind].lasting:
            self._touched_by.clear()
            self._watch = _Watch(self._injector(record), record)

    def see(self, event: Event) -> None:
        """Notes who touched the members last, and, of a run that is gone on with, whether the fault came back."""
        if event.type == "fault" and event.raw["phase"] == "again":
            self._struck_again = True
        if event.type == "effect" and event.raw.get("explained") in ("tool_call", "policy") and event.raw["member"]:
            self._touched_by[event.raw["member"]] = event.raw["explained"]

    def turn(self, situation: Situation) -> bool:
        """Says what the watch has seen; True when it is time to strike again."""
        if self._watch is not None and (proof := self._watch.ended()) is not None:
            self.stop()
            record = self._planned()
            by = [self._touched_by[name] for name in record.targets if name in self._touched_by]
            self._tell("ended", saw=proof.saw, by=by[-1] if by else "unknown")
        if not self.pending or self._watch is not None or situation.healthy_looks < STEADY:
            self._well_since = None
            return False
        now = time.monotonic()
        self._well_since = self._well_since or now
        return now - self._well_since >= (self.spec.again or 0.0)

    @property
    def pending(self) -> bool:
        """Will the fault come back?"""
        return self.record is not None and self.record.phase == INJECTED and not self._struck_again

    def strike_again(self) -> None:
        """The same fault, the same targets."""
        self._struck_again = True
        record = self._planned()
        self.stop()
        self._work("fault", lambda _: self._injector(record).revert(record))  # (somebody repaired it: that ends it)
        self.record = self._plan(self._ground(record.image), record.targets, record.parameters)
        self.inject("again")

    def take_back(self, record: Record) -> None:
        containers = self._containers(record)
        self._announce(containers, LIMIT)
        self._work("fault", lambda _: self._injector(record).revert(record))
        self._announce(containers, TAIL)
        self._tell("reverted")

    def stop(self) -> None:
        """Ends the watch."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    # -- afterwards --------------------------------------------------------------------------------------------------

    def clear_up(self, image: str) -> list[str]:
        """Takes back what an earlier run of this project left, as far as that can be now; the rest, in words."""
        if not self.journal.open():
            self.journal.clear()
            return []
        _, problems = self._work("fault", lambda _: revert_all(
            self.environment.engine, self.environment.project, self.journal, image))
        return list(problems)

    def revert(self, containers_go: bool) -> list[str]:
        """Takes back what is left of all faults of this project; with `containers_go` (and their volumes) only what
        does not go with them. Returns what could not be taken back."""
        self.stop()
        left = [r for r in self.journal.open() if not containers_go or FAULTS[r.kind].lives_in == "engine"]
        if not left:
            return []
        ids = {r.id for r in left}
        self._announce([c for r in left for c in self._containers(r)], LIMIT)
        done, problems = self._work("fault", lambda _: revert_all(
            self.environment.engine, self.environment.project, self.journal, ask=self._ask,
            wanted=lambda r: r.id in ids))
        for record in done:
            self._say("fault", phase="reverted", kind=record.kind, targets=record.targets, id=record.id)
        self._announce([c for r in left for c in self._containers(r)], TAIL)
        return list(problems)

    # -- small things ------------------------------------------------------------------------------------------------

    def _planned(self) -> Record:
        assert self.record is not None
        return self.record

    @property
    def _subject(self) -> str:
        found = self.environment.found
        return str(found.folder) if found.outside else found.subject.name

    def _ground(self, image: str) -> Ground:
        engine, project = self.environment.engine, self.environment.project
        return Ground(engine, project, discover_network(engine, project), self.environment.found.subject, image,
                      self._ask)

    def _injector(self, record: Record) -> Injector:
        return Injector(self._ground(record.image), self.journal)

    def _ask(self, op: str, **arguments: Any) -> Mapping[str, Any]:
        monitor = self.environment.monitor()
        if monitor is None or monitor.state != "running":
            raise FaultError("The containers of operator-demo do not run.")
        return feed.control(self.environment.engine, monitor.id, op, **arguments)

    def _containers(self, record: Record) -> list[str]:
        found = {c.service: c.id for c in members(self.environment.engine, self.environment.project)}
        return [found[name] for name in record.targets if name in found]

    def _tell(self, phase: str, **more: Any) -> None:
        record = self._planned()
        self._say("fault", phase=phase, kind=record.kind, targets=record.targets, id=record.id, **more)


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
        self._injector, self._record = injector, record
        self._stop = threading.Event()
        self._ended: queue.SimpleQueue[Proof] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fault watch")
        self._thread.start()

    def ended(self) -> Proof | None:
        try:
            return self._ended.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(FAULTS[self._record.kind].every):
            try:
                proof = self._injector.holds(self._record)
            except OperatorError:
                continue  # cannot be told now
            if not proof.bites:
                self._ended.put(proof)
                return
