"""Injecting and reverting with the journal: recorded first, proved, and reverted after any crash."""

import time
from collections.abc import Callable, Mapping, Sequence

from operator_demo import subject as subjects
from operator_demo.chaos import helper
from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.journal import INJECTED, INJECTING, REVERTED, FaultJournal, Record
from operator_demo.chaos.primitive import FaultError, Ground, Primitive, Proof
from operator_demo.engine import Engine
from operator_demo.errors import OperatorError
from operator_demo.events import new_id

_LOOK = 0.1  # seconds between two proofs until a fault takes effect


def check(ground: Ground, kind: str, targets: Sequence[str] = ()) -> None:
    """Raises `FaultError` if the fault is not possible with this engine, kernel, subject or these targets."""
    problem = FAULTS[kind].problem(ground, targets)
    if problem:
        raise FaultError(f"The fault {kind} is not possible here: {problem}.",
                         "`operator-demo chaos list` shows which faults are possible.")


class Injector:
    """Works on one ground with its journal; used by one thread at a time."""

    def __init__(self, ground: Ground, journal: FaultJournal) -> None:
        self.ground, self.journal = ground, journal

    def plan(self, run: str, subject: str, kind: str, targets: Sequence[str], values: Mapping[str, float]) -> Record:
        """Probes, reads the present state, and records both; changes nothing. Raises `FaultError`."""
        fault = FAULTS[kind]
        check(self.ground, kind, targets)
        clash = next((r for r in self.journal.open() if r.kind == kind and FAULTS[kind].lasting
                      and (set(r.targets) & set(targets) or not fault.targeted)), None)
        if clash:
            of = ", ".join(clash.targets) or self.ground.project
            raise FaultError(f"The fault {kind} of {of} is in effect already.",
                             "`operator-demo chaos revert` reverts it.")
        record = Record(new_id("flt"), run, subject, kind, self.ground.network, self.ground.image, list(targets),
                        dict(values), fault.before(self.ground, targets, values), at=time.time())
        self.note(record)
        return record

    def note(self, record: Record) -> None:
        with self.journal.lock():
            self.journal.put(record)

    def inject(self, record: Record) -> Proof:
        """Injects a planned fault and proves it. Reverts it and raises `FaultError` if it has no effect in time."""
        fault = FAULTS[record.kind]
        with self.journal.lock():
            record.phase = INJECTING
            self.journal.put(record)
            self.ground.keep = lambda: self.journal.put(record)
            try:
                fault.inject(self.ground, record.targets, record.parameters, record.before)
                proof = self._bite(fault, record)
            except OperatorError as e:
                try:
                    self._take_back(record)
                except OperatorError as again:
                    e.hint = f"It could not be reverted either ({again.message}): `operator-demo chaos revert`."
                raise
            record.phase = INJECTED
            self.journal.put(record)
            return proof

    def _bite(self, fault: Primitive, record: Record) -> Proof:
        end = time.monotonic() + fault.settle
        while True:
            proof = fault.prove(self.ground, record.targets, record.parameters, record.before)
            if proof.bites:
                return proof
            if time.monotonic() > end:
                raise FaultError(f"The fault {record.kind} was injected, but does not show: {proof.saw}.",
                                 "Somebody, or the container's restart policy, may have undone it.")
            time.sleep(_LOOK)

    def holds(self, record: Record) -> Proof:
        """Is the fault still in effect? Disturbs nothing."""
        return FAULTS[record.kind].holds(self.ground, record.targets, record.parameters, record.before)

    def revert(self, record: Record) -> None:
        with self.journal.lock():
            self._take_back(record)

    def _take_back(self, record: Record) -> None:
        helper.sweep(self.ground)
        FAULTS[record.kind].revert(self.ground, record.targets, record.parameters, record.before)
        record.phase = REVERTED
        self.journal.put(record)


def revert_all(engine: Engine, project: str, journal: FaultJournal, image: str = "",
               wanted: Callable[[Record], bool] = lambda _: True,
               ask: Callable[..., Mapping[str, object]] | None = None) -> tuple[list[Record], list[str]]:
    """Reverts the open faults of the project, the newest first: (reverted records, problems in words).

    Helpers use `image` if the one in the record is no longer on the engine.
    """
    done: list[Record] = []
    problems: list[str] = []
    for record in reversed(journal.open()):
        if not wanted(record):
            continue
        try:
            ground = Ground(engine, project, record.network, subjects.load(record.subject).subject,
                            helper.usable_image(engine, record.image, image), ask)
            Injector(ground, journal).revert(record)
            done.append(record)
        except OperatorError as e:
            problems.append(f"{record.kind} of {', '.join(record.targets) or project}: {e.message}")
    return done, problems
