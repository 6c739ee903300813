"""The real subject looks at a cluster of stand-ins, which the real Prometheus scrapes: no query finds nothing."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files

import pytest
from project_names import new_name

from operator_demo.compose import down, load_project, up
from operator_demo.engine import Engine, connect, container_action, members, put_files
from operator_demo.monitor.members import Members
from operator_demo.subject import Observation
from subjects.tikv.prometheus import ALWAYS, PORT, WITH_LOAD, Prometheus
from subjects.tikv.subject import SUBJECT

pytestmark = pytest.mark.engine
FOLDER = files("subjects").joinpath("tikv")
NEVER_IN_A_STAND_IN = "tikv_grpc_msg_fail_total"  # they have no failures of gRPC


class Cluster:
    def __init__(self, engine: Engine, project: str) -> None:
        self.engine, self.project = engine, project
        self.members = Members(engine, project, SUBJECT.members)
        self.over = threading.Event()

    def load(self) -> None:
        """Some requests to every store, also to one that leads only a region that nobody would write to."""
        client, n = SUBJECT.client(lambda: self.members.latest, 1.0), 0
        while not self.over.wait(0.03):
            n += 1
            with contextlib.suppress(Exception):
                client.put(f"{'/qsz'[n % 4]}{n % 50}", "x" * 1000)
                client.get(f"{'/qsz'[n % 4]}{n % 50}")
            if n % 20 == 0:
                self._write_through(f"tikv{n // 20 % 3}")
        client.close()

    def _write_through(self, store: str) -> None:
        with contextlib.suppress(Exception):
            through = SUBJECT.through(lambda: self.members.latest, store, "", 1.0)
            if through is not None:
                with contextlib.closing(through.client):
                    through.client.put(str(through.key), "x")

    def look(self) -> Observation:
        return SUBJECT.observe(self.members.refresh(), 2.0)

    def until(self, wanted: Callable[[Observation], bool], limit: float = 60.0) -> Observation:
        end = time.monotonic() + limit
        while not wanted(seen := self.look()):
            assert time.monotonic() < end, (seen.members, seen.cluster, SUBJECT.violations(seen))
            time.sleep(0.3)
        return seen

    def until_well(self) -> Observation:
        return self.until(lambda o: not SUBJECT.violations(o) and all(m["healthy"] for m in o.members.values()))

    def act(self, member: str, action: str) -> None:
        id_ = next(c.id for c in members(self.engine, self.project) if c.service == member)
        container_action(self.engine, id_, action)

    def address(self, member: str) -> str:
        return str(next(m.address for m in self.members.refresh() if m.name == member))


@pytest.fixture(scope="module")
def cluster(images: dict[str, str]) -> Iterator[Cluster]:
    engine, project = connect(), new_name()
    try:
        up(engine, load_project(FOLDER, "compose.yaml", project=project, env=images), stop=threading.Event())
        made = Cluster(engine, project)
        made.until_well()
        load = threading.Thread(target=made.load)
        load.start()
        yield made
        made.over.set()
        load.join()
    finally:
        down(engine, project, volumes=True)
        engine.close()


def violated(o: Observation) -> set[str]:
    return {v.key for v in SUBJECT.violations(o)}


def test_every_query_has_an_answer(cluster: Cluster) -> None:
    def whole(o: Observation) -> bool:
        return all(o.members[s].get("p99") is not None and o.members[s].get("lag") is not None
                   for s in ("tikv0", "tikv1", "tikv2"))

    cluster.until(whole)
    source = Prometheus(cluster.address("prometheus"))
    told = source.stores(2.0)
    assert told.missing == ()
    assert told.stores.keys() == {"tikv0", "tikv1", "tikv2"}
    assert all(values.keys() == ALWAYS.keys() | WITH_LOAD.keys() for values in told.stores.values())


def test_every_panel_of_the_dashboard_shows_something(cluster: Cluster) -> None:
    source = Prometheus(cluster.address("prometheus"))
    dashboard = json.loads(FOLDER.joinpath("config", "grafana-dashboard.json").read_text())
    queries = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    end = time.monotonic() + 20  # PD is scraped every 5 s, and a rate needs two of them
    while queries := [query for query in queries if not shows(source, query)]:
        assert time.monotonic() < end, queries
        time.sleep(0.5)


def shows(source: Prometheus, query: str) -> bool:
    answer = source._http.json("/api/v1/query", 2.0, query=query)
    assert answer["status"] == "success", query
    return bool(answer["data"]["result"]) or NEVER_IN_A_STAND_IN in query


def test_a_prometheus_that_scrapes_the_wrong_port_is_seen(cluster: Cluster, images: dict[str, str],
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    config = FOLDER.joinpath("config", "prometheus.yml").read_text().replace(":20180", ":20160")
    api = cluster.engine.client.api
    made = api.create_container(images["PROMETHEUS_IMAGE"], ["--config.file=/prometheus/prometheus.yml",
                                                            "--storage.tsdb.path=/prometheus"],
                                host_config=api.create_host_config(network_mode=f"{cluster.project}_default"))["Id"]
    try:
        put_files(cluster.engine, made, "/prometheus", {"prometheus.yml": config.encode()}, mode=0o644)
        api.start(made)
        wrong = next(iter(api.inspect_container(made)["NetworkSettings"]["Networks"].values()))["IPAddress"]
        right = Prometheus.__init__
        monkeypatch.setattr(Prometheus, "__init__", lambda self, _: right(self, wrong))
        seen = cluster.until(lambda o: o.members["prometheus"]["reachable"], limit=20)
        for _ in range(4):  # it does not become better by waiting
            time.sleep(1)
            seen = cluster.look()
            assert violated(seen) == {"metrics_silent:prometheus"}
        assert "tikv0" in seen.members["prometheus"]["blind"]
        assert "p99" not in seen.members["tikv0"]
    finally:
        api.remove_container(made, force=True, v=True)


def test_a_query_that_matches_nothing_is_seen(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    from subjects.tikv import prometheus
    monkeypatch.setattr(prometheus, "ALWAYS", {**ALWAYS, "capacity": 'tikv_store_bytes{type="capacity"}'})
    seen = cluster.look()
    assert violated(seen) == {"metrics_silent:prometheus"}
    assert "capacity" in seen.members["prometheus"]["blind"]


@pytest.mark.wide
def test_a_store_that_hangs_is_seen_long_before_pd_minds(cluster: Cluster) -> None:
    cluster.act("tikv2", "pause")
    try:
        began = time.monotonic()
        seen = cluster.look()
        assert time.monotonic() - began < 3.0
        assert "store_down:tikv2" in violated(seen)
        assert "regions_without_leader" in violated(seen)
        assert seen.members["tikv2"]["pd_state"] == "Up"
        cluster.until(lambda o: "regions_without_leader" not in violated(o))  # the others took over
    finally:
        cluster.act("tikv2", "unpause")
    cluster.until_well()


@pytest.mark.wide
def test_pd_elects_another_leader_and_no_look_hangs(cluster: Cluster) -> None:
    leader = cluster.until_well().cluster["leader"]
    cluster.act(leader, "kill")
    try:
        assert {f"pd_member_down:{leader}", "pd_no_leader"} <= violated(cluster.look())
        seen = cluster.until(lambda o: violated(o) == {f"pd_member_down:{leader}"})
        assert seen.cluster["leader"] not in (None, leader)
    finally:
        cluster.act(leader, "start")
    cluster.until_well()


@pytest.mark.wide
def test_without_a_majority_of_stores_regions_lose_their_leaders(cluster: Cluster) -> None:
    for store in ("tikv0", "tikv1"):
        cluster.act(store, "kill")
    try:
        time.sleep(6)
        seen = cluster.look()
        assert "regions_without_leader" in violated(seen)
        assert seen.cluster["quorum"] is False
    finally:
        for store in ("tikv0", "tikv1"):
            cluster.act(store, "start")
    cluster.until_well()


def test_prometheus_port_is_the_one_that_is_published() -> None:
    assert SUBJECT.published["prometheus"] == PORT
