"""Faults in a member's files on its volume. The subject says what to change there (`Anatomy`)."""

import base64
import hashlib
import posixpath
import shlex
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from operator_demo.chaos import helper
from operator_demo.chaos.anatomy import anatomy, of_another_kind
from operator_demo.chaos.container_state import KILL, same_container
from operator_demo.chaos.primitive import Before, FaultError, Ground, Parameter, Primitive, Proof, Values
from operator_demo.engine import container_action, parse_time
from operator_demo.subject import Subject

_YOUNG = 10.0  # seconds within which a member that cannot run has exited again, on a busy machine too
_HEAD = 64  # bytes at the beginning of a log that identify it; only a torn record may follow them
_POLICIES = ("always", "unless-stopped", "on-failure")


class CrashFault(Primitive):
    """A member that exits whenever it is started."""

    lives_in = "volume"
    settle = 20.0
    place: ClassVar[str]  # what is at `path`, as in "where its data is"

    def aims_at(self, subject: Subject) -> str:
        return anatomy(subject).kind

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        if not self.path(ground):
            return f"{ground.subject.name} does not say where {self.place}"
        wrong = of_another_kind(ground.subject, targets) or KILL.problem(ground, targets)
        wrong = wrong or helper.missing(ground)
        for name in targets if wrong is None else []:
            policy = ground.inspect(name)["HostConfig"]["RestartPolicy"]["Name"]
            if policy not in _POLICIES:
                return f"{name} is not started again when it ends (restart: {policy or 'no'})"
            wrong = wrong or _volume_problem(ground, name, self.path(ground))
        return wrong

    def path(self, ground: Ground) -> str:
        """Inside a member; "" where the subject does not say."""
        raise NotImplementedError

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        steady, saw = [], []
        for name in targets:
            if same_container(ground, before, name) is None:
                return Proof(False, f"{name} is gone, or has a new container")
            described = ground.inspect(name)
            restarts, state = int(described.get("RestartCount") or 0), described["State"]
            if restarts == 0 or state["Status"] == "exited" or is_steady(ground, described):
                steady.append(name)
            saw.append(f"{name} {crash_words(restarts, state)}")
        return Proof(not steady, ", ".join(saw))

    def known(self, ground: Ground, name: str, path: str) -> Before:
        volume, inside = volume_of(ground, name, path)
        described = ground.inspect(name)
        return {"id": described["Id"], "started": described["State"]["StartedAt"], "volume": volume, "path": inside}

    def start_well(self, ground: Ground, before: Before, name: str) -> None:
        """Restarts a member whose files are restored, unless it runs since before the fault."""
        container = same_container(ground, before, name)
        if container is not None and (container.state in ("restarting", "exited", "dead") or
                                      ground.inspect(name)["State"]["StartedAt"] != before[name]["started"]):
            container_action(ground.engine, container.id, "restart")


class CrashLoop(CrashFault):
    kind, what = "crash-loop", "a wrong setting keeps the member from starting, and it is started again and again"
    proof = "the engine counts restarts, and the member does not stay up"
    place = "its settings are"

    def path(self, ground: Ground) -> str:
        known = anatomy(ground.subject)
        return known.settings if known.bad_setting else ""

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        before = {}
        for name in targets:
            was = self.known(ground, name, self.path(ground))
            content = _only_file(ground, was["volume"], was["path"])
            bad = _poisoned(content, anatomy(ground.subject).bad_setting)
            before[name] = was | {"content": _pack(content), "bad": _digest(bad)}
        return before

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            bad = _poisoned(_unpack(was["content"]), anatomy(ground.subject).bad_setting)
            helper.write(ground, was["volume"], was["path"], bad)
            container_action(ground.engine, was["id"], "restart")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            files = []
            if helper.volume_exists(ground, was["volume"]):
                files = helper.read(ground, was["volume"], was["path"])
            if files and _digest(files[0]) == was["bad"]:
                helper.write(ground, was["volume"], was["path"], _unpack(was["content"]))
                self.start_well(ground, before, name)
            elif files and files[0] == _unpack(was["content"]) and is_down(ground, before, name):
                self.start_well(ground, before, name)


class WalCut(CrashFault):
    kind, what = "wal-cut", "the newest file of the member's write-ahead log is cut inside its records"
    proof = "the member ends with an error, again and again"
    parameters: ClassVar = {"keep": Parameter("what is left of the file", "bytes", 1000, 1_000_000, 8000, whole=True)}
    settle = 30.0
    in_steps = True  # the member is stopped first
    place = "its write-ahead log is"

    def path(self, ground: Ground) -> str:
        return anatomy(ground.subject).log

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        """The log is read when the member has stopped, and is in the journal before it is cut."""
        return {name: self.known(ground, name, self.path(ground)) for name in targets}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            container_action(ground.engine, was["id"], "stop")
            was["names"] = self._names(ground, was)
            if not was["names"]:
                raise FaultError(f"{name} has no write-ahead log at {was['path']}.")
            path = f"{posixpath.dirname(was['path'])}/{was['names'][-1]}"
            content = _only_file(ground, was["volume"], path)
            written = len(content.rstrip(b"\0"))
            keep = min(int(values["keep"]), written // 2)
            # The file is preallocated: only zeros follow the records.
            was |= {"file": path, "size": len(content), "keep": keep, "content": _pack(content[:written])}
            ground.keep()
            helper.write(ground, was["volume"], path, content[:keep])
            container_action(ground.engine, was["id"], "start")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            if "file" in was and helper.volume_exists(ground, was["volume"]):
                self._restore(ground, before, name)
            elif is_down(ground, before, name):
                self.start_well(ground, before, name)  # it was stopped, and its log was not cut

    def _restore(self, ground: Ground, before: Before, name: str) -> None:
        """Restores the log if it is still the one that was cut and the member does not run with it. The member may have
        removed the torn record and added others."""
        was, whole = before[name], _unpack(before[name]["content"])
        container = same_container(ground, before, name)
        if container is not None and is_steady(ground, ground.inspect(name)):
            return
        files = helper.read(ground, was["volume"], was["file"])
        left = files[0].rstrip(b"\0") if files else b""
        if not left.startswith(whole[:_HEAD]) or left.startswith(whole):
            if left.startswith(whole) and is_down(ground, before, name):
                self.start_well(ground, before, name)
            return
        if container is not None and container.state in ("running", "restarting"):
            container_action(ground.engine, container.id, "stop")
        helper.write(ground, was["volume"], was["file"], whole.ljust(was["size"], b"\0"))
        new = [other for other in self._names(ground, was, "*") if other.startswith(was["names"][-1])
               and other != was["names"][-1]]  # a copy that the member made
        if new:
            folder = shlex.quote(f"/volume/{posixpath.dirname(was['path'])}")
            helper.run(ground, f"cd {folder} && rm -f -- {' '.join(map(shlex.quote, new))}",
                       volumes={was["volume"]: "/volume"}, capabilities=("DAC_OVERRIDE",))
        self.start_well(ground, before, name)

    @staticmethod
    def _names(ground: Ground, was: dict[str, Any], pattern: str = "") -> list[str]:
        folder, own = posixpath.split(was["path"])
        script = f"cd {shlex.quote(f'/volume/{folder}')} && ls -1d -- {pattern or own} 2>/dev/null"
        _, output = helper.run(ground, script, volumes={was["volume"]: "/volume"}, capabilities=("DAC_OVERRIDE",))
        return sorted(output.split())


# -- files on volumes ------------------------------------------------------------------------------------------------

def mounted_volumes(ground: Ground, name: str) -> dict[str, str]:
    """Where the volumes of a member are mounted: path -> name."""
    return {m["Destination"]: m["Name"] for m in ground.inspect(name).get("Mounts") or [] if m["Type"] == "volume"}


def helper_mounts(ground: Ground, name: str) -> dict[str, str]:
    """Where a helper mounts the volumes of a member: name -> /volumes/0, /volumes/1, ... in order of their paths."""
    return {volume: f"/volumes/{n}" for n, (_, volume) in enumerate(sorted(mounted_volumes(ground, name).items()))}


def volume_of(ground: Ground, name: str, path: str) -> tuple[str, str]:
    """The volume that holds a path of the member, and the path in it."""
    for target, volume in sorted(mounted_volumes(ground, name).items(), key=lambda item: -len(item[0])):
        if path.startswith(target.rstrip("/") + "/"):
            return volume, path.removeprefix(target.rstrip("/") + "/")
    raise FaultError(f"{path} of {name} is in no volume.")


def _volume_problem(ground: Ground, name: str, path: str) -> str | None:
    try:
        volume_of(ground, name, path)
    except FaultError as e:
        return e.message.rstrip(".")
    return None


def _only_file(ground: Ground, volume: str, path: str) -> bytes:
    files = helper.read(ground, volume, path)
    if len(files) != 1:
        raise FaultError(f"There is no file {path} in the volume {volume}.")
    return files[0]


def crash_words(restarts: int, state: Mapping[str, Any]) -> str:
    """What a member in a crash loop does, by the engine's description of its state. While it runs, the engine tells no
    exit code of the last attempt."""
    times = "once" if restarts == 1 else f"{restarts} times"
    match state["Status"]:
        case "running":
            return f"was restarted {times} and is in a new attempt to start"
        case "restarting":
            return f"was restarted {times}, ended with status {state['ExitCode']} and waits for its next start"
        case status:
            return f"was restarted {times} and is {status} (status {state['ExitCode']})"


def is_down(ground: Ground, before: Before, name: str) -> bool:
    container = same_container(ground, before, name)
    return container is not None and container.state in ("exited", "dead", "restarting")


def is_steady(ground: Ground, described: dict[str, Any]) -> bool:
    """Has it run for some time, and is it healthy if it has a health check? (A member that lost the beginning of its
    log may keep running and never take part again.)"""
    state = described["State"]
    health = (state.get("Health") or {}).get("Status", "none")
    return bool(state["Running"]) and state["Status"] != "restarting" and health in ("healthy", "none") and \
        ground.engine.now() - parse_time(state["StartedAt"]) > _YOUNG


def _poisoned(content: bytes, bad: str) -> bytes:
    return content.rstrip(b"\n") + b"\n" + bad.encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 1)).decode()


def _unpack(packed: str) -> bytes:
    return zlib.decompress(base64.b64decode(packed))
