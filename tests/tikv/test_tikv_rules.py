"""What the stand-ins have to do as the real programs do: orders to PD, and what counts as used space."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pd_server
import pytest
import tikv_server
import yaml

from operator_demo import outcomes, subject
from operator_demo.chaos import scenario, targets
from operator_demo.chaos.faults import FAULTS
from operator_demo.errors import UsageError
from subjects.tikv.members import KINDS
from subjects.tikv.subject import SUBJECT

EVICT = "schedulers/evict-leader-scheduler"
LIST = "scheduler-config/evict-leader-scheduler/list"
TIKV = subject.load("tikv")
COMPOSE: dict[str, Any] = yaml.safe_load(TIKV.folder.joinpath("compose.yaml").read_text())
SETTINGS = tomllib.loads(COMPOSE["configs"]["pd-toml"]["content"])["schedule"]
FLAGS = {"name": "pd0", "initial-cluster": "pd0=http://pd0:2380"}


@pytest.fixture
def pd() -> pd_server.Member:
    """A member that leads, with three stores and twelve regions, four of them led by each."""
    made = pd_server.Member(FLAGS, SETTINGS)
    made.leader, made.began = "pd0", -pd_server.STARTING
    ids = [made.new_id() for _ in range(3)]
    for n, store in zip(ids, ("tikv0", "tikv1", "tikv2"), strict=True):
        said = {"id": n, "address": f"{store}:20160", "status_address": f"{store}:20180", "start_ts": 0.0}
        assert made.take_register(said) == {"id": n}
        beat(made, n)
    one = next(iter(made.regions.values()))
    peers = {"1": 11, "2": 12, "3": 13}
    made.regions = {str(100 + n): one | {"id": 100 + n, "leader": n % 3 + 1, "peers": peers} for n in range(12)}
    return made


def beat(pd: pd_server.Member, store: int, slow_score: int = 1, operations: dict[str, int] | None = None) -> None:
    """A store's heartbeat."""
    pd.take_heartbeat({"id": store, "capacity": 8 << 30, "available": 7 << 30, "slow_score": slow_score,
                       "operations": operations or {}})


def settle(pd: pd_server.Member) -> list[int]:
    """The stores do as they are told, until nothing is left to do: how many regions each leads."""
    for _ in range(200):
        for n in (1, 2, 3):
            for region, order_ in pd.take_regions({"id": n, "led": []})["orders"].items():
                assert pd.regions[region]["leader"] == n
                pd.regions[region]["leader"] = order_["to"]
    return [sum(r["leader"] == n for r in pd.regions.values()) for n in (1, 2, 3)]


def order(pd: pd_server.Member, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    status, said = pd.on_client_port(method, f"/pd/api/v1/{path}", {}, json.dumps(body).encode() if body else b"")
    return int(status), said


def evict(pd: pd_server.Member, store: int) -> tuple[int, Any]:
    return order(pd, "POST", "schedulers", {"name": "evict-leader-scheduler", "store_id": store})


def test_leaders_are_ordered_away_and_come_back(pd: pd_server.Member) -> None:
    assert settle(pd) == [4, 4, 4]
    assert evict(pd, 1) == (200, "The scheduler is created.")
    assert evict(pd, 2) == (200, "The scheduler has been applied to the store.")
    assert settle(pd) == [0, 0, 12]
    assert "evict-leader-scheduler" in order(pd, "GET", "schedulers")[1]
    assert order(pd, "GET", LIST)[1]["store-id-ranges"].keys() == {"1", "2"}
    assert order(pd, "DELETE", f"{EVICT}-1") == (200, None)
    assert order(pd, "DELETE", f"{EVICT}-1") == (404, None)
    counts = settle(pd)
    assert counts[1] == 0
    assert counts[0] >= 5
    assert order(pd, "DELETE", f"{EVICT}-2") == (200, None)  # the last one, and with it the scheduler
    assert "evict-leader-scheduler" not in order(pd, "GET", "schedulers")[1]
    assert order(pd, "GET", LIST)[0] == 404
    counts = settle(pd)
    assert max(counts) - min(counts) <= 2


def test_the_whole_order_can_be_taken_back_at_once(pd: pd_server.Member) -> None:
    assert order(pd, "DELETE", EVICT)[0] == 404
    evict(pd, 1)
    evict(pd, 3)
    assert order(pd, "DELETE", EVICT) == (200, "The scheduler is removed.")
    assert order(pd, "GET", LIST)[0] == 404


@pytest.mark.parametrize(("body", "status", "words"), [
    ({"store_id": 1}, 400, "missing scheduler name"), ({"name": "evict-leader-scheduler"}, 400, "missing store id"),
    ({"name": "no-such-scheduler", "store_id": 1}, 400, "unknown scheduler"),
    ({"name": "evict-leader-scheduler", "store_id": 99}, 500, "store 99 not found")])
def test_what_pd_cannot_do_it_says_as_the_real_one_does(pd: pd_server.Member, body: Any, status: int,
                                                        words: str) -> None:
    assert order(pd, "POST", "schedulers", body)[0] == status
    assert words in order(pd, "POST", "schedulers", body)[1]
    assert pd.evicted == []


def test_a_store_is_removed_only_by_force_where_too_few_are_left(pd: pd_server.Member) -> None:
    status, words = order(pd, "DELETE", "store/2")
    assert status == 400
    assert words == ("[PD:core:ErrStoresNotEnough]can not remove store 2 since the number of up stores would be 2 "
                     "while need 3")
    assert order(pd, "DELETE", "store/99")[0] == 404
    assert order(pd, "DELETE", "store/2?force=true") == (200, "The store is set as Offline.")
    states = {s["store"]["id"]: s["store"]["state_name"] for s in order(pd, "GET", "stores")[1]["stores"]}
    assert states == {1: "Up", 2: "Offline", 3: "Up"}


def test_a_second_store_at_an_address_is_refused_until_the_first_is_destroyed(pd: pd_server.Member) -> None:
    new = {"id": pd.new_id(), "address": "tikv1:20160", "status_address": "tikv1:20180", "start_ts": 0.0}
    assert pd.take_register(new)["error"].startswith(f"duplicated store address: id:{new['id']} ")
    order(pd, "DELETE", "store/2?force=true")
    assert pd.take_register(new) == {"id": new["id"]}
    beat(pd, new["id"])
    for _ in range(20):  # the leaders replace what they are told to
        for n in (1, 3):
            for id_, change in pd.take_regions({"id": n, "led": []})["changes"].items():
                assert pd.regions[id_]["leader"] == n
                peers = pd.regions[id_]["peers"]
                pd.regions[id_]["peers"] = {s: p for s, p in peers.items() if s != change["replace"]} | {
                    change["by"]: change["peer"]}
        for region in pd.regions.values():  # an election, where the lost store had led
            region["leader"] = 1 if region["leader"] == 2 else region["leader"]
    assert all(str(new["id"]) in r["peers"] and "2" not in r["peers"] for r in pd.regions.values())
    assert "2" not in pd.stores, "a Tombstone is not told"


def test_what_pd_knows_outlives_it(tmp_path: Path, pd: pd_server.Member) -> None:
    pd.file, pd.changes = tmp_path / "knowledge.json", 7
    pd.keep()
    again = pd_server.Member(FLAGS | {"data-dir": str(tmp_path)}, SETTINGS)
    assert (again.stores, again.regions, again.changes) == (pd.stores, pd.regions, 7)
    assert again.patience == pd_server.ELECTION > pd.patience, "a member that comes back does not win at once"
    vote = {"term": 10 ** 6, "name": "pd1", "changes": 6}
    assert again.on_peer_port("POST", "/stand-in/vote", {}, json.dumps(vote).encode()) == (200, {"granted": False})
    vote["changes"] = 7
    assert again.on_peer_port("POST", "/stand-in/vote", {}, json.dumps(vote).encode()) == (200, {"granted": True})


def test_a_small_cluster_is_not_evened_out_without_the_setting(pd: pd_server.Member) -> None:
    """Why compose.yaml sets tolerant-size-ratio: by default, ten leaders more on a store than on another are even."""
    pd.tolerance = pd_server.Member(FLAGS, {}).tolerance
    evict(pd, 1)
    evict(pd, 2)
    settle(pd)
    order(pd, "DELETE", EVICT)
    assert max(settle(pd)) == 10


def under_load(pd: pd_server.Member, heartbeats: int) -> None:
    """Ten of the twelve regions are read and written, as on the real cluster; stores send their heartbeats."""
    for _ in range(heartbeats):
        for store in (1, 2, 3):
            beat(pd, store, operations={str(100 + n): pd_server.HOT_OPERATIONS for n in range(10)})


def ordered_away_and_back(pd: pd_server.Member) -> list[int]:
    """Under load. How many regions each store leads in the end."""
    evict(pd, 1)
    evict(pd, 2)
    assert settle(pd) == [0, 0, 12], "also those under load"
    under_load(pd, heartbeats=3)
    order(pd, "DELETE", EVICT)
    return settle(pd)


def test_regions_under_load_are_hot_and_do_not_come_back_by_default(pd: pd_server.Member) -> None:
    """As measured: 10/3/1 of 14, with 4 that nobody used."""
    pd.hot_hits = pd_server.Member(FLAGS, {}).hot_hits
    assert ordered_away_and_back(pd)[2] == 10


def test_with_the_setting_of_the_program_they_come_back(pd: pd_server.Member) -> None:
    assert SETTINGS["hot-region-cache-hits-threshold"] == pd.hot_hits == 100_000
    counts = ordered_away_and_back(pd)
    assert max(counts) - min(counts) <= 2


def test_a_region_that_nobody_uses_any_more_cools_down(pd: pd_server.Member) -> None:
    pd.hot_hits = pd_server.HOT_HITS
    under_load(pd, heartbeats=2)
    assert not pd.is_hot("100")
    under_load(pd, heartbeats=1)
    assert pd.is_hot("100")
    beat(pd, pd.regions["100"]["leader"])
    assert not pd.is_hot("100")


def test_leaders_leave_a_store_that_is_slow_alone(pd: pd_server.Member) -> None:
    beat(pd, 1, slow_score=99)
    assert settle(pd) == [4, 4, 4]
    beat(pd, 1, slow_score=100)
    assert settle(pd)[0] == 0
    assert "evict-leader-scheduler" not in order(pd, "GET", "schedulers")[1], "the evicting scheduler is a default one"
    told = {s["store"]["id"]: s["status"]["slow_score"] for s in order(pd, "GET", "stores")[1]["stores"]}
    assert told == {1: 100, 2: 1, 3: 1}


def test_leaders_stay_where_all_stores_are_slow(pd: pd_server.Member) -> None:
    """As in tests/tikv/recorded/pd.json, where each store has a slow_score of 100."""
    beat(pd, 2, slow_score=80)
    for store in (1, 3):
        beat(pd, store, slow_score=100)
    assert settle(pd) == [4, 4, 4]


def test_leaders_come_back_ten_minutes_after_the_store_is_fast_again(pd: pd_server.Member) -> None:
    beat(pd, 1, slow_score=100)
    assert settle(pd)[0] == 0
    beat(pd, 1, slow_score=1)
    assert settle(pd)[0] == 0
    pd.fast_since -= pd_server.RECOVERED
    beat(pd, 1, slow_score=1)
    assert settle(pd)[0] >= 3


def test_a_setting_that_pd_does_not_know_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "pd.toml"
    config.write_text("[schedule]\ntolerant-ratio = 1.0\n")
    with pytest.raises(SystemExit):
        pd_server.read_config(str(config))


def test_files_among_the_snapshots_count_by_their_length(tmp_path: Path) -> None:
    for name, length in (("before-upgrade.tar", 1 << 33), ("rev_1_2_3_default.sst", 5), ("gen_1_2_3.meta", 1000),
                         ("x.clone", 1000)):
        with open(tmp_path / name, "wb") as file:
            file.truncate(length)  # a hole
    (tmp_path / "folder").mkdir()
    assert tikv_server.total_snap_size(tmp_path) == (1 << 33) + 5


def test_a_store_reckons_as_the_real_one_does(tmp_path: Path) -> None:
    store = tikv_server.Store({"advertise-addr": "tikv0:20160", "advertise-status-addr": "tikv0:20180",
                               "pd-endpoints": "pd0:2379", "data-dir": str(tmp_path), "capacity": "1GB"},
                              f"127.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF}.250")
    assert store.capacity == 1 << 30
    assert store.available == store.capacity - store.used == 0.75 * (1 << 30), "raft-engine takes 256 MiB at once"
    with open(tmp_path / "snap" / "before-upgrade.tar", "wb") as file:
        file.truncate(2 << 30)
    store.reckon()
    assert store.used > 2 << 30
    assert store.available == 0
    assert 'tikv_store_size_bytes{type="available"} 0\n' in store.metrics()


def test_a_store_refuses_settings_that_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, data = tmp_path / "tikv.toml", tmp_path / "data"
    config.write_text("[storage]\nreserve-space = '0MB'\n")
    tikv_server.keep_config(str(config), data)
    tikv_server.keep_config(str(config), data)  # its own file it can read
    kept = data / "last_tikv.toml"
    kept.write_text(kept.read_text() + SUBJECT.anatomy.bad_setting)
    with pytest.raises(SystemExit, match="101"):
        tikv_server.keep_config(str(config), data)
    assert re.search(r"invalid auto generated configuration file .*last_tikv\.toml", capsys.readouterr().err)


def test_faults_of_the_stores_are_aimed_at_stores_and_chance_spares_prometheus() -> None:
    for kind in ("disk-full", "evict-leaders", "crash-loop", "lost-data"):
        assert FAULTS[kind].aims_at(SUBJECT) == "store"
    assert FAULTS["kill"].aims_at(SUBJECT) == ""
    assert "prometheus" not in targets.among("random", SUBJECT)
    assert targets.kinds(SUBJECT) == ("pd", "store", "metrics")
    assert not {*targets.kinds(SUBJECT)} & {*targets.ROLES, *KINDS}


GOOD = "title: T\nfault: {kind: kill, target: store, count: 2}\ncause: process_killed\ninvariants: [store_down]\n"


@pytest.mark.parametrize(("text", "words"), [
    (GOOD.replace("store, count: 2", "stores"), "mine.yaml:2: fault.target: target must be one of random, leader, "
                                                "follower, pd, store, metrics, pd0"),
    (GOOD.replace("2}", "4}"), "mine.yaml:2: fault.count: count must be 1 to 3 for target store"),
    (GOOD.replace("store, count: 2", "[store]"), "mine.yaml:2: fault.target: target must be one of pd0"),
    (GOOD.replace("kill, target: store, count: 2", "disk-full, target: pd"),
     "mine.yaml:2: fault.target: target must be of the kind store, not 'pd'")])
def test_mistakes_in_a_target_are_named(text: str, words: str) -> None:
    scenario.parse("mine", GOOD, SUBJECT, where="mine.yaml")
    with pytest.raises(UsageError, match=words):
        scenario.parse("mine", text, SUBJECT, where="mine.yaml")


@pytest.mark.parametrize("name", scenario.names(TIKV.folder))
def test_every_scenario_can_be_told_and_tried(name: str) -> None:
    play = scenario.load(TIKV, name)
    assert any(telling.narration for telling in play.story.values())
    assert bool(play.repair) == (play.outcome == outcomes.REPAIRED)
    assert play.invariants
    unproven = {"disk-pressure", "crash-loop", "latency", "lost-disk", "pd-quorum"}
    assert ("unproven on real TiKV" in play.title) == (name in unproven)
