"""A real cluster of three members, the image of the helpers, and a ground to break things on."""

import sys
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from project_names import new_name

sys.path.insert(0, str(Path(__file__).parent))

from breaking import Broken, helpers_image

from operator_demo.chaos.journal import FaultJournal
from operator_demo.chaos.primitive import Ground
from operator_demo.compose import down, load_project, up, wait_healthy
from operator_demo.engine import Engine, discover_network
from subjects.etcd.subject import SUBJECT


@pytest.fixture(scope="session")
def helper_image(engine: Engine) -> Iterator[str]:
    with helpers_image(engine) as tag:
        yield tag


@pytest.fixture(scope="session")
def project(engine: Engine) -> Iterator[str]:
    name, stop = new_name(), threading.Event()
    try:
        up(engine, load_project(files("subjects").joinpath("etcd"), "compose.yaml", project=name, env={}), stop=stop)
        wait_healthy(engine, name, SUBJECT.members, 60, stop)
        yield name
    finally:
        down(engine, f"{name}-operator", volumes=True)
        down(engine, name, volumes=True)


@pytest.fixture
def ground(engine: Engine, project: str, helper_image: str) -> Ground:
    wait_healthy(engine, project, SUBJECT.members, 60, threading.Event())
    return Ground(engine, project, discover_network(engine, project), SUBJECT, helper_image)


@pytest.fixture
def broken(ground: Ground, tmp_path: Path) -> Iterator[Broken]:
    made = Broken(ground, FaultJournal(tmp_path, ground.engine.id, ground.project))
    yield made
    made.clean()
