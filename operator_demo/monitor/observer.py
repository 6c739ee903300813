"""Observes the subject, keeps the active violations and the ticket up to date, and records every observation."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from operator_demo import events
from operator_demo.engine import EngineEvent
from operator_demo.errors import OperatorError
from operator_demo.events import parse_ts
from operator_demo.guarded_subject import GuardedSubject
from operator_demo.monitor.incidents import Incidents
from operator_demo.monitor.limits import Limits
from operator_demo.monitor.members import Members, as_reported
from operator_demo.monitor.readiness import Readiness, what_is_missing
from operator_demo.monitor.violations import State, fold, fold_certain, holds
from operator_demo.store import Recorder
from operator_demo.subject import Invariant, Observation, Violation
from operator_demo.text import clean, one_line

DEADLINE = 2.0  # seconds that one observation may take
FRESH = 0.5  # seconds for which an observation answers questions
LOAD_FRESH = 3.0  # seconds after which the newest `load` event is too old
OBSERVATION_FAILED = Invariant(
    "observation_failed", "critical", None, "", 2.0, "The engine reports the members.",
    "Own choice: what cannot be observed is not healthy. Grace: two observations in a row.")


class Observer:
    """`look` observes the whole subject, `apply` applies one event of the engine at once.

    Safe to use from several threads.
    """

    def __init__(self, subject: GuardedSubject, members: Members, recorder: Recorder, incidents: Incidents) -> None:
        self.subject, self.members = subject, members
        self._recorder, self._incidents = recorder, incidents
        self._graces = {i.name: i.grace for i in (*subject.invariants, OBSERVATION_FAILED)}
        self._readiness, self.limits = Readiness(recorder), Limits(subject.invariants, recorder)
        self._looks = threading.Condition()  # over the next three
        self._begun = self._ended = 0  # looks
        self._ended_at = float("-inf")  # monotonic
        self._lock = threading.Lock()  # over what follows
        self._state: State = {}
        self._last = Observation(0.0, {}, {})
        self._holds_since: float | None = None
        self._applied = 0

    # -- looking -----------------------------------------------------------------------------------------------------

    def look(self, max_age: float | None = None) -> Observation:
        """An observation that begins after this call. With `max_age`, also one that ended at most so many seconds ago,
        or the one that is under way.

        Only one observation is under way at a time, and all callers that wait for it share it. So no caller waits for
        more than two, however many there are.
        """
        with self._looks:
            if max_age is not None and time.monotonic() - self._ended_at <= max_age:
                return self._last
            under_way = self._begun > self._ended
            wanted = self._begun if under_way and max_age is not None else self._begun + 1
            while self._begun > self._ended and self._ended < wanted:
                self._looks.wait()
            if self._ended >= wanted:
                return self._last
            self._begun += 1
        try:
            return self._look()
        finally:
            with self._looks:
                self._ended, self._ended_at = self._begun, time.monotonic()
                self._looks.notify_all()

    def _look(self) -> Observation:
        applied = self._applied
        observation, violations = self._observe()
        with self._lock:
            if applied != self._applied:
                # The engine reported a change meanwhile: its certain violations must not be lost to an observation that
                # began before. The next observation follows at once.
                certain = [s.violation for s in self._state.values() if s.violation.certain]
                violations += [v for v in certain if v.key not in {w.key for w in violations}]
            self._publish(observation, fold(self._state, violations, self._graces, observation.ts))
        return observation

    def apply(self, event: EngineEvent) -> None:
        """Applies an event of the engine: a certain violation opens the ticket at once.

        Raises `OperatorError` if the engine does not answer.
        """
        members = self.members.latest if self.members.apply(event) else self.members.refresh()
        with self._lock:
            self._applied += 1
            if not self._last.members:
                return
            now = time.time()
            observation = as_reported(self._last, members, now)
            state = fold_certain(self._state, self.subject.violations(observation), now)
            if state.keys() != self._state.keys():
                self._publish(observation, state)

    def report(self, invariant: str, member: str | None, text: str) -> str:
        """Opens a ticket for a reported violation, and returns its id."""
        severity = next((i.severity for i in self.subject.invariants if i.name == invariant), "warning")
        with self._lock:
            return self._incidents.report(Violation(invariant, member, severity, text), time.time())

    def _observe(self) -> tuple[Observation, list[Violation]]:
        began = time.time()
        violations = []
        try:
            members = self.members.refresh()
        except OperatorError as e:
            members = self.members.latest
            text = one_line(clean(f"The engine does not report the members: {e.message}"), 300)
            violations.append(Violation(OBSERVATION_FAILED.name, None, OBSERVATION_FAILED.severity, text))
        observation = self.subject.observe(members, DEADLINE)
        observation.load, observation.limits = self.newest_load(began), dict(self.limits.now)
        self.limits.see(observation)
        return observation, violations + self.subject.violations(observation)

    def _publish(self, observation: Observation, state: State) -> None:
        self._last, self._state = observation, state
        if not holds(state):
            self._holds_since = None
        elif self._holds_since is None:
            self._holds_since = observation.ts
        if self._readiness.see(observation, state):
            self._incidents.follow(state, observation.ts)
        shown = self.subject.show(observation)
        members = {name: seen | {"figures": [asdict(figure) for figure in shown.figures.get(name, ())]}
                   for name, seen in observation.members.items()}
        self._recorder.say(events.Observation.of({
            "members": members, "cluster": observation.cluster | {"shown": list(shown.lines)},
            "violations": sorted(state), "duration": round(observation.duration, 4)}))

    def newest_load(self, now: float) -> dict[str, Any] | None:
        for event in loads(self._recorder, 1):
            return event["data"] if now - event["ts"] < LOAD_FRESH else None
        return None

    # -- what was observed -------------------------------------------------------------------------------------------

    @property
    def last(self) -> Observation:
        return self._last

    @property
    def state(self) -> State:
        return self._state

    def held_for(self) -> float:
        """For how many seconds the invariants have held in a row."""
        since = self._holds_since
        return max(0.0, self._last.ts - since) if since is not None else 0.0

    def what_is_missing(self) -> tuple[str, ...]:
        """What the subject lacks to be well, in words."""
        return what_is_missing(self._last, self._state)

    def all_healthy(self) -> bool:
        return bool(self._last.members) and all(m["healthy"] for m in self._last.members.values())


def loads(recorder: Recorder, limit: int) -> Sequence[dict[str, Any]]:
    """The newest `load` events, newest first: `ts` (seconds since the epoch) and `data`."""
    rows = recorder.store.rows("SELECT ts, data FROM events WHERE run=? AND source='workload' AND type='load' "
                               "ORDER BY seq DESC LIMIT ?", recorder.run, limit)
    return [{"ts": parse_ts(row["ts"]), "data": json.loads(row["data"])} for row in rows]
