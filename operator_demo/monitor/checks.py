"""The oracle's checks that are the same for every subject: functions of what was observed, without side effects."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from operator_demo.monitor.violations import State
from operator_demo.subject import Check

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"
NOT_TESTED, NOT_CHECKED = "not_tested", "not_checked"
_ACCEPTABLE = (PASSED, NOT_TESTED, NOT_CHECKED)

BEFORE = 30.0  # seconds of load before the fault that count as normal
SETTLED = 5  # newest seconds of load that are compared with them
_FEWER = 0.9  # of the operations per second
_SLOWER = 2.0  # times the p99 ...
_SLACK = 0.05  # ... plus this, in seconds
_LEAST = 5  # seconds of load that must have been seen before the fault
_ENDED = 2.0  # seconds without load just before the fault
_ERRORS = 0.01  # of the operations; etcd's own alert rules warn above 1 %

Load = Mapping[str, Any]  # `ts` in seconds since the epoch, `data` of a `load` event

FREED = {"data": ("volumes",)}
"""What a scenario may allow to differ, besides the names of items in a fingerprint."""


def invariants(state: State, held_for: float, wanted: float) -> Check:
    if held_for >= wanted:
        return Check("invariants", PASSED, f"no violation for {held_for:.0f} s in a row")
    texts = [s.violation.text for s in state.values()]
    return Check("invariants", FAILED, " ".join(texts) or f"quiet for {held_for:.0f} s only, {wanted:.0f} s are asked")


def load(loads: Sequence[Load], fault_at: float, repaired_at: float, now: float) -> Check:
    """Is the load back to normal? Judged only if the fault changed it. `loads` are ordered by time."""
    if loads and loads[-1]["ts"] < fault_at - _ENDED:
        return Check("load", NOT_TESTED, "the load had ended before the fault")
    before = [x["data"] for x in loads if fault_at - BEFORE <= x["ts"] < fault_at]
    if len(before) < _LEAST:
        return Check("load", NOT_TESTED, "there was no load before the fault")
    recent = [x["data"] for x in loads if now - SETTLED - 1.5 <= x["ts"] <= now][-SETTLED:]
    if len(recent) < SETTLED - 1:
        return Check("load", FAILED, "the load has stopped")
    measure = _Measure(before)
    during = [x["data"] for x in loads if fault_at <= x["ts"] <= repaired_at]
    worse = measure.off(recent, _ERRORS)
    if worse:
        return Check("load", FAILED, worse)
    if not any(measure.off([second]) for second in during):
        return Check("load", NOT_TESTED, "the fault did not change the load")
    return Check("load", PASSED, f"{measure.summary(recent)}, as before the fault ({measure.summary(before)})")


class _Measure:
    """The normal load, and how other seconds fall short of it."""

    def __init__(self, before: Sequence[Mapping[str, Any]]) -> None:
        self._ops = median(x["ops"] for x in before)
        self._p99 = median(_p99s(before) or [0.0])

    def off(self, seconds: Sequence[Mapping[str, Any]], tolerated: float = 0.0) -> str:
        """What is worse than before, in words; "" if nothing is. `tolerated` is a share of failed operations."""
        errors, done = sum(sum(x["errors"].values()) for x in seconds), sum(x["ops"] for x in seconds)
        ops, p99s = median(x["ops"] for x in seconds), _p99s(seconds)
        faults = [f"{errors} of {errors + done} operations failed"] if errors > tolerated * (errors + done) else []
        if ops < _FEWER * self._ops:
            faults.append(f"{ops:.0f} op/s, {self._ops:.0f} before")
        if not p99s:
            faults.append("no operation was answered")
        elif median(p99s) > _SLOWER * self._p99 + _SLACK:
            faults.append(f"p99 {median(p99s) * 1000:.0f} ms, {self._p99 * 1000:.0f} ms before")
        return ", ".join(faults)

    @staticmethod
    def summary(seconds: Sequence[Mapping[str, Any]]) -> str:
        p99s = _p99s(seconds)
        return f"{median(x['ops'] for x in seconds):.0f} op/s, p99 {median(p99s or [0.0]) * 1000:.0f} ms"


def _p99s(seconds: Sequence[Mapping[str, Any]]) -> list[float]:
    return [x["p99"] for x in seconds if x["p99"] is not None]


def writes(answer: Mapping[str, Any] | None, reason: str = "") -> Check:
    """`answer` is the workload's own check of its acknowledged writes; None if there was none, for `reason`."""
    if answer is None:
        return Check("writes", UNKNOWN, reason)
    if "not_checked" in answer:
        return Check("writes", NOT_CHECKED, answer["not_checked"])
    saw = f"{answer['kept']} acknowledged writes kept, {answer['lost']} lost, {answer['unknown']} unknown"
    if answer["lost"]:
        details = "; ".join(str(d) for d in answer.get("details", [])[:3])
        return Check("writes", FAILED, f"{saw} ({details})" if details else saw)
    if answer["unknown"]:
        return Check("writes", UNKNOWN, saw)
    if not answer["kept"]:
        return Check("writes", NOT_TESTED, "nothing was written")
    return Check("writes", PASSED, saw)


def fingerprint(before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]],
                allow: Iterable[str]) -> Check:
    """Is the subject still what it was? `allow` names what may differ."""
    allowed = {item for name in allow for item in FREED.get(name, (name,))}
    faults = [f"{name} is gone" for name in before if name not in now]
    faults += [f"{name} is new" for name in now if name not in before]
    for name in before.keys() & now.keys():
        for item in sorted(before[name].keys() | now[name].keys()):
            old, new = before[name].get(item), now[name].get(item)
            if old != new and item not in allowed:
                faults.append(f"{item} of {name} was {_short(old)}, is {_short(new)}")
    if faults:
        return Check("fingerprint", FAILED, "; ".join(sorted(faults)))
    free = f" (but for {', '.join(sorted(allowed))})" if allowed else ""
    return Check("fingerprint", PASSED, f"{len(now)} members as they were{free}")


def untouched(effects: Iterable[Mapping[str, Any]]) -> Check:
    """After a claim that nothing needs to be done: has the session changed the subject? `effects` are those of the
    session."""
    changes = [f"{e['action']} of {e['member'] or e['container']}" for e in effects
               if (e["member"] and e["action"] != "exec_start") or e["action"].startswith(("volume ", "network "))]
    if changes:
        return Check("untouched", FAILED, f"the session changed the subject: {', '.join(dict.fromkeys(changes))}")
    return Check("untouched", PASSED, "the session changed no container of the subject")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def words(checks: Iterable[Check]) -> str:
    """The text for the agent when the repair is not accepted."""
    return " ".join(f"{c.name} {c.status}: {c.saw.rstrip('.')}." for c in checks if c.status not in _ACCEPTABLE)


def accepted(checks: Iterable[Check]) -> bool:
    """No check failed, and none is unknown."""
    return all(c.status in _ACCEPTABLE for c in checks)
