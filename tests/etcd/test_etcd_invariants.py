"""Each invariant: violated by just what it is about, and by nothing else."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.subject import Observation
from subjects.etcd.invariants import INVARIANTS, LAG, SLOW, violations

LEADER = "a0"


def member(**more: Any) -> dict[str, Any]:
    return {"container": "p-x-1", "state": "running", "address": "10.0.0.2", "exit_code": None, "reachable": True,
            "healthy": True, "leader": False, "error": None, "id": "a1", "term": 2, "index": 1000, "db_size": 20480,
            "voting": True, "leader_id": LEADER, "read_latency": 0.002, "alarms": []} | more


def observation() -> Observation:
    members = {"etcd0": member(id="a0", leader=True), "etcd1": member(), "etcd2": member(id="a2")}
    return Observation(0.0, members, {"leader": "etcd0", "quorum": True}, limits={"high_latency": SLOW})


def gone(**more: Any) -> dict[str, Any]:
    return {"container": "p-x-1", "state": "running", "address": "10.0.0.2", "exit_code": None, "reachable": False,
            "healthy": False, "leader": False, "error": "connection refused"} | more


def keys(o: Observation) -> dict[str, bool]:
    return {v.key: v.certain for v in violations(o, 2)}


def test_a_healthy_cluster_violates_nothing() -> None:
    assert keys(observation()) == {}


@pytest.mark.parametrize(("seen", "certain", "words"), [
    (gone(state="exited", address=None, exit_code=137), True, "has exited (exit code 137)"),
    (gone(state="paused"), True, "frozen"),
    (gone(state="missing", address=None), True, "no container"),
    (gone(address=None), True, "not on the cluster's network"),
    (gone(), False, "connection refused"),
    (gone(state="restarting", address=None), False, "restarting"),
])
def test_a_member_that_does_not_answer_is_down(seen: dict[str, Any], certain: bool, words: str) -> None:
    o = observation()
    o.members["etcd1"] = seen
    assert keys(o) == {"member_down:etcd1": certain}
    assert words in violations(o, 2)[0].text


def test_too_few_running_members_are_certainly_no_quorum() -> None:
    o = observation()
    for name in ("etcd0", "etcd1"):
        o.members[name] = gone(state="exited", address=None, exit_code=0)
    o.cluster = {"leader": None, "quorum": False}
    assert keys(o)["quorum_lost"] is True


def test_reads_that_nobody_answers_are_no_quorum_after_a_grace() -> None:
    o = observation()
    o.cluster["quorum"] = False
    assert keys(o) == {"quorum_lost": False}


def test_no_leader_names_the_member_that_is_cut_off_or_the_cluster() -> None:
    o = observation()
    o.members["etcd2"] = member(leader_id="0", read_latency=None)
    assert keys(o) == {"no_leader:etcd2": False}
    for name in o.members:
        o.members[name] = member(leader_id="0", read_latency=None)
    assert keys(o) == {"no_leader": False}


def test_lag_counts_beyond_the_threshold_only() -> None:
    o = observation()
    o.members["etcd1"] = member(index=1000 - int(LAG))
    assert keys(o) == {}
    o.members["etcd1"] = member(index=999 - int(LAG))
    assert keys(o) == {"member_lagging:etcd1": False}


def alarm(kind: str, member: str | None, owner: str = "") -> dict[str, Any]:
    return {"alarm": kind, "member": member, "owner": owner or member}


@pytest.mark.parametrize(("raised", "key", "words"), [
    (alarm("NOSPACE", "etcd1"), "db_space_alarm:etcd1", "Alarm NOSPACE of etcd1: a database reached its quota"),
    (alarm("NOSPACE", None, "the member 3039, which is gone"), "db_space_alarm", "the member 3039, which is gone"),
    (alarm("CORRUPT", "etcd1"), "corruption_alarm:etcd1", "Alarm CORRUPT of etcd1"),
    (alarm("CORRUPT", None, "no member"), "corruption_alarm", "Alarm CORRUPT of no member"),
    (alarm("MELTDOWN", "etcd2"), "other_alarm:etcd2", "Alarm MELTDOWN of etcd2"),
])
def test_every_alarm_is_critical_and_names_its_owner(raised: dict[str, Any], key: str, words: str) -> None:
    o = observation()
    for m in o.members.values():
        m |= {"healthy": False, "error": f"alarm:{raised['alarm']}"}
    o.cluster["alarms"] = [raised]
    (violation,) = violations(o, 2)
    assert (violation.key, violation.severity) == (key, "critical")
    assert words in violation.text


def test_alarms_without_a_member_of_ours_are_told_together() -> None:
    o = observation()
    o.cluster["alarms"] = [alarm("CORRUPT", None, "no member"), alarm("CORRUPT", None, "the member 3039"),
                           alarm("CORRUPT", "etcd0"), alarm("NOSPACE", "etcd0")]
    assert set(keys(o)) == {"corruption_alarm", "corruption_alarm:etcd0", "db_space_alarm:etcd0"}
    assert any("of no member, alarm CORRUPT of the member 3039" in v.text for v in violations(o, 2))


def test_a_member_that_is_not_healthy_is_told_in_its_own_words() -> None:
    o = observation()
    o.members["etcd1"] = member(healthy=False, error="linearizable read: etcdserver: user name is empty")
    (violation,) = violations(o, 2)
    assert (violation.key, violation.severity) == ("member_unhealthy:etcd1", "critical")
    assert "user name is empty" in violation.text


def test_a_member_that_answers_its_status_with_an_error_is_not_silent() -> None:
    o = observation()
    o.members["etcd1"] = gone(reachable=True, error="etcdserver: permission denied")
    (violation,) = violations(o, 2)
    assert violation.key == "member_unhealthy:etcd1"
    assert "permission denied" in violation.text


@pytest.mark.parametrize("what", [{"leader_id": "0"}, {"read_latency": None}, {"index": 0}])
def test_what_has_a_name_is_not_told_twice(what: dict[str, Any]) -> None:
    o = observation()
    o.members["etcd1"] = member(healthy=False, error="not well") | what
    assert "member_unhealthy:etcd1" not in keys(o)


def test_errors_of_clients_do_not_explain_a_member_that_is_not_healthy() -> None:
    o = observation()
    o.members["etcd1"] = member(healthy=False, error="etcdserver: user name is empty")
    o.load = {"ops": 0, "errors": {"unavailable": 10}}
    assert set(keys(o)) == {"member_unhealthy:etcd1", "client_errors"}


def test_no_quorum_is_told_with_what_the_members_say() -> None:
    o = observation()
    o.cluster["quorum"] = False
    for m in o.members.values():
        m |= {"healthy": False, "error": "linearizable read: etcdserver: request timed out"}
    (violation,) = violations(o, 2)
    assert "etcd0: linearizable read: etcdserver: request timed out" in violation.text


def test_a_member_that_never_started_is_a_violation() -> None:
    o = observation()
    o.cluster["unstarted"] = ["learner 1a8a (http://etcd9:2380)"]
    assert keys(o) == {"member_unstarted": False}
    assert "learner 1a8a (http://etcd9:2380)" in violations(o, 2)[0].text


@pytest.mark.parametrize("latency", [SLOW + 0.001, None])
def test_a_slow_or_unanswered_read_is_high_latency(latency: float | None) -> None:
    o = observation()
    o.members["etcd0"] = member(read_latency=latency)
    assert keys(o) == {"high_latency:etcd0": False}
    o.members["etcd0"] = member(read_latency=SLOW)
    assert keys(o) == {}


def test_how_slow_is_too_slow_depends_on_the_machine() -> None:
    o = observation()
    o.members["etcd0"] = member(read_latency=0.4)
    o.limits = {"high_latency": 0.5}
    assert keys(o) == {}
    o.limits = {}  # not known yet
    assert keys(o) == {}


@pytest.mark.parametrize(("ops", "errors", "violated"), [
    (200, {}, False), (190, {"timeout": 10}, False), (189, {"timeout": 8, "refused": 3}, True), (0, {"late": 1}, True),
    (0, {}, False),
])
def test_client_errors_are_a_share_of_the_operations(ops: int, errors: dict[str, int], violated: bool) -> None:
    o = observation()
    o.load = {"ops": ops, "errors": errors}
    assert keys(o) == ({"client_errors": False} if violated else {})


def test_each_invariant_says_where_its_number_comes_from() -> None:
    for invariant in INVARIANTS:
        assert invariant.source
        assert invariant.grace >= 0
        assert (invariant.threshold is None) == (invariant.unit == "")


@given(st.dictionaries(st.sampled_from(["etcd0", "etcd1", "etcd2"]), st.sampled_from(
    [gone(), gone(state="paused"), gone(state="exited", exit_code=1), gone(state="dead"), gone(address=None),
     member(leader_id="0", read_latency=None), member(read_latency=None), member(healthy=False, error="oops")])),
    st.booleans(), st.lists(st.builds(alarm, st.sampled_from(["NOSPACE", "CORRUPT", "X", "Y"]),
                                      st.sampled_from(["etcd0", "etcd1", None]), st.sampled_from(["a", "b"]))))
def test_any_mixture_is_judged_and_left_as_it_was(changed: dict[str, dict[str, Any]], quorum: bool,
                                                  alarms: list[dict[str, Any]]) -> None:
    o = observation()
    o.members |= changed
    o.cluster |= {"quorum": quorum, "alarms": alarms}
    before = copy.deepcopy(o)
    found = violations(o, 2)
    assert o == before
    assert len({v.key for v in found}) == len(found), "a violation is told once"
    assert {v.member for v in found if v.invariant == "member_down"} == {
        name for name, m in o.members.items() if not m["reachable"]}
