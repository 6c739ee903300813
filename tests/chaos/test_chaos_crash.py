"""The host is killed (SIGKILL) in the middle of an injection: whoever comes next finds the fault, and takes it back."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from breaking import Broken
from crash_driver import Clients

from operator_demo.chaos.journal import INJECTING
from operator_demo.compose import load_project, up
from operator_demo.engine import Container, project_volumes
from operator_demo.subject import Member

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]
POINTS = ("written", "first", "done")
FAULTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "kill": (["etcd0", "etcd1"], {}), "stop": (["etcd1"], {}), "pause": (["etcd2"], {}), "disconnect": (["etcd0"], {}),
    "partition": (["etcd1", "etcd2"], {}), "loss": (["etcd2"], {}), "bandwidth": (["etcd0"], {}),
    "cpu": (["etcd1"], {"cpus": 0.01}),
    "memory": (["etcd2"], {}), "slow-disk": (["etcd0"], {}), "crash-loop": (["etcd1", "etcd2"], {}),
    "wal-cut": (["etcd2"], {}), "lost-data": (["etcd1"], {}), "disk-full": (["etcd0"], {}),
    "load-surge": ([], {}), "restart": (["etcd0"], {}), "decoy": ([], {}), "none": ([], {}),
}
HELPED = ("partition", "loss", "bandwidth", "slow-disk", "crash-loop", "wal-cut", "lost-data", "disk-full")
CHEAP = {("kill", "first")}


@pytest.fixture
def crashed(broken: Broken, tmp_path: Path) -> Broken:
    """A cluster with a home, and a load that is told by a file."""
    (tmp_path / "rate").write_text("200")
    broken.ground = replace(broken.ground, ask=Clients(tmp_path / "rate"))
    return broken


def crash(broken: Broken, kind: str, point: str) -> None:
    """A host plans, and is killed at this point."""
    targets, raw = FAULTS[kind]
    home, ground = broken.journal.path.parents[1], broken.ground
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("crash_driver.py"), home, ground.project, ground.image, kind,
         json.dumps(targets), json.dumps(raw), point],
        capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)})
    if "is not possible here" in ended.stderr:
        pytest.skip(ended.stderr.splitlines()[-1])
    assert ended.returncode == -9 or kind == "none", ended.stderr
    assert kind == "none" or [r.phase for r in broken.journal.open()] == [INJECTING]


def program(broken: Broken, *arguments: str) -> str:
    """The program itself, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "operator_demo", *arguments, "--project", broken.ground.project], text=True,
        capture_output=True, timeout=120, cwd=ROOT,
        env=os.environ | {"OPERATOR_HOME": str(broken.journal.path.parents[1])})
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize(("kind", "point"), [
    pytest.param(kind, point, marks=[] if (kind, point) in CHEAP else pytest.mark.wide)
    for kind in FAULTS for point in (*POINTS, *(["helper"] if kind in HELPED else []))])
def test_everything_is_reverted(crashed: Broken, kind: str, point: str) -> None:
    targets, _ = FAULTS[kind]
    before = crashed.state(targets)
    crash(crashed, kind, point)
    if kind != "none":
        crashed.revert()
    crashed.well()
    crashed.expect_unchanged(before, targets)
    assert crashed.helpers() == []
    assert crashed.kept_volumes() == []
    assert (crashed.journal.path.parents[1] / "rate").read_text() in ("200", "200.0")


def test_chaos_status_and_revert(crashed: Broken) -> None:
    before = crashed.state(["etcd0"])
    crash(crashed, "kill", "done")
    (told,) = json.loads(program(crashed, "chaos", "status", "--json"))
    assert (told["kind"], told["phase"], told["holds"]) == ("kill", "injecting", True)
    assert "reverted kill of etcd0, etcd1" in program(crashed, "chaos", "revert")
    crashed.well()
    crashed.expect_unchanged(before, ["etcd0"])
    assert "nothing to revert" in program(crashed, "chaos", "revert")
    assert program(crashed, "chaos", "status") == "No fault is on record.\n"


@pytest.mark.wide
@pytest.mark.parametrize("kind", [
    "kill", "pause", "disconnect", "partition", "crash-loop", "wal-cut", "lost-data", "disk-full", "decoy"])
def test_down_leaves_nothing_of_it_on_the_volumes_that_it_keeps(crashed: Broken, kind: str) -> None:
    crash(crashed, kind, "done")
    program(crashed, "down")
    ground = crashed.ground
    assert crashed.journal.records() == []
    assert ground.engine.api.containers(all=True, filters={"name": ground.project}) == []
    assert project_volumes(ground.engine, ground.project)
    folder = files("subjects").joinpath("etcd")
    up(ground.engine, load_project(folder, "compose.yaml", project=ground.project, env={}), stop=threading.Event())
    crashed.well()
    assert not ground.subject.violations(ground.subject.observe(
        [_member(c) for c in ground.containers().values()], 5.0))


def _member(container: Container) -> Member:
    return Member(container.service, container.name, container.state, container.address)
