"""Two `up` of one project at once: one works, the other says so."""

import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from operator_demo.compose import Project, down, up
from operator_demo.compose.up_lock import only_up
from operator_demo.engine import Engine, members
from operator_demo.errors import OperatorError

LABEL = "io.operator-demo.up-lock"


class Volumes:
    """As much of an engine as a lock needs: of a volume that is there already, its own labels are told."""

    def __init__(self) -> None:
        self.labels: dict[str, dict[str, str]] = {}
        self.api = self
        self.lock = threading.Lock()

    def create_volume(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        with self.lock:
            return {"Name": name, "Labels": self.labels.setdefault(name, labels)}

    def remove_volume(self, name: str) -> None:
        with self.lock:
            if self.labels.pop(name, None) is None:
                raise docker.errors.NotFound("no such volume")


@pytest.fixture
def volumes() -> Volumes:
    return Volumes()


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_second_is_refused_and_the_next_is_not(volumes: Any) -> None:
    with only_up(volumes, "p"), only_up(volumes, "other"):
        with pytest.raises(OperatorError, match=rf"another process \(pid {os.getpid()} on .*\) is bringing p up"):
            with only_up(volumes, "p"):
                pytest.fail("two hold the lock")
    with only_up(volumes, "p"):
        assert list(volumes.labels) == ["p-up-lock"]
    assert volumes.labels == {}


def test_a_lock_goes_with_an_error(volumes: Any) -> None:
    with pytest.raises(ValueError, match="x"), only_up(volumes, "p"):
        raise ValueError("x")
    assert volumes.labels == {}


def test_the_lock_of_the_next_is_left_to_it(volumes: Any) -> None:
    with only_up(volumes, "p"):
        volumes.labels["p-up-lock"] = {LABEL: "1 token elsewhere"}  # `down` removed ours, and another took it
    assert volumes.labels == {"p-up-lock": {LABEL: "1 token elsewhere"}}


def test_a_dead_process_of_this_machine_holds_nothing(volumes: Any) -> None:
    volumes.labels["p-up-lock"] = {LABEL: f"{ended_process()} token {platform.node()}"}
    with only_up(volumes, "p"):
        assert list(volumes.labels) == ["p-up-lock"]
    assert volumes.labels == {}


def test_of_many_that_find_a_dead_one_one_goes_on(volumes: Any) -> None:
    volumes.labels["p-up-lock"] = {LABEL: f"{ended_process()} token {platform.node()}"}
    begin, end, inside, refused = threading.Barrier(8), threading.Event(), [], []

    def one() -> None:
        begin.wait()
        try:
            with only_up(volumes, "p"):
                inside.append(1)
                end.wait(10)
        except OperatorError:
            refused.append(1)
            if len(refused) == 7:
                end.set()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(inside), len(refused)) == (1, 7)


@pytest.mark.parametrize("holder", ["1 token elsewhere.example", f"{os.getppid()} token {platform.node()}"])
def test_others_keep_theirs(volumes: Any, holder: str) -> None:
    volumes.labels["p-up-lock"] = {LABEL: holder}
    with pytest.raises(OperatorError, match=f"pid {holder.split()[0]} on {holder.split()[2]}") as caught:
        with only_up(volumes, "p"):
            pytest.fail("two hold the lock")
    assert "operator-demo down --project p" in caught.value.hint
    assert volumes.labels["p-up-lock"] == {LABEL: holder}


def test_a_volume_of_somebody_else_is_no_lock(volumes: Any) -> None:
    volumes.labels["p-up-lock"] = {}
    with pytest.raises(OperatorError, match="p-up-lock is there already and is not ours"), only_up(volumes, "p"):
        pytest.fail("it is not ours")


SLOW = """\
services:
  a: {image: IMAGE, init: true, command: sleep 1000, stop_grace_period: 0s}
  b:
    image: IMAGE
    init: true
    command: sleep 1000
    depends_on: {a: {condition: service_started}}
    stop_grace_period: 0s
"""
UP = """\
import sys, threading
from pathlib import Path
from operator_demo.compose import load_project, up
from operator_demo.engine import connect
from operator_demo.errors import OperatorError
project = load_project(Path(sys.argv[1]), "compose.yaml", project=sys.argv[2], env={})
engine = connect()
sys.stdin.readline()
try:
    up(engine, project, stop=threading.Event())
    print("up")
except OperatorError as e:
    print(e.message)
"""


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.engine
def test_two_processes_at_once(engine: Engine, load: Callable[..., Project], project_name: str, tmp_path: Path,
                               processes: list["subprocess.Popen[str]"]) -> None:
    load(SLOW, project_name)
    for _ in range(3):
        processes.append(subprocess.Popen([sys.executable, "-c", UP, str(tmp_path), project_name], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    answers = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert answers[-1] == "up"
    assert all(a == "up" or f"is bringing {project_name} up" in a for a in answers)
    assert "is bringing" in answers[0]
    assert len(engine.api.networks(names=[f"{project_name}_default"])) == 1
    assert [c.state for c in members(engine, project_name)] == ["running", "running"]
    assert f"{project_name}-up-lock" not in {v["Name"] for v in engine.api.volumes()["Volumes"] or []}


@pytest.mark.engine
def test_down_removes_a_lock_that_was_left(engine: Engine, project_name: str) -> None:
    engine.api.create_volume(f"{project_name}-up-lock", labels={
        LABEL: "1 token elsewhere", "com.docker.compose.project": project_name})
    assert down(engine, project_name, volumes=False) == [f"volume {project_name}-up-lock"]


@pytest.mark.engine
def test_two_networks_of_one_name_are_an_error(engine: Engine, load: Callable[..., Project], project_name: str,
                                               stop: threading.Event) -> None:
    for _ in range(2):
        engine.api.create_network(f"{project_name}_default", labels={"com.docker.compose.project": project_name})
    with pytest.raises(OperatorError, match=f"several networks are called {project_name}_default"):
        up(engine, load(SLOW, project_name), stop=stop)
