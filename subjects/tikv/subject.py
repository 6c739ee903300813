"""The subject TiKV: three members of the Placement Driver (PD), three stores, and Prometheus for the stores' metrics.

All are reached at their address. An observation has two steps within one deadline: all members are asked at the same
time whether they answer, then PD's leader about the cluster.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from operator_demo.subject import (
    Anatomy,
    Check,
    Deadline,
    Figure,
    Group,
    Invariant,
    KeyValue,
    Member,
    MembersNow,
    Needs,
    Observation,
    Shown,
    Through,
    Violation,
    as_the_engine_sees,
)
from operator_demo.subject_kit import NoAnswer, ask_all, data_plane, in_ms, of_capacity
from subjects.tikv import checks
from subjects.tikv.anatomy import ANATOMY
from subjects.tikv.http import Http, Refusal
from subjects.tikv.invariants import INVARIANTS, is_up, violations
from subjects.tikv.members import KINDS, METRICS, PD, STORE
from subjects.tikv.pd import ODD, Pd, State, by_host
from subjects.tikv.prometheus import Metrics, Prometheus
from subjects.tikv.raw import RawClient

_STATUS_PORT = 20180
_FIRST_STEP = 0.6  # of the deadline, for asking each member
_AGAIN = 1.0  # seconds that must be left to check the data plane a second time
REGIONS = 12  # before the load begins
# tiup downloads TiKV 8.5.1 as 365 MiB and PD 8.5.1 as 54 MiB (its log in a public note of 2025). The images have the
# control tools, a base system and Prometheus besides. Three stores, three PD members, Prometheus and go-ycsb took just
# below 1 GB of memory.
_NEEDS = Needs(pull=1_000_000_000, memory=1_000_000_000,
               source="the pull is estimated from the downloads of TiKV 8.5.1 and PD 8.5.1, the memory was measured; "
                      "November 2026")


def _of_kind(kind: str) -> tuple[str, ...]:
    return tuple(name for name, of in KINDS.items() if of == kind)


class Tikv:
    name = "tikv"
    title = "TiKV 8.5, three PD members and three stores"
    members: Sequence[str] = tuple(KINDS)
    kinds: Mapping[str, str] = KINDS
    spared: Sequence[str] = (METRICS,)  # without Prometheus the cluster serves as before
    anatomy: Anatomy = ANATOMY
    quorum = 2  # of the PD members, and of the stores
    invariants: Sequence[Invariant] = INVARIANTS
    groups: Sequence[Group] = (
        Group("PD", _of_kind(PD), quorum), Group("stores", _of_kind(STORE), quorum),
        Group("metrics", _of_kind(METRICS)))
    heal_time = 30.0  # PD calls a store that comes back Up only with its next heartbeat, measured after 8 to 14 s
    needs = _NEEDS
    records = 5000  # 14 regions, with the region-split-size of compose.yaml
    default_scenario = "store-kill"
    published: Mapping[str, int] = {"grafana": 3000, "prometheus": 9090, "pd0": 2379}
    """Services whose ports `--publish` opens."""

    def observe(self, members: Sequence[Member], deadline: float = 2.0) -> Observation:
        began, limit = time.time(), Deadline(deadline)
        members = [m for m in members if m.name in KINDS]
        seen = {m.name: as_the_engine_sees(m) | {"kind": KINDS[m.name]} for m in members}
        step = Deadline(deadline * _FIRST_STEP)
        looks = ask_all([m for m in members if m.state == "running" and m.address], step, lambda m: _look(m, step))
        for name, look in looks.items():
            seen[name] |= look if isinstance(look, dict) else {"error": str(look)}
        cluster = _cluster(seen, members, limit)
        _add_metrics(seen)
        return Observation(began, seen, cluster, duration=time.time() - began)

    def violations(self, observation: Observation) -> list[Violation]:
        return violations(observation)

    def show(self, observation: Observation) -> Shown:
        """How many of the regions each store leads, what space it uses, and what PD has to do."""
        regions = observation.cluster.get("regions") or {}
        figures = {name: _figures(m, int(regions.get("count", 0))) for name, m in observation.members.items()
                   if m["reachable"]}
        return Shown(figures, [_told_of(regions, int(observation.cluster.get("operators", 0)))] if regions else [])

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        """A write through every store that leads a region, read back at the replicas of the others. A leader may move
        at any time: what failed is tried again."""
        limit = Deadline(deadline)
        stores = [m for m in members if KINDS.get(m.name) == STORE]
        while True:
            check = data_plane(self, members, stores, "", Deadline(limit.left()))
            if check.status == "passed" or limit.left() < _AGAIN:
                return check
            time.sleep(_AGAIN / 2)

    def agreement(self, members: Sequence[Member], keys: Sequence[str], deadline: float) -> Check:
        return checks.agreement(members, keys, Deadline(deadline))

    def client(self, members: MembersNow, timeout: float) -> KeyValue:
        return RawClient(members, timeout)

    def through(self, members: MembersNow, member: str, prefix: str, timeout: float) -> Through | None:
        """`prefix` is not used: the key is one of a region that the store leads."""
        return checks.through(members, member, timeout)

    def filled(self, members: MembersNow, timeout: float) -> str:
        """Enough regions that the spread of their leaders says something."""
        client = RawClient(members, timeout)
        count = len(client.layout()[0])
        client.close()
        return "" if count >= REGIONS else f"PD knows {count} of {REGIONS} regions"

    def redundancy(self, baseline: Observation, now: Observation) -> Check:
        """As many healthy members of each kind as before, and every region with all its replicas."""
        if not baseline.cluster.get("regions") or not now.cluster.get("regions"):
            return Check("redundancy", "unknown", "PD did not tell about the regions")
        healthy = [name for name, m in baseline.members.items() if m["healthy"]]
        faults = [f"{name} is not healthy: {now.members.get(name, {}).get('error') or 'not seen'}" for name in healthy
                  if not now.members.get(name, {}).get("healthy")]
        faults += [v.text.rstrip(".") for v in violations(now) if v.invariant == "regions_under_replicated"]
        if faults:
            return Check("redundancy", "failed", "; ".join(faults))
        return Check("redundancy", "passed", f"{len(healthy)} members are healthy, each of "
                                             f"{now.cluster['regions']['count']} regions has all its replicas")


# -- each member -----------------------------------------------------------------------------------------------------

def _look(m: Member, limit: Deadline) -> dict[str, Any]:
    """Raises `NoAnswer` or `Refusal` if the member does not answer."""
    return {PD: _look_at_pd, STORE: _look_at_store, METRICS: _look_at_metrics}[KINDS[m.name]](str(m.address), limit)


def _look_at_pd(address: str, limit: Deadline) -> dict[str, Any]:
    pd, began = Pd(address), time.perf_counter()
    try:
        pd.ping(limit.left())
        seen = {"reachable": True, "read_latency": round(time.perf_counter() - began, 6)}
        try:
            view = pd.members(limit.left())
        except (NoAnswer, Refusal, *ODD) as e:  # it answers, but does not reach the others
            return seen | {"error": f"it does not know the members: {e}"}
        return seen | {"healthy": view.leader is not None, "ids": view.ids, "follows": view.leader,
                       "error": None if view.leader else "it knows no leader"}
    finally:
        pd.close()


def _look_at_store(address: str, limit: Deadline) -> dict[str, Any]:
    """TiKV answers GET /status with 200 and an empty body (src/server/status_server/mod.rs)."""
    http = Http(address, _STATUS_PORT)
    try:
        http.get("/status", limit.left())
    finally:
        http.close()
    return {"reachable": True, "healthy": True, "error": None}


def _look_at_metrics(address: str, limit: Deadline) -> dict[str, Any]:
    prometheus = Prometheus(address)
    try:
        return {"reachable": True, "healthy": True, "error": None, "metrics": prometheus.stores(limit.left())}
    finally:
        prometheus.close()


def _figures(m: dict[str, Any], regions: int) -> list[Figure]:
    """The most important first."""
    if m["kind"] != STORE:
        return [Figure("ping", in_ms(m["read_latency"]))] if m.get("read_latency") is not None else []
    figures = []
    if m.get("leaders") is not None and regions:
        figures.append(Figure("leads", f"{m['leaders']} of {regions}", m["leaders"] / regions))
    if m.get("capacity"):
        figures.append(of_capacity(m["capacity"] - m.get("available", 0), m["capacity"]))
    if m.get("p99") is not None:
        figures.append(Figure("p99", in_ms(m["p99"])))
    return figures


def _told_of(regions: Mapping[str, Any], operators: int) -> str:
    """`14 regions · 2 lack a replica · PD moves 3`"""
    missing = len(regions["missing"])
    replicas = f"{missing} lack a replica" if missing else "none lacks a replica"
    moves = f"PD moves {operators}" if operators else "PD moves nothing"
    return f"{regions['count']} regions, {replicas}; {moves}"


# -- the whole -------------------------------------------------------------------------------------------------------

def _cluster(seen: dict[str, dict[str, Any]], members: Sequence[Member], limit: Deadline) -> dict[str, Any]:
    """The state of the whole cluster, from PD's leader; its report about each member is added to the member."""
    pds = {name: m for name, m in seen.items() if m["kind"] == PD}
    named = [m.pop("follows", None) for m in pds.values() if m["reachable"]]
    leader = next((name for name in named if name in pds and pds[name]["reachable"]), None)
    ids: dict[str, str] = next((m["ids"] for m in pds.values() if m.get("ids")), {})
    for name, m in pds.items():
        m.pop("ids", None)
        m["leader"] = name == leader
        m |= {"id": ids[name]} if name in ids else {}
    if leader is None:
        return {"leader": None, "quorum": False, "told": False, "error": "no PD member leads"}
    pd = Pd(str(next(m.address for m in members if m.name == leader)))
    try:
        state = pd.state(limit, ask_health=all(m["reachable"] for m in pds.values()))
    except (NoAnswer, Refusal, *ODD) as e:
        return {"leader": leader, "quorum": False, "told": False, "error": str(e)}
    finally:
        pd.close()
    return merged(seen, leader, state)


def merged(seen: dict[str, dict[str, Any]], leader: str, state: State) -> dict[str, Any]:
    """The state of the whole cluster, by PD's report; what it tells of each member is added to `seen`."""
    known = by_host(state.stores)
    hosts = {store.id: host for host, store in known.items()}
    for name, m in seen.items():
        if m["kind"] == PD and name in state.unhealthy:
            m |= {"shunned": True, "healthy": False, "error": m["error"] or "does not answer PD's leader"}
        if m["kind"] != STORE:
            continue
        if name in known:
            store = known[name]
            m |= {"id": str(store.id), "pd_state": store.state, "leaders": store.leaders, "regions": store.regions,
                  "capacity": store.capacity, "available": store.available, "heard": store.heard,
                  "slow_score": store.slow, "busy": store.busy}
        else:
            m |= {"pd_state": "unknown"}
        if m["reachable"] and not is_up(m):
            m |= {"healthy": False, "error": f"PD calls it {m['pd_state']}"}
    regions = state.regions
    serving = sum(m["kind"] == STORE and is_up(m) for m in seen.values())
    return {
        "leader": leader, "told": True, "error": None, "quorum": serving >= Tikv.quorum,
        "operators": state.operators, "schedulers": list(state.schedulers),
        "regions": {"count": regions.count, "missing": sorted(regions.missing), "pending": regions.pending,
                    "replaced": [_old_name(s.id) for s in state.stores if s.id not in hosts],
                    "leaders": _by_host(regions.leaders, hosts), "peers": _by_host(regions.peers, hosts)},
    }


def _by_host(counts: Mapping[int, int], hosts: Mapping[int, str]) -> dict[str, int]:
    return {hosts.get(store, _old_name(store)): n for store, n in sorted(counts.items())}


def _old_name(store: int) -> str:
    """The name of an entry of PD that no member is any more."""
    return f"store {store}"


def _add_metrics(seen: dict[str, dict[str, Any]]) -> None:
    """Adds the metrics to the stores; metrics that are missing are an error of Prometheus."""
    for source in (m for m in seen.values() if m["kind"] == METRICS):
        metrics: Metrics | None = source.pop("metrics", None)
        if metrics is None:
            continue
        stores = {name: m for name, m in seen.items() if m["kind"] == STORE and m["reachable"]}
        unseen = [name for name in stores if name not in metrics.stores]
        blind = [*unseen, *(f"{what} of any store" for what in metrics.missing if len(unseen) < len(stores))]
        if stores and blind:
            source |= {"blind": ", ".join(blind), "healthy": False, "error": f"knows nothing of {', '.join(blind)}"}
        for name, m in stores.items():
            measured = metrics.stores.get(name, {})
            m |= {what: measured[what] for what in ("cpu", "qps", "p99", "lag", "capacity", "available", "used")
                  if what in measured}
            m |= {"read_latency": measured.get("p99"), "db_size": measured.get("used")}


SUBJECT = Tikv()
