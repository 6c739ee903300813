"""The faults that TiKV's own scripts bring about, on stand-ins: they bite, and nothing of them stays."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from project_names import new_name

sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from breaking import Broken, helpers_image, wait_until

from operator_demo.chaos import helper
from operator_demo.chaos.journal import FaultJournal
from operator_demo.chaos.primitive import FaultError, Ground
from operator_demo.compose import down, load_project, up
from operator_demo.engine import Engine, connect, discover_network
from operator_demo.monitor.members import Members
from subjects.tikv.subject import SUBJECT

pytestmark = [pytest.mark.engine, pytest.mark.wide]
API = "http://pd1:2379/pd/api/v1"


def start(engine: Engine, project: str, images: dict[str, str]) -> None:
    wanted = load_project(files("subjects").joinpath("tikv"), "compose.yaml", project=project, env=images)
    up(engine, wanted, stop=threading.Event())


@pytest.fixture(scope="module")
def ground(images: dict[str, str]) -> Iterator[Ground]:
    engine, project = connect(), new_name()
    try:
        start(engine, project, images)
        with helpers_image(engine) as image:
            yield Ground(engine, project, discover_network(engine, project), SUBJECT, image)
    finally:
        down(engine, f"{project}-operator", volumes=True)
        down(engine, project, volumes=True)
        engine.close()


@pytest.fixture
def broken(ground: Ground, tmp_path: Path) -> Iterator[Broken]:
    made = Broken(ground, FaultJournal(tmp_path, ground.engine.id, ground.project))
    until_well(ground)
    yield made
    made.clean()


def violated(ground: Ground) -> set[str]:
    members = Members(ground.engine, ground.project, SUBJECT.members).refresh()
    return {v.key for v in SUBJECT.violations(SUBJECT.observe(members, 2.0))}


def until(ground: Ground, wanted: set[str], limit: float = 60.0) -> None:
    end = time.monotonic() + limit
    while (seen := violated(ground)) != wanted:
        assert time.monotonic() < end, seen
        time.sleep(0.5)


def until_named(ground: Ground, wanted: str) -> None:
    wait_until(lambda: wanted in violated(ground), 60)


def until_well(ground: Ground) -> None:
    until(ground, set())


def asked(ground: Ground, what: str) -> Any:
    status, said = helper.run(ground, f"curl -fsS {what}", network=ground.network)
    assert status == 0, said
    return json.loads(said)


def test_a_forgotten_file_is_shortage_for_the_store_and_for_pd(broken: Broken) -> None:
    def pd_sees_it_too(_: Any) -> None:
        until(broken.ground, {"low_disk_space:tikv1"})
        wait_until(lambda: [s for s in asked(broken.ground, f"{API}/stores")["stores"]
                            if s["store"]["address"].startswith("tikv1:") and s["status"]["capacity"] == "8GiB"
                            and s["status"]["available"].startswith("1.9")], 30)  # with the store's next heartbeat

    before = violated(broken.ground)
    broken.there_and_back("disk-full", ["tikv1"], {"size": 8000}, pd_sees_it_too)
    until(broken.ground, before)


def test_more_than_was_allowed_is_not_written(broken: Broken) -> None:
    record = broken.plan("disk-full", ["tikv0"], {"size": 100})
    with pytest.raises(FaultError, match="MiB are needed, and at most 100 MiB may be written"):
        broken.injector().inject(record)
    assert broken.journal.open() == []
    assert violated(broken.ground) == set()


def test_a_store_that_is_short_of_space_already_is_left_alone(broken: Broken) -> None:
    ground, volume = broken.ground, f"{broken.ground.project}_tikv0-data"
    helper.run(ground, "truncate -s 7G /volumes/0/tikv/snap/other.tar", volumes={volume: "/volumes/0"})
    try:
        until(ground, {"low_disk_space:tikv0"})
        with pytest.raises(FaultError, match="it is short of space without that"):
            broken.injector().inject(broken.plan("disk-full", ["tikv0"], {"size": 8000}))
        assert broken.journal.open() == []
    finally:
        _, left = helper.run(ground, "ls /volumes/0/tikv/snap; rm /volumes/0/tikv/snap/other.tar",
                             volumes={volume: "/volumes/0"})
    assert left == "other.tar\n"
    until_well(ground)


def test_the_file_goes_though_the_container_of_the_store_is_gone(broken: Broken, images: dict[str, str]) -> None:
    ground = broken.ground
    record = broken.plan("disk-full", ["tikv2"], {"size": 8000})
    broken.injector().inject(record)
    ((volume, where),) = record.before["tikv2"]["volumes"].items()
    look = f"ls {where}/tikv/snap"
    assert helper.run(ground, look, volumes={volume: where}) == (0, "before-upgrade.tar\n")
    ground.engine.api.remove_container(ground.member("tikv2").id, force=True)
    broken.revert()
    assert helper.run(ground, look, volumes={volume: where}) == (0, "")
    start(ground.engine, ground.project, images)
    until_well(ground)


def test_leaders_ordered_away_and_called_back(broken: Broken) -> None:
    def one_leads_all(_: Any) -> None:
        """An empty cluster has too few regions for leader_imbalance."""
        left = [str(ids(ground)["tikv1:20160"])]
        wait_until(lambda: list(asked(ground, f"{API}/stats/region")["store_leader_count"]) == left, 30)

    ground = broken.ground
    broken.there_and_back("evict-leaders", ["tikv0", "tikv2"], meanwhile=one_leads_all)
    until_well(ground)


def test_an_order_that_was_there_before_stays(broken: Broken) -> None:
    ground, order = broken.ground, '\'{"name":"evict-leader-scheduler","store_id":%d}\''
    ids = {s["store"]["address"].partition(":")[0]: s["store"]["id"] for s in asked(ground, f"{API}/stores")["stores"]}
    asked(ground, f"-d {order % ids['tikv2']} {API}/schedulers")
    try:
        with pytest.raises(FaultError, match="tikv2: its leaders are ordered away already"):
            broken.plan("evict-leaders", ["tikv1", "tikv2"])
        broken.injector().inject(broken.plan("evict-leaders", ["tikv1"]))
        broken.revert()
        left = asked(ground, f"{API}/scheduler-config/evict-leader-scheduler/list")
        assert list(left["store-id-ranges"]) == [str(ids["tikv2"])]
    finally:
        asked(ground, f"-X DELETE {API}/schedulers/evict-leader-scheduler")


def test_a_store_that_cannot_read_its_settings(broken: Broken) -> None:
    broken.there_and_back("crash-loop", ["tikv0"])


def ids(ground: Ground) -> dict[str, int]:
    """Of the stores, by address."""
    return {s["store"]["address"]: s["store"]["id"] for s in asked(ground, f"{API}/stores")["stores"]}


def test_a_store_without_its_data_gets_it_back(broken: Broken) -> None:
    """With its data it is the same store, under the same id."""
    before = ids(broken.ground)
    broken.there_and_back("lost-data", ["tikv1"], meanwhile=lambda _: until_named(broken.ground, "store_down:tikv1"))
    until_well(broken.ground)
    assert ids(broken.ground) == before


def test_a_store_that_has_registered_anew_is_left_alone(broken: Broken) -> None:
    ground, before = broken.ground, ids(broken.ground)
    broken.injector().inject(broken.plan("lost-data", ["tikv2"]))
    entry = f"{API}/store/{before['tikv2:20160']}"
    refused = f"curl -sS -X DELETE -o /dev/null -w '%{{http_code}}' {entry}"
    assert helper.run(ground, refused, network=ground.network) == (0, "400")
    assert asked(ground, f"-X DELETE '{entry}?force=true'") == "The store is set as Offline."
    wait_until(lambda: violated(ground) == set(), 120)
    wait_until(lambda: not broken.injector().holds(broken.journal.open()[0]).bites, 30)
    anew = ids(ground)
    assert anew["tikv2:20160"] != before["tikv2:20160"]
    started = ground.inspect("tikv2")["State"]["StartedAt"]
    broken.revert()
    assert ground.inspect("tikv2")["State"]["StartedAt"] == started
    assert (ids(ground), broken.kept_volumes()) == (anew, [])
    until_well(ground)


@pytest.mark.parametrize(("kind", "words"), [
    ("disk-full", "pd0 is of the kind pd, and it can only be done to the kind store"),
    ("evict-leaders", "only be done to the kind store"), ("crash-loop", "only be done to the kind store"),
    ("lost-data", "only be done to the kind store"),
    ("wal-cut", "does not say where its write-ahead log is")])
def test_what_does_not_go_is_refused_before_anything_is_touched(broken: Broken, kind: str, words: str) -> None:
    with pytest.raises(FaultError, match=words):
        broken.plan(kind, ["pd0"])
    assert broken.journal.records() == []
