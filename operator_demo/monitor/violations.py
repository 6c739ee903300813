"""Which violations stand, since when, and which of them count: a fold over observations, without side effects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from operator_demo.subject import Violation

CRITICAL = "critical"


@dataclass(frozen=True)
class Standing:
    """A violation that was seen in every observation since `since` (seconds since the epoch). It counts once its grace
    is over, or at once where it is certain, and then until it is gone."""

    violation: Violation
    since: float
    counts: bool


State = Mapping[str, Standing]


def fold(before: State, seen: Iterable[Violation], graces: Mapping[str, float], ts: float) -> dict[str, Standing]:
    """The state after an observation at `ts`; what it did not see is gone."""
    return {v.key: _stand(before.get(v.key), v, graces.get(v.invariant, 0.0), ts) for v in seen}


def fold_certain(before: State, seen: Iterable[Violation], ts: float) -> dict[str, Standing]:
    """The state after a report of the engine alone: what it is certain of is added, nothing is taken away."""
    return {**before, **{v.key: _stand(before.get(v.key), v, 0.0, ts) for v in seen if v.certain}}


def _stand(old: Standing | None, violation: Violation, grace: float, ts: float) -> Standing:
    since = old.since if old else ts
    counts = (old is not None and old.counts) or violation.certain or ts - since >= grace
    return Standing(violation, since, counts)


def holds(state: State) -> bool:
    """Do the invariants hold? A critical one that is violated does not hold, even within its grace."""
    return not any(s.counts or s.violation.severity == CRITICAL for s in state.values())
