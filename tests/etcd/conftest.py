"""A real cluster of three members, shared by the tests of this folder and whole again before each of them."""

import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from etcd_cluster import Cluster, Watching
from project_names import new_name

from operator_demo.compose import down, load_project, up, wait_healthy
from operator_demo.engine import Engine
from subjects.etcd.subject import SUBJECT


@pytest.fixture(scope="session")
def shared_cluster(engine: Engine) -> Iterator[Cluster]:
    name, stop = new_name(), threading.Event()
    try:
        up(engine, load_project(files("subjects").joinpath("etcd"), "compose.yaml", project=name, env={}), stop=stop)
        wait_healthy(engine, name, SUBJECT.members, 60, stop)
        yield Cluster(engine, name)
    finally:
        down(engine, name, volumes=True)


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    shared_cluster.heal()
    yield shared_cluster
    shared_cluster.heal()


@pytest.fixture
def watching(cluster: Cluster, tmp_path: Path) -> Iterator[Watching]:
    made = Watching(cluster.engine, cluster.project, tmp_path)
    made.start()
    yield made
    made.end()
