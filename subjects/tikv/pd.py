"""The Placement Driver's HTTP API, version 1.

Paths and fields are those of tikv/pd v8.5.7: server/api/router.go, pkg/response/{store,region}.go,
pkg/statistics/region.go, server/api/health.go, and kvproto's pdpb.GetMembersResponse for /members. The Go structs of
protobuf leave out fields that are zero, so each is read with a default.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from operator_demo.subject import Deadline
from subjects.tikv.http import Http
from subjects.tikv.regions import Region

PORT = 2379
_MOST_REGIONS = 10240  # PD tells no more at once (maxRegionLimit in server/api/region.go)
_API = "/pd/api/v1"
_OWN_VIEW = {"PD-Allow-follower-handle": "true"}
"""Without it a follower passes the request on to the leader (pkg/utils/apiutil/apiutil.go, serverapi/middleware.go)."""
_SIZE = re.compile(r"([\d.]+(?:e[+-]?\d+)?)\s*([KMGTPEZY]?)i?B", re.IGNORECASE)

ODD = (ValueError, KeyError, TypeError)
"""What an answer in another format raises."""


@dataclass(frozen=True)
class Membership:
    """PD's members as one of them sees it. `ids` maps names to ids; `leader` is a name or None."""

    ids: dict[str, str]
    leader: str | None


@dataclass(frozen=True)
class Store:
    """`state` is Up, Disconnected (20 s without a heartbeat), Down (30 min, or no heartbeat yet), Offline or Tombstone;
    sizes in bytes. `heard`: it has sent a heartbeat. `slow` is the store's own score, from 1 (fast) to 100: PD moves
    the leaders of a store with 100 away (evict-slow-store-scheduler). `busy`: it says that it is."""

    id: int
    host: str
    state: str
    capacity: int
    available: int
    leaders: int
    regions: int
    heard: bool = True
    slow: int = 1
    busy: bool = False


def by_host(stores: Sequence[Store]) -> dict[str, Store]:
    """The entry that is the store at a host now. A store whose data was lost registers anew under another id; its old
    entry stays, Offline, until PD has replaced the last of its replicas."""
    current: dict[str, Store] = {}
    for store in stores:
        if store.state == "Tombstone" or (store.state == "Offline" and store.host in current):
            continue
        current[store.host] = store
    return current


@dataclass(frozen=True)
class Regions:
    """`leaders` and `peers` map stores (ids) to the number of their leaders and replicas, as far as PD knows.
    `missing` are the ids of regions that lack a replica or have one that is down."""

    count: int
    leaders: dict[int, int]
    peers: dict[int, int]
    missing: frozenset[int] = frozenset()
    pending: int = 0


@dataclass(frozen=True)
class State:
    """The leader's report about the cluster. `unhealthy` are PD members that do not answer it."""

    stores: tuple[Store, ...]
    regions: Regions
    operators: int
    schedulers: tuple[str, ...]
    unhealthy: frozenset[str] = field(default_factory=frozenset)


class Pd:
    """Each call raises `NoAnswer` or `Refusal`, or one of `ODD`."""

    def __init__(self, address: str) -> None:
        self._http = Http(address, PORT)

    def close(self) -> None:
        self._http.close()

    def ping(self, timeout: float) -> None:
        """Answered by the member itself, leader or not (localOnlyPaths in serverapi/middleware.go)."""
        self._http.get(f"{_API}/ping", timeout)

    def members(self, timeout: float) -> Membership:
        answer = _object(self._http.json(f"{_API}/members", timeout, _OWN_VIEW))
        members = [m for m in _objects(answer.get("members")) if m.get("name")]
        ids = {str(m["name"]): f"{int(m.get('member_id', 0)):x}" for m in members}
        return Membership(ids, str(_object(answer.get("leader")).get("name") or "") or None)

    def stores(self, timeout: float) -> tuple[Store, ...]:
        return tuple(_store(s) for s in _objects(_object(self._http.json(f"{_API}/stores", timeout)).get("stores")))

    def regions(self, timeout: float) -> list[Region]:
        """All regions, by key."""
        answer = _object(self._http.json(f"{_API}/regions/key", timeout, key="", limit=str(_MOST_REGIONS)))
        return [_region(r) for r in _objects(answer.get("regions"))]

    def state(self, limit: Deadline, ask_health: bool) -> State:
        """`ask_health`: /health pings every member and waits up to 3 s for one that hangs, so it is requested only if
        all have just answered."""
        def get(path: str) -> Any:
            return self._http.json(_API + path, limit.left())

        stores = self.stores(limit.left())
        stats = _object(get("/stats/region"))
        missing = [r["id"] for check in ("miss-peer", "down-peer")
                   for r in _objects(_object(get(f"/regions/check/{check}")).get("regions"))]
        pending = int(_object(get("/regions/check/pending-peer")).get("count", 0))
        regions = Regions(int(stats.get("count", 0)), _counts(stats.get("store_leader_count")),
                          _counts(stats.get("store_peer_count")), frozenset(int(i) for i in missing), pending)
        operators, schedulers = get("/operators"), get("/schedulers")
        health = _objects(get("/health")) if ask_health else []
        return State(stores, regions, len(operators or []), tuple(sorted(str(s) for s in schedulers or [])),
                     frozenset(str(h["name"]) for h in health if not h.get("health")))


def _store(raw: dict[str, Any]) -> Store:
    meta, status = _object(raw.get("store")), _object(raw.get("status"))
    return Store(int(meta.get("id", 0)), str(meta.get("address", "")).rpartition(":")[0],
                 str(meta.get("state_name", "")), size(status.get("capacity")), size(status.get("available")),
                 int(status.get("leader_count", 0)), int(status.get("region_count", 0)),
                 heard=bool(meta.get("last_heartbeat")), slow=int(status.get("slow_score", 1)),
                 busy=bool(status.get("is_busy")))


def _region(raw: dict[str, Any]) -> Region:
    epoch = _object(raw.get("epoch"))
    peers = {int(p["store_id"]): int(p["id"]) for p in _objects(raw.get("peers"))}
    return Region(int(raw["id"]), bytes.fromhex(str(raw.get("start_key", ""))),
                  bytes.fromhex(str(raw.get("end_key", ""))), int(epoch.get("conf_ver", 0)),
                  int(epoch.get("version", 0)), peers, int(_object(raw.get("leader")).get("store_id", 0)))


def size(text: object) -> int:
    """Bytes of a size as PD prints it: `7.999GiB` (pkg/utils/typeutil/size.go, docker's go-units with 4 digits)."""
    match = _SIZE.fullmatch(str(text).strip())
    if not match:
        return 0
    return round(float(match[1]) * 1024.0 ** " KMGTPEZY".index(match[2].upper() or " "))


def _counts(raw: object) -> dict[int, int]:
    return {int(store): int(n) for store, n in _object(raw).items()}


def _object(raw: Any) -> dict[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ValueError("an object was expected")
    return raw


def _objects(raw: Any) -> list[dict[str, Any]]:
    return [_object(entry) for entry in raw or []]
