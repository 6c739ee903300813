"""What a subject is: the protocol that `subjects/<name>/subject.py` fulfils, and how a subject is found.

A subject module offers one object named `SUBJECT`. It imports this module and the standard library (and urllib3), and
nothing else of the program: adding a subject adds one folder.
"""

import importlib
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Protocol

from operator_demo.errors import UsageError


@dataclass(frozen=True)
class Member:
    """A node of the subject as the engine sees it; `address` is its IP on the project's network, None without one."""

    name: str
    container: str
    state: str  # running, paused, restarting, exited, created, dead, or missing
    address: str | None = None
    exit_code: int | None = None


@dataclass
class Observation:
    """One look at the subject.

    `members` maps a member's name to what was seen of it: `state`, `container` and `address` from the engine;
    `reachable`, `healthy`, `leader` (bools), `error` (text or None) and what else the subject measures. `cluster`
    holds what is true of the whole (`leader`: a name or None, `quorum`: bool). `load` is the newest `load` event's
    data, None without a load. `duration` is in seconds.
    """

    ts: float  # seconds since the epoch
    members: dict[str, dict[str, Any]]
    cluster: dict[str, Any]
    load: dict[str, Any] | None = None
    duration: float = 0.0


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold. `member` is None where it concerns the whole cluster."""

    invariant: str
    member: str | None
    severity: str
    text: str
    certain: bool = False  # the engine itself reports it (an exit): no grace is needed

    @property
    def key(self) -> str:
        return f"{self.invariant}:{self.member}" if self.member else self.invariant

    def as_data(self, since: str) -> dict[str, Any]:
        data = asdict(self) | {"key": self.key, "since": since}
        del data["certain"]
        return data


@dataclass(frozen=True)
class Invariant:
    """What must hold. `grace` is how long (seconds) it may be violated before it counts; `source` says where the
    threshold comes from."""

    name: str
    severity: str  # critical, warning
    threshold: float | None
    unit: str
    grace: float
    description: str
    source: str


@dataclass(frozen=True)
class Check:
    """One item of the oracle. `status`: passed, failed, unknown, not_tested (nothing to compare with), not_checked
    (the subject cannot tell)."""

    name: str
    status: str
    saw: str


class KeyValue(Protocol):
    """A client bound to one member. Each call raises `Refused` when the write certainly did not happen, and any
    other exception when that is unknown. Times out by itself."""

    def put(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> str | None:
        """A linearizable read."""
        ...

    def close(self) -> None: ...


class Refused(Exception):
    """The operation was certainly not carried out (no connection, or the subject said no)."""


class Subject(Protocol):
    """All that the program asks of a subject."""

    name: str
    title: str
    invariants: Sequence[Invariant]
    members: Sequence[str]  # service names in compose.yaml, in the order in which they are shown
    quorum: int  # how many members must live for the cluster to serve

    def observe(self, members: Sequence[Member], deadline: float) -> Observation:
        """Looks at every member by its address; returns within `deadline` seconds whatever hangs. Never raises."""
        ...

    def violations(self, observation: Observation) -> list[Violation]:
        """Which invariants do not hold in this observation (grace is the monitor's business)."""
        ...

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        """A write through every member, read back through every other."""
        ...

    def agreement(self, members: Sequence[Member], deadline: float) -> Check:
        """Do all members hold the same data?"""
        ...

    def redundancy(self, baseline: Observation, now: Observation) -> Check:
        """Is the redundancy of `baseline` back (as many healthy, voting members, no alarms)?"""
        ...

    def client(self, address: str, timeout: float) -> KeyValue:
        """A client of the member at this address, for the workload and its check."""
        ...


@dataclass(frozen=True)
class Found:
    """A subject and its folder (inside the file or on the disk)."""

    subject: Subject
    folder: Traversable


def names() -> list[str]:
    return sorted(entry.name for entry in files("subjects").iterdir()
                  if entry.is_dir() and entry.joinpath("subject.py").is_file())


def load(name: str) -> Found:
    """Raises `UsageError` for a name that is none of ours."""
    known = names()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name not in known:
        raise UsageError(f"There is no subject {name!r}.", f"Known subjects: {', '.join(known)}.")
    module = importlib.import_module(f"subjects.{name}.subject")
    return Found(module.SUBJECT, files("subjects").joinpath(name))


class Deadline:
    """A point in time that a group of calls shares."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())
