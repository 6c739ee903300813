"""A real cluster of three members, shared by the tests of this folder and whole again before each of them."""

import io
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from operator_demo.engine import (
    Container,
    Engine,
    connect,
    container_action,
    down,
    inspect,
    load_project,
    members,
    up,
    wait_healthy,
)
from operator_demo.events import MONITOR
from operator_demo.monitor.main import Monitor
from operator_demo.settings import Settings
from operator_demo.store import Recorder, Store
from operator_demo.subject import Member
from subjects.etcd.subject import SUBJECT


class Cluster:
    def __init__(self, engine: Engine, project: str) -> None:
        self.engine, self.project = engine, project

    def containers(self) -> dict[str, Container]:
        return {c.service: c for c in members(self.engine, self.project)}

    def members(self) -> list[Member]:
        return [Member(c.service, c.name, c.state, c.address, c.exit_code) for c in self.containers().values()]

    def act(self, action: str, *names: str) -> None:
        """One of the engine's actions, or a signal to the process, which the engine does not hear of."""
        found = self.containers()
        for name in names:
            if action.startswith("SIG"):
                os.kill(inspect(self.engine, found[name].id)["State"]["Pid"], signal.Signals[action])
            else:
                container_action(self.engine, found[name].id, action)

    def leader(self) -> str:
        leader = SUBJECT.observe(self.members(), 2.0).cluster["leader"]
        assert isinstance(leader, str)
        return leader

    def heal(self) -> None:
        for name, c in self.containers().items():
            if c.state == "paused":
                self.act("unpause", name)
            elif c.state == "exited":
                self.act("start", name)
            else:
                self.act("SIGCONT", name)
            if self.containers()[name].address is None:
                self.act("connect", name)
        wait_until(self.whole, 30)

    def whole(self) -> bool:
        observation = SUBJECT.observe(self.members(), 2.0)
        return len(observation.members) == 3 and not SUBJECT.violations(observation)


def wait_until(true: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    made = connect()
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_cluster(engine: Engine) -> Iterator[Cluster]:
    name, stop = f"t{secrets.token_hex(4)}", threading.Event()
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


class Watching:
    """A monitor at work in threads of this process."""

    def __init__(self, engine: Engine, project: str, data: Path) -> None:
        self.settings = Settings("run-test", "etcd", project, data)
        self.store = Store(self.settings.store_path, durable=True)
        self.stop = threading.Event()
        recorder = Recorder(self.store, "run-test", MONITOR, io.StringIO())
        self.monitor = Monitor(self.settings, engine, recorder, self.stop)
        self.agent = Recorder(self.store, "run-test", "agent", io.StringIO())
        self._thread = threading.Thread(target=self.monitor.run)

    def start(self) -> None:
        self._thread.start()
        wait_until(self.settings.monitor_socket.exists, 10)

    def end(self) -> None:
        self.stop.set()
        self._thread.join()
        self.store.close()

    def of(self, *types: str) -> list[dict[str, object]]:
        return [e.data for e in self.store.events("run-test", types=types)]


@pytest.fixture
def watching(cluster: Cluster, tmp_path: Path) -> Iterator[Watching]:
    made = Watching(cluster.engine, cluster.project, tmp_path)
    made.start()
    yield made
    made.end()
