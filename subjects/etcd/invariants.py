"""The invariants of an etcd cluster, their grace periods, and the sources of the numbers.

"Mixin" is etcd's own set of alert rules (contrib/mixin in its repository). They wait for minutes, because they page
people. The grace periods here are seconds: a little longer than etcd needs to heal by itself.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from operator_demo.subject import Invariant, Observation, Violation, why_silent
from operator_demo.subject_kit import failed_share

CRITICAL, WARNING = "critical", "warning"

LAG = 500.0  # raft entries
SLOW = 0.15  # seconds
TIMES = 4.0  # what is usual
ERRORS = 5.0  # per cent of the clients' operations

INVARIANTS: Sequence[Invariant] = (
    Invariant("member_down", CRITICAL, None, "", 3.0,
              "Every member runs, is on the network and answers. No grace where the engine says that it does not.",
              "Mixin etcdMembersDown (critical). Grace: longer than a restart by the engine's policy takes."),
    Invariant("no_leader", CRITICAL, None, "", 3.0,
              "Every member that answers knows a leader.",
              "Mixin etcdNoLeader (critical). Grace: the election timeout is 1 s (etcd's default) and is drawn up to "
              "twice as long; a split vote takes another round."),
    Invariant("quorum_lost", CRITICAL, None, "", 3.0,
              "A majority serves: some member answers a linearizable read. No grace where the engine says that too few "
              "members run.",
              "Mixin etcdInsufficientMembers (critical). Grace: as no_leader, for reads fail during an election."),
    Invariant("member_lagging", WARNING, LAG, "raft entries", 5.0,
              "No member's applied index is further behind the newest than the threshold.",
              "A tenth of 5,000, the gap at which etcd itself refuses writes (too many requests) and the number of "
              "entries kept for a slow follower; five seconds of the default load."),
    Invariant("db_space_alarm", CRITICAL, None, "", 0.0,
              "There is no alarm NOSPACE (a database reached its quota; the cluster takes no more writes).",
              "etcd operations guide, maintenance: space quota; Mixin etcdDatabaseQuotaLowSpace (critical)."),
    Invariant("corruption_alarm", CRITICAL, None, "", 0.0,
              "There is no alarm CORRUPT (members hold different data; the cluster takes no more writes).",
              "etcd operations guide, data corruption: etcd raises it and refuses writes until it is disarmed."),
    Invariant("other_alarm", CRITICAL, None, "", 0.0,
              "There is no alarm of another kind.",
              "etcd's /health counts a member as unhealthy while there is any alarm."),
    Invariant("member_unhealthy", CRITICAL, None, "", 3.0,
              "Every member that answers is healthy: it answers its status and a read without an error. Told where "
              "no other invariant says what is wrong with it.",
              "etcd's /health. Grace: as member_down."),
    Invariant("member_unstarted", WARNING, None, "", 15.0,
              "Every voter and learner in the member list has been started once.",
              "etcd operations guide, runtime reconfiguration: a voter counts for the quorum from when it is added. "
              "Grace: own choice, longer than adding and starting a member takes."),
    Invariant("high_latency", WARNING, SLOW, "s", 10.0,
              "A linearizable read through each member is answered within the threshold, or within four times what was "
              "usual under load before the fault, where that is more.",
              "Mixin etcdGRPCRequestsSlow: p99 of requests above 0.15 s. Four times: own choice; on a quiet machine "
              "single reads take three times as long as usual.", measured="read_latency", times=TIMES),
    Invariant("client_errors", WARNING, ERRORS, "%", 5.0,
              "No more of the clients' operations fail than the threshold.",
              "Mixin etcdHighNumberOfFailedGRPCRequests (critical): more than 5 %."),
)
_BY_NAME = {i.name: i for i in INVARIANTS}
_OF_ALARM = {"NOSPACE": "db_space_alarm", "CORRUPT": "corruption_alarm"}
_MEANING = {
    "db_space_alarm": "a database reached its quota, and writes are refused",
    "corruption_alarm": "members hold different data, and writes are refused",
}


def violations(o: Observation, quorum: int) -> list[Violation]:
    """A pure function of one observation."""
    violated = [*_down(o), *_quorum(o, quorum), *_leaderless(o), *_alarms(o), *_slow(o)]
    violated += _unhealthy(o, violated)
    return [*violated, *_unstarted(o), *_client_errors(o)]


def _violation(invariant: str, member: str | None, text: str, certain: bool = False) -> Violation:
    return Violation(invariant, member, _BY_NAME[invariant].severity, text, certain)


def _down(o: Observation) -> Iterator[Violation]:
    for name, m in o.members.items():
        if not m["reachable"]:
            text, certain = why_silent(name, m)
            yield _violation("member_down", name, text, certain)


def _quorum(o: Observation, quorum: int) -> Iterator[Violation]:
    running = [m for m in o.members.values() if m["state"] == "running" and m["address"]]
    if len(running) < quorum:
        text = f"{len(running)} of {len(o.members)} members run; {quorum} are needed."
        yield _violation("quorum_lost", None, text, certain=True)
    elif not o.cluster.get("quorum"):
        errors = [f"{name}: {m['error']}" for name, m in o.members.items() if m["reachable"] and m["error"]]
        reasons = f" ({'; '.join(errors)})" if errors else ""
        yield _violation("quorum_lost", None, f"No member answers a linearizable read{reasons}.")


def _leaderless(o: Observation) -> Iterator[Violation]:
    status = _by_status(o)
    blind = [name for name, m in status.items() if m["leader_id"] == "0"]
    if blind and len(blind) == len(status):
        yield _violation("no_leader", None, "No member knows a leader.")
    else:
        for name in blind:
            yield _violation("no_leader", name, f"{name} knows no leader, others do: it is cut off from them.")


def _slow(o: Observation) -> Iterator[Violation]:
    status = _by_status(o)
    newest = max((m["index"] for m in status.values()), default=0)
    for name, m in status.items():
        behind, latency = newest - m["index"], m["read_latency"]
        if behind > LAG:
            yield _violation("member_lagging", name, f"{name} is {behind} raft entries behind (limit {LAG:.0f}).")
        limit = o.limits.get("high_latency")
        if m["leader_id"] == "0":
            continue
        if latency is None:
            yield _violation("high_latency", name, f"A linearizable read through {name} was not answered.")
        elif limit is not None and latency > limit:
            took = f"took {latency:.3f} s (limit {limit:.3g} s)"
            yield _violation("high_latency", name, f"A linearizable read through {name} {took}.")


def _alarms(o: Observation) -> Iterator[Violation]:
    """One violation per kind of alarm and member. Alarms of members that are gone, and of no member, share one."""
    raised: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for alarm in o.cluster.get("alarms") or []:
        invariant = _OF_ALARM.get(alarm["alarm"], "other_alarm")
        raised.setdefault((invariant, alarm["member"]), []).append(alarm)
    for (invariant, member), alarms in raised.items():
        names = ", ".join(f"alarm {a['alarm']} of {a['owner']}" for a in alarms)
        meaning = _MEANING.get(invariant, "etcd counts no member as healthy while there is one")
        yield _violation(invariant, member, f"{names[0].upper()}{names[1:]}: {meaning}.")


def _unhealthy(o: Observation, others: Sequence[Violation]) -> Iterator[Violation]:
    """Members that are unhealthy for no reason in `others`. Alarms and violations of the whole cluster explain all."""
    if o.cluster.get("alarms") or any(v.member is None for v in others):
        return
    explained = {v.member for v in others}
    for name, m in o.members.items():
        if m["reachable"] and not m["healthy"] and name not in explained:
            yield _violation("member_unhealthy", name, f"{name} answers, but is not healthy: {m['error']}.")


def _unstarted(o: Observation) -> Iterator[Violation]:
    if members := o.cluster.get("unstarted"):
        yield _violation("member_unstarted", None, f"Added to the cluster, but never started: {'; '.join(members)}.")


def _client_errors(o: Observation) -> Iterator[Violation]:
    share = failed_share(o.load) if o.load else 0.0
    if o.load and share > ERRORS:
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(o.load["errors"].items()))
        yield _violation("client_errors", None,
                         f"{share:.0f} % of the clients' operations fail ({kinds}; limit {ERRORS:.0f} %).")


def _by_status(o: Observation) -> dict[str, dict[str, Any]]:
    """The members that reported their status."""
    return {name: m for name, m in o.members.items() if m["reachable"] and "leader_id" in m}
