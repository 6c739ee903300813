"""What a subject is: the protocol that `subjects/<name>/subject.py` fulfils, and how a subject is found.

A subject module offers one object named `SUBJECT`. It imports this module, `subject_kit`, the standard library
(urllib3 and h2), and nothing else of the program: adding a subject adds one folder.
"""

import importlib
import inspect
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from operator_demo.errors import UsageError
from operator_demo.own_variables import hide_secrets
from operator_demo.subject_code import SubjectCode, read_code
from operator_demo.trust import Agree, agreed_by_the_host, refuse_unknown


@dataclass(frozen=True)
class Probed:
    """What a probe did: its exit status, None where it did not end in time or could not be run, and what it wrote, or
    why not."""

    status: int | None
    output: str


KEY, VALUE = CHOSEN = ("$KEY", "$VALUE")
"""Words of a probe in whose places the monitor puts a key and a value, of letters, digits and dashes."""

RunProbe = Callable[[Sequence[str], float], Probed]
"""Runs one of the subject's `probes` in a member, within so many seconds."""


def _no_probes(command: Sequence[str], timeout: float) -> Probed:
    return Probed(None, "Only the monitor runs probes.")


@dataclass(frozen=True)
class Member:
    """A node of the subject as the engine sees it; `address` is its IP on the project's network, None without one.
    `probe` runs one of the subject's `probes` in it; it never raises."""

    name: str
    container: str
    state: str  # running, paused, restarting, exited, created, dead, or missing
    address: str | None = None
    exit_code: int | None = None
    health: str | None = None  # starting, healthy or unhealthy by its health check; None without one
    probe: RunProbe = field(default=_no_probes, compare=False, repr=False)


def as_the_engine_sees(m: Member) -> dict[str, Any]:
    """What an observation holds of a member that was not asked anything yet."""
    error = None
    if m.state == "exited":
        error = "exited" if m.exit_code is None else f"exited ({m.exit_code})"
    elif m.state != "running":
        error = m.state
    elif not m.address:
        error = "not on the network"
    return {"container": m.container, "state": m.state, "address": m.address, "exit_code": m.exit_code,
            "reachable": False, "healthy": False, "leader": False, "error": error}


def why_silent(name: str, seen: Mapping[str, Any]) -> tuple[str, bool]:
    """What is wrong with an observed member that is not reachable, and whether the engine itself says so."""
    state, code = seen["state"], seen.get("exit_code")
    if state == "missing":
        return f"{name} has no container.", True
    if state == "paused":
        return f"{name} is frozen: its container is paused.", True
    if state == "exited":
        return f"{name} has exited" + (f" (exit code {code})." if code is not None else "."), True
    if state in ("dead", "created"):
        return f"{name} does not run: its container is {state}.", True
    if state == "running" and not seen["address"]:
        return f"{name} runs, but is cut off: its container is not on the cluster's network.", True
    if state == "running":
        return f"{name} runs, but does not answer: {seen['error'] or 'no reason known'}.", False
    return f"{name} is {state}.", False


@dataclass
class Observation:
    """One look at the subject.

    `members` maps a member's name to what was seen of it: `state`, `container` and `address` from the engine;
    `reachable`, `healthy`, `leader` (bools), `error` (text or None) and what else the subject measures. `cluster`
    holds what is true of the whole (`leader`: a name or None, `quorum`: bool). `load` is the newest `load` event's
    data, None without a load. `duration` is in seconds. `failure` says why the subject could not be looked at.
    `limits` has, by name, those of the invariants that are judged against this machine, as soon as they are known.
    """

    ts: float  # seconds since the epoch
    members: dict[str, dict[str, Any]]
    cluster: dict[str, Any]
    load: dict[str, Any] | None = None
    duration: float = 0.0
    failure: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)


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


@dataclass(frozen=True)
class Invariant:
    """What must hold. `grace` is how long (seconds) it may be violated before it counts; `source` says where the
    threshold comes from.

    Where `measured` names what an observation holds of a member, the invariant is judged against this machine: the
    limit is the greater of `threshold` and `times` what was usual under load before the fault. `Observation.limits` has
    it as soon as it is known; before, the invariant is not judged.
    """

    name: str
    severity: str  # critical, warning
    threshold: float | None
    unit: str
    grace: float
    description: str
    source: str
    measured: str = ""
    times: float = 0.0


@dataclass(frozen=True)
class Check:
    """One item of the oracle. `status`: passed, failed, unknown, not_tested (nothing to compare with), not_checked
    (the subject cannot tell)."""

    name: str
    status: str
    saw: str


MembersNow = Callable[[], Sequence[Member]]
"""The members that run, as they are known now, in the order in which they should be used."""


class KeyValue(Protocol):
    """A client. Each call raises `Refused` when the write certainly did not happen, and any other exception when that
    is unknown; the next call may succeed. Times out by itself. Used by one thread at a time."""

    def put(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> str | None:
        """A linearizable read."""
        ...

    def close(self) -> None: ...


class Refused(Exception):
    """The operation was certainly not carried out (no connection, or the subject said no)."""


class Subject(Protocol):
    """All that the program asks of a subject.

    It may also have `heal_time`: seconds after a repair within which the invariants must begin to hold (default: 15);
    `default_scenario`, a name; `published`, what `run --publish` publishes: the port of each service; and `probes`, the
    commands (each a sequence of words) that may be run in members to look at them, by `Member.probe`.
    """

    name: str
    title: str
    invariants: Sequence[Invariant]
    members: Sequence[str]  # service names in compose.yaml, in the order in which they are shown
    quorum: int | None  # how many members must live for the cluster to serve; None where that is not known

    def observe(self, members: Sequence[Member], deadline: float) -> Observation:
        """Looks at every member by its address; returns within `deadline` seconds whatever hangs. Never raises."""
        ...

    def violations(self, observation: Observation) -> list[Violation]:
        """Which invariants do not hold in this observation (grace is the monitor's business)."""
        ...

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        """A write through every member, read back through every other."""
        ...

    def agreement(self, members: Sequence[Member], keys: Sequence[str], deadline: float) -> Check:
        """Do all members hold the same data? `keys` are those that the load has written and goes on writing; their
        values are numbers that only grow."""
        ...

    def redundancy(self, baseline: Observation, now: Observation) -> Check:
        """Is the redundancy of `baseline` back (as many healthy, voting members, no alarms)?"""
        ...


@runtime_checkable
class HasClient(Protocol):
    """A subject that our own load can read and write; `Subject` plus this."""

    def client(self, members: MembersNow, timeout: float) -> KeyValue:
        """A client that knows all members and finds one that serves the key; for the workload and its check. `timeout`
        (seconds) is for each call. Does not wait for anything itself."""
        ...


@runtime_checkable
class HasRecords(Protocol):
    """A subject whose load begins with records, so that there is as much data as the demonstration needs; `HasClient`
    plus this. The keys of the load are spread evenly over those of the records."""

    records: int  # of 1,000 bytes

    def filled(self, members: MembersNow, timeout: float) -> str:
        """Asked after the records were written: what is still missing before the load can begin; "" if nothing."""
        ...


@dataclass(frozen=True)
class Through:
    """A client that is served by one member. `get` is a linearizable read of any key there; `put` is for `key`, which
    is None where that member takes no writes now."""

    key: str | None
    client: KeyValue


@runtime_checkable
class HasThrough(Protocol):
    """A subject each of whose members can be asked for itself; `HasClient` plus this."""

    def through(self, members: MembersNow, member: str, prefix: str, timeout: float) -> Through | None:
        """None for a member that serves no keys. The key begins with `prefix` where the subject is free to choose.
        Raises what a client raises."""
        ...


@dataclass(frozen=True)
class Script:
    """How a subject is brought into a state and out of it again: three scripts (POSIX sh, with curl and jq).

    They run in a helper on the subject's network, once for each target, with the target's volumes at /volumes/0,
    /volumes/1, ... in the order of their paths, and the variables ADDRESSES (of the members that run, the target's
    first), MEMBER, and SIZE (MiB, at most to be written). What they print is shown to people. `do` ends when it is so,
    within 100 seconds, else it fails; where `check` succeeded before, nothing is done, so `undo` takes back what `do`
    did and nothing else.
    """

    do: str
    check: str  # succeeds where it is so
    undo: str  # harmless where it is not so


@dataclass(frozen=True)
class Anatomy:
    """Where a subject can be hurt, for those faults that cannot do without knowing it; "" or None where it cannot.

    Paths are those inside a member, and must be in a volume. `kind`: the kind of member (see `HasKinds`) of which all
    this is true; "" where members are alike.
    """

    kind: str = ""
    settings: str = ""  # the file with a member's settings
    bad_setting: str = ""  # lines that, added to it, keep the member from starting
    data: str = ""  # the folder with its data; a member that had some does not start without it
    log: str = ""  # the files of its write-ahead log, with * in the last part; the newest by name is cut
    space: Script | None = None  # its space is used up
    evict: Script | None = None  # it is ordered to lead nothing


@runtime_checkable
class HasAnatomy(Protocol):
    """A subject that says where it can be hurt; `Subject` plus this."""

    anatomy: Anatomy


@runtime_checkable
class HasKinds(Protocol):
    """A subject whose members are not all alike; `Subject` plus this. A fault can be aimed at a kind."""

    kinds: Mapping[str, str]  # of each member, by its name: one word, which is no role and no name of a member
    spared: Sequence[str]  # the kinds that are hit only where a fault names them or the member


@dataclass(frozen=True)
class Group:
    """Members that stand together in the picture; `quorum` is how many of them must live for the cluster to serve, None
    where it does not depend on them."""

    title: str
    members: Sequence[str]
    quorum: int | None = None


@dataclass(frozen=True)
class Figure:
    """A short figure with its unit under its name (either may be empty), such as `leads` `6 of 14`; `share` from 0 to
    1 where it is one of something."""

    name: str
    text: str
    share: float | None = None


@dataclass(frozen=True)
class Shown:
    """What the picture tells of each member, by its name, and lines about the whole."""

    figures: Mapping[str, Sequence[Figure]]
    lines: Sequence[str] = ()


@runtime_checkable
class HasPicture(Protocol):
    """A subject that says how its members are drawn; `Subject` plus this. `groups` stand from the top down."""

    groups: Sequence[Group]

    def show(self, observation: Observation) -> Shown:
        """Figures that fit in a box: some 13 characters each, name included, the most important first."""
        ...


@dataclass(frozen=True)
class Load:
    """A moment of a load that others make. Rates are per second; latencies in seconds, None without any answer."""

    reads: float
    writes: float
    p50: float | None
    p99: float | None
    errors: Mapping[str, float]  # by kind


@runtime_checkable
class HasOwnLoad(Protocol):
    """A subject whose load is made by a service of its own Compose file, in the profile `load`; `Subject` plus this.

    The service aims at ${OPERATOR_RATE} operations a second.
    """

    load_maker: str  # what makes the load, in words

    def measure_load(self, members: Sequence[Member], deadline: float) -> Load | None:
        """The load as it is now; None where that cannot be told. Never raises."""
        ...


@dataclass(frozen=True)
class Needs:
    """What a run takes from the machine. `source` says where the figures come from, and of when they are."""

    pull: int  # bytes of all images, as a registry sends them
    memory: int  # bytes that all containers of the subject take together
    source: str


@runtime_checkable
class HasNeeds(Protocol):
    """A subject that says what it takes, which the engine cannot tell before the images are pulled and the run has
    begun; `Subject` plus this."""

    needs: Needs


@dataclass(frozen=True)
class Found:
    """A subject and its folder: inside the program, or `outside` of it on the disk.

    `described` is the subject as JSON, where it has no code of its own: so it goes into our containers, and its folder
    stays here. `scenarios` are those that were made for it, by name, as the text of a file.
    """

    subject: Subject
    folder: Traversable
    outside: bool = False
    compose: str = "compose.yaml"  # the name of its Compose file
    described: str = ""
    scenarios: Mapping[str, str] = field(default_factory=dict)


def names() -> list[str]:
    """The subjects that are part of the program."""
    return sorted(entry.name for entry in files("subjects").iterdir()
                  if entry.is_dir() and entry.joinpath("subject.py").is_file())


def is_path(text: str) -> bool:
    """Is this the path of a subject's folder or Compose file, and not the name of one of ours?"""
    return "/" in text or text == "." or text.endswith((".yaml", ".yml"))


def load(text: str, agree: Agree = refuse_unknown) -> Found:
    """A subject of ours by its name, or somebody's own by the path of its folder or Compose file.

    A folder's Python runs only after `agree` has returned. Raises `UsageError` for a name that is none of ours, and for
    a folder that holds no subject, saying what it lacks.
    """
    if is_path(text):
        return _load_path(Path(text), agree)
    known = names()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text) or text not in known:
        raise UsageError(f"There is no subject {text!r}.",
                         f"Known subjects: {', '.join(known)}. A subject of your own is given by its folder: "
                         "./my-subject.")
    module = importlib.import_module(f"subjects.{text}.subject")
    return Found(module.SUBJECT, files("subjects").joinpath(text))


def load_inside(text: str) -> Subject:
    """In our containers: by its name, by the folder that was copied in, or by its description."""
    if not text.startswith("{"):
        return load(text, agreed_by_the_host).subject
    from operator_demo.declared_subject import subject_of  # (which know this module)
    from operator_demo.plain_subject import Description

    return subject_of(Description.from_json(text))


def _load_path(path: Path, agree: Agree) -> Found:
    """A file is a Compose file, of which nothing else is known; so is that of a folder without subject.py."""
    from operator_demo.compose_subject import describe, find_compose_file  # (which knows this module)

    path = path.resolve()
    if path.is_file():
        return describe(path)
    compose = find_compose_file(path)
    if not path.joinpath("subject.py").is_file():
        return describe(compose)
    return _load_code(path, compose.name, agree)


def _load_code(folder: Path, compose: str, agree: Agree) -> Found:
    package = folder.name.replace("-", "_")
    if not package.isidentifier() or package in names():
        raise UsageError(f"{folder.name!r} cannot be the name of a subject's folder here.",
                         f"Letters, digits, - and _, not beginning with a digit, and none of {', '.join(names())}.")
    code = read_code(folder)
    agree(code)
    hide_secrets()
    subject = _run(code, f"subjects.{package}")
    lacking = [name for name in _demanded() if not hasattr(subject, name)]
    if lacking:
        raise UsageError(f"SUBJECT in {folder / 'subject.py'} lacks {', '.join(lacking)}.",
                         "docs/subjects.md tells what is asked of a subject.")
    return Found(subject, folder, outside=True, compose=compose)


def _run(code: SubjectCode, package: str) -> Subject:
    try:
        subject: Subject = code.run(package).SUBJECT
    except Exception as e:
        place = next((f"{f.filename}:{f.lineno}" for f in reversed(traceback.extract_tb(e.__traceback__))
                      if f.filename.startswith(str(code.folder))), str(code.folder / "subject.py"))
        raise UsageError(f"{place}: the subject cannot be loaded: {type(e).__name__}: {e}") from e
    return subject


def _demanded() -> list[str]:
    """The names that the protocol asks of a subject."""
    methods = [name for name, _ in inspect.getmembers(Subject, inspect.isfunction) if not name.startswith("_")]
    return sorted({*Subject.__annotations__, *methods})


class Deadline:
    """A point in time that a group of calls shares."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())
