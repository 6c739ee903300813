"""What a look tells the model: in full at first, then what is not well and what changed."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.agent.observation import SAME, shortened
from operator_demo.agent.rehearsal.facts import _view


def member(**more: Any) -> dict[str, Any]:
    return {"container": "p-etcd0-1", "state": "running", "address": "10.0.0.2", "exit_code": None, "reachable": True,
            "healthy": True, "leader": False, "error": None, "index": 100, "read_latency": 0.00123456,
            "alarms": []} | more


def look(**members: dict[str, Any]) -> dict[str, Any]:
    names = {"etcd0": member(leader=True), "etcd1": member(), "etcd2": member()} | members
    return {"ts": 1.0, "members": names, "cluster": {"leader": "etcd0", "quorum": True}, "load": None,
            "duration": 0.1, "failure": "", "limits": {}, "network": "net", "violations": []}


def test_the_first_look_tells_all_members_without_what_is_empty() -> None:
    told = shortened(look(), None)
    assert told["members"]["etcd1"] == {
        "container": "p-etcd0-1", "state": "running", "address": "10.0.0.2", "reachable": True, "healthy": True,
        "leader": False, "index": 100, "read_latency": 0.00123}
    assert told["cluster"] == {"leader": "etcd0", "quorum": True}
    assert "load" not in told
    assert told["violations"] == []


def test_members_that_are_well_and_as_before_are_only_named() -> None:
    later = look(etcd0=member(leader=True, index=250, read_latency=0.002), etcd1=member(state="exited", healthy=False))
    told = shortened(later, look())
    assert told[SAME] == ["etcd0", "etcd2"]
    assert list(told["members"]) == ["etcd1"]


@pytest.mark.parametrize("changed", [
    {"address": "10.0.0.9"}, {"leader": True}, {"alarms": ["NOSPACE"]}, {"healthy": False}, {"reachable": False},
    {"container": "p-etcd1-2"}])
def test_what_changed_is_told(changed: dict[str, Any]) -> None:
    assert "etcd1" in shortened(look(etcd1=member(**changed)), look())["members"]


def test_a_member_that_is_never_well_is_told_each_time() -> None:
    sick = look(etcd1=member(healthy=False, error="no leader"))
    assert "etcd1" in shortened(sick, sick)["members"]


def test_a_member_of_which_a_violation_tells_is_told() -> None:
    slow = look() | {"violations": [{"key": "high_latency:etcd2", "member": "etcd2", "text": "It is slow."}]}
    assert list(shortened(slow, slow)["members"]) == ["etcd2"]


MEMBERS = st.fixed_dictionaries({
    name: st.builds(member, state=st.sampled_from(["running", "exited"]), healthy=st.booleans(),
                    leader=st.booleans(), address=st.sampled_from(["10.0.0.2", "10.0.0.3", None]),
                    error=st.sampled_from([None, "oops"]))
    for name in ("etcd0", "etcd1", "etcd2")})


@given(st.lists(MEMBERS, min_size=1, max_size=5))
def test_who_follows_the_shortened_looks_knows_as_much_as_from_whole_ones(looks: list[dict[str, Any]]) -> None:
    """The rehearsal reads both."""
    before, view = None, None
    for index, members in enumerate(looks):
        now = look(**copy.deepcopy(members))
        view = _view(index, json.loads(json.dumps(shortened(now, before))), view)
        assert view == _view(index, now, None)
        before = now
