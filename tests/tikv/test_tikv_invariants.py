"""Each invariant alone: what violates it, and what does not."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from operator_demo.monitor.members import as_reported
from operator_demo.subject import Member, Observation, Violation
from subjects.tikv.members import KINDS, PD, STORE
from subjects.tikv.subject import SUBJECT

Change = Callable[[Observation], None]


def healthy() -> Observation:
    members: dict[str, dict[str, Any]] = {}
    for n, (name, kind) in enumerate(KINDS.items()):
        members[name] = {"container": f"p-{name}-1", "state": "running", "address": f"10.0.0.{n}", "exit_code": None,
                         "kind": kind, "reachable": True, "healthy": True, "leader": name == "pd0", "error": None}
        if kind == STORE:
            members[name] |= {"pd_state": "Up", "p99": 0.01, "capacity": 100.0, "available": 60.0, "id": str(n)}
    regions = {"count": 12, "missing": [], "pending": 0, "replaced": [],
               "leaders": {"tikv0": 4, "tikv1": 4, "tikv2": 4},
               "peers": {"tikv0": 12, "tikv1": 12, "tikv2": 12}}
    cluster = {"leader": "pd0", "told": True, "error": None, "quorum": True, "operators": 0, "schedulers": [],
               "regions": regions}
    load = {"ops": 100, "errors": {}}
    return Observation(time.time(), members, cluster, load, limits={"high_latency": 0.1})


def found(change: Change) -> list[Violation]:
    o = healthy()
    change(o)
    return SUBJECT.violations(o)


def member(name: str, **what: Any) -> Change:
    return lambda o: o.members[name].update(what)


def regions(**what: Any) -> Change:
    return lambda o: o.cluster["regions"].update(what)


def cluster(**what: Any) -> Change:
    return lambda o: o.cluster.update(what)


def load(**what: Any) -> Change:
    return lambda o: o.load.update(what) if o.load is not None else None


def test_all_is_well() -> None:
    assert found(lambda o: None) == []


@pytest.mark.parametrize(("change", "key"), [
    (member("tikv1", reachable=False, error="no answer within 1.0 s"), "store_down:tikv1"),
    (member("tikv1", pd_state="Disconnected"), "store_down:tikv1"),
    (member("tikv1", pd_state="Down"), "store_down:tikv1"),
    (member("tikv1", pd_state="Offline"), "store_down:tikv1"),
    (member("tikv1", pd_state="unknown"), "store_down:tikv1"),
    (member("pd1", reachable=False, error="connection refused"), "pd_member_down:pd1"),
    (member("pd1", shunned=True), "pd_member_down:pd1"),
    (cluster(leader=None), "pd_no_leader"),
    (cluster(told=False, regions=None), "pd_no_leader"),
    (regions(leaders={"tikv0": 4, "tikv1": 4, "tikv2": 3}), "regions_without_leader"),
    (regions(missing=[7]), "regions_under_replicated"),
    (member("tikv2", p99=0.11), "high_latency:tikv2"),
    (member("tikv2", available=29.0), "low_disk_space:tikv2"),
    (regions(leaders={"tikv0": 6, "tikv1": 6, "tikv2": 0}), "leader_imbalance"),
    (load(ops=90, errors={"failed": 10}), "client_errors"),
    (member("prometheus", reachable=False, error="connection refused"), "metrics_silent:prometheus"),
    (member("prometheus", blind="tikv0"), "metrics_silent:prometheus"),
])
def test_one_thing_is_wrong(change: Change, key: str) -> None:
    named = [v.key for v in found(change)]
    assert key in named
    assert named[0] == key or key.startswith("regions")


@pytest.mark.parametrize("change", [
    member("tikv2", p99=0.1), member("tikv2", p99=None), member("tikv2", available=30.0),
    regions(leaders={"tikv0": 6, "tikv1": 4, "tikv2": 2}), load(ops=95, errors={"failed": 5}),
    regions(count=1, leaders={"tikv0": 1}, peers={"tikv0": 1, "tikv1": 1, "tikv2": 1}), regions(pending=3),
    member("tikv1", pd_state=None),
])
def test_what_is_still_well(change: Change) -> None:
    assert found(change) == []


@pytest.mark.parametrize(("seen", "words"), [
    ({"pd_state": "Down", "heard": False}, "tikv1 answers; PD waits for its first heartbeat."),
    ({"pd_state": "Disconnected", "heard": True},
     "tikv1 answers; PD waits for its heartbeat (and calls it Disconnected until then)."),
    ({"pd_state": "Offline", "heard": True}, "tikv1 answers, but PD calls it Offline."),
])
def test_a_store_that_answers_before_pd_knows_of_it(seen: dict[str, Any], words: str) -> None:
    assert [v.text for v in found(member("tikv1", **seen)) if v.invariant == "store_down"] == [words]


def test_replicas_of_a_store_that_has_registered_anew_are_missing_until_they_are_replaced() -> None:
    def replaced(o: Observation) -> None:
        o.cluster["regions"] |= {"replaced": ["store 4"], "leaders": {"tikv0": 6, "tikv1": 2, "tikv2": 4},
                                 "peers": {"tikv0": 12, "tikv1": 8, "tikv2": 12, "store 4": 4}}

    (violation,) = found(replaced)
    assert violation.text == "4 of 12 regions lack a replica (store 4 down)."


def test_an_imbalance_names_the_stores_that_are_slow_by_their_own_account() -> None:
    def uneven(o: Observation) -> None:
        o.cluster["regions"]["leaders"] = {"tikv0": 6, "tikv1": 6, "tikv2": 0}
        o.members["tikv2"] |= {"slow_score": 100, "busy": True}
        o.members["tikv1"] |= {"slow_score": 1, "busy": False}

    (violation,) = found(uneven)
    assert violation.text.endswith("Slow by their own account, so PD may move leaders away from them: "
                                   "tikv2 (slow_score 100 of 100, busy).")


def test_how_slow_is_too_slow_depends_on_the_machine() -> None:
    def busy(limits: dict[str, float]) -> Change:
        def change(o: Observation) -> None:
            o.members["tikv2"]["p99"], o.limits = 0.4, limits
        return change

    assert found(busy({"high_latency": 1.2})) == []
    assert found(busy({})) == []  # it is not known yet what is usual
    assert [v.key for v in found(busy({"high_latency": 0.3}))] == ["high_latency:tikv2"]


def test_every_invariant_is_covered_here() -> None:
    cases = test_one_thing_is_wrong.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {key.partition(":")[0] for _, key in cases} == {i.name for i in SUBJECT.invariants}


def test_leaders_on_a_store_that_is_down_are_none_though_pd_remembers_them() -> None:
    texts = {v.invariant: v.text for v in found(member("tikv1", reachable=False))}
    assert texts["regions_without_leader"].startswith("4 of 12 regions have no leader")
    assert "tikv1" in texts["regions_without_leader"]
    assert texts["regions_under_replicated"].startswith("12 of 12 regions lack a replica")


@pytest.mark.parametrize(("state", "address", "code", "words"), [
    ("exited", None, 137, "has exited (exit code 137)"), ("paused", "10.0.0.3", None, "is frozen"),
    ("running", None, None, "is cut off"), ("missing", None, None, "has no container"),
])
@pytest.mark.parametrize(("name", "invariant"), [("tikv0", "store_down"), ("pd0", "pd_member_down"),
                                                 ("prometheus", "metrics_silent")])
def test_what_the_engine_reports_is_certain_at_once(name: str, invariant: str, state: str, address: str | None,
                                                    code: int | None, words: str) -> None:
    o = healthy()
    members = [Member(n, m["container"], "running", m["address"]) if n != name else
               Member(n, m["container"], state, address, code) for n, m in o.members.items()]
    now = as_reported(o, members, time.time())
    violation = next(v for v in SUBJECT.violations(now) if v.key == f"{invariant}:{name}")
    assert violation.certain
    assert words in violation.text
    assert (now.cluster["leader"] is None) == (name == "pd0")


def test_after_a_look_that_failed_the_engine_is_still_understood() -> None:
    blind = {n: {"container": n, "state": "running", "address": "10.0.0.1", "reachable": False, "healthy": False,
                 "leader": False, "error": "not looked at"} for n in KINDS}
    members = [Member(n, n, "exited", None, 1) for n in KINDS]
    named = {v.key for v in SUBJECT.violations(as_reported(Observation(0.0, blind, {}), members, 1.0))}
    assert {f"store_down:{n}" for n, kind in KINDS.items() if kind == STORE} < named
    assert {f"pd_member_down:{n}" for n, kind in KINDS.items() if kind == PD} < named
    assert "pd_no_leader" in named


def test_redundancy_is_members_and_replicas() -> None:
    assert SUBJECT.redundancy(healthy(), healthy()).status == "passed"
    for change in (member("tikv1", healthy=False), member("pd2", healthy=False), regions(missing=[3])):
        now = healthy()
        change(now)
        assert SUBJECT.redundancy(healthy(), now).status == "failed"
    blind = healthy()
    blind.cluster["regions"] = None
    assert SUBJECT.redundancy(healthy(), blind).status == "unknown"
