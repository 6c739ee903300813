"""The subject etcd: how its members are observed, what must hold, and how a repair is checked.

Members are reached at their address, never by name, through the JSON gateway. All calls share one deadline.
"""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

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
    Observation,
    Refused,
    Shown,
    Through,
    Violation,
    as_the_engine_sees,
)
from operator_demo.subject_kit import NoAnswer, NoConnection, Timeout, ask_all, data_plane, in_ms
from subjects.etcd.anatomy import ANATOMY
from subjects.etcd.gateway import Answer, Gateway, number
from subjects.etcd.invariants import INVARIANTS, violations

T = TypeVar("T")

_PROBE = "/operator-demo/probe"  # a key that nobody writes
_CHECKS = "/operator-demo/check/"
_AVOID = 1.0  # seconds for which a client avoids a member that failed
_READ_LIMIT = 1.5  # seconds that an observation waits for a linearizable read
_NO_SPACE = 8  # gRPC ResourceExhausted: "mvcc: database space exceeded"
_NOT_SERVED = (1, 2, 4, 14)  # gRPC Canceled, Unknown, DeadlineExceeded, Unavailable; other codes are a refusal
_ALARM = re.compile(r"(?:memberID:(\d+)\s+)?alarm:(\w+)")  # without memberID: the alarm of no member


class Etcd:
    name = "etcd"
    title = "etcd 3.5, three members"
    members: Sequence[str] = ("etcd0", "etcd1", "etcd2")
    quorum = 2
    invariants: Sequence[Invariant] = INVARIANTS
    anatomy: Anatomy = ANATOMY
    groups: Sequence[Group] = (Group("", members, quorum),)

    def observe(self, members: Sequence[Member], deadline: float = 2.0) -> Observation:
        began, limit = time.time(), Deadline(deadline)
        observed = {m.name: as_the_engine_sees(m) for m in members}
        alive = [m for m in members if m.state == "running" and m.address]
        looks = _each(alive, limit, lambda _, gateway: _look(gateway, limit))
        for name, look in looks.items():
            observed[name] |= look if isinstance(look, dict) else {"error": str(look)}
        cluster = _cluster(observed)
        return Observation(began, observed, cluster, duration=time.time() - began)

    def violations(self, observation: Observation) -> list[Violation]:
        return violations(observation, self.quorum)

    def show(self, observation: Observation) -> Shown:
        """How fast a member answers a read, how far it is behind the newest entry of the log, how much data it has."""
        newest = max([m["index"] for m in observation.members.values() if m.get("index")], default=0)
        return Shown({name: _figures(m, newest) for name, m in observation.members.items() if m["reachable"]})

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        """A key written through every member, each read back through every other."""
        prefix = f"{_CHECKS}{secrets.token_hex(8)}/"
        check = data_plane(self, members, members, prefix, Deadline(deadline))
        reached = [m for m in members if m.address]
        _each(reached[:1], Deadline(1.0), lambda _, g: g.delete_prefix(prefix, 1.0))
        return check

    def agreement(self, members: Sequence[Member], keys: Sequence[str], deadline: float) -> Check:
        """HashKV, of all keys, of every member at one revision that all of them have. Writes may continue."""
        limit = Deadline(deadline)
        while True:
            check = _compare_hashes(members, limit)
            if check.status != "unknown" or limit.left() < 0.5:
                return check
            time.sleep(0.2)

    def redundancy(self, baseline: Observation, now: Observation) -> Check:
        """As many healthy, voting, started members as before, and no alarm."""
        before, after = baseline.cluster.get("voters") or [], now.cluster.get("voters") or []
        faults = [f"{name} is no voting member any more" for name in before if name not in after]
        faults += [f"{member} was added and never started" for member in now.cluster.get("unstarted") or []]
        healthy = [name for name in after if now.members.get(name, {}).get("healthy")]
        faults += [f"{name} is not healthy: {now.members.get(name, {}).get('error') or 'not seen'}" for name in after
                   if name not in healthy]
        if len(healthy) < len(before):
            faults.append(f"{len(healthy)} of {len(before)} voting members are healthy")
        faults += [f"alarm {a['alarm']} of {a['owner']}" for a in now.cluster.get("alarms") or []]
        if not before:
            return Check("redundancy", "unknown", "the member list was not seen at the baseline")
        if faults:
            return Check("redundancy", "failed", "; ".join(faults))
        return Check("redundancy", "passed", f"{len(healthy)} of {len(before)} voting members are healthy, no alarms")

    def client(self, members: MembersNow, timeout: float) -> KeyValue:
        return Client(members, timeout)

    def through(self, members: MembersNow, member: str, prefix: str, timeout: float) -> Through:
        return Through(prefix + member, Client(lambda: [m for m in members() if m.name == member], timeout))


class Client:
    """`KeyValue` through one member: the first that has not failed lately. Every member serves every key."""

    def __init__(self, members: MembersNow, timeout: float) -> None:
        self._members, self._timeout = members, timeout
        self._gateway: Gateway | None = None
        self._address = ""
        self._avoid_until: dict[str, float] = {}

    def put(self, key: str, value: str) -> None:
        try:
            self._translate(lambda gateway: gateway.put(key, value, self._timeout))
        except Answer as e:
            if e.code == _NO_SPACE:
                raise Refused(str(e)) from e
            raise ConnectionError(str(e)) from e  # "request timed out", "leader changed": it may have happened

    def get(self, key: str) -> str | None:
        try:
            return self._translate(lambda gateway: gateway.get(key, self._timeout))
        except Answer as e:
            raise ConnectionError(str(e)) from e

    def close(self) -> None:
        if self._gateway is not None:
            self._gateway.close()
            self._gateway = None

    def _at_hand(self) -> Gateway:
        addresses = [m.address for m in self._members() if m.address]
        if not addresses:
            raise Refused("no member is on the network")
        now = time.monotonic()
        address = next((a for a in addresses if self._avoid_until.get(a, 0.0) <= now), addresses[0])
        if self._gateway is None or address != self._address:
            self.close()
            self._gateway, self._address = Gateway(address), address
        return self._gateway

    def _translate(self, call: Callable[[Gateway], T]) -> T:
        gateway = self._at_hand()
        try:
            return call(gateway)
        except Answer:
            self._avoid()
            raise
        except NoConnection as e:
            self._avoid()
            raise Refused(str(e)) from e
        except Timeout as e:
            self._avoid()
            raise TimeoutError(str(e)) from e
        except NoAnswer as e:
            self._avoid()
            raise ConnectionError(str(e)) from e

    def _avoid(self) -> None:
        """The next calls go to another member."""
        self._avoid_until[self._address] = time.monotonic() + _AVOID
        self.close()


def _figures(m: dict[str, Any], newest: int) -> list[Figure]:
    figures = []
    if m.get("read_latency") is not None:
        figures.append(Figure("read", in_ms(m["read_latency"])))
    if m.get("index"):
        figures.append(Figure("behind", str(newest - m["index"])))
    if m.get("db_size"):
        figures.append(Figure("data", f"{m['db_size'] / 1e6:.0f} MB"))
    return figures


# -- one observation -------------------------------------------------------------------------------------------------

def _look(gateway: Gateway, limit: Deadline) -> dict[str, Any]:
    """What the member itself reports. `healthy` means the same as etcd's `/health` (a leader, a linearizable read, no
    alarm), but the separate requests show which part is missing. Alarms are read from the status, because a request
    for them goes through raft and writes to the disk of every member."""
    try:
        status = gateway.status(limit.left())
    except (NoAnswer, Answer) as e:
        return {"reachable": isinstance(e, Answer), "error": str(e)}
    me = number(status.get("header", {}).get("member_id"))
    complaints = [str(e).strip() for e in status.get("errors") or []]
    raised = [(number(owner), alarm) for e in complaints for owner, alarm in _ALARM.findall(e)]
    look = {
        "reachable": True, "id": f"{me:x}", "term": number(status.get("raftTerm")),
        "index": number(status.get("raftAppliedIndex")), "db_size": number(status.get("dbSize")),
        "voting": not status.get("isLearner"), "leader_id": f"{number(status.get('leader')):x}", "read_latency": None,
        "raised": raised, "alarms": [alarm for owner, alarm in raised if owner == me],
    }
    began = time.perf_counter()
    try:
        try:
            gateway.get(_PROBE, min(_READ_LIMIT, limit.left()))
        except Answer as e:
            if e.code in _NOT_SERVED:
                raise
            complaints.append(f"linearizable read: {e}")  # a refusal ("user name is empty") needs a majority too
        look["read_latency"] = round(time.perf_counter() - began, 6)
        look["list"] = gateway.members(limit.left())
    except (NoAnswer, Answer) as e:
        complaints.append(f"{'linearizable read' if look['read_latency'] is None else 'member list'}: {e}")
    return look | {"healthy": not complaints, "error": "; ".join(complaints) or None}


def _cluster(seen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The state of the whole cluster. The leader is the one of the newest term."""
    reachable = [m for m in seen.values() if m["reachable"] and "term" in m]
    newest = max((m["term"] for m in reachable), default=0)
    leader_ids = {m["leader_id"] for m in reachable if m["term"] == newest and m["leader_id"] != "0"}
    leader = next((name for name, m in seen.items() if m.get("id") in leader_ids), None)
    for name, m in seen.items():
        m["leader"] = name == leader
    lists = [m.pop("list") for m in seen.values() if "list" in m]
    listed = lists[0] if lists else []
    return {
        "leader": leader,
        "quorum": any(m.get("read_latency") is not None for m in reachable),
        "term": newest,
        "voters": sorted(str(m["name"]) for m in listed if m.get("name") and not m.get("isLearner")),
        "unstarted": [_unstarted(m) for m in listed if not m.get("name")],
        "alarms": _alarms(seen, listed),
    }


def _unstarted(listed: dict[str, Any]) -> str:
    """An entry of the member list in words. It has a name only after the member's first start."""
    kind = "learner" if listed.get("isLearner") else "voter"
    return f"{kind} {number(listed.get('ID')):x} ({', '.join(map(str, listed.get('peerURLs') or []))})"


def _alarms(seen: dict[str, dict[str, Any]], listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All alarms, each once. `member` is None if no known member raised it; `owner` names the owner in words."""
    raised = {alarm for m in seen.values() for alarm in m.pop("raised", [])}
    names = {number(m.get("ID")): str(m["name"]) for m in listed if m.get("name")}
    names |= {int(m["id"], 16): name for name, m in seen.items() if "id" in m}
    alarms = []
    for owner, alarm in sorted(raised):
        if owner in names:
            name = names[owner]
        elif owner == 0:
            name = "no member"
        else:
            name = f"the member {owner:x}" + (", which is gone" if listed else "")
        alarms.append({"alarm": alarm, "member": name if name in seen else None, "owner": name})
    return alarms


# -- checks ----------------------------------------------------------------------------------------------------------

def _compare_hashes(members: Sequence[Member], limit: Deadline) -> Check:
    revisions = _each(members, limit, lambda _, g: g.revision(limit.left()))
    faults = [f"{name}: {e}" for name, e in revisions.items() if not isinstance(e, int)]
    if faults:
        return Check("agreement", "unknown", "; ".join(faults))
    revision = min(r for r in revisions.values() if isinstance(r, int))
    answers = _each(members, limit, lambda _, g: g.hash_kv(revision, limit.left()))
    faults = [f"{name}: {e}" for name, e in answers.items() if not isinstance(e, tuple)]
    if faults:
        return Check("agreement", "unknown", "; ".join(faults))
    hashes = {name: answer for name, answer in answers.items() if isinstance(answer, tuple)}
    if len({compact for _, compact in hashes.values()}) > 1:
        return Check("agreement", "unknown", "the members are compacted to different revisions")
    if len({hash_ for hash_, _ in hashes.values()}) > 1:
        each = ", ".join(f"{name} {hash_:08x}" for name, (hash_, _) in hashes.items())
        return Check("agreement", "failed", f"at revision {revision} the hashes of the data differ: {each}")
    return Check("agreement", "passed", f"the same hash of all data at revision {revision} on {len(hashes)} members")


def _each(members: Sequence[Member], limit: Deadline, use: Callable[[str, Gateway], T]) -> dict[str, T | Exception]:
    """`ask_all`, with a gateway to each member."""
    def call(m: Member) -> T:
        gateway = Gateway(str(m.address))
        try:
            return use(m.name, gateway)
        finally:
            gateway.close()

    return ask_all(members, limit, call)


SUBJECT = Etcd()
