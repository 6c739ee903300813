"""What the program's own load on TiKV takes: its process as in its container, against stand-ins on this machine."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median

from benchmarks.measure import ROOT, Benchmark, Row, Unavailable, say
from operator_demo import events, rpc
from operator_demo.events import Load
from operator_demo.settings import Settings

STAND_INS = ROOT / "tests" / "tikv" / "stand_ins"
STORES = ("tikv0", "tikv1", "tikv2")
RATES = (200, 1_000)  # operations per second
WARM, SECONDS = 5, 20
READY = 60.0  # seconds until the stand-ins have replicated their first regions
DISK = "/var/tmp"  # (where /tmp is memory, a commit costs nothing)
MOST_PROCESSOR = {200: 30.0, 1_000: 100.0}  # per cent of a core
MOST_MEMORY = 60.0  # MB
GO_YCSB = "go-ycsb, on a real cluster at 200: 15 to 20 % of a core, 24 to 35 MB (measured elsewhere)"


def load() -> list[Row]:
    if not Path("/proc/self/stat").exists():
        raise Unavailable("this system has no /proc")
    rows = []
    for rate in RATES:
        say(f"load on TiKV: {rate} operations a second")
        rows += _rows(rate)
    return rows


def _rows(rate: int) -> list[Row]:
    with tempfile.TemporaryDirectory(dir=DISK) as folder, _cluster(Path(folder)) as hosts:
        shares, memory, loads = _measure(Path(folder), hosts, rate)
    done = median(load.ops for load in loads)
    failed = sum(load.late + load.failed for load in loads)
    p50 = median(load.p50 for load in loads if load.p50 is not None)
    remark = (f"{done:.0f} operations a second were done, p50 {p50 * 1e3:.1f} ms, {failed} were late or failed in "
              f"{len(loads)} s; the stand-ins ran on the same cores")
    return [
        Row(f"load on TiKV, {rate:,} op/s: processor", "one core", "%", shares, [],
            MOST_PROCESSOR[rate], against_theirs=False, remark=f"{remark}; {GO_YCSB}"),
        Row(f"load on TiKV, {rate:,} op/s: memory, peak", "", "MB", [memory], [], MOST_MEMORY, against_theirs=False),
    ]


def _measure(folder: Path, hosts: Mapping[str, str], rate: int) -> tuple[list[float], float, list[Load]]:
    """Of each second: the per cent of a core, and what the load told; and the most megabytes that it held."""
    with _workload(folder, hosts, rate) as process:
        assert process.stdout
        told = (json.loads(line) for line in process.stdout)
        seconds = (Load.of(e["data"]) for e in told if e["type"] == "load")
        for _ in range(WARM):
            next(seconds)
        shares, loads = [], []
        for _ in range(SECONDS):
            used, began = _processor_seconds(process.pid), time.monotonic()
            loads.append(next(seconds))
            shares.append(100 * (_processor_seconds(process.pid) - used) / (time.monotonic() - began))
        return shares, _peak(process.pid), loads


@contextmanager
def _workload(folder: Path, hosts: Mapping[str, str], rate: int) -> Iterator["subprocess.Popen[str]"]:
    """The process that its container runs; this one answers for the monitor."""
    settings = Settings(events.new_id("run"), "tikv", "bench", folder)
    members = [{"name": name, "state": "running", "address": address, "reachable": True}
               for name, address in hosts.items()]
    stop = threading.Event()
    monitor = threading.Thread(target=rpc.serve, args=(settings.monitor_socket, {"members": lambda: {
        "members": members}}, stop))
    monitor.start()
    environment = os.environ | {"OPERATOR_RUN": settings.run, "OPERATOR_SUBJECT": settings.subject,
                                "OPERATOR_PROJECT": settings.project, "OPERATOR_DATA": str(folder),
                                "OPERATOR_RATE": str(rate), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([sys.executable, "-m", "operator_demo", "workload"], cwd=ROOT, env=environment,
                               stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        stop.set()
        monitor.join()


@contextmanager
def _cluster(folder: Path) -> Iterator[dict[str, str]]:
    """One PD and three stores, each a process with an address of its own: yields the addresses."""
    network = f"127.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF}"
    hosts = {name: f"{network}.{n}" for n, name in enumerate(("pd0", *STORES), 1)}
    with ExitStack() as processes:
        for name in hosts:
            process = subprocess.Popen([sys.executable, "-m", "benchmarks.load", name, str(folder), json.dumps(hosts)],
                                       cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            processes.callback(_end, process)
        _until_replicated(hosts["pd0"])
        yield hosts


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _until_replicated(pd: str) -> None:
    end = time.monotonic() + READY
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"http://{pd}:2379/pd/api/v1/regions", timeout=2) as answer:
            regions = json.load(answer)["regions"]
            if regions and all([p["role_name"] for p in r["peers"]] == ["Voter"] * 3 for r in regions):
                return
        time.sleep(0.2)
    raise RuntimeError("the stand-ins did not replicate their regions")


def _processor_seconds(pid: int) -> float:
    """Of all its threads, and of the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak(pid: int) -> float:
    """Megabytes."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def stand_in(name: str, folder: Path, hosts: dict[str, str]) -> None:
    """Runs one until standard input ends, as it does with the process that started it."""
    sys.path.insert(0, str(STAND_INS))
    import pd_server
    import tikv_server
    if name == "pd0":
        pd = pd_server.Member({"name": name, "initial-cluster": f"{name}=http://{name}:2380"},
                              {"tolerant-size-ratio": 1.0, "hot-region-cache-hits-threshold": 100_000}, hosts[name])
        pd.begin()
        threading.Thread(target=pd.run, daemon=True).start()
    else:
        tikv_server.Store({"advertise-addr": f"{name}:20160", "advertise-status-addr": f"{name}:20180",
                           "pd-endpoints": "pd0:2379", "data-dir": str(folder / name), "capacity": "8GB"},
                          hosts[name], hosts).begin()
    sys.stdin.read()


BENCHMARKS: dict[str, Benchmark] = {"load": load}

if __name__ == "__main__":
    stand_in(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))
