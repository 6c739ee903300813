"""A subject whose own defects do not end who asks it: what its code raises becomes a violation or an answer. What a
subject says often quotes its members, so its texts come out harmless and bounded.

Monitor and workload ask a subject only through `GuardedSubject`.
"""

import contextlib
import json
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from operator_demo import events
from operator_demo.redaction import Scrubber
from operator_demo.subject import (
    Check,
    Group,
    HasClient,
    HasOwnLoad,
    HasPicture,
    HasRecords,
    Invariant,
    KeyValue,
    Load,
    Member,
    MembersNow,
    Observation,
    Shown,
    Subject,
    Violation,
    as_the_engine_sees,
)
from operator_demo.text import one_line

SUBJECT_DEFECT = Invariant(
    "subject_defect", "critical", None, "", 2.0, "The subject's own code can look at its members and judge them.",
    "Own choice: not to see is not to be well. Grace: two looks in a row.")
_scrub = Scrubber(longest=2000)


class GuardedSubject:
    """`Subject` over another subject; none of its methods raises, except those of a client.

    Where `observe` fails, the observation shows every member as not reachable, `failure` says why, and `violations`
    returns that as the violation `subject_defect`. A check that fails is `unknown`, which the oracle never accepts.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.name, self.title, self.quorum = subject.name, subject.title, subject.quorum
        self.members: Sequence[str] = list(subject.members)
        self.heal_time: float | None = getattr(subject, "heal_time", None)
        self.invariants: Sequence[Invariant] = [*subject.invariants, SUBJECT_DEFECT]

    @property
    def has_client(self) -> bool:
        return isinstance(self._subject, HasClient)

    @property
    def load_maker(self) -> str | None:
        """What makes the load, in words; None where the subject makes none of its own."""
        return self._subject.load_maker if isinstance(self._subject, HasOwnLoad) else None

    def observe(self, members: Sequence[Member], deadline: float) -> Observation:
        began = time.time()
        seen = {m.name: as_the_engine_sees(m) for m in members}
        try:
            observation = self._subject.observe(members, deadline)
            for name in seen:
                seen[name] |= observation.members[name]
            observation.members = _scrub.deep(seen)
            observation.cluster = _scrub.deep(observation.cluster)
            _check_plain([seen, dict(observation.cluster), float(observation.ts)])
            events.Observation.of({"members": seen, "cluster": observation.cluster, "violations": [], "duration": 0})
            return observation
        except Exception as e:
            failure = self._defect("observe", e)
            blind = {m.name: as_the_engine_sees(m) | {"error": "not looked at"} for m in members}
            return Observation(began, blind, {}, duration=time.time() - began, failure=failure)

    @property
    def groups(self) -> tuple[events.Group, ...]:
        """How the members are laid out: as the subject says, else all together."""
        groups = self._subject.groups if isinstance(self._subject, HasPicture) else [
            Group("", self.members, self.quorum)]
        return tuple(events.Group(str(g.title), tuple(g.members), g.quorum) for g in groups)

    def show(self, observation: Observation) -> Shown:
        """What is told of the members and the whole in the picture; a defect is told there."""
        if not isinstance(self._subject, HasPicture) or observation.failure:
            return Shown({})
        try:
            shown = self._subject.show(observation)
            _check_plain(asdict(shown))
            return shown
        except Exception as e:
            return Shown({}, [self._defect("show", e)])

    def violations(self, observation: Observation) -> list[Violation]:
        if observation.failure:
            return [_violation(observation.failure)]
        try:
            violations = [replace(v, text=_scrub.bounded(v.text)) for v in self._subject.violations(observation)]
            _check_plain([asdict(v) for v in violations])
            return violations
        except Exception as e:
            return [_violation(self._defect("violations", e))]

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        return self._check("data_plane", lambda: self._subject.data_plane(members, deadline))

    def agreement(self, members: Sequence[Member], keys: Sequence[str], deadline: float) -> Check:
        return self._check("agreement", lambda: self._subject.agreement(members, keys, deadline))

    def redundancy(self, baseline: Observation, now: Observation) -> Check:
        return self._check("redundancy", lambda: self._subject.redundancy(baseline, now))

    def client(self, members: MembersNow, timeout: float) -> KeyValue:
        """Raises what the subject raises: to whoever makes load, that is a failed operation."""
        assert isinstance(self._subject, HasClient)
        return _Client(self._subject.client(members, timeout))

    @property
    def records(self) -> int:
        """That are to be written before the load begins."""
        return self._subject.records if isinstance(self._subject, HasRecords) else 0

    def filled(self, members: MembersNow, timeout: float) -> str:
        assert isinstance(self._subject, HasRecords)
        try:
            return self._subject.filled(members, timeout)
        except Exception as e:
            return self._defect("filled", e)

    def measure_load(self, members: Sequence[Member], deadline: float) -> Load | None:
        """A subject that cannot measure its load has a load that fails, and the defect as the kind of the error."""
        assert isinstance(self._subject, HasOwnLoad)
        try:
            load = self._subject.measure_load(members, deadline)
            if load is not None:
                _check_plain([load.reads, load.writes, load.p50, load.p99, dict(load.errors)])
            return load
        except Exception as e:
            return Load(0.0, 0.0, None, None, {self._defect("measure_load", e): 1.0})

    def _check(self, name: str, ask: Callable[[], Check]) -> Check:
        try:
            check = ask()
            return Check(name, str(check.status), _scrub.bounded(str(check.saw)))
        except Exception as e:
            return Check(name, "unknown", f"could not be checked: {self._defect(name, e)}")

    def _defect(self, method: str, error: Exception) -> str:
        """What went wrong, and where in the code, in one line."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{self.name}.{method} failed: {type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
        return one_line(_scrub.bounded(text), 300)


class _Client:
    """A client that can always be closed."""

    def __init__(self, client: KeyValue) -> None:
        self.put, self.get, self._close = client.put, client.get, client.close

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._close()


def _check_plain(value: object) -> None:
    """Raises where something cannot be written as JSON: it could not be recorded."""
    json.dumps(value, allow_nan=False)


def _violation(failure: str) -> Violation:
    return Violation(SUBJECT_DEFECT.name, None, SUBJECT_DEFECT.severity, f"The subject's own code is broken: {failure}")


