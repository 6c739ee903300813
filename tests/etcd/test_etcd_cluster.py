"""The subject on a real cluster."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from etcd_cluster import Cluster, wait_until

from operator_demo.subject import Member
from subjects.etcd.gateway import Gateway
from subjects.etcd.subject import SUBJECT

pytestmark = pytest.mark.engine


def test_a_whole_cluster_is_seen_as_it_is(cluster: Cluster) -> None:
    observation = SUBJECT.observe(cluster.members(), 2.0)
    assert all(m["healthy"] and m["reachable"] and m["voting"] for m in observation.members.values())
    assert [m["leader"] for m in observation.members.values()].count(True) == 1
    assert observation.cluster["leader"] in SUBJECT.members
    assert observation.cluster["voters"] == list(SUBJECT.members)
    assert observation.cluster["quorum"] is True
    assert all(0 < m["read_latency"] < 2 and m["db_size"] > 0 for m in observation.members.values())


@pytest.mark.parametrize(("fault", "certain"), [
    ("kill", True), ("stop", True), ("pause", True), ("disconnect", True), ("SIGSTOP", False)])
def test_a_faulty_member_is_seen_within_the_deadline_and_seen_again_after(
        cluster: Cluster, fault: str, certain: bool) -> None:
    victim = next(name for name in SUBJECT.members if name != cluster.leader())
    cluster.act(fault, victim)
    began = time.monotonic()
    observation = SUBJECT.observe(cluster.members(), 2.0)
    assert time.monotonic() - began < 3.5
    assert observation.duration < 2.5
    down = {v.key: v.certain for v in SUBJECT.violations(observation) if v.invariant == "member_down"}
    assert down == {f"member_down:{victim}": certain}
    assert SUBJECT.data_plane(cluster.members(), 2.0).status == "failed"
    cluster.heal()
    assert SUBJECT.data_plane(cluster.members(), 5.0).status == "passed"


def test_without_a_majority_there_is_no_quorum_and_no_check_passes(cluster: Cluster) -> None:
    baseline = SUBJECT.observe(cluster.members(), 2.0)
    cluster.act("kill", "etcd0", "etcd1")
    wait_until(lambda: SUBJECT.observe(cluster.members(), 2.0).members["etcd2"]["leader_id"] == "0", 15)
    observation = SUBJECT.observe(cluster.members(), 2.0)
    assert {"quorum_lost", "no_leader", "member_down:etcd0", "member_down:etcd1"} <= {
        v.key for v in SUBJECT.violations(observation)}
    assert SUBJECT.agreement(cluster.members(), [], 2.0).status == "unknown"
    assert SUBJECT.redundancy(baseline, observation).status == "failed"


def test_redundancy_and_agreement_of_a_whole_cluster(cluster: Cluster) -> None:
    baseline = SUBJECT.observe(cluster.members(), 2.0)
    assert SUBJECT.redundancy(baseline, baseline).status == "passed"
    assert SUBJECT.agreement(cluster.members(), [], 5.0).status == "passed"
    assert not SUBJECT.client(cluster.members, 2.0).get("/operator-demo/check/")


@pytest.fixture
def gateway(cluster: Cluster) -> Iterator[Gateway]:
    made = Gateway(str(cluster.members()[0].address))
    yield made
    made.close()


@pytest.mark.parametrize(("kind", "owner", "key"), [
    ("NOSPACE", "etcd1", "db_space_alarm:etcd1"), ("CORRUPT", "etcd1", "corruption_alarm:etcd1"),
    ("CORRUPT", 0, "corruption_alarm"), ("NOSPACE", 12345, "db_space_alarm")])
def test_an_alarm_of_any_or_no_member_is_seen(cluster: Cluster, gateway: Gateway, kind: str, owner: str | int,
                                              key: str) -> None:
    before = SUBJECT.observe(cluster.members(), 2.0)
    id_ = owner if isinstance(owner, int) else int(before.members[owner]["id"], 16)
    alarm = {"memberID": str(id_), "alarm": kind}
    gateway.post("/v3/maintenance/alarm", alarm | {"action": "ACTIVATE"}, 3.0)
    try:
        now = SUBJECT.observe(cluster.members(), 2.0)
        assert {v.key for v in SUBJECT.violations(now)} == {key}
        assert now.members["etcd0"]["alarms"] == []
        assert SUBJECT.redundancy(before, now).status == "failed"
    finally:
        gateway.post("/v3/maintenance/alarm", alarm | {"action": "DEACTIVATE"}, 3.0)


def test_members_that_refuse_are_told_in_their_own_words(cluster: Cluster, gateway: Gateway) -> None:
    root = {"name": "root", "password": "secret"}
    gateway.post("/v3/auth/user/add", root, 3.0)
    gateway.post("/v3/auth/user/grant", {"user": "root", "role": "root"}, 3.0)
    gateway.post("/v3/auth/enable", {}, 3.0)
    try:
        now = SUBJECT.observe(cluster.members(), 2.0)
        violations = {v.key: v.text for v in SUBJECT.violations(now)}
        assert set(violations) == {f"member_unhealthy:{name}" for name in SUBJECT.members}
        assert "user name is empty" in violations["member_unhealthy:etcd0"]
        assert "user name is empty" in SUBJECT.data_plane(cluster.members(), 2.0).saw
    finally:
        token = gateway.post("/v3/auth/authenticate", root, 3.0)["token"]
        address = cluster.members()[0].address
        disabled = urllib3.request("POST", f"http://{address}:2379/v3/auth/disable", body=b"{}",
                                   headers={"Authorization": token}, timeout=5.0)
        assert disabled.status == 200
        gateway.post("/v3/auth/user/delete", {"name": "root"}, 3.0)


LOOK = """
import socket, sys, time
from operator_demo.subject import Member
from subjects.etcd.subject import SUBJECT
assert "192.0.2.1" in open("/etc/resolv.conf").read()
members = [Member(*m) for m in MEMBERS]
began = time.monotonic()
observation = SUBJECT.observe(members, 2.0)
print(time.monotonic() - began, *(v.key for v in SUBJECT.violations(observation)))
"""


def test_a_silent_resolver_costs_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """As in a hall without a network: the name of a stopped member would take 10 to 20 s to fail."""
    victim = next(name for name in SUBJECT.members if name != cluster.leader())
    cluster.act("kill", victim)
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 192.0.2.1\n")
    members = [(m.name, m.container, m.state, m.address, m.exit_code) for m in cluster.members()]
    # Also with the address that the dead member had: nobody is there to refuse the connection.
    dead = next(c for c in cluster.containers().values() if c.service == victim)
    members.append(("ghost", dead.name, "running", _unused_address(cluster.members()), None))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"mount --bind {resolver} /etc/resolv.conf && exec \"$@\"", "sh",
         sys.executable, "-c", LOOK.replace("MEMBERS", repr(members))],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    seconds, *keys = done.stdout.split()
    assert float(seconds) < 3
    assert set(keys) >= {f"member_down:{victim}", "member_down:ghost"}


def _unused_address(members: list[Member]) -> str:
    known = next(m.address for m in members if m.address)
    return known.rsplit(".", 1)[0] + ".250"
