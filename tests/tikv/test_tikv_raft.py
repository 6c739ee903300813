"""The stand-ins' replication: what was acknowledged survives stores that are cut off, behind, or started again."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stand_in_cluster import STORES, Cluster, eventually, fast_stand_ins
from stand_in_raft import Raft

from operator_demo.subject import Member, Refused
from subjects.tikv.raw import RawClient
from subjects.tikv.subject import SUBJECT


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with fast_stand_ins():
        made = Cluster(tmp_path)
        made.until_well()
        yield made


@pytest.fixture
def client(cluster: Cluster) -> Iterator[RawClient]:
    made = RawClient(lambda: cluster.members, 1.0)
    yield made
    made.close()


@contextmanager
def cut_off(cluster: Cluster, *names: str) -> Iterator[None]:
    """The replicas of these stores neither hear of the others nor reach them."""
    for name in names:
        cluster.stores[name].raft.cut_off = True
    try:
        yield
    finally:
        for name in names:
            cluster.stores[name].raft.cut_off = False


def put(client: RawClient, key: str, value: str) -> None:
    """Until it is acknowledged."""
    def acknowledged() -> bool:
        try:
            client.put(key, value)
            return True
        except (OSError, Refused):
            return False
    eventually(acknowledged)


def test_elections_leave_the_global_chance_alone(tmp_path: Path) -> None:
    """Hypothesis warns in whatever test runs beside a thread that uses it."""
    with fast_stand_ins():
        before = random.getstate()
        cluster = Cluster(tmp_path)
        cluster.until_well()
        with cut_off(cluster, "tikv0"):
            eventually(lambda: set(cluster.leaders().values()) == {"tikv1", "tikv2"})
        assert random.getstate() == before


def test_a_leader_that_is_cut_off_serves_no_more_and_the_others_go_on(cluster: Cluster, client: RawClient) -> None:
    put(client, "/a", "1")
    region = client._regions.find(b"/a")
    assert region
    name = cluster.leaders()[region.id]
    old = cluster.stores[name].raft
    with cut_off(cluster, name):
        eventually(lambda: cluster.leaders().get(region.id) not in (None, name))
        assert not old.may_serve(old.regions[region.id])
        put(client, "/a", "2")
        assert client.get("/a") == "2"
        assert old.regions[region.id].data["/a"] == "1"
    eventually(lambda: old.regions[region.id].data["/a"] == "2")


def test_a_follower_that_was_behind_does_not_become_leader(cluster: Cluster, client: RawClient) -> None:
    put(client, "/a", "1")
    region = client._regions.find(b"/a")
    assert region
    name = next(n for n in cluster.stores if n != cluster.leaders()[region.id])
    behind = cluster.stores[name].raft
    with cut_off(cluster, name):
        put(client, "/a", "2")
    mine, other = behind.regions[region.id], next(s.raft for n, s in cluster.stores.items() if n != name)
    vote = {"term": 10 ** 6, "last": (1, 1)}
    with other.lock:
        assert not other.grants(region.id, vote, force=True)
    eventually(lambda: mine.data.get("/a") == "2")


def test_a_store_that_is_started_again_has_what_it_had(cluster: Cluster, client: RawClient, tmp_path: Path) -> None:
    for n in range(20):
        put(client, f"/{n}", "x" * 60_000)  # enough for a split
    eventually(lambda: len(cluster.stores["tikv0"].raft.regions) > 5)
    put(client, "/0", "new")
    raft = cluster.stores["tikv0"].raft
    eventually(lambda: any(r.data.get("/0") == "new" for r in raft.regions.values()))
    with raft.lock:
        before = {r.id: (r.start, r.end, r.version, r.term, r.last, dict(r.data)) for r in raft.regions.values()}
        (tmp_path / "again").mkdir()
        torn = (tmp_path / "tikv0" / "raft.log").read_bytes() + b'{"region": 1, "te'
        (tmp_path / "again" / "raft.log").write_bytes(torn)
    host = cluster.hosts["pd0"]  # where no store listens
    again = Raft(tmp_path / "again", lambda address: address, host)
    assert {r.id: (r.start, r.end, r.version, r.term, r.last, dict(r.data)) for r in again.regions.values()} == before


def test_without_a_majority_nothing_is_acknowledged(cluster: Cluster, client: RawClient) -> None:
    put(client, "/a", "1")
    with cut_off(cluster, *STORES):
        with pytest.raises((TimeoutError, ConnectionError)):
            client.put("/a", "2")
        eventually(lambda: not cluster.leaders())
    put(client, "/a", "3")
    assert client.get("/a") == "3"


def test_a_store_without_its_data_comes_back_as_another_one(cluster: Cluster, client: RawClient,
                                                            tmp_path: Path) -> None:
    for n in range(20):
        put(client, f"/{n}", f"value {n}")
    old, network = cluster.stores["tikv1"], cluster.hosts["pd0"].rpartition(".")[0]
    old.raft.cut_off = True
    old.tell_pd = lambda what, said: {}  # type: ignore[method-assign]
    empty = tmp_path / "empty"
    cluster.hosts["tikv1"] = f"{network}.240"
    with pytest.raises(SystemExit, match=f"duplicated store address: .* already registered by id:{old.raft.id} "):
        cluster.store(empty, "tikv1")
    assert cluster.pd.remove(str(old.raft.id), force=True) == (200, "The store is set as Offline.")
    cluster.hosts["tikv1"] = f"{network}.241"
    new = cluster.stores["tikv1"] = cluster.store(empty, "tikv1")
    assert new.raft.id != old.raft.id
    eventually(lambda: str(old.raft.id) not in cluster.pd.stores)
    cluster.members = [m if m.name != "tikv1" else Member("tikv1", "", "running", cluster.hosts["tikv1"])
                       for m in cluster.members]
    assert SUBJECT.agreement(cluster.members, [f"/{n}" for n in range(20)], 10.0).status == "passed"
    anew = RawClient(lambda: cluster.members, 1.0)
    assert [anew.get_at(new.raft.id, f"/{n}") for n in range(20)] == [f"value {n}" for n in range(20)]
    anew.close()


def test_without_pd_a_client_that_knows_its_regions_goes_on_and_a_new_one_cannot_begin(
        cluster: Cluster, client: RawClient, monkeypatch: pytest.MonkeyPatch) -> None:
    put(client, "/a", "1")
    monkeypatch.setattr(cluster.pd, "leads", lambda: False)
    client.put("/a", "2")
    assert client.get("/a") == "2"
    new = RawClient(lambda: cluster.members, 1.0)
    with pytest.raises(Refused, match="PD does not tell in which region the key is"):
        new.get("/a")
    new.close()
