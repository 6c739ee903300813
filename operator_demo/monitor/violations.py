"""Which violations are active, since when, and which of them fire. Computed from observations, without side effects.

As with an alert rule, a violation is pending during its grace and fires after it; only what fires is worth a ticket.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from operator_demo.subject import Violation

CRITICAL = "critical"


@dataclass(frozen=True)
class ActiveViolation:
    """A violation that was seen in every observation since `since` (seconds since the epoch). It fires after its grace,
    or at once where it is certain, until it is gone."""

    violation: Violation
    since: float
    firing: bool


State = Mapping[str, ActiveViolation]
"""The active violations by key."""


def fold(before: State, seen: Iterable[Violation], graces: Mapping[str, float], ts: float) -> State:
    """The state after an observation at `ts`; a violation that it did not see has ended."""
    return {v.key: _active(before.get(v.key), v, graces.get(v.invariant, 0.0), ts) for v in seen}


def fold_certain(before: State, seen: Iterable[Violation], ts: float) -> State:
    """The state after a report of the engine alone: certain violations are added, none is removed."""
    return {**before, **{v.key: _active(before.get(v.key), v, 0.0, ts) for v in seen if v.certain}}


def _active(old: ActiveViolation | None, violation: Violation, grace: float, ts: float) -> ActiveViolation:
    since = old.since if old else ts
    firing = (old is not None and old.firing) or violation.certain or ts - since >= grace
    return ActiveViolation(violation, since, firing)


def holds(state: State) -> bool:
    """Do the invariants hold? A critical one that is violated does not hold, even within its grace."""
    return not any(s.firing or s.violation.severity == CRITICAL for s in state.values())
