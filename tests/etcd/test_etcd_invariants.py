"""Each invariant: violated by just what it is about, and by nothing else."""

import copy
import json
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
    return Observation(0.0, members, {"leader": "etcd0", "quorum": True})


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


def test_only_nospace_is_a_space_alarm() -> None:
    o = observation()
    o.members["etcd1"] = member(alarms=["NOSPACE"], healthy=False)
    assert keys(o) == {"db_space_alarm:etcd1": False}
    o.members["etcd1"] = member(alarms=["CORRUPT"], healthy=False)
    assert keys(o) == {}


@pytest.mark.parametrize("latency", [SLOW + 0.001, None])
def test_a_slow_or_unanswered_read_is_high_latency(latency: float | None) -> None:
    o = observation()
    o.members["etcd0"] = member(read_latency=latency)
    assert keys(o) == {"high_latency:etcd0": False}
    o.members["etcd0"] = member(read_latency=SLOW)
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
     member(leader_id="0", read_latency=None), member(read_latency=None), member(alarms=["NOSPACE"])])),
    st.booleans())
def test_any_mixture_is_judged_and_left_as_it_was(changed: dict[str, dict[str, Any]], quorum: bool) -> None:
    o = observation()
    o.members |= changed
    o.cluster["quorum"] = quorum
    before = copy.deepcopy(o)
    found = violations(o, 2)
    assert o == before
    assert len({v.key for v in found}) == len(found), "a violation is told once"
    assert {v.member for v in found if v.invariant == "member_down"} == {
        name for name, m in o.members.items() if not m["reachable"]}
    json.dumps([v.as_data("2026-01-01T00:00:00Z") for v in found])
