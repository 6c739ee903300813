#!/usr/bin/env python3
"""A stand-in for tikv-server: its command line, raw calls by gRPC, and its status port with real-looking metrics.

It takes the flags of tikv-server v8.5.7 (cmd/tikv-server/src/main.rs) and reads its configuration file. On 20160 it
speaks gRPC with the errors of regions that real stores answered (tests/tikv/recorded). On 20180 it answers as
src/server/status_server/mod.rs does. Replication is that of stand_in_raft.
"""

import bisect
import contextlib
import os
import resource
import signal
import sys
import threading
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import stand_in_grpc
from stand_in_flags import parse
from stand_in_raft import RAFT_PORT, Raft, Region
from stand_in_scrape import SIMPLIFIED, WHOLE, filled
from stand_in_slowness import INSPECT, SlowScore
from stand_in_web import Answer, Text, ask, serve

from subjects.tikv.protobuf import Message, encode

FLAGS = ("config", "log-level", "log-file", "addr", "advertise-addr", "status-addr", "advertise-status-addr",
         "data-dir", "capacity", "pd-endpoints", "labels", "metrics-addr")
ALIASES = {"pd": "pd-endpoints", "pd-endpoint": "pd-endpoints", "store": "data-dir", "label": "labels",
           "log": "log-level"}
SECTIONS = {"storage", "rocksdb", "raftdb", "coprocessor", "server", "raftstore", "log", "readpool"}
HEARTBEAT = 10.0  # seconds between two heartbeats of the store to PD; the first comes as late after the start
RETRY = 0.5  # seconds before it is told again, where PD has no leader
REPORT = 1.0  # seconds between two reports about the regions that it leads, where nothing has changed
SPLIT = 512 * 1024  # bytes of a region (region-split-size)
BUCKETS = [5e-5 * 2 ** n for n in range(22)]  # of tikv_grpc_msg_duration_seconds (src/server/metrics.rs)
STOPPING = 8.0  # seconds that a store that is to end may take to give its leaders away
STATS = 60.0  # seconds between two reckonings of the space
RAFT_SIZE = 256 * 1024 ** 2  # bytes that raft-engine takes at once
LAG_BUCKETS = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 5120, 10240]
NOT_LEADER, NOT_FOUND, NOT_IN_REGION, EPOCH, WRONG_STORE, INDEX_NOT_READY = 2, 3, 4, 5, 8, 11  # kinds of errors


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
    """`faults` are defects that a test injects: `drops` (a put is acknowledged and not done), `stale` (a follower
    answers reads with what it had when the fault began) and `slow` (its disk takes long)."""

    def __init__(self, flags: dict[str, str], host: str = "", hosts: dict[str, str] | None = None,
                 simplify: bool = False) -> None:
        """`host` is where it listens, and `hosts` the addresses behind the names, where the resolver has none.
        `simplify` is `simplify-metrics`."""
        self.address, self.status_address = flags["advertise-addr"], flags["advertise-status-addr"]
        self.host, self.hosts = host, hosts or {}
        self.pds = flags["pd-endpoints"].split(",")
        self.folder = Path(flags["data-dir"])
        self.snapshots = self.folder / "snap"
        self.snapshots.mkdir(parents=True, exist_ok=True)
        self.configured = size(flags.get("capacity", "100GB"))
        self.capacity = self.used = self.available = 0
        self.requests = {kind: Histogram(BUCKETS) for kind in ("raw_get", "raw_put")}
        self.lag = Histogram([float(b) for b in LAG_BUCKETS])
        self.simplify = simplify
        self.lock = threading.Lock()  # of the histograms and the operations
        self.operations: Counter[int] = Counter()  # by region, since the last heartbeat
        self.slowness = SlowScore()
        self.faults = set(os.environ.get("STAND_IN_FAULTS", "").split())
        self.frozen: dict[int, dict[str, str]] = {}
        self.raft = Raft(self.folder, self.raft_address, host)
        self.reckon()

    def resolve(self, address: str) -> str:
        name, _, port = address.partition(":")
        return f"{self.hosts.get(name, name)}:{port}"

    def raft_address(self, address: str) -> str:
        return self.resolve(f"{address.partition(':')[0]}:{RAFT_PORT}")

    def begin(self) -> None:
        """As the real one, it serves nobody before PD knows it."""
        self.register()
        for work in (self.beat, self.report, self.reckon_often, self.split_often, self.inspect_often):
            threading.Thread(target=work, daemon=True).start()
        stand_in_grpc.serve(20160, self.on_service_port, self.host)
        serve(20180, self.on_status_port, self.host)

    # -- with PD -----------------------------------------------------------------------------------------------------

    def tell_pd(self, what: str, said: Any) -> dict[str, Any]:
        """PD's answer; empty if there is none."""
        for n, pd in enumerate(list(self.pds)):
            try:
                told = ask(f"http://{self.resolve(pd)}/stand-in/{what}", said, timeout=2.0)
                self.pds.insert(0, self.pds.pop(n))
                return dict(told)
            except (OSError, ValueError):
                continue
        return {}

    def register(self) -> None:
        """Ends the process with status 1 where PD knows another store with this address."""
        while not self.raft.id:
            id_ = self.own_id()
            me = {"id": id_, "address": self.address, "status_address": self.status_address, "start_ts": STARTED}
            told = self.tell_pd("register", me) if id_ else {}
            if "error" in told:
                sys.exit(f'[FATAL] [server.rs:1026] ["failed to start node: Grpc(RpcFailure(RpcStatus {{ code: '
                         f'2-UNKNOWN, message: {told["error"]!r}, details: [] }}))"]')
            self.raft.id = told.get("id", 0)
            if not self.raft.id:
                time.sleep(0.2)

    def own_id(self) -> int:
        """That in the data folder; for an empty one, PD gives one. 0 if it does not answer."""
        file = self.folder / "store_id"
        if not file.exists():
            given = self.tell_pd("ids", {"count": 1}).get("ids")
            if not given:
                return 0
            file.with_suffix(".new").write_text(str(given[0]))
            file.with_suffix(".new").rename(file)
        return int(file.read_text())

    def beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT)
            with self.lock:
                operations, self.operations = self.operations, Counter()
            said = {"id": self.raft.id, "capacity": self.capacity, "available": self.available,
                    "slow_score": int(self.slowness.value), "operations": operations}
            while not self.tell_pd("heartbeat", said):
                time.sleep(RETRY)

    def report(self) -> None:
        while True:
            self.raft.moved.wait(REPORT)
            self.raft.moved.clear()
            self.learn(self.tell_pd("regions", {"id": self.raft.id, "led": self.led()}))

    def led(self) -> list[dict[str, Any]]:
        with self.raft.lock:
            return [{"id": r.id, "start": r.start, "end": r.end, "conf_ver": r.conf_ver, "version": r.version,
                     "peers": r.peers, "learners": sorted(r.learners), "pending": self.raft.pending(r),
                     "term": r.term, "size": r.size, "keys": len(r.data)}
                    for r in self.raft.regions.values() if r.leader == self.raft.id and r.serving]

    def give_leaders_away(self) -> None:
        """Before it ends: PD hands them to others. Returns when it leads nothing, or after `STOPPING`."""
        end = time.monotonic() + STOPPING
        self.tell_pd("stopping", {"id": self.raft.id})
        while self.led() and time.monotonic() < end:
            self.raft.moved.set()
            time.sleep(0.1)

    def learn(self, told: dict[str, Any]) -> None:
        if not told:
            return
        self.raft.meet(told["stores"])
        if told["create"]:
            self.raft.create(told["create"])
        for id_, order in told["orders"].items():
            self.raft.hand_over(self.raft.regions[int(id_)], order["to"])
        for id_, change in told["changes"].items():
            self.raft.change(self.raft.regions[int(id_)], change)

    # -- raw calls ---------------------------------------------------------------------------------------------------

    def on_service_port(self, path: str, message: bytes) -> stand_in_grpc.Answer:
        kind = {"/tikvpb.Tikv/RawGet": "raw_get", "/tikvpb.Tikv/RawPut": "raw_put"}.get(path)
        if kind is None:
            return stand_in_grpc.UNIMPLEMENTED
        began, request = time.perf_counter(), Message(message)
        answer = self.serve_client(kind, request, request.message(1))
        with self.lock:
            self.requests[kind].observe(time.perf_counter() - began)
            self.operations[request.message(1).number(1)] += 1
        return answer

    def serve_client(self, kind: str, request: Message, context: Message) -> stand_in_grpc.Answer:
        key = request.bytes(2).decode("latin-1")
        store, id_ = context.message(3).number(2), context.number(1)
        region = self.raft.regions.get(id_)
        if store != self.raft.id:
            return error(f"to store id {store}, mine {self.raft.id}", WRONG_STORE, {1: store, 2: self.raft.id})
        if region is None:
            return error(f"region {id_} is missing", NOT_FOUND, {1: id_})
        replica_read = bool(context.number(12)) and kind == "raw_get"
        if replica_read and region.leader != self.raft.id:
            return self.refusal(region, context, key) or self.read_as_follower(region, key)
        with region.turn:
            if not self.raft.may_serve(region):
                return not_leader(region, self.raft.id)
            refused = self.refusal(region, context, key)
            if refused:
                return refused
            if kind == "raw_get":
                return found(region.data.get(key))
            if "drops" in self.faults:
                return b""
            self.lag.observe(1.0)
            change = {"key": key, "value": request.bytes(3).decode("latin-1")}
            return b"" if self.raft.propose(region, change) else error("undetermined", 22, {})

    def refusal(self, region: Region, context: Message, key: str) -> bytes:
        """The error of a request for another version of the region, or for another key; empty if it is right. Reads
        and writes may have an old `conf_ver` (check_region_epoch in components/raftstore/src/store/util.rs)."""
        epoch = context.message(2)
        with self.raft.lock:
            if epoch.number(2) != region.version:
                text = (f"EpochNotMatch current epoch of region {region.id} is conf_ver: {region.conf_ver} version: "
                        f"{region.version}, but you sent conf_ver: {epoch.number(1)} version: {epoch.number(2)}")
                now = sorted((r for r in self.raft.regions.values() if r.start >= region.start), key=lambda r: r.start)
                return error(text, EPOCH, {1: [told(r) for r in now]})
            if not region.holds(key) or not key:
                where = {1: key.encode("latin-1"), 2: region.id, 3: region.start.encode("latin-1"),
                         4: region.end.encode("latin-1")}
                return error(f"key {key.encode('latin-1').hex().upper()} is not in region key range "
                             f"[{region.start.encode('latin-1').hex().upper()}, "
                             f"{region.end.encode('latin-1').hex().upper()}) for region {region.id}",
                             NOT_IN_REGION, where)
        return b""

    def read_as_follower(self, region: Region, key: str) -> bytes:
        if "stale" in self.faults:
            return found(self.frozen.setdefault(region.id, dict(region.data)).get(key))
        if not self.raft.caught_up(region):
            return error("read index not ready", INDEX_NOT_READY, {1: b"no leader", 2: region.id})
        return found(region.data.get(key))

    # -- splits ------------------------------------------------------------------------------------------------------

    def split_often(self) -> None:
        while True:
            time.sleep(0.2)
            large = [r for r in list(self.raft.regions.values()) if r.size > 1.5 * SPLIT and self.raft.may_serve(r)]
            for region in large:
                with contextlib.suppress(KeyError):
                    self.split(region)

    def split(self, region: Region) -> None:
        """Where SPLIT bytes are reached. Raises `KeyError` if PD gives no ids."""
        ids = self.tell_pd("ids", {"count": 1 + len(region.peers)})["ids"]
        with region.turn, self.raft.lock:
            passed, at = 0, ""
            for key in sorted(region.data):
                at = key
                passed += len(key) + len(region.data[key])
                if passed > SPLIT:
                    break
            change = {"split": at, "id": ids[0], "peers": dict(zip(region.peers, ids[1:], strict=True))}
        with region.turn:
            if at > region.start and self.raft.may_serve(region):
                self.raft.propose(region, change)

    # -- how slow it is ----------------------------------------------------------------------------------------------

    def inspect_often(self) -> None:
        while True:
            time.sleep(INSPECT)
            began = time.monotonic()
            if "slow" in self.faults:
                time.sleep(2 * INSPECT)
            with self.raft.lock:
                self.raft.log.flush()
            self.slowness.observe(time.monotonic() - began)

    # -- the status port ---------------------------------------------------------------------------------------------

    def on_status_port(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        match path.partition("?")[0]:
            case "/status":
                return 200, Text("")
            case "/metrics":
                return 200, Text(self.metrics(), "text/plain; version=0.0.4")
        return 404, Text("path not found")

    # -- space -------------------------------------------------------------------------------------------------------

    def reckon_often(self) -> None:
        while True:
            time.sleep(STATS)
            self.reckon()

    def reckon(self) -> None:
        """As init_storage_stats_task in components/server/src/server.rs and `DiskUsageChecker::inspect`."""
        disk = os.statvfs(self.folder)
        total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        data = sum(r.size for r in list(self.raft.regions.values()))
        self.used = data + RAFT_SIZE + total_snap_size(self.snapshots)
        self.capacity = min(total, self.configured)
        self.available = min(max(0, self.capacity - self.used), free)

    def metrics(self) -> str:
        leads = sum(r.leader == self.raft.id for r in list(self.raft.regions.values()))
        data = sum(r.size for r in list(self.raft.regions.values()))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        lines = [*about("process_cpu_seconds_total", "counter"),
                 f"process_cpu_seconds_total {int(time.process_time())}",
                 *about("process_resident_memory_bytes", "gauge"), f"process_resident_memory_bytes {memory}",
                 *about("tikv_server_info", "gauge"),
                 f'tikv_server_info{{hash="0",version="8.5.7-stand-in"}} {int(STARTED)}',
                 *about("tikv_raftstore_region_count", "gauge"),
                 f'tikv_raftstore_region_count{{type="leader"}} {leads}',
                 f'tikv_raftstore_region_count{{type="region"}} {len(self.raft.regions)}',
                 *about("tikv_store_size_bytes", "gauge"),
                 f'tikv_store_size_bytes{{type="available"}} {self.available}',
                 f'tikv_store_size_bytes{{type="capacity"}} {self.capacity}',
                 f'tikv_store_size_bytes{{type="kv_size"}} {data}',
                 f'tikv_store_size_bytes{{type="raft_size"}} {RAFT_SIZE}',
                 f'tikv_store_size_bytes{{type="used"}} {self.used}',
                 *about("tikv_grpc_msg_duration_seconds", "histogram")]
        if not self.simplify:
            lines += [*about("tikv_raftstore_leader_missing", "gauge"), "tikv_raftstore_leader_missing 0"]
        with self.lock:
            for kind, histogram in self.requests.items():
                if any(histogram.counts):
                    lines += histogram.lines("tikv_grpc_msg_duration_seconds", f'priority="unknown",type="{kind}"')
            lines += [*about("tikv_raftstore_log_lag", "histogram"), *self.lag.lines("tikv_raftstore_log_lag", "")]
        return filled(lines, *(SIMPLIFIED if self.simplify else WHOLE))


def about(name: str, type_: str) -> list[str]:
    return [f"# HELP {name} As of TiKV.", f"# TYPE {name} {type_}"]


def error(text: str, kind: int, more: Any) -> bytes:
    """An answer that is an error of the region."""
    return encode({1: {1: text.encode(), kind: more}})


def not_leader(region: Region, store: int) -> bytes:
    """Names the leader, if the store knows another one."""
    peer = region.peers.get(str(region.leader), 0) if region.leader != store else 0
    leader = {2: {1: peer, 2: region.leader}} if peer else {}
    who = f"Some(id: {peer} store_id: {region.leader})" if peer else "None"
    return error(f"peer is not leader for region {region.id}, leader may {who}", NOT_LEADER, {1: region.id, **leader})


def told(region: Region) -> dict[int, Any]:
    return {1: region.id, 2: region.start.encode("latin-1"), 3: region.end.encode("latin-1"),
            4: {1: region.conf_ver, 2: region.version},
            5: [{1: peer, 2: int(store)} for store, peer in region.peers.items()]}


def found(value: str | None) -> bytes:
    return encode({4: 1}) if value is None else encode({3: value.encode("latin-1")})


def size(text: str) -> int:
    number, unit = text.rstrip("KMGTB"), text.lstrip("0123456789")
    return int(number) * 1024 ** "BKMGT".index(unit[:1] or "B")


def total_snap_size(folder: Path) -> int:
    """As `SnapManagerCore::get_total_snap_size` in components/raftstore/src/store/snap.rs."""
    return sum(entry.stat().st_size for entry in folder.iterdir()
               if entry.is_file() and not entry.name.endswith((".clone", ".meta")))


def read_config(path: str) -> bool:
    """Does it ask for simple metrics? Status 1 for a section that TiKV does not know."""
    with open(path, "rb") as file:
        config = tomllib.load(file)
    unknown = config.keys() - SECTIONS
    if unknown:
        sys.exit(f"unknown configuration options: {', '.join(unknown)}")
    return bool(config.get("server", {}).get("simplify-metrics", False))


def keep_config(path: str, folder: Path) -> None:
    """As `validate_and_persist_config` in src/config/mod.rs: what was kept last must be readable."""
    last = folder / "last_tikv.toml"
    if last.exists():
        try:
            tomllib.loads(last.read_text())
        except tomllib.TOMLDecodeError as e:
            print(f"panicked at 'invalid auto generated configuration file {last}, err {e}'", file=sys.stderr)
            sys.exit(101)  # as a panic of Rust
    folder.mkdir(parents=True, exist_ok=True)
    last.write_text(Path(path).read_text() if path else "")


STARTED = time.time()

if __name__ == "__main__":
    given = parse(FLAGS, sys.argv[1:], ALIASES)
    simple = "config" in given and read_config(given["config"])
    keep_config(given.get("config", ""), Path(given["data-dir"]))
    made = Store(given, simplify=simple)
    made.begin()
    print(f"[INFO] stand-in for TiKV, {made.address}: not the real one", flush=True)
    asked_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    asked_to_end.wait()
    made.give_leaders_away()
