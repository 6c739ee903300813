"""The invariants of a TiKV cluster, their grace periods, and the sources of the numbers.

The projects' own alert rules (metrics/alertmanager in tikv/pd and tikv/tikv, v8.5.7) wait for a minute or more, because
they page people. The grace periods here are a little longer than the cluster needs to heal by itself.
"""

from collections.abc import Sequence
from typing import Any

from operator_demo.subject import Invariant, Observation, Violation, why_silent
from operator_demo.subject_kit import failed_share
from subjects.tikv.members import KINDS, METRICS, PD, STORE

CRITICAL, WARNING = "critical", "warning"

SLOW = 0.1  # seconds
TIMES = 4.0  # what is usual
LOW_SPACE = 70.0  # per cent used
ERRORS = 5.0  # per cent of the clients' requests
SLOW_SCORE = 80  # from 1 to 100, at which evict-slow-store-scheduler acts
FEW_LEADERS = 6  # with fewer leaders in all, their spread says nothing

UP = "Up"

INVARIANTS: Sequence[Invariant] = (
    Invariant("store_down", CRITICAL, None, "", 3.0,
              "Every store runs, answers on its status port, and is Up for PD. No grace where the engine says that it "
              "does not run.",
              "PD calls a store Disconnected 20 s after its last heartbeat (pkg/core/store.go); its status port is "
              "silent at once. PD's own alert, PD_cluster_lost_connect_tikv_nums, waits for a minute more."),
    Invariant("pd_member_down", CRITICAL, None, "", 3.0,
              "Every PD member runs, answers, and answers its leader.",
              "Own choice; two of three members still serve, the next loss stops the cluster."),
    Invariant("pd_no_leader", CRITICAL, None, "", 5.0,
              "PD has a leader that answers: without it no region is found and no timestamp given.",
              "Grace: the lease of PD's leader is 5 s and the election of its etcd takes 3 s (server/config/config.go: "
              "leader-lease, election-interval); usually less."),
    Invariant("regions_without_leader", CRITICAL, 0.0, "regions", 30.0,
              "No region is led by a store that is not up, or by none: what is in it can be neither read nor written. "
              "PD keeps the last leader that it heard of, so leaders on stores that are down count.",
              "Grace: a raft election takes 10 to 20 s (raftstore: raft-base-tick-interval 1 s, "
              "raft-election-timeout-ticks 10, drawn up to twice as long)."),
    Invariant("regions_under_replicated", WARNING, 0.0, "regions", 10.0,
              "Every region has all its replicas on stores that are up.",
              "PD_miss_peer_region_count, PD_down_peer_region_nums. A leader gives a replica up (down-peer) only after "
              "10 minutes (max-peer-down-duration), so replicas on stores that are down count."),
    Invariant("high_latency", WARNING, SLOW, "s", 60.0,
              "The 99th percentile of the requests to each store is below the threshold, or below four times what was "
              "usual under load before the fault, where that is more.",
              "Own choice, after what the alert rules call slow for a request to PD (PD_tidb_handle_requests_duration: "
              "0.1 s for a minute). Four times: on a quiet machine TiKV's p99 is 17 to 46 ms, with single windows of "
              "141 ms; on a busy one 80 to 400 ms.", measured="p99", times=TIMES),
    Invariant("low_disk_space", WARNING, LOW_SPACE, "%", 5.0,
              "No store has used more of its capacity than the threshold.",
              "PD stops sending data to a store at 80 % (low-space-ratio) and its alert TiKV_space_used_more_than_80% "
              "fires; ten per cent earlier there is time to act."),
    Invariant("leader_imbalance", WARNING, None, "", 60.0,
              "The leaders of the regions are spread: between the store with most and that with fewest lie no more "
              "than a store has on average.",
              "Own choice. balance-leader-scheduler evens them out within seconds, to two leaders more or less by "
              "the tolerant-size-ratio of compose.yaml (pkg/schedule/schedulers/utils.go)."),
    Invariant("client_errors", WARNING, ERRORS, "%", 5.0,
              "No more of the clients' requests fail than the threshold.", "As for etcd: more than 5 %."),
    Invariant("metrics_silent", WARNING, None, "", 10.0,
              "Prometheus answers, and knows every store that answers: what is not measured is not zero.",
              "Own choice; ten scrapes."),
)
_BY_NAME = {i.name: i for i in INVARIANTS}
_DOWN = {PD: "pd_member_down", STORE: "store_down", METRICS: "metrics_silent"}


def violations(o: Observation) -> list[Violation]:
    """A pure function of one observation."""
    violated: list[Violation] = []

    def add(invariant: str, member: str | None, text: str, certain: bool = False) -> None:
        violated.append(Violation(invariant, member, _BY_NAME[invariant].severity, text, certain))

    for name, m in o.members.items():
        problem = _down(name, KINDS[name], m)
        if problem:
            text, certain = problem
            add(_DOWN[KINDS[name]], name, text, certain)

    _judge_pd(o, add)
    _judge_regions(o, add)
    _judge_stores(o, add)
    for name, m in o.members.items():
        if KINDS[name] == METRICS and m["reachable"] and m.get("blind"):
            add("metrics_silent", name, f"Prometheus answers, but not about {m['blind']}.")
    share = failed_share(o.load) if o.load else 0.0
    if share > ERRORS:
        add("client_errors", None, f"{share:.0f} % of the clients' requests fail (limit {ERRORS:.0f} %).")
    return violated


def _judge_pd(o: Observation, add: Any) -> None:
    if not any(KINDS[name] == PD and m["reachable"] for name, m in o.members.items()):
        add("pd_no_leader", None, "No PD member answers.")
    elif o.cluster.get("leader") is None:
        add("pd_no_leader", None, "No PD member leads: no region is found, no timestamp given.")
    elif not o.cluster.get("told"):
        add("pd_no_leader", None, f"PD does not tell about the cluster: {o.cluster.get('error') or 'no reason known'}.")


def _judge_regions(o: Observation, add: Any) -> None:
    regions = o.cluster.get("regions")
    if not regions:
        return
    stores = {name: m for name, m in o.members.items() if KINDS[name] == STORE}
    down = [*(name for name, m in stores.items() if not is_up(m)), *regions["replaced"]]
    lost = max(0, regions["count"] - sum(regions["leaders"].values()))
    orphaned = sum(regions["leaders"].get(name, 0) for name in down)
    if lost + orphaned:
        where = f", {orphaned} of them led by a store that is down ({', '.join(down)})" if orphaned else ""
        add("regions_without_leader", None, f"{lost + orphaned} of {regions['count']} regions have no leader{where}.")
    lacking = max([len(regions["missing"]), *(regions["peers"].get(name, 0) for name in down)])
    if lacking:
        add("regions_under_replicated", None, f"{lacking} of {regions['count']} regions lack a replica"
            + (f" ({', '.join(down)} down)." if down else "."))
    leaders = {name: regions["leaders"].get(name, 0) for name in stores if name not in down}
    total, counts = sum(leaders.values()), leaders.values()
    if len(leaders) > 1 and total >= FEW_LEADERS and max(counts) - min(counts) > total / len(leaders):
        spread = ", ".join(f"{name} {n}" for name, n in leaders.items())
        add("leader_imbalance", None, f"The regions' leaders are spread unevenly ({spread}).{_slow_ones(stores)}")


def _slow_ones(stores: dict[str, dict[str, Any]]) -> str:
    """What stores say of themselves that makes PD move leaders away, with nothing else broken."""
    slow = [f"{name} (slow_score {m['slow_score']} of 100{', busy' if m.get('busy') else ''})"
            for name, m in stores.items() if m.get("slow_score", 1) >= SLOW_SCORE or m.get("busy")]
    if not slow:
        return ""
    return f" Slow by their own account, so PD may move leaders away from them: {', '.join(slow)}."


def _judge_stores(o: Observation, add: Any) -> None:
    for name, m in o.members.items():
        if KINDS[name] != STORE or not m["reachable"]:
            continue
        limit = o.limits.get("high_latency")
        if limit is not None and (m.get("p99") or 0.0) > limit:
            add("high_latency", name, f"The 99th percentile of the requests to {name} is {m['p99']:.3f} s "
                                      f"(limit {limit:.3g} s).")
        capacity, available = m.get("capacity"), m.get("available")
        if capacity and available is not None and 100.0 * (1 - available / capacity) > LOW_SPACE:
            used = 100.0 * (1 - available / capacity)
            add("low_disk_space", name, f"{name} has used {used:.0f} % of its capacity (limit {LOW_SPACE:.0f} %).")


def _words_of_pd(name: str, m: dict[str, Any]) -> str:
    """A store that answers, and that PD does not call Up. It sends PD a heartbeat every 10 s, so after a start or a
    return PD learns of it up to 18 s later than its status port answers."""
    if m.get("heard") is False:
        return f"{name} answers; PD waits for its first heartbeat."
    if m["pd_state"] in ("Disconnected", "Down"):
        return f"{name} answers; PD waits for its heartbeat (and calls it {m['pd_state']} until then)."
    return f"{name} answers, but PD calls it {m['pd_state']}."


def is_up(m: dict[str, Any]) -> bool:
    """Does the store answer, and is it up for PD, if PD reports it?"""
    return bool(m["reachable"]) and m.get("pd_state", UP) in (UP, None)


def _down(name: str, kind: str, m: dict[str, Any]) -> tuple[str, bool] | None:
    """What is wrong with a member as a whole, and whether the engine itself reports it; None if nothing is."""
    if not m["reachable"]:
        return why_silent(name, m)
    if kind == STORE and not is_up(m):
        return _words_of_pd(name, m), False
    if kind == PD and m.get("shunned"):
        return f"{name} answers, but not to PD's leader.", False
    return None
