"""What must hold of an etcd cluster, from when on it counts, and where the numbers come from.

"Mixin" is etcd's own set of alert rules (contrib/mixin in its repository). Those wait for minutes, because they page
people at night; the graces here are seconds, chosen to be longer than what etcd needs to heal by itself.
"""

from collections.abc import Sequence

from operator_demo.subject import Invariant, Observation, Violation, why_silent

CRITICAL, WARNING = "critical", "warning"

LAG = 500.0  # raft entries
SLOW = 0.15  # seconds
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
              "No member has raised NOSPACE (its database reached the quota; the cluster takes no more writes).",
              "etcd operations guide, maintenance: space quota; Mixin etcdDatabaseQuotaLowSpace (critical)."),
    Invariant("high_latency", WARNING, SLOW, "s", 10.0,
              "A linearizable read through each member is answered within the threshold.",
              "Mixin etcdGRPCRequestsSlow: p99 of requests above 0.15 s."),
    Invariant("client_errors", WARNING, ERRORS, "%", 5.0,
              "No more of the clients' operations fail than the threshold.",
              "Mixin etcdHighNumberOfFailedGRPCRequests (critical): more than 5 %."),
)
_BY_NAME = {i.name: i for i in INVARIANTS}


def violations(o: Observation, quorum: int) -> list[Violation]:
    """A pure function of one observation."""
    found: list[Violation] = []

    def add(invariant: str, member: str | None, text: str, certain: bool = False) -> None:
        found.append(Violation(invariant, member, _BY_NAME[invariant].severity, text, certain))

    for name, m in o.members.items():
        if not m["reachable"]:
            text, certain = why_silent(name, m)
            add("member_down", name, text, certain)

    running = [m for m in o.members.values() if m["state"] == "running" and m["address"]]
    if len(running) < quorum:
        add("quorum_lost", None, f"{len(running)} of {len(o.members)} members run; {quorum} are needed.", certain=True)
    elif not o.cluster.get("quorum"):
        add("quorum_lost", None, "No member answers a linearizable read.")

    answering = {name: m for name, m in o.members.items() if m["reachable"] and "leader_id" in m}
    blind = [name for name, m in answering.items() if m["leader_id"] == "0"]
    if blind and len(blind) == len(answering):
        add("no_leader", None, "No member knows a leader.")
    else:
        for name in blind:
            add("no_leader", name, f"{name} knows no leader, others do: it is cut off from them.")

    newest = max((m["index"] for m in answering.values()), default=0)
    for name, m in answering.items():
        behind = newest - m["index"]
        if behind > LAG:
            add("member_lagging", name, f"{name} is {behind} raft entries behind (limit {LAG:.0f}).")
        if "NOSPACE" in m["alarms"]:
            add("db_space_alarm", name, f"{name} has raised NOSPACE: its database ({m['db_size']} bytes) reached the "
                                        f"quota; writes are refused.")
        latency = m["read_latency"]
        if m["leader_id"] != "0" and (latency is None or latency > SLOW):
            took = "was not answered" if latency is None else f"took {latency:.3f} s (limit {SLOW} s)"
            add("high_latency", name, f"A linearizable read through {name} {took}.")

    if o.load is not None:
        failed, done = sum(o.load["errors"].values()), o.load["ops"]
        if failed and 100.0 * failed / (failed + done) > ERRORS:
            share = 100.0 * failed / (failed + done)
            kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(o.load["errors"].items()))
            add("client_errors", None,
                f"{share:.0f} % of the clients' operations fail ({kinds}; limit {ERRORS:.0f} %).")
    return found
