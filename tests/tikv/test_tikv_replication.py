"""The client, the load and the oracle's checks on a cluster of stand-ins; and faults injected in the stand-ins' code,
which the oracle must find."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in_cluster import STORES, Cluster, eventually, fast_stand_ins

from operator_demo.subject import Member, Refused
from operator_demo.workload.check import check
from operator_demo.workload.ledger import Ledger
from operator_demo.workload.records import fill
from operator_demo.workload.tally import Tally
from operator_demo.workload.worker import Worker
from subjects.tikv.raw import RawClient, from_key, to_key
from subjects.tikv.regions import Regions
from subjects.tikv.subject import REGIONS, SUBJECT

pytestmark = pytest.mark.wide  # stores in Python with 5,000 records keep a processor busy for minutes

RECORDS = [f"/operator-demo/load/run-1/{n:05}" for n in range(SUBJECT.records)]
KEYS = RECORDS[::400]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With the records of the load."""
    with fast_stand_ins():
        made = Cluster(tmp_path_factory.mktemp("stores"))
        made.until_well()
        fill(RECORDS, lambda n: RawClient(lambda: made.members, 1.0), threading.Event())
        yield made


@pytest.fixture
def cluster(whole: Cluster) -> Iterator[Cluster]:
    whole.until_well()
    yield whole
    for store in whole.stores.values():
        store.faults.clear()
        store.frozen.clear()


class Load:
    """Two workers with a ledger, as the workload has sixteen."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.tally, self.stop = cluster, Tally(), threading.Event()
        self.ledger = Ledger(folder / "workload.db", KEYS)
        workers = [Worker(n, KEYS[n::2], self.connect, self.ledger, self.tally, 0.02, 0.0) for n in range(2)]
        self.threads = [threading.Thread(target=w.run, args=(time.monotonic(), self.stop)) for w in workers]
        for thread in self.threads:
            thread.start()

    def connect(self) -> RawClient:
        return RawClient(lambda: self.cluster.members, 1.0)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def check(self) -> dict[str, int]:
        return check(self.ledger, self.connect, 10.0)


@pytest.fixture
def load(cluster: Cluster, tmp_path: Path) -> Iterator[Load]:
    made = Load(cluster, tmp_path)
    time.sleep(1.0)
    yield made
    made.end()
    made.ledger.close()


def test_the_records_make_enough_regions_and_all_stores_lead_some(cluster: Cluster) -> None:
    eventually(lambda: SUBJECT.filled(lambda: cluster.members, 1.0) == "")
    assert REGIONS <= len(cluster.leaders()) <= 16
    spread = list(eventually(cluster.leaders).values())
    assert {s: spread.count(s) for s in STORES}.keys() == set(STORES)


def test_all_is_well_and_so_say_the_checks(cluster: Cluster, load: Load) -> None:
    plane = SUBJECT.data_plane(cluster.members, 5.0)
    assert (plane.status, "each of 3 members" in plane.saw) == ("passed", True), plane
    agreed = SUBJECT.agreement(cluster.members, KEYS, 5.0)
    assert (agreed.status, f"{len(KEYS)} keys" in agreed.saw) == ("passed", True), agreed
    answer = load.check()
    assert (answer["lost"], answer["unknown"]) == (0, 0)
    assert answer["kept"] > 20


def test_a_store_that_leads_nothing_is_named_and_read(cluster: Cluster, load: Load) -> None:
    ids = {name: store.raft.id for name, store in cluster.stores.items()}
    cluster.pd.evicted = [ids["tikv1"]]
    try:
        eventually(lambda: "tikv1" not in cluster.leaders().values())
        eventually(lambda: all(r["leader"] != ids["tikv1"] for r in cluster.pd.regions.values()))
        plane = SUBJECT.data_plane(cluster.members, 5.0)
        assert plane.status == "passed", plane
        assert "not checked: a write through tikv1, which leads nothing" in plane.saw
    finally:
        cluster.pd.evicted = []
    eventually(lambda: "tikv1" in cluster.leaders().values())
    load.end()
    errors = load.tally.take()["errors"]
    of_a_busy_machine = {"late", "timeout"}
    assert errors.keys() <= of_a_busy_machine, "a leader that moves is followed"


def test_a_put_that_is_acknowledged_and_not_done_is_lost(cluster: Cluster, load: Load) -> None:
    region = Regions(RawClient(lambda: cluster.members, 1.0).layout()[0]).find(to_key(KEYS[0]))
    assert region
    cluster.stores[eventually(lambda: cluster.leaders().get(region.id))].faults.add("drops")
    eventually(lambda: load.check()["lost"] > 0)
    assert SUBJECT.data_plane(cluster.members, 3.0).status == "failed"


def test_a_stale_follower_is_found(cluster: Cluster, load: Load) -> None:
    store = cluster.stores["tikv2"]
    for region in list(store.raft.regions.values()):
        store.frozen[region.id] = dict(region.data)
    store.faults.add("stale")
    time.sleep(1.0)
    agreed = SUBJECT.agreement(cluster.members, KEYS, 5.0)
    assert (agreed.status, "tikv2 for" in agreed.saw) == ("failed", True), agreed
    assert SUBJECT.data_plane(cluster.members, 3.0).status == "failed"
    assert load.check()["lost"] == 0, "the leaders have all"


def test_without_keys_and_without_stores_nothing_is_agreed(cluster: Cluster) -> None:
    assert SUBJECT.agreement(cluster.members, [], 1.0).status == "not_checked"
    assert SUBJECT.agreement(cluster.members[:1], KEYS[:2], 1.0).status == "unknown"
    gone = [*cluster.members[:-1], Member("tikv2", "", "exited")]
    assert SUBJECT.data_plane(gone, 1.0).saw == "tikv2 cannot be reached"


def test_each_key_is_bytes(cluster: Cluster) -> None:
    client = RawClient(lambda: cluster.members, 1.0)
    key = from_key(b"x\0\0\1\0\0\0\0\xfb\xff\0key")
    client.put(key, "1")
    assert (client.get(key), client.get(key + "x")) == ("1", None)
    client.close()


def test_members_that_serve_no_keys(cluster: Cluster) -> None:
    assert SUBJECT.through(lambda: cluster.members, "pd0", "", 1.0) is None
    with pytest.raises(Refused, match="PD does not tell about tikv1"):
        SUBJECT.through(list, "tikv1", "", 1.0)
