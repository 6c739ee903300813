"""Injecting and reverting with the journal: written down first, proved, and undone after any crash."""

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

_LOOK = 0.1  # seconds between two proofs while a fault shall begin to bite


def check(ground: Ground, kind: str, targets: Sequence[str] = ()) -> None:
    """Raises `FaultError` where this engine, kernel or subject cannot do it, or the targets are not fit for it."""
    problem = FAULTS[kind].problem(ground, targets)
    if problem:
        raise FaultError(f"The fault {kind} cannot be brought about here: {problem}.",
                         "`operator-demo chaos list` shows what can.")


class Injector:
    """Works on one ground with its journal; used by one thread at a time."""

    def __init__(self, ground: Ground, journal: FaultJournal) -> None:
        self.ground, self.journal = ground, journal

    def plan(self, run: str, subject: str, kind: str, targets: Sequence[str], values: Mapping[str, float]) -> Record:
        """Probes, reads what will be put back, and writes it down; nothing is touched. Raises `FaultError`."""
        fault = FAULTS[kind]
        check(self.ground, kind, targets)
        clash = next((r for r in self.journal.open() if r.kind == kind and FAULTS[kind].lasting
                      and (set(r.targets) & set(targets) or not fault.targeted)), None)
        if clash:
            raise FaultError(f"The fault {kind} of {', '.join(clash.targets) or self.ground.project} is there already.",
                             "`operator-demo chaos revert` takes it back.")
        record = Record(new_id("flt"), run, subject, kind, self.ground.network, self.ground.image, list(targets),
                        dict(values), fault.before(self.ground, targets, values), at=time.time())
        self.note(record)
        return record

    def note(self, record: Record) -> None:
        with self.journal.lock():
            self.journal.put(record)

    def inject(self, record: Record) -> Proof:
        """Brings a planned fault about, and has it proved. Raises `FaultError` where it does not bite in time; what
        was done is then reverted."""
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
                    e.hint = f"It could not be taken back either ({again.message}): `operator-demo chaos revert`."
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
        """Is the fault still there? Disturbs nothing."""
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
    """Reverts whatever of the project is not, the newest first: (what was reverted, what could not be and why).

    `image` is for helpers where that of the record is no longer on the engine.
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
