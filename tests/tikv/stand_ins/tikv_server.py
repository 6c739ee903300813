#!/usr/bin/env python3
"""A stand-in for tikv-server: its command line, its status port with real-looking metrics, and simple elections.

It takes the flags of tikv-server v8.5.7 (cmd/tikv-server/src/main.rs) and reads its configuration file. On 20180 it
answers as src/server/status_server/mod.rs does. On 20160, where the real one speaks gRPC, it has an HTTP interface of
its own invention, for the other stand-ins: raft's heartbeats and reads and writes.

Regions have their leaders on stores that live: who does not hear from a leader for ELECTION seconds (the real one: 10
to 20) and still hears from a majority takes over its share of the regions.
"""

import bisect
import json
import os
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

from stand_in_flags import parse
from stand_in_web import Answer, ask, serve

FLAGS = ("config", "log-level", "log-file", "addr", "advertise-addr", "status-addr", "advertise-status-addr",
         "data-dir", "capacity", "pd-endpoints", "labels", "metrics-addr")
ALIASES = {"pd": "pd-endpoints", "pd-endpoint": "pd-endpoints", "store": "data-dir", "label": "labels",
           "log": "log-level"}
SECTIONS = {"storage", "rocksdb", "raftdb", "coprocessor", "server", "raftstore", "log", "readpool"}
ELECTION = 4.0  # seconds
HEARTBEAT = 3.0  # seconds between two heartbeats to PD (the real one: 10, and PD's orders reach it between them)
BUCKETS = [5e-5 * 2 ** n for n in range(22)]  # of tikv_grpc_msg_duration_seconds (src/server/metrics.rs)
STATS = 5.0  # seconds between two reckonings of the space (the real one: 60)
LAG_BUCKETS = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 5120, 10240]


class Histogram:
    def __init__(self, bounds: list[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        told, total = [], 0
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            total += count
            told.append(f'{name}_bucket{{{labels}{"," if labels else ""}le="{bound}"}} {total}')
        return [*told, f"{name}_sum{{{labels}}} {self.sum}", f"{name}_count{{{labels}}} {total}"]


class Store:
    def __init__(self, flags: dict[str, str]) -> None:
        self.address, self.status_address = flags["advertise-addr"], flags["advertise-status-addr"]
        self.pds = flags["pd-endpoints"].split(",")
        self.folder = Path(flags["data-dir"])
        self.snapshots = self.folder / "snap"
        self.snapshots.mkdir(parents=True, exist_ok=True)
        self.configured = size(flags.get("capacity", "100GB"))
        self.capacity = self.used = self.available = 0
        self.lock = threading.RLock()
        self.id = 0
        self.peers: dict[str, str] = {}  # store id -> address
        self.heard: dict[str, float] = {}  # store id -> when it answered
        self.regions: dict[str, dict[str, int]] = {}  # id -> {leader, term}
        self.data: dict[str, str] = {}
        self.requests = {kind: Histogram(BUCKETS) for kind in ("raw_get", "raw_put")}
        self.lag = Histogram([float(b) for b in LAG_BUCKETS])
        self.failed = 0
        self.moved = threading.Event()
        self.reckon()

    # -- with PD -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        while True:
            self.moved.clear()
            told = self.tell_pd()
            if told:
                self.learn(told)
            settled = told and len(self.peers) == 3 and self.regions and not told["hand_over"]
            self.moved.wait(HEARTBEAT if settled else 0.5)

    def tell_pd(self) -> dict[str, Any] | None:
        with self.lock:
            mine = {r: x["term"] for r, x in self.regions.items() if x["leader"] == self.id}
            said = {"address": self.address, "status_address": self.status_address, "capacity": self.capacity,
                    "available": self.available, "start_ts": STARTED, "leads": mine}
        for n, pd in enumerate(list(self.pds)):
            try:
                told = ask(f"http://{pd}/stand-in/heartbeat", said, timeout=2.0)
                self.pds.insert(0, self.pds.pop(n))
                return dict(told)
            except (OSError, ValueError):
                continue
        return None

    def learn(self, told: dict[str, Any]) -> None:
        with self.lock:
            self.id = told["id"]
            for store, address in told["stores"].items():
                if store not in self.peers and store != str(self.id):
                    threading.Thread(target=self.beat, args=(store,), daemon=True).start()
                self.peers[store] = address
            self.merge(told["regions"])
            for region, to in told["hand_over"].items():
                if self.regions[region]["leader"] == self.id:
                    self.regions[region] = {"leader": to, "term": self.regions[region]["term"] + 1}
                    self.moved.set()

    # -- with the other stores ---------------------------------------------------------------------------------------

    def beat(self, store: str) -> None:
        self.heard[store] = time.monotonic()
        last = time.monotonic()
        while True:
            time.sleep(0.4)
            try:
                with self.lock:
                    mine = {"from": self.id, "regions": self.regions}
                self.merge(ask(f"http://{self.peers[store]}/stand-in/raft", mine)["regions"])
                self.heard[store] = time.monotonic()
            except (OSError, ValueError):
                pass
            if time.monotonic() - last > ELECTION / 2:  # this process itself stood still: nobody else is to blame
                self.heard = dict.fromkeys(self.heard, time.monotonic())
            last = time.monotonic()
            self.elect()

    def elect(self) -> None:
        with self.lock:
            now = time.monotonic()
            alive = sorted([str(self.id), *(s for s, at in self.heard.items() if now - at < ELECTION)])
            if len(alive) < 2:
                return
            for region, x in self.regions.items():
                if str(x["leader"]) not in alive and alive[int(region) % len(alive)] == str(self.id):
                    self.regions[region] = {"leader": self.id, "term": x["term"] + 1}
                    print(f"[INFO] region {region}: elected leader of term {x['term'] + 1}", flush=True)
                    self.moved.set()

    def merge(self, regions: dict[str, dict[str, int]]) -> None:
        with self.lock:
            for region, x in regions.items():
                if x["term"] > self.regions.get(region, {"term": 0})["term"]:
                    self.regions[region] = x
                    if x["leader"] == self.id:
                        self.moved.set()

    def on_service_port(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        said = json.loads(body or b"{}")
        if path == "/stand-in/raft":
            self.merge(said["regions"])
            return 200, {"regions": self.regions}
        if path in ("/stand-in/raw_get", "/stand-in/raw_put"):
            return self.serve_client(path.rpartition("/")[2], said)
        return 404, b""

    def serve_client(self, kind: str, said: dict[str, str]) -> Answer:
        began = time.perf_counter()
        with self.lock:
            if self.regions.get(said["region"], {}).get("leader") != self.id:
                self.failed += 1
                return 409, {"error": "not leader"}
            if kind == "raw_put":
                self.data[said["key"]] = said["value"]
                self.lag.observe(1.0)
            value = self.data.get(said["key"])
            self.requests[kind].observe(time.perf_counter() - began)
        return 200, {"value": value}

    # -- the status port ---------------------------------------------------------------------------------------------

    def on_status_port(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        match path.partition("?")[0]:
            case "/status":
                return 200, b""
            case "/metrics":
                return 200, self.metrics()
        return 404, b"path not found"

    # -- space -------------------------------------------------------------------------------------------------------

    def reckon_often(self) -> None:
        while True:
            time.sleep(STATS)
            self.reckon()

    def reckon(self) -> None:
        """As init_storage_stats_task in components/server/src/server.rs and `DiskUsageChecker::inspect`."""
        disk = os.statvfs(self.folder)
        total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        with self.lock:
            self.used = sum(map(len, self.data.values())) + 50_000_000 + total_snap_size(self.snapshots)
            self.capacity = min(total, self.configured)
            self.available = min(max(0, self.capacity - self.used), free)

    def metrics(self) -> bytes:
        with self.lock:
            leads = sum(x["leader"] == self.id for x in self.regions.values())
            lines = [f"process_cpu_seconds_total {int(time.process_time())}",
                     f'tikv_server_info{{hash="0",version="8.5.7-stand-in"}} {int(STARTED)}',
                     f'tikv_raftstore_region_count{{type="region"}} {len(self.regions)}',
                     f'tikv_raftstore_region_count{{type="leader"}} {leads}',
                     "tikv_raftstore_leader_missing 0",
                     f'tikv_store_size_bytes{{type="capacity"}} {self.capacity}',
                     f'tikv_store_size_bytes{{type="available"}} {self.available}',
                     f'tikv_store_size_bytes{{type="used"}} {self.used}']
            for kind, histogram in self.requests.items():
                if any(histogram.counts):
                    lines += histogram.lines("tikv_grpc_msg_duration_seconds", f'type="{kind}",priority="medium"')
            lines += self.lag.lines("tikv_raftstore_log_lag", "")
        return "".join(f"{line}\n" for line in lines).encode()


def size(text: str) -> int:
    number, unit = text.rstrip("KMGTB"), text.lstrip("0123456789")
    return int(number) * 1024 ** "BKMGT".index(unit[:1] or "B")


def total_snap_size(folder: Path) -> int:
    """As `SnapManagerCore::get_total_snap_size` in components/raftstore/src/store/snap.rs."""
    return sum(entry.stat().st_size for entry in folder.iterdir()
               if entry.is_file() and not entry.name.endswith((".clone", ".meta")))


def read_config(path: str) -> None:
    with open(path, "rb") as file:
        unknown = tomllib.load(file).keys() - SECTIONS
    if unknown:
        sys.exit(f"unknown configuration options: {', '.join(unknown)}")


def keep_config(path: str, folder: Path) -> None:
    """As `validate_and_persist_config` in src/config/mod.rs: what was kept last must be readable."""
    last = folder / "last_tikv.toml"
    if last.exists():
        try:
            tomllib.loads(last.read_text())
        except tomllib.TOMLDecodeError as e:
            sys.exit(f"panicked at 'invalid auto generated configuration file {last}, err {e}'")
    folder.mkdir(parents=True, exist_ok=True)
    last.write_text(Path(path).read_text() if path else "")


STARTED = time.time()

if __name__ == "__main__":
    given = parse(FLAGS, sys.argv[1:], ALIASES)
    if "config" in given:
        read_config(given["config"])
    keep_config(given.get("config", ""), Path(given["data-dir"]))
    made = Store(given)
    threading.Thread(target=made.reckon_often, daemon=True).start()
    serve(20160, made.on_service_port)
    serve(20180, made.on_status_port)
    print(f"[INFO] stand-in for TiKV, {made.address}: not the real one", flush=True)
    made.run()
