"""Limits that are judged against this machine: what is slow on a server is usual on a laptop that is busy.

Such a limit is the greater of the invariant's threshold and a multiple of what is usual. What is usual is measured in
the looks before the oracle takes its baseline, which the stage asks for under steady load. Until then the invariant is
not judged. The limits are kept in the record, so that a monitor that is restarted judges by the same ones.
"""

from collections import deque
from collections.abc import Sequence
from statistics import median

from operator_demo import events
from operator_demo.store import Recorder
from operator_demo.subject import Invariant, Observation

LOOKS = 10  # that are the measure: about as many seconds as the stage waits for steady load before the fault


class Limits:
    """Safe to use from one thread at a time."""

    def __init__(self, invariants: Sequence[Invariant], recorder: Recorder) -> None:
        self._invariants = [i for i in invariants if i.measured]
        self._recorder = recorder
        self._seen = {i.name: deque[float](maxlen=LOOKS) for i in self._invariants}
        self.now: dict[str, float] = {}
        """The limit of each such invariant; empty until they are known."""
        for event in recorder.store.events(recorder.run, types=["limits"]):
            if isinstance(event.data, events.Limits):
                self.now = {name: limit.limit for name, limit in event.data.limits.items()}

    def see(self, observation: Observation) -> None:
        """Takes a look in: of each measure the worst member's."""
        for invariant in self._invariants:
            values = [m[invariant.measured] for m in observation.members.values()
                      if isinstance(m.get(invariant.measured), int | float)]
            if values:
                self._seen[invariant.name].append(max(values))

    def set(self) -> None:
        """From now on the limits hold, and they are on record."""
        limits = {i.name: self._limit(i) for i in self._invariants}
        self.now = {name: limit.limit for name, limit in limits.items()}
        if limits:
            self._recorder.say(events.Limits(limits=limits))

    def _limit(self, invariant: Invariant) -> events.Limit:
        seen, floor = self._seen[invariant.name], invariant.threshold or 0.0
        usual = median(seen) if seen else None
        limit = max(floor, invariant.times * (usual or 0.0))
        return events.Limit(limit=round(limit, 6), unit=invariant.unit, floor=floor, times=invariant.times, usual=usual)
