#!/usr/bin/env python3
"""A stand-in for pd-server: its command line and its HTTP surface, with a simple election and no data behind it.

It takes the flags of pd-server v8.5.7 (cmd/pd-server/main.go) and answers those paths of its API that the subject asks,
in the shapes of pkg/response, pkg/statistics and kvproto. What is its own invention, because the real one speaks gRPC
there: /stand-in/* (election on the peer port, heartbeats of stores on the client port).

A leader is who has a majority of the members behind it; it holds on to that for LEASE seconds after it last heard from
them. Its knowledge of stores and regions goes to the others with each heartbeat. Each member keeps it in its data
folder, and votes for no one who knows less.
"""

import hashlib
import json
import signal
import sys
import threading
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from stand_in_flags import parse
from stand_in_web import Answer, Compact, Text, ask, forward, serve

FLAGS = ("name", "data-dir", "client-urls", "advertise-client-urls", "peer-urls", "advertise-peer-urls",
         "initial-cluster", "config", "log-level", "log-file", "join", "metrics-addr", "cacert", "cert", "key")
LEASE = 3.0  # seconds
ELECTION = 10.0  # seconds without a leader before another one stands
FIRST = 1.0  # the same, in a cluster that is new
BEAT = 0.3  # seconds between two heartbeats of a leader
DISCONNECTED, DOWN = 20.0, 1800.0  # seconds without a store's heartbeat (pkg/core/store.go, max-store-down-time)
STARTING = 1.0  # seconds after the start in which it serves nothing
CUTS = ["r\0\0\0\0\0\0\xfb", "r\0\0\1\0\0\0\xfb", "x\0\0\0\0\0\0\xfb", "x\0\0\1\0\0\0\xfb"]
"""Where an empty cluster is split: the ranges of the keyspace 0."""
HOT_OPERATIONS = 10  # in a region between two heartbeats of its leader's store: fewer than the real one asks for
SLOW, SLOWEST, FAST = 80, 100, 1  # slow_score (pkg/core/store.go, pkg/schedule/schedulers/evict_slow_store.go)
RECOVERED = 600.0  # seconds that a store must have been fast again before it gets its leaders back (the same file)
SCHEDULERS = ["balance-region-scheduler", "balance-leader-scheduler", "balance-hot-region-scheduler",
              "evict-slow-store-scheduler", "evict-stopping-store-scheduler"]
EVICT = "evict-leader-scheduler"
NOT_FOUND = "[PD:scheduler:ErrSchedulerNotFound]scheduler not found"
NO_PAGE = Text("404 page not found\n")
NOT_STARTED = Text("[PD:server:ErrServerNotStarted]server not started\n")
NOT_BOOTSTRAPPED = "[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped, please start TiKV first"
HOT_HITS = 3  # hot-region-cache-hits-threshold, where nothing else is set
SETTINGS = {"schedule": {"tolerant-size-ratio", "hot-region-cache-hits-threshold"}}
OF_THE_CLUSTER = ("stores", "regions", "regions/key", "stats/region", "regions/check/miss-peer",
                  "regions/check/down-peer", "regions/check/pending-peer")
REPLICATE = {"max-replicas": 3, "location-labels": "", "strictly-match-label": "false",
             "enable-placement-rules": "true", "enable-placement-rules-cache": "false", "isolation-level": ""}
KNOWLEDGE = ("stores", "regions", "evicted", "next_id", "changes")
LOCAL = ("/pd/api/v1/ping", "/pd/api/v1/status", "/pd/api/v1/version", "/pd/api/v1/health")


class Member:
    def __init__(self, flags: dict[str, str], schedule: dict[str, Any], host: str = "") -> None:
        self.host = host
        self.name = flags["name"]
        self.peers = dict(part.split("=", 1) for part in flags["initial-cluster"].split(","))  # name -> peer URL
        if self.name not in self.peers:
            sys.exit(f"{self.name} is not in --initial-cluster")
        self.rank = sorted(self.peers).index(self.name)
        # As adjustTolerantRatio in pkg/schedule/schedulers/utils.go.
        self.tolerance = int(schedule.get("tolerant-size-ratio") or 5.0)
        self.hot_hits = int(schedule.get("hot-region-cache-hits-threshold", HOT_HITS))
        self.heat: dict[str, int] = {}  # by region: so many heartbeats in a row it was under load, less those without
        self.slow_store, self.fast_since = 0, 0.0  # whose leaders go because it is slow; since when it is no more
        self.lock = threading.RLock()
        self.term, self.leader = 0, ""
        self.heard = time.monotonic()  # from a leader
        self.patience = FIRST
        self.acks: dict[str, float] = {}  # of the followers, while this one leads
        self.began = time.monotonic()
        self.stores: dict[str, dict[str, Any]] = {}  # id -> what it said, and when its heartbeat came (`at`)
        self.regions: dict[str, dict[str, Any]] = {}  # id -> what its leader said
        self.next_id = 1
        self.evicted: list[int] = []  # stores whose leaders are ordered away
        self.changes = 0  # of all that
        self.file = Path(flags["data-dir"], "knowledge.json") if "data-dir" in flags else None
        self.kept = 0
        self.restore()

    def begin(self) -> None:
        serve(2380, self.on_peer_port, self.host)
        serve(2379, self.on_client_port, self.host)

    # -- what it knows, on disk --------------------------------------------------------------------------------------

    def knowledge(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in KNOWLEDGE}

    def learn(self, knowledge: dict[str, Any]) -> None:
        for name in KNOWLEDGE:
            setattr(self, name, knowledge[name])

    def restore(self) -> None:
        if self.file and self.file.exists():
            self.learn(json.loads(self.file.read_text()))
            self.patience = ELECTION  # the others may have a leader, or elect one

    def keep(self) -> None:
        """Where something has changed since the last time."""
        if self.file is None or self.kept == self.changes:
            return
        with self.lock:
            content, self.kept = json.dumps(self.knowledge()), self.changes
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.with_suffix(".new").write_text(content)
        self.file.with_suffix(".new").rename(self.file)

    # -- election ----------------------------------------------------------------------------------------------------

    def leads(self) -> bool:
        now = time.monotonic()
        behind = 1 + sum(now - at < LEASE for at in self.acks.values())
        return self.leader == self.name and behind > len(self.peers) / 2

    def known_leader(self) -> str:
        if self.leader == self.name:
            return self.name if self.leads() else ""
        return self.leader if time.monotonic() - self.heard < LEASE else ""

    def run(self) -> None:
        for peer in self.peers:
            if peer != self.name:
                threading.Thread(target=self.beat, args=(peer,), daemon=True).start()
        while True:
            time.sleep(0.1)
            self.keep()
            if self.leader == self.name and self.leads():
                self.heard = time.monotonic()
            elif time.monotonic() - self.heard > self.patience + 0.7 * self.rank:
                self.stand()

    def stand(self) -> None:
        with self.lock:
            self.term, self.leader, self.heard = self.term + 1, "", time.monotonic()
            ballot = {"term": self.term, "name": self.name, "changes": self.changes}
        votes = [1]

        def canvass(peer: str) -> None:
            try:
                if ask(f"{self.peers[peer]}/stand-in/vote", ballot)["granted"]:
                    votes.append(1)
            except (OSError, ValueError):
                pass

        threads = [threading.Thread(target=canvass, args=(p,), daemon=True) for p in self.peers if p != self.name]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(0.6)  # the name of a peer that is gone may take long to fail
        with self.lock:
            if self.term == ballot["term"] and len(votes) > len(self.peers) / 2:
                self.leader, self.patience = self.name, ELECTION
                self.acks = {p: time.monotonic() for p in list(self.peers)[:len(votes)] if p != self.name}
                print(f"[INFO] {self.name} is the leader of term {self.term}", flush=True)

    def beat(self, peer: str) -> None:
        while True:
            time.sleep(BEAT)
            if self.leader != self.name:
                continue
            with self.lock:
                news = {"term": self.term, "name": self.name, "knowledge": self.knowledge()}
            try:
                if ask(f"{self.peers[peer]}/stand-in/append", news)["ok"]:
                    self.acks[peer] = time.monotonic()
            except (OSError, ValueError):
                pass

    def on_peer_port(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        said = json.loads(body or b"{}")
        with self.lock:
            if path == "/stand-in/vote":
                newer = said["term"] > self.term and said["changes"] >= self.changes
                granted = newer and not self.known_leader()
                if granted:
                    self.term, self.leader, self.heard = said["term"], "", time.monotonic()
                return 200, {"granted": granted}
            if path == "/stand-in/append":
                if said["term"] < self.term:
                    return 200, {"ok": False}
                self.term, self.leader, self.heard = said["term"], said["name"], time.monotonic()
                self.patience = ELECTION
                self.learn(said["knowledge"])
                return 200, {"ok": True}
        return 404, NO_PAGE

    # -- what a client may ask ---------------------------------------------------------------------------------------

    def on_client_port(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        bare, _, query = path.partition("?")
        own_view = any(key.lower() == "pd-allow-follower-handle" for key in headers)
        if bare == "/metrics":
            return 200, Text(self.metrics(), "text/plain; version=0.0.4")
        if not bare.startswith(("/pd/api/v1/", "/stand-in/")):
            return 404, NO_PAGE
        if not bare.startswith(LOCAL) and time.monotonic() - self.began < STARTING:
            return 500, NOT_STARTED
        if not (bare.startswith(LOCAL) or own_view or self.leads()):
            return self.pass_on(method, path, headers, body)
        if bare.startswith("/stand-in/"):
            with self.lock:
                self.changes += 1
                return 200, getattr(self, f"take_{bare.rpartition('/')[2]}")(json.loads(body))
        known = {"ping": lambda: Text(""), "status": self.status, "version": lambda: {"version": "v8.5.7-stand-in"},
                 "health": self.health, "members": self.members, "stores": self.tell_stores,
                 "regions": lambda: Compact(self.tell_regions()), "stats/region": self.stats, "operators": list,
                 "schedulers": lambda: [*SCHEDULERS, *([EVICT] if self.evicted else [])],
                 "regions/check/miss-peer": lambda: Compact(self.tell_regions(missing=True)),
                 "regions/check/down-peer": lambda: Compact({"count": 0, "regions": []}),
                 "regions/check/pending-peer": lambda: Compact(self.tell_regions(pending=True)),
                 "regions/key": lambda: Compact(self.tell_regions(**dict(parse_qsl(query, True)))),
                 "config/replicate": lambda: REPLICATE}
        asked = bare.removeprefix("/pd/api/v1/")
        if asked in OF_THE_CLUSTER and not self.stores:
            return 500, NOT_BOOTSTRAPPED
        if method == "DELETE" and asked.startswith("store/"):
            return self.remove(asked.removeprefix("store/"), force="force" in dict(parse_qsl(query, True)))
        if method in ("POST", "DELETE") or asked.startswith("scheduler-config/"):
            return self.order(method, asked, body)
        answer = known.get(asked)
        return (200, answer()) if answer else (404, NO_PAGE)

    def pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """As the real one: to the leader, waiting up to 3 s for one."""
        end = time.monotonic() + 3.0
        while time.monotonic() < end:
            leader = self.known_leader()
            if leader and leader != self.name:
                try:
                    return forward(method, f"http://{leader}:2379{path}", body, timeout=2.0)
                except OSError as e:
                    return 503, Text(f"[PD:apiutil:ErrRedirect]redirect failed: {e}")
            if self.leads():
                return self.on_client_port(method, path, headers, body)
            time.sleep(0.1)
        return 503, Text("[PD:apiutil:ErrRedirectNoLeader]redirect finds no leader\n")

    def identity(self, name: str) -> dict[str, Any]:
        return {"name": name, "member_id": int(hashlib.sha256(name.encode()).hexdigest()[:15], 16),
                "peer_urls": [self.peers[name]], "client_urls": [f"http://{name}:2379"], "deploy_path": "/",
                "binary_version": "v8.5.7-stand-in", "git_hash": "0" * 40}

    def members(self) -> dict[str, Any]:
        leader = self.known_leader()
        told: dict[str, Any] = {"header": {"cluster_id": 7}, "members": [self.identity(n) for n in sorted(self.peers)]}
        return told | ({"leader": self.identity(leader), "etcd_leader": self.identity(leader)} if leader else {})

    def health(self) -> list[dict[str, Any]]:
        def well(name: str) -> bool:
            try:
                return name == self.name or ask(f"http://{name}:2379/pd/api/v1/ping", timeout=3.0) is None
            except (OSError, ValueError):
                return False
        return [{"name": n, "member_id": self.identity(n)["member_id"], "client_urls": [f"http://{n}:2379"],
                 "health": well(n)} for n in sorted(self.peers)]

    def status(self) -> dict[str, Any]:
        return {"build_ts": "", "version": "v8.5.7-stand-in", "git_hash": "0" * 40, "start_timestamp": int(STARTED)}

    # -- leaders ordered away ----------------------------------------------------------------------------------------

    def order(self, method: str, asked: str, body: bytes) -> Answer:
        """As CreateScheduler and DeleteScheduler in server/api/scheduler.go, and evictLeaderHandler in
        pkg/schedule/schedulers/evict_leader.go, for the one scheduler that can be made and removed here."""
        with self.lock:
            self.changes += 1
            if (method, asked) == ("POST", "schedulers"):
                return self.evict(body)
            if (method, asked) == ("GET", f"scheduler-config/{EVICT}/list") and self.evicted:
                everything = [{"start-key": "", "end-key": ""}]
                return 200, {"store-id-ranges": {str(i): everything for i in self.evicted}, "batch": 3}
            if method == "DELETE" and asked == f"schedulers/{EVICT}":
                found, self.evicted = self.evicted, []
                return (200, "The scheduler is removed.") if found else (404, NOT_FOUND)
            if method == "DELETE" and asked.startswith(f"schedulers/{EVICT}-"):
                store = asked.rpartition("-")[2]
                found = [i for i in self.evicted if str(i) == store]
                self.evicted = [i for i in self.evicted if i not in found]
                return (200 if found else 404), None
            if method == "DELETE" and asked.startswith("schedulers/"):
                return 404, NOT_FOUND
        return 404, NO_PAGE

    def evict(self, body: bytes) -> Answer:
        try:
            said = json.loads(body)
        except ValueError as e:
            return 400, str(e)
        if not isinstance(said.get("name"), str):
            return 400, "missing scheduler name"
        if said["name"] != EVICT:
            return 400, "unknown scheduler"
        if not isinstance(said.get("store_id"), int):
            return 400, "missing store id"
        store, there_was_one = said["store_id"], bool(self.evicted)
        if store not in [s["id"] for s in self.stores.values()]:
            return 500, f"[PD:core:ErrStoreNotFound]store {store} not found"
        self.evicted = sorted({*self.evicted, store})
        return 200, "The scheduler has been applied to the store." if there_was_one else "The scheduler is created."

    # -- stores and regions ------------------------------------------------------------------------------------------

    def take_register(self, said: dict[str, Any]) -> dict[str, Any]:
        """Of a store that starts, with its id: an error where another one has its address, and is not destroyed
        (PutMetaStore in server/cluster/cluster.go)."""
        other = next((s for s in self.stores.values() if s["address"] == said["address"] and s["id"] != said["id"]
                      and not s["destroyed"]), None)
        if other:
            return {"error": f'duplicated store address: id:{said["id"]} address:"{said["address"]}" , already '
                             f'registered by id:{other["id"]} address:"{other["address"]}"'}
        new = {"at": 0.0, "capacity": 0, "available": 0, "slow_score": 1, "offline": False, "destroyed": False}
        known = self.stores.setdefault(str(said["id"]), new)
        known |= said | {"stopping": False}
        if not self.regions:
            self.regions = {str(r["id"]): r for r in self.first_regions(said["id"])}
        return {"id": known["id"]}

    def remove(self, id_: str, force: bool) -> Answer:
        """As DeleteStore in server/api/store.go, and RemoveStore and checkReplicaBeforeOfflineStore in
        server/cluster/cluster.go. `force` says that the store is physically destroyed."""
        with self.lock:
            store = self.stores.get(id_)
            if store is None:
                return 404, f"[PD:core:ErrStoreNotFound]store {id_} not found"
            left, needed = sum(not s["offline"] for s in self.stores.values()) - 1, REPLICATE["max-replicas"]
            if not store["offline"] and not force and left < needed:
                return 400, (f"[PD:core:ErrStoresNotEnough]can not remove store {id_} since the number of up stores "
                             f"would be {left} while need {needed}")
            store["offline"], store["destroyed"] = True, force
            self.changes += 1
        return 200, "The store is set as Offline."

    def take_heartbeat(self, said: dict[str, Any]) -> dict[str, Any]:
        """Of a store. Under load a region becomes hotter with each of them, else colder (as HotDegree in
        pkg/statistics/hot_peer_cache.go)."""
        operations = said.pop("operations")
        store = self.stores.get(str(said["id"]))
        if store is not None:
            store |= said | {"at": time.time()}
            for id_ in [id_ for id_, r in self.regions.items() if r["leader"] == said["id"]]:
                warmer = operations.get(id_, 0) >= HOT_OPERATIONS
                self.heat[id_] = max(0, self.heat.get(id_, 0) + (1 if warmer else -1))
        self.judge_slowness()
        return {"taken": True}

    def take_stopping(self, said: dict[str, Any]) -> dict[str, Any]:
        """Of a store that is asked to end (evict-stopping-store-scheduler)."""
        self.stores[str(said["id"])]["stopping"] = True
        return {}

    def judge_slowness(self) -> None:
        """As scheduleDiskSlowStore in pkg/schedule/schedulers/evict_slow_store.go: the leaders of a store go only where
        no other one is slow, and come back long after it is fast again."""
        chosen = self.stores.get(str(self.slow_store))
        if chosen is None:
            slow = [s for s in self.stores.values() if s["slow_score"] >= SLOW and not s["offline"]]
            alone = len(slow) == 1 and slow[0]["slow_score"] >= SLOWEST
            self.slow_store, self.fast_since = (slow[0]["id"] if alone else 0), 0.0
        elif chosen["slow_score"] > FAST:
            self.fast_since = 0.0
        elif not self.fast_since:
            self.fast_since = time.monotonic()
        elif time.monotonic() - self.fast_since >= RECOVERED:
            self.slow_store = 0

    def take_ids(self, said: dict[str, Any]) -> dict[str, Any]:
        return {"ids": [self.new_id() for _ in range(said["count"])]}

    def take_regions(self, said: dict[str, Any]) -> dict[str, Any]:
        """Of a store: the regions that it leads. It learns of the others, the regions of an empty cluster that are
        its own, which region it should hand over to whom, and which replicas are to change."""
        for region in said["led"]:
            known = self.regions.get(str(region["id"]), {"term": 0, "version": 0})
            if (region["term"], region["version"]) >= (known["term"], known["version"]):
                self.regions[str(region["id"])] = region | {"leader": said["id"]}
        new = [r for r in self.regions.values() if not r["leader"] and str(said["id"]) in r["peers"]]
        held = {store for r in self.regions.values() for store in r["peers"]}
        self.stores = {id_: s for id_, s in self.stores.items() if not s["offline"] or id_ in held}  # else a Tombstone
        return {"stores": {id_: s["address"] for id_, s in self.stores.items() if not s["offline"]}, "create": new,
                "changes": self.changes_of_peers(said["id"]),
                "orders": {region: {"to": to} for region, to in self.balance(said["id"]).items()}}

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def first_regions(self, store: int) -> list[dict[str, Any]]:
        """As they are once the whole keyspace, all on the first store, was split."""
        return [{"id": self.new_id(), "start": start, "end": end, "conf_ver": 1, "version": 5, "term": 0,
                 "peers": {str(store): self.new_id()}, "learners": [], "pending": [], "last": [0, 0], "data": {},
                 "size": 0, "keys": 0, "leader": 0} for start, end in zip(["", *CUTS], [*CUTS, ""], strict=True)]

    def balance(self, store: int) -> dict[str, int]:
        """At most one region that the store leads, and who shall lead it.

        From a store whose leaders are to go to any other that is up, else from that which leads most to that which
        leads least, where they lie as far apart as `shouldBalance` in pkg/schedule/schedulers/utils.go asks. Only the
        latter leaves hot regions alone (transferLeaderOut in balance_leader.go).
        """
        stopping = [s["id"] for s in self.stores.values() if s["stopping"]]
        away = {*self.evicted, *stopping, self.slow_store}
        up = self.up()
        counts = {i: sum(r["leader"] == i for r in self.regions.values()) for i in up}
        others = [i for i in up if i != store and i not in away]
        mine = counts.get(store, 0)
        if not others or not mine:
            return {}
        least = min(others, key=lambda i: counts[i])
        even = mine - self.tolerance <= counts[least] + self.tolerance or mine != max(counts.values())
        if even and store not in away:
            return {}
        movable = [id_ for id_, region in self.regions.items() if region["leader"] == store
                   and str(least) in region["peers"] and str(least) not in region["learners"]
                   and (store in away or not self.is_hot(id_))]
        return {min(movable): least} if movable else {}

    def is_hot(self, region: str) -> bool:
        return self.heat.get(region, 0) >= self.hot_hits

    def changes_of_peers(self, store: int) -> dict[str, Any]:
        """By region that the store leads, the next change of its replicas, if it needs one."""
        led = {id_: region for id_, region in self.regions.items() if region["leader"] == store}
        changes = {id_: self.change_of_peers(region) for id_, region in led.items()}
        return {id_: change for id_, change in changes.items() if change}

    def change_of_peers(self, region: dict[str, Any]) -> dict[str, Any]:
        """A replica is added as a learner, which votes once it has everything. That on a store which is Offline gives
        its place to another one."""
        free = [str(s) for s in self.up() if str(s) not in region["peers"]]
        old = [id_ for id_, s in self.stores.items() if s["offline"] and id_ in region["peers"]]
        if region["pending"]:
            return {}
        if region["learners"]:
            return {"promote": region["learners"][0]}
        if free and len(region["peers"]) < REPLICATE["max-replicas"]:
            return {"add": free[0], "peer": self.new_id()}
        if free and old:
            return {"replace": old[0], "by": free[0], "peer": self.new_id()}
        return {}

    def up(self) -> list[int]:
        return [s["id"] for s in self.stores.values() if not s["offline"] and time.time() - s["at"] < DISCONNECTED]

    def tell_stores(self) -> dict[str, Any]:
        return {"count": len(self.stores), "stores": [self.tell_store(s) for s in self.stores.values()]}

    def tell_store(self, s: dict[str, Any]) -> dict[str, Any]:
        silent = time.time() - s["at"]
        leads = sum(r["leader"] == s["id"] for r in self.regions.values())
        peers = self.replicas().count(s["id"])
        state = "Down" if silent > DOWN else "Disconnected" if silent > DISCONNECTED else "Up"
        beaten = {"last_heartbeat": int(s["at"] * 1e9), "node_state": 1} if s["at"] else {}
        if s["offline"]:
            state, beaten = "Offline", beaten | {"state": 1, "node_state": 2}
            beaten |= {"physically_destroyed": True} if s["destroyed"] else {}
        trend = {"cause_value": 300000.5, "cause_rate": 0, "result_value": 50, "result_rate": 0}
        slow = {"slow_score": s["slow_score"], "slow_trend": trend} if s["at"] else {}
        uptime = {"uptime": f"{s['at'] - s['start_ts']:.9f}s"} if s["at"] else {}
        return {
            "store": {"id": s["id"], "address": s["address"], "version": "8.5.7", "peer_address": s["address"],
                      "status_address": s["status_address"], "git_hash": "0" * 40,
                      "start_timestamp": int(s["start_ts"]), "deploy_path": "/", **beaten, "state_name": state},
            "status": {"capacity": byte_size(s["capacity"]), "available": byte_size(s["available"]),
                       "used_size": byte_size(s["capacity"] - s["available"]), "leader_count": leads,
                       "leader_weight": 1, "leader_score": leads, "leader_size": leads,
                       "region_count": peers, "region_weight": 1, "region_score": 1.5 if s["at"] else 0,
                       "region_size": peers, **slow,
                       "start_ts": rfc3339(s["start_ts"]), "last_heartbeat_ts": rfc3339(s["at"]), **uptime},
        }

    def replicas(self) -> list[int]:
        """The store of each replica."""
        return [int(store) for region in self.regions.values() for store in region["peers"]]

    def tell_regions(self, key: str = "", limit: str = "16", missing: bool = False,
                     pending: bool = False) -> dict[str, Any]:
        def peer(region: dict[str, Any], store: str) -> dict[str, Any]:
            learner = store in region["learners"]
            role = {"role_name": "Learner", "is_learner": True} if learner else {"role_name": "Voter"}
            return {**role, "id": region["peers"][store], "store_id": int(store), **({"role": 1} if learner else {})}

        def hexed(text: str) -> str:
            return text.encode("latin-1").hex().upper()

        regions = sorted(self.regions.values(), key=lambda r: r["start"])
        if missing:
            regions = [r for r in regions if len(r["peers"]) < REPLICATE["max-replicas"]]
        elif pending:
            regions = [r for r in regions if r["pending"]]
        elif limit != "16":
            regions = [r for r in regions if not r["end"] or r["end"] > key][:int(limit)]
        told = [{"id": r["id"], "start_key": hexed(r["start"]), "end_key": hexed(r["end"]),
                 "epoch": {"conf_ver": r["conf_ver"], "version": r["version"]},
                 "peers": [peer(r, s) for s in r["peers"]],
                 **({"leader": peer(r, str(r["leader"]))} if r["leader"] else {}),
                 **({"pending_peers": [peer(r, s) for s in r["pending"]]} if r["pending"] else {}),
                 "cpu_usage": 0, "written_bytes": 0, "read_bytes": 0, "written_keys": 0, "read_keys": 0,
                 "approximate_size": 1, "approximate_keys": r["keys"]} for r in regions]
        return {"count": len(told), "regions": told}

    def stats(self) -> dict[str, Any]:
        ids = [s["id"] for s in self.stores.values()]
        leads = {str(i): n for i in ids if (n := sum(r["leader"] == i for r in self.regions.values()))}
        peers = {str(i): n for i in ids if (n := self.replicas().count(i))}
        count = len(self.regions)
        return {"count": count, "empty_count": count, "storage_size": count, "user_storage_size": 0,
                "storage_keys": sum(r["keys"] for r in self.regions.values()), "store_leader_count": leads,
                "store_peer_count": peers, "store_leader_size": leads, "store_leader_keys": leads,
                "store_peer_size": peers, "store_peer_keys": peers}

    def metrics(self) -> str:
        lines = [f"etcd_server_is_leader {int(self.leads())}",
                 f"etcd_server_has_leader {int(bool(self.known_leader()))}"]
        if self.leads():
            states = [self.tell_store(s)["store"]["state_name"].lower() for s in self.stores.values()]
            lines += [f'pd_cluster_status{{type="store_{s}_count",engine="tikv",store="all"}} {states.count(s)}'
                      for s in ("up", "disconnected", "down")]
            lines.append('pd_cluster_status{type="store_low_space_count",engine="tikv",store="all"} 0')
            lines += [f'pd_regions_status{{type="{t}-region-count"}} 0' for t in ("miss-peer", "down-peer",
                                                                                "pending-peer")]
        return "".join(f"{line}\n" for line in lines)


def read_config(path: str) -> dict[str, Any]:
    """The section `schedule`; status 1 for what pd-server does not know."""
    if not path:
        return {}
    with open(path, "rb") as file:
        config = tomllib.load(file)
    for section, keys in config.items():
        if not set(keys) <= SETTINGS.get(section, set()):
            sys.exit(f"unknown configuration: {section}: {', '.join(keys)}")
    return dict(config.get("schedule", {}))


def byte_size(n: float) -> str:
    """As docker's go-units prints it: four digits, binary units."""
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while n >= 1024 and len(units) > 1:
        n, units = n / 1024, units[1:]
    return f"{n:.4g}{units[0]}"


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


STARTED = time.time()

if __name__ == "__main__":
    given = parse(FLAGS, sys.argv[1:])
    made = Member(given, read_config(given.get("config", "")))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    made.begin()
    print(f"[INFO] stand-in for PD, {made.name}: not the real one", flush=True)
    made.run()
