"""Faults that limit a member's resources: processor, memory, disk."""

import re
import shlex
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from operator_demo.chaos import helper
from operator_demo.chaos.container_state import KILL, same_container
from operator_demo.chaos.data import helper_mounts, mounted_volumes
from operator_demo.chaos.primitive import Before, FaultError, Ground, Parameter, Primitive, Proof, Values
from operator_demo.engine import container_action, happened, inspect, set_limits, stats, supports
from operator_demo.errors import OperatorError

_PERIOD = 100_000  # microseconds, the kernel's own where none was chosen
_LEAST_QUOTA = 1_000  # microseconds, the engine's minimum
_UNLIMITED = (1 << 63) - 4096  # bytes: no limit for the kernel; the engine accepts neither 0 nor -1
MIB = 1 << 20


class Cpu(Primitive):
    kind, what = "cpu", "the member gets a small share of one processor"
    proof = "the quota, and the count of periods in which the member was throttled"
    parameters: ClassVar = {"cpus": Parameter("processors that the member may use", "cpus", 0.01, 64, 0.05)}
    settle = 20.0

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        if not supports(ground.engine, "CpuCfsQuota"):
            return "the engine's kernel has no CFS bandwidth control"
        return KILL.problem(ground, targets)

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        before = {}
        for name in targets:
            described = ground.inspect(name)
            host = described["HostConfig"]
            before[name] = {"id": described["Id"], "quota": host.get("CpuQuota") or 0,
                            "period": host.get("CpuPeriod") or 0, "nano": host.get("NanoCpus") or 0}
        return before

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            set_limits(ground.engine, before[name]["id"], **self._limits(before[name], values))

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        proof = self.holds(ground, targets, values, before)
        if not proof.bites:
            return proof
        first = {name: self._throttled(ground, before[name]["id"]) for name in targets}
        time.sleep(1.0)
        more = {name: self._throttled(ground, before[name]["id"]) - first[name] for name in targets}
        return Proof(all(more.values()), ", ".join(f"{name} was throttled {n} times in a second"
                                                   for name, n in more.items()))

    def holds(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        free = []
        for name in targets:
            if same_container(ground, before, name) is None:
                return Proof(False, f"{name} is gone, or has a new container")
            if not self._is_set(ground, before[name], values):
                free.append(name)
        return Proof(not free, f"{', '.join(free or targets)} {'not ' if free else ''}"
                               f"held to {values['cpus']:g} processors")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            if same_container(ground, before, name) is not None and self._is_set(ground, was, values):
                limits = {"NanoCpus": was["nano"]} if was["nano"] else {"CpuQuota": was["quota"] or -1}
                set_limits(ground.engine, was["id"], **limits)

    @staticmethod
    def _limits(was: dict[str, Any], values: Values) -> dict[str, int]:
        if was["nano"]:
            return {"NanoCpus": round(values["cpus"] * 1e9)}
        return {"CpuQuota": max(_LEAST_QUOTA, round(values["cpus"] * (was["period"] or _PERIOD)))}

    def _is_set(self, ground: Ground, was: dict[str, Any], values: Values) -> bool:
        host = inspect(ground.engine, was["id"])["HostConfig"]
        return all(host.get(key) == value for key, value in self._limits(was, values).items())

    @staticmethod
    def _throttled(ground: Ground, container: str) -> int:
        cpu = stats(ground.engine, container)
        return int(((cpu.get("cpu_stats") or {}).get("throttling_data") or {}).get("throttled_periods") or 0)


# Finds the cgroup of the process 1 that the helper sees: cgroup v2, or the named controller of v1.
_CGROUP = """set -e
mkdir /c
if mount -t cgroup -o {controller} none /c 2>/dev/null; then
    v=1; own=$(sed -n 's/^[0-9]*:\\([^:]*,\\)*{controller}\\(,[^:]*\\)*://p' /proc/1/cgroup)
else
    v=2; mount -t cgroup2 none /c; own=$(sed -n 's/^0:://p' /proc/1/cgroup)
fi
cd "/c$own"
"""
_CGROUP_RIGHTS = ("SYS_ADMIN", "SYS_PTRACE", "DAC_OVERRIDE")


class Memory(Primitive):
    kind, what = "memory", "the memory limit is put just above what the member uses, and the rest is allocated"
    proof = "the engine tells of the out-of-memory killer"
    parameters: ClassVar = {"headroom": Parameter("room above what is used now", "MiB", 1, 4096, 8)}
    settle = 20.0

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        if not supports(ground.engine, "MemoryLimit"):
            return "the engine's kernel has no memory limits"
        if missing := helper.missing(ground):
            return missing
        status, output = helper.probe(ground, _CGROUP.format(controller="memory"), _CGROUP_RIGHTS, unconfined=True)
        return f"a helper cannot reach the cgroups ({output})" if status != 0 else KILL.problem(ground, targets)

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        before = {}
        for name in targets:
            described = ground.inspect(name)
            host = described["HostConfig"]
            before[name] = {"id": described["Id"], "memory": host.get("Memory") or 0,
                            "swap": host.get("MemorySwap") or 0, "limit": 0, "since": ground.engine.now()}
        return before

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            was["limit"] = max(6 * MIB, _used(ground, was["id"]) + round(values["headroom"] * MIB))
            was["since"] = ground.engine.now()
            ground.keep()
            set_limits(ground.engine, was["id"], Memory=was["limit"], MemorySwap=was["limit"])
            # The kernel must kill the member, and not the helper that allocates the memory.
            script = _CGROUP.format(controller="memory") + (
                "kills() { cat memory.oom_control memory.events 2>/dev/null | sed -n 's/^oom_kill //p'; }\n"
                "before=$(kills); echo 1000 >/proc/1/oom_score_adj; echo 0 >cgroup.procs\n"
                f"python3 -c 'import time; kept = []\nfor n in range({values['headroom'] + 256:.0f}):\n"
                "    kept.append(bytearray(b\"x\") * (1 << 20)); time.sleep(0.002)' &\n"
                "n=0; while [ $n -lt 100 ] && [ \"$(kills)\" = \"$before\" ]; do n=$((n + 1)); sleep 0.1; done\n"
                "kill -9 $! 2>/dev/null; true")
            helper.run(ground, script, processes_of=was["id"], capabilities=_CGROUP_RIGHTS, unconfined=True)

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        proof = self.holds(ground, targets, values, before)
        calm = [name for name in targets
                if not happened(ground.engine, before[name]["id"], "oom", before[name]["since"])]
        if proof.bites and calm:
            return Proof(False, f"{', '.join(calm)} did not run out of memory")
        return Proof(proof.bites, f"{proof.saw}, and ran out of it" if proof.bites else proof.saw)

    def holds(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        for name in targets:
            if same_container(ground, before, name) is None:
                return Proof(False, f"{name} is gone, or has a new container")
            if ground.inspect(name)["HostConfig"].get("Memory") != before[name]["limit"]:
                return Proof(False, f"{name} has another memory limit")
        return Proof(True, ", ".join(f"{name} has {before[name]['limit'] / MIB:.0f} MiB of memory" for name in targets))

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            container = same_container(ground, before, name)
            if container is None:
                continue
            if ground.inspect(name)["HostConfig"].get("Memory") == was["limit"]:
                limits = {"Memory": was["memory"], "MemorySwap": was["swap"] or -1} if was["memory"] else \
                    {"Memory": _UNLIMITED, "MemorySwap": _UNLIMITED}
                set_limits(ground.engine, was["id"], **limits)
            if container.state == "exited":
                container_action(ground.engine, was["id"], "start")


def _used(ground: Ground, container: str) -> int:
    """Bytes that the kernel cannot reclaim: without its cache of files."""
    memory = stats(ground.engine, container).get("memory_stats") or {}
    detail = memory.get("stats") or {}
    files = detail.get("total_cache", detail.get("file", 0)) - detail.get("total_mapped_file", 0)
    return max(int(memory.get("usage") or 0) - max(int(files), 0), 0)


class SlowDisk(Primitive):
    kind, what = "slow-disk", "what the member writes to its disk is throttled"
    proof = "the rate at which a process in the member's group writes to its volume"
    parameters: ClassVar = {"rate": Parameter("what may be written", "KiB/s", 16, 1_000_000, 256)}
    every = 10.0
    settle = 15.0
    _FILE = "file=blkio.throttle.write_bps_device; [ $v = 1 ] || file=io.max\n"
    _DEVICE = """dev=$(mountpoint -d /volumes/0)
[ ! -e "/sys/dev/block/$dev/partition" ] || dev=$(cat "/sys/dev/block/$dev/../dev")
[ -e "/sys/dev/block/$dev" ] || { echo "the volume is on no disk of its own ($dev)"; exit 9; }
"""

    def problem(self, ground: Ground, targets: Sequence[str]) -> str | None:
        if missing := helper.missing(ground):
            return missing
        status, output = helper.probe(
            ground, _CGROUP.format(controller="blkio") + self._FILE + '[ -e $file ] || { echo "no throttle"; exit 1; }',
            _CGROUP_RIGHTS, unconfined=True)
        if status != 0:
            return f"the engine's kernel cannot throttle a disk, or a helper cannot reach the cgroups ({output})"
        wrong = KILL.problem(ground, targets)
        for name in targets if wrong is None else []:
            if not mounted_volumes(ground, name):
                return f"{name} has no volume"
            status, output = self._in_group(ground, name, ground.member(name).id, self._DEVICE)
            if status != 0:
                return output
        return wrong

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        before = {}
        for name in targets:
            id_ = ground.member(name).id
            look = 'echo device $dev\ngrep "^$dev " $file || true'
            status, output = self._in_group(ground, name, id_, self._DEVICE + look)
            device = re.match(r"device (\S+)(?: \S+ (.*))?$", output)
            if status != 0 or not device:
                raise FaultError(f"The disk of {name} cannot be found: {output}")
            before[name] = {"id": id_, "device": device[1], "limit": device[2] or "",
                            "started": ground.inspect(name)["State"]["StartedAt"]}
        return before

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            status, output = self._in_group(ground, name, was["id"], self._setting(was["device"], values))
            if status != 0:
                raise FaultError(f"The disk of {name} could not be throttled: {output}")

    @staticmethod
    def _setting(device: str, values: Values) -> str:
        rate = round(values["rate"] * 1024)
        return f'if [ $v = 1 ]; then echo "{device} {rate}"; else echo "{device} wbps={rate}"; fi >$file\n'

    def _present(self, was: dict[str, Any], values: Values) -> str:
        return (f"grep -Eq '^{was['device']} (.*wbps=)?{round(values['rate'] * 1024)}( |$)' $file || "
                "{ echo not throttled; exit 1; }\n")

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        saw = []
        size = max(int(values["rate"] * 1024 * 1.5) // 4096, 8)
        for name in targets:
            if not self._same(ground, before, name):
                return Proof(False, f"{name} was restarted")
            # Not in the root of the volume: some engines report its last change as the volume's creation time.
            status, output = self._in_group(ground, name, before[name]["id"], self._present(before[name], values) + (
                "echo 0 >cgroup.procs\n"
                "folder=$(find /volumes/0 -mindepth 1 -type d -print -quit); file=${folder:-/volumes/0}/.aux\n"
                f"dd if=/dev/zero of=$file bs=4096 count={size} oflag=direct 2>&1 | tail -n 1; rm -f $file"))
            took = re.search(r"([\d.]+) s,", output)
            if status != 0 or not took:
                return Proof(False, f"{name}: {output}")
            rate = size * 4 / max(float(took[1]), 1e-6)
            saw.append(f"{name} writes {rate:.0f} KiB/s")
            if rate > 2 * values["rate"]:
                return Proof(False, saw[-1])
        return Proof(True, ", ".join(saw))

    def holds(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        gone = [name for name in targets if not self._same(ground, before, name) or self._in_group(
            ground, name, before[name]["id"], self._present(before[name], values))[0] != 0]
        return Proof(not gone, f"{', '.join(gone)} not throttled any more" if gone else "throttled")

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        for name in targets:
            was = before[name]
            if not self._same(ground, before, name):
                continue  # the cgroup ended with the process
            old = shlex.quote(f"{was['device']} {was['limit']}") if was["limit"] else ""
            script = (f"({self._present(was, values)}) || exit 0\n" +
                      (f"echo {old} >$file" if old else
                       f'n=0; [ $v = 1 ] || n=wbps=max; echo "{was["device"]} $n" >$file'))
            status, output = self._in_group(ground, name, was["id"], script)
            if status != 0 and self._same(ground, before, name):
                raise FaultError(f"The throttle of {name}'s disk could not be removed: {output}")

    @staticmethod
    def _same(ground: Ground, before: Before, name: str) -> bool:
        container = same_container(ground, before, name)
        return container is not None and container.state in ("running", "paused") and \
            ground.inspect(name)["State"]["StartedAt"] == before[name]["started"]

    def _in_group(self, ground: Ground, name: str, id_: str, script: str) -> tuple[int, str]:
        """Runs the script in the directory of the member's cgroup."""
        try:
            whole = _CGROUP.format(controller="blkio") + self._FILE + script
            return helper.run_for_line(ground, whole, processes_of=id_, volumes=helper_mounts(ground, name),
                                       capabilities=_CGROUP_RIGHTS, unconfined=True)
        except OperatorError as e:
            return 1, e.message
