"""The stand-in for PD answers in the shape of the real one: status, content type, keys, and types of the values."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from stand_in_cluster import Cluster, eventually, fast_stand_ins

RECORDED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "recorded" / "pd.json").read_text())
NOT_ANSWERED = {"region/key/zz"}  # nothing in the program asks it
EVICTED = "scheduler-config/evict-leader-scheduler/list"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with fast_stand_ins():
        made = Cluster(tmp_path_factory.mktemp("stores"))
        made.until_well()
        yield made


def ask(cluster: Cluster, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str | None, str]:
    """Status, content type and body."""
    url = f"http://{cluster.hosts['pd0']}:2379/pd/api/v1/{quote(path, safe='/?=&')}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=5) as answer:
            return answer.status, answer.headers.get("Content-Type"), answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.headers.get("Content-Type"), e.read().decode()


def shape(value: Any) -> Any:
    """Keys and types; numbers are alike, and of a list or a map by ids the first element stands for all."""
    if isinstance(value, dict):
        if value and all(key.isdigit() for key in value):
            return {"id": shape(next(iter(value.values())))}
        return {key: shape(v) for key, v in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


@pytest.mark.parametrize("path", sorted(RECORDED.keys() - NOT_ANSWERED))
def test_answers_have_the_shape_of_the_real_ones(cluster: Cluster, path: str) -> None:
    real = RECORDED[path]
    status, type_, body = ask(cluster, path)
    assert (status, type_) == (real["status"], real["type"])
    if "json" in (type_ or "") or "octet" in (type_ or ""):
        assert shape(json.loads(body)) == shape(json.loads(real["body"]))
        assert body.endswith("\n") == real["body"].endswith("\n")
    else:
        assert body == real["body"]


def test_as_many_regions_are_told_as_are_asked_for(cluster: Cluster) -> None:
    answer = json.loads(ask(cluster, "regions/key?key=&limit=3")[2])
    assert answer["count"] == len(answer["regions"]) == 3
    assert answer["regions"][0]["start_key"] == ""


def test_an_order_to_evict_leaders_has_its_page(cluster: Cluster) -> None:
    store = json.loads(ask(cluster, "stores")[2])["stores"][0]["store"]["id"]
    order = json.dumps({"name": "evict-leader-scheduler", "store_id": store}).encode()
    assert ask(cluster, "schedulers", "POST", order)[0] == 200
    status, type_, body = ask(cluster, EVICTED)
    assert (status, type_, list(json.loads(body)["store-id-ranges"])) == (200, "application/json; charset=UTF-8",
                                                                          [str(store)])
    assert "evict-leader-scheduler" in json.loads(ask(cluster, "schedulers")[2])
    assert ask(cluster, f"schedulers/evict-leader-scheduler-{store}", "DELETE")[0] == 200
    assert ask(cluster, EVICTED)[0] == 404


def test_the_first_answers_of_a_member_that_starts(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.pd, "began", time.monotonic() + 60)
    assert ask(cluster, "stores") == (500, "text/plain; charset=utf-8",
                                      "[PD:server:ErrServerNotStarted]server not started\n")
    assert ask(cluster, "ping")[0] == ask(cluster, "health")[0] == 200


def test_a_store_is_down_until_its_first_heartbeat_and_disconnected_without(cluster: Cluster) -> None:
    pd = cluster.pd
    fresh = {"id": 99, "address": "new:20160", "status_address": "new:20180", "start_ts": time.time(), "at": 0.0,
             "capacity": 0, "available": 0, "slow_score": 1,
             "offline": False, "destroyed": False}
    told = pd.tell_store(fresh)
    assert (told["store"]["state_name"], told["status"]["capacity"]) == ("Down", "0B")
    real = next(json.loads(line) for line in STARTED if '"path": "stores"' in line and '"status": 200' in line)
    first = json.loads(real["body"])["stores"][0]
    assert shape(told) == shape(first)
    assert first["store"]["state_name"] == "Down"
    for silent, state in ((5.0, "Up"), (25.0, "Disconnected"), (2000.0, "Down")):
        assert pd.tell_store(fresh | {"at": time.time() - silent})["store"]["state_name"] == state


def test_before_any_store_there_is_no_cluster(cluster: Cluster) -> None:
    stores, cluster.pd.stores = cluster.pd.stores, {}
    try:
        status, type_, body = ask(cluster, "stores")
    finally:
        cluster.pd.stores = stores
    real = next(json.loads(line) for line in STARTED if "ErrNotBootstrapped" in line)
    assert (status, body) == (real["status"], real["body"])
    assert type_ == "application/json; charset=UTF-8"


def test_a_store_that_leads_nothing_is_left_out_of_the_map(cluster: Cluster) -> None:
    ids = {name: store.raft.id for name, store in cluster.stores.items()}
    cluster.pd.evicted = [ids["tikv2"]]
    try:
        leaders = eventually(lambda: (found := json.loads(ask(cluster, "stats/region")[2])["store_leader_count"])
                             and str(ids["tikv2"]) not in found and found)
        assert leaders
    finally:
        cluster.pd.evicted = []


STARTED = (Path(__file__).parent / "recorded" / "start.jsonl").read_text().splitlines()
