"""The stand-ins' defaults are the figures of a real cluster: what it recorded, the stand-ins show too."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pd_server
import pytest
import stand_in_raft
import stand_in_slowness
import tikv_server
import yaml
from stand_in_cluster import Cluster, eventually, fast_stand_ins
from stand_in_scrape import SIMPLIFIED, WHOLE
from stand_in_slowness import INSPECT, ROUND, SlowScore

from operator_demo import subject

RECORDED = Path(__file__).parent / "recorded"
STARTED = [json.loads(line) for line in (RECORDED / "start.jsonl").read_text().splitlines()]
METRICS = (RECORDED / "metrics.txt").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(subject.load("tikv").folder.joinpath("compose.yaml").read_text())


def test_the_times_are_those_of_the_real_ones() -> None:
    assert (tikv_server.HEARTBEAT, tikv_server.STATS, pd_server.DISCONNECTED) == (10.0, 60.0, 20.0)
    assert (stand_in_raft.ELECTION, pd_server.ELECTION) == (10.0, 10.0)


# -- replicas are added one after the other ---------------------------------------------------------------------------


def recorded_regions(path: str) -> list[dict[str, Any]]:
    """All that the real PD told on this path during its start."""
    answers = [json.loads(a["body"]) for a in STARTED if a["path"] == path and a["status"] == 200]
    return [region for answer in answers for region in answer["regions"]]


def steps(regions: list[dict[str, Any]]) -> set[tuple[int, tuple[str, ...]]]:
    """The number of changes of replicas, with the roles that they led to."""
    return {(r["epoch"]["conf_ver"], tuple(p["role_name"] for p in r["peers"])) for r in regions}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with fast_stand_ins():
        yield Cluster(tmp_path)


def test_conf_ver_grows_with_each_change_of_replicas(cluster: Cluster) -> None:
    seen: set[tuple[int, tuple[str, ...]]] = set()
    pending: list[dict[str, Any]] = []

    def replicated() -> bool:
        seen.update(steps(cluster.pd.tell_regions()["regions"]))
        pending.extend(cluster.pd.tell_regions(pending=True)["regions"])
        return bool(seen) and all(r["epoch"]["conf_ver"] == 5 for r in cluster.pd.tell_regions()["regions"])

    eventually(replicated)
    real = steps(recorded_regions("regions/check/miss-peer") + recorded_regions("regions/check/pending-peer"))
    all_steps = {(1, ("Voter",)), (2, ("Voter", "Learner")), (3, ("Voter", "Voter")),
                 (4, ("Voter", "Voter", "Learner")), (5, ("Voter", "Voter", "Voter"))}
    assert real <= all_steps
    assert seen <= all_steps
    assert (1, ("Voter",)) in seen
    learners = [peer for region in recorded_regions("regions/check/pending-peer") for peer in region["pending_peers"]
                if peer["role_name"] == "Learner"]
    for region in pending:
        assert region["pending_peers"][0].keys() == learners[0].keys()


def test_a_request_may_name_an_old_conf_ver_but_no_old_version(cluster: Cluster) -> None:
    """As check_region_epoch of raftstore: reads and writes do not mind where replicas were added."""
    cluster.until_well()
    store = next(iter(cluster.stores.values()))
    region = next(r for r in store.raft.regions.values() if r.start <= "s" and (not r.end or r.end > "s"))
    encode, message = tikv_server.encode, tikv_server.Message
    for epoch, refused in (({1: 1, 2: region.version}, False), ({1: 5, 2: region.version - 1}, True)):
        assert bool(store.refusal(region, message(encode({2: epoch})), "s")) is refused


# -- slow_score -------------------------------------------------------------------------------------------------------


def rounds(score: SlowScore, too_slow: int, count: int) -> None:
    """So many of each round's inspections take too long."""
    for _ in range(count):
        for n in range(ROUND):
            score.observe(2 * INSPECT if n < too_slow else 0.0)


def test_slow_score_rises_as_fast_as_on_the_real_stores() -> None:
    """They had 1 ten seconds after their start, and 100 at 50 s (recorded/start.jsonl, pd.json)."""
    first = [json.loads(a["body"]) for a in STARTED if a["path"] == "stores" and '"slow_score": 1,' in a["body"]]
    later = json.loads(json.loads((RECORDED / "pd.json").read_text())["stores"]["body"])
    assert [s["status"]["slow_score"] for s in first[0]["stores"]] == [1, 1, 1]
    assert [s["status"]["slow_score"] for s in later["stores"]] == [100, 100, 100]
    score = SlowScore()
    rounds(score, too_slow=3, count=6)
    assert score.value == 64
    rounds(score, too_slow=3, count=1)
    assert score.value == 100
    assert 7 * ROUND * INSPECT < 40


def test_slow_score_falls_in_five_minutes_and_not_below_one() -> None:
    score = SlowScore(100.0)
    rounds(score, too_slow=0, count=98)
    assert 1 < score.value <= 2.1
    rounds(score, too_slow=0, count=5)
    assert score.value == 1


def test_one_slow_inspection_in_a_round_counts_little() -> None:
    score = SlowScore()
    rounds(score, too_slow=1, count=1)
    assert 1 < score.value < 1.5


def test_a_store_with_a_slow_disk_loses_its_leaders(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.until_well()
    monkeypatch.setattr(stand_in_slowness, "ROUND", 3)
    slow = cluster.stores["tikv1"]
    slow.slowness.value = 80.0
    slow.faults.add("slow")
    eventually(lambda: cluster.pd.slow_store == slow.raft.id)
    eventually(lambda: "tikv1" not in cluster.leaders().values())


# -- a store that is asked to end --------------------------------------------------------------------------------------


def test_a_store_that_is_asked_to_end_gives_its_leaders_away(cluster: Cluster) -> None:
    """As recorded: within 8 s, and by itself; its container has 10 s."""
    cluster.until_well()
    assert 8.0 <= tikv_server.STOPPING < 10.0
    began = time.monotonic()
    cluster.stores["tikv0"].give_leaders_away()
    assert time.monotonic() - began < tikv_server.STOPPING
    assert "tikv0" not in cluster.leaders().values()
    eventually(lambda: len(cluster.leaders()) == 5)


# -- a scrape ---------------------------------------------------------------------------------------------------------


def scrape(folder: Path, simplify: bool) -> str:
    """After a read and a write."""
    store = tikv_server.Store({"advertise-addr": "tikv0:20160", "advertise-status-addr": "tikv0:20180",
                               "pd-endpoints": "pd0:2379", "data-dir": str(folder)}, "127.99.0.1", simplify=simplify)
    for histogram in store.requests.values():
        histogram.observe(0.001)
    store.lag.observe(1.0)
    return store.metrics()


@pytest.fixture(scope="module")
def scrapes(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in_raft, "serve", lambda *_: None)
        return {simplify: scrape(tmp_path_factory.mktemp("store"), simplify) for simplify in (False, True)}


def test_a_scrape_is_as_large_as_that_of_a_real_store(scrapes: dict[bool, str]) -> None:
    assert (WHOLE, SIMPLIFIED) == ((20_039, 1_600_000), (5_828, 427_000))
    for simplify, (lines, size) in ((False, WHOLE), (True, SIMPLIFIED)):
        assert scrapes[simplify].count("\n") == lines
        assert abs(len(scrapes[simplify]) - size) < 0.02 * size


def families(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """By name, the type and the names of the labels."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    labels: dict[str, set[str]] = {name: set() for name in types}
    for name, inside in re.findall(r"^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$", text, re.M):
        if name in labels:
            labels[name] |= set(re.findall(r'(\w+)="', inside))
    return {name: (types[name], frozenset(labels[name])) for name in types}


@pytest.mark.parametrize("simplify", [False, True])
def test_the_metrics_of_the_program_have_the_shape_of_the_real_ones(scrapes: dict[bool, str], simplify: bool) -> None:
    told = families(scrapes[simplify])
    for name, shape in families(METRICS).items():
        assert told[name] == shape, name


def test_simplified_metrics_are_an_option_of_the_store_that_the_program_sets(tmp_path: Path) -> None:
    file = tmp_path / "tikv.toml"
    file.write_text(COMPOSE["configs"]["tikv-toml"]["content"])
    assert tikv_server.read_config(str(file)) is True
    file.write_text('[storage]\nreserve-space = "0MB"\n')
    assert tikv_server.read_config(str(file)) is False
