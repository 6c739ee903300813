"""What a session began through the guard and left running is ended, and nothing else."""

import asyncio
import io
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from project_names import new_name

from operator_demo.engine import connect
from operator_demo.events import GUARD
from operator_demo.guard.callers import end_leftovers
from operator_demo.guard.leftovers import Leftovers
from operator_demo.guard.main import LEFTOVERS
from operator_demo.guard.memory import Memory
from operator_demo.guard.policy import Policy
from operator_demo.guard.proxy import Proxy
from operator_demo.guard.record import Record
from operator_demo.guard.request import AGENT, MONITOR
from operator_demo.guard.upstream import Upstream
from operator_demo.guard.world import World
from operator_demo.monitor.probes import Probes
from operator_demo.store import Recorder, Store
from operator_demo.subject import Probed

pytestmark = pytest.mark.engine
HANGING, QUICK = ["sleep", "4247"], ["sh", "-c", "echo well; exit 3"]
IMAGE = "operator-demo/base:trixie"
ENGINE = Path("/var/run/docker.sock")
PATIENCE = 30.0


def docker(*arguments: str, at: Path = ENGINE) -> str:
    done = subprocess.run(["docker", "-H", f"unix://{at}", *arguments], capture_output=True, text=True, timeout=60,
                          check=True)
    return done.stdout.strip()


class Stand:
    """A member of a subject, and the guard of a run."""

    def __init__(self, folder: Path) -> None:
        self.project = new_name()
        self.socket = folder / "agent" / "docker.sock"
        self.store = Store(folder / "tickets.db", durable=True)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        record = Record(Recorder(self.store, "run-1", GUARD, io.StringIO()))
        upstream = Upstream(ENGINE)
        memory = Memory()
        leftovers = Leftovers(upstream, record, memory, "run-1", IMAGE)
        policy = Policy(World(upstream, self.project, "run-1"), [HANGING, QUICK], memory=memory)
        self.proxy = Proxy(policy, record, upstream, own={
            (caller, *LEFTOVERS): partial(leftovers.end, caller) for caller in (AGENT, MONITOR)})
        self._do(self.proxy.serve(AGENT, self.socket))
        self.monitors = folder / "monitor" / "docker.sock"
        self._do(self.proxy.serve(MONITOR, self.monitors))
        # Last: what fails before leaves no container.
        self.member = docker("run", "-d", "--network", "none", "--init", "-v", "/data", "--label",
                             f"com.docker.compose.project={self.project}", "--label", "com.docker.compose.service=m",
                             IMAGE, "sleep", "600")

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(30)  # type: ignore[arg-type]

    def entries(self) -> list[dict[str, Any]]:
        return [e.raw for e in self.store.events("run-1", types=["guard"])]

    def commands(self) -> str:
        return docker("top", self.member, "-eo", "pid,args")

    def close(self) -> None:
        docker("rm", "-fv", self.member)
        self._do(self.proxy.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.store.close()


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    made = Stand(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{made.socket}")  # by which the agent finds the guard
    yield made
    made.close()


def leave(stand: Stand, *arguments: str) -> None:
    """The docker command through the guard, killed after a moment."""
    client = subprocess.Popen(["docker", "-H", f"unix://{stand.socket}", *arguments], stdout=subprocess.DEVNULL)
    time.sleep(1.5)
    client.kill()
    client.wait()


def test_an_exec_outlives_its_client_and_is_ended_with_its_children(stand: Stand) -> None:
    since = time.time()
    leave(stand, "exec", stand.member, "sh", "-c", "sleep 4242; true")
    assert "sleep 4242" in stand.commands()
    (ended,) = end_leftovers(since, PATIENCE)
    assert ended.startswith("`sh -c sleep 4242; true` in ")
    assert "4242" not in stand.commands()
    assert "sleep 600" in stand.commands()
    assert end_leftovers(since, PATIENCE) == []


def test_earlier_execs_and_those_of_others_stay(stand: Stand) -> None:
    docker("exec", "-d", stand.member, "sleep", "4243", at=stand.socket)
    time.sleep(0.5)
    since = time.time()
    docker("exec", "-d", stand.member, "sleep", "4244")  # not through the guard
    until = time.monotonic() + 10
    while "4244" not in stand.commands() and time.monotonic() < until:
        time.sleep(0.1)
    assert end_leftovers(since, PATIENCE) == []
    assert "4243" in stand.commands()
    assert "4244" in stand.commands()


def test_a_one_shot_container_is_removed(stand: Stand) -> None:
    since = time.time()
    leave(stand, "run", "--rm", "--network", "none", "--volumes-from", stand.member, IMAGE, "sleep", "4245")
    (ended,) = end_leftovers(since, PATIENCE)
    assert ended.startswith("container ")
    assert ", with the data of " in ended
    assert docker("ps", "-aq", "--filter", "label=io.operator-demo.run=run-1") == ""


def test_the_monitor_runs_the_subjects_probes_and_nothing_else(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{stand.monitors}")
    engine = connect()
    probes = Probes(engine)
    try:
        assert probes.run(stand.member, QUICK, 10) == Probed(3, "well\n")
        assert stand.entries() == []
        refused = probes.run(stand.member, ["sh", "-c", "echo else"], 10)
        assert refused.status is None and "probe commands that the subject declares" in refused.output
        assert [entry["ruling"] for entry in stand.entries()] == ["deny"]
        docker("exec", "-d", stand.member, "sleep", "4248", at=stand.socket)
        hanging = probes.run(stand.member, HANGING, 1)
        assert hanging.status is None and "no end after 1 s" in hanging.output
        assert "4247" not in stand.commands()
        assert "4248" in stand.commands()
    finally:
        engine.close()


def test_the_helper_stands_in_the_record(stand: Stand) -> None:
    since = time.time()
    leave(stand, "exec", stand.member, "sleep", "4246")
    end_leftovers(since, PATIENCE)
    own = [entry for entry in stand.entries() if entry["caller"] == "guard"]
    assert [entry["rule"] for entry in own] == ["end of what a command left"]
    assert own[0]["object"].startswith("operator-demo-kill-")


def test_a_time_that_is_none_is_a_bad_request(stand: Stand) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(stand.socket))
        connection.sendall(b"POST /guard/leftovers?since=yesterday HTTP/1.1\r\nHost: guard\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_without_a_guard_it_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(OSError, match="No such file"):
        end_leftovers(0.0, PATIENCE)
