"""What PD and Prometheus answer, in their own shapes, and what is made of answers in other shapes."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pd_server import byte_size

from operator_demo.subject import Deadline
from operator_demo.subject_kit import NoAnswer
from subjects.tikv.pd import ODD, Pd, Store, by_host, size
from subjects.tikv.prometheus import ALWAYS, Prometheus, combined
from subjects.tikv.subject import merged

# As a v8.5 PD prints it: sizes as text, ids as numbers, the keys of maps as text, zeros left out by protobuf's structs.
STORES = {"count": 2, "stores": [
    {"store": {"id": 1, "address": "tikv0:20160", "version": "8.5.7", "peer_address": "tikv0:20160",
               "status_address": "tikv0:20180", "git_hash": "0", "start_timestamp": 1, "deploy_path": "/",
               "last_heartbeat": 1700000000000000000, "node_state": 1, "state_name": "Up"},
     "status": {"capacity": "8GiB", "available": "7.953GiB", "used_size": "31.5MiB", "leader_count": 4,
                "leader_weight": 1, "leader_score": 4, "leader_size": 4, "region_count": 12, "region_weight": 1,
                "region_score": 12.5, "region_size": 12, "slow_score": 1, "start_ts": "2026-01-01T00:00:00Z",
                "last_heartbeat_ts": "2026-01-01T00:00:10.1Z", "uptime": "10.1s"}},
    {"store": {"id": 4, "address": "tikv1:20160", "state_name": "Disconnected"},
     "status": {"capacity": "0B", "available": "0B", "leader_count": 0, "region_count": 12}}]}
STATS = {"count": 12, "empty_count": 1, "storage_size": 12, "store_leader_count": {"1": 12},
         "store_peer_count": {"1": 12, "4": 12}}
REGIONS = {"count": 1, "regions": [{"id": 8, "start_key": "", "end_key": "", "peers": [{"id": 9, "store_id": 1}],
                                    "leader": {"id": 9, "store_id": 1}}]}
ANSWERS: dict[str, Any] = {
    "/stores": STORES, "/stats/region": STATS, "/regions/check/miss-peer": REGIONS,
    "/regions/check/down-peer": {"count": 0, "regions": []}, "/regions/check/pending-peer": {"count": 0, "regions": []},
    "/operators": ['"balance-leader {transfer leader: store 1 to 4}"'], "/schedulers": ["balance-leader-scheduler"],
    "/health": [{"name": "pd0", "member_id": 1, "client_urls": ["http://pd0:2379"], "health": True},
                {"name": "pd1", "member_id": 2, "client_urls": ["http://pd1:2379"], "health": False}],
    "/members": {"header": {"cluster_id": 7}, "members": [{"name": "pd0", "member_id": 255}, {"name": "pd1",
                 "member_id": 16}], "leader": {"name": "pd1", "member_id": 16}, "etcd_leader": {"name": "pd1"}},
}


class Canned:
    """In the place of the connection."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def json(self, path: str, timeout: float, headers: Any = None, **query: str) -> Any:
        return self.answers[path.removeprefix("/pd/api/v1")]


def pd(**changed: Any) -> Pd:
    made = Pd("127.0.0.1")
    made._http = Canned(ANSWERS | {f"/{k.replace('__', '/').replace('_', '-')}": v for k, v in changed.items()})  # type: ignore[assignment]
    return made


def test_pd_tells_of_the_cluster() -> None:
    state = pd().state(Deadline(1.0), ask_health=True)
    assert state.stores == (Store(1, "tikv0", "Up", 8 * 1024 ** 3, round(7.953 * 1024 ** 3), 4, 12),
                            Store(4, "tikv1", "Disconnected", 0, 0, 0, 12, heard=False))
    assert (state.regions.count, state.regions.leaders, state.regions.peers) == (12, {1: 12}, {1: 12, 4: 12})
    assert state.regions.missing == {8}
    assert (state.operators, state.schedulers) == (1, ("balance-leader-scheduler",))
    assert state.unhealthy == {"pd1"}


def entry(id_: int, state: str) -> dict[str, Any]:
    return {"store": {"id": id_, "address": "tikv1:20160", "state_name": state, "last_heartbeat": 1}, "status": {}}


@pytest.mark.parametrize(("states", "current"), [
    (["Offline", "Up"], 1), (["Up", "Offline"], 0), (["Tombstone", "Disconnected"], 1), (["Up", "Tombstone"], 0),
    (["Offline", "Tombstone"], 0), (["Offline", "Tombstone", "Down"], 2), (["Tombstone"], None)])
def test_the_store_at_a_host_is_the_entry_that_is_not_removed(states: list[str], current: int | None) -> None:
    told = {"stores": [entry(n, state) for n, state in enumerate(states)]}
    stores = pd(stores=told).state(Deadline(1.0), ask_health=False).stores
    found = by_host(stores).get("tikv1")
    assert (found.id if found else None) == current


@pytest.mark.parametrize("newer_first", [True, False])
def test_a_member_is_the_store_that_has_registered_anew(newer_first: bool) -> None:
    told = [entry(7, "Up"), entry(4, "Offline")]
    stats = STATS | {"store_leader_count": {"7": 12}, "store_peer_count": {"7": 9, "4": 3}}
    state = pd(stores={"stores": told if newer_first else told[::-1]}, stats__region=stats).state(
        Deadline(1.0), ask_health=False)
    seen = {"tikv1": {"kind": "store", "reachable": True, "healthy": True, "error": None}}
    cluster = merged(seen, "pd0", state)
    assert (seen["tikv1"]["id"], seen["tikv1"]["pd_state"], seen["tikv1"]["healthy"]) == ("7", "Up", True)
    assert cluster["regions"]["replaced"] == ["store 4"]
    assert cluster["regions"]["peers"] == {"store 4": 3, "tikv1": 9}


def test_a_store_says_of_itself_that_it_is_slow() -> None:
    told = {"store": {"id": 1, "address": "tikv0:20160", "state_name": "Up", "last_heartbeat": 1795825482526069334},
            "status": {"slow_score": 100, "is_busy": True}}
    (store,) = pd(stores={"stores": [told]}).state(Deadline(1.0), ask_health=False).stores
    assert (store.heard, store.slow, store.busy) == (True, 100, True)


def test_pd_tells_of_itself() -> None:
    told = pd().members(1.0)
    assert (told.ids, told.leader) == ({"pd0": "ff", "pd1": "10"}, "pd1")
    assert pd(members={"header": {}, "members": []}).members(1.0).leader is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(
                        ["count", "stores", "store", "status", "id", "regions", "members", "name", "leader",
                         "member_id"]), inner)))
def test_answers_in_another_shape_are_errors_that_the_look_expects(answer: Any) -> None:
    for changed in ({"stores": answer}, {"stats__region": answer}, {"regions__check__miss_peer": answer},
                    {"health": answer}, {"schedulers": answer}):
        try:
            pd(**changed).state(Deadline(1.0), ask_health=True)
        except ODD:
            pass
    try:
        pd(members=answer).members(1.0)
    except ODD:
        pass


@given(st.integers(0, 2 ** 50))
def test_sizes_are_read_as_they_are_printed(n: int) -> None:
    assert math.isclose(size(byte_size(n)), n, rel_tol=1e-3, abs_tol=1)


@pytest.mark.parametrize(("text", "is_"), [("8GiB", 8 * 1024 ** 3), ("512KiB", 524288), ("1.5MiB", 1572864), ("0B", 0),
                                           ("1.024e+03KiB", 1024 ** 2), (None, 0), ("", 0), ("lots", 0)])
def test_sizes(text: str | None, is_: int) -> None:
    assert size(text) == is_


def prometheus(result: Any) -> Prometheus:
    made = Prometheus("127.0.0.1")
    made._http = Canned({"/api/v1/query": result})  # type: ignore[assignment]
    return made


def vector(*samples: tuple[str, str, str]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"what": what, "instance": instance}, "value": [1.0, value]} for what, instance, value in samples]}}


def test_prometheus_tells_of_each_store_and_nothing_is_not_zero() -> None:
    told = prometheus(vector(("cpu", "tikv0:20180", "0.5"), ("p99", "tikv0:20180", "NaN"),
                             ("lag", "tikv1:20180", "2"))).stores(1.0)
    assert told.stores == {"tikv0": {"cpu": 0.5}, "tikv1": {"lag": 2.0}}
    assert set(told.missing) == set(ALWAYS) - {"cpu"}


@pytest.mark.parametrize("result", [{}, [], None, {"data": None}, {"data": {"result": [{}]}},
                                    {"data": {"result": [{"metric": {"what": "cpu"}, "value": []}]}}])
def test_another_shape_is_no_answer(result: Any) -> None:
    with pytest.raises(NoAnswer):
        prometheus(result).stores(1.0)


def test_all_queries_are_one() -> None:
    assert combined({"a": "x", "b": "y"}) == (
        'label_replace(x, "what", "a", "", "") or label_replace(y, "what", "b", "", "")')
