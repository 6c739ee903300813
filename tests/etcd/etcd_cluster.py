"""A real cluster and a monitor at work on it, for the tests of this folder."""

import io
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from operator_demo import rpc
from operator_demo.engine import Container, Engine, container_action, inspect, members
from operator_demo.events import MONITOR, Readiness
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


def wait_until(true: Callable[[], object], seconds: float, seen: Callable[[], object] = lambda: "") -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {seen()}"
        time.sleep(0.05)


NONCE = "nonce-of-the-test"


class Watching:
    """A monitor at work in threads of this process. `well`: the cluster was healthy before."""

    def __init__(self, engine: Engine, project: str, data: Path, max_time: float = 7200.0, *,
                 well: bool = False) -> None:
        self.settings = Settings("run-test", "etcd", project, data, max_time, NONCE)
        self.store = Store(self.settings.store_path, durable=True)
        self.stop = threading.Event()
        recorder = Recorder(self.store, "run-test", MONITOR, io.StringIO())
        if well:
            recorder.say(Readiness(missing=()))
        self.monitor = Monitor(self.settings, engine, recorder, self.stop)
        self.agent = Recorder(self.store, "run-test", "agent", io.StringIO())
        self._thread = threading.Thread(target=self.monitor.run)

    def start(self) -> None:
        self._thread.start()
        wait_until(self.settings.monitor_socket.exists, 10)

    def ask(self, op: str, timeout: float = 5.0, **arguments: object) -> dict[str, Any]:
        """As the host asks."""
        return rpc.call(self.settings.monitor_socket, op, timeout, nonce=NONCE, **arguments)

    def end(self) -> None:
        self.stop.set()
        self._thread.join()
        self.store.close()

    def of(self, *types: str) -> list[dict[str, object]]:
        return [e.raw for e in self.store.events("run-test", types=types)]
