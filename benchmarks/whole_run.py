"""A whole `run etcd --auto` with its screen: how much memory the host's process and the agent's container take."""

import fcntl
import os
import pty
import re
import secrets
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker.errors

from benchmarks.measure import FILE, Benchmark, Row, Unavailable, say
from operator_demo.compose import down
from operator_demo.engine import Engine, connect, members
from operator_demo.stage.environment import operator_project

ROWS, COLUMNS = 40, 140
LIMIT = 300.0  # seconds of a run
LOOK = 0.25  # seconds between two looks
AGENT = "agent"  # the service


def memory() -> list[Row]:
    if not Path("/proc/self/status").exists():
        raise Unavailable("this system has no /proc")
    say("a whole run, with the screen in a terminal")
    host: dict[int, float] = {}
    agent: list[float] = []
    engine, project = connect(), f"bench-{secrets.token_hex(4)}"
    try:
        with _run(project) as process:
            while process.poll() is None:
                host.update((pid, peak) for pid in _family(process.pid) if (peak := _peak(pid)))
                agent += _agent_uses(engine, project)
                time.sleep(LOOK)
            if process.returncode != 0:
                raise RuntimeError(f"the run ended with exit status {process.returncode}")
    finally:
        down(engine, operator_project(project), volumes=True, progress=lambda item, status: None)
        down(engine, project, volumes=True, progress=lambda item, status: None)
        engine.close()
    return [
        Row("memory of the host's process, peak", "", "MB", [sum(host.values())], [], 80, against_theirs=False,
            remark="resident, of a whole run with the full screen and all child processes"),
        Row("memory of the agent's container, peak", "", "MB", [max(agent)], [], 200, against_theirs=False,
            remark=f"as `docker stats` counts, {len(agent)} looks in the same run"),
    ]


@contextmanager
def _run(project: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The run on a terminal of its own. One that is cut short takes itself down."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "OPERATOR_HOME": home, "TERM": "xterm-256color"}
        process = subprocess.Popen(
            [FILE, "run", "etcd", "--auto", "--model", "rehearsal", "--project", project, "--display", "tui"],
            stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True)
        os.close(its)
        reader = threading.Thread(target=_swallow, args=(ours,), name="terminal")
        timer = threading.Timer(LIMIT, process.terminate)
        try:
            reader.start()
            timer.start()
            yield process
        finally:
            timer.cancel()
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            process.wait()
            reader.join()
            os.close(ours)


def _swallow(terminal: int) -> None:
    with suppress(OSError):  # (so a pseudo-terminal tells that nobody is at its other end)
        while os.read(terminal, 65536):
            pass


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                found += _family(int(child))
    return found


def _peak(pid: int) -> float:
    """Megabytes of memory that a process held at most; 0 when it is gone."""
    with suppress(OSError):
        if found := re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return int(found[1]) * 1024 / 1e6
    return 0.0


def _agent_uses(engine: Engine, project: str) -> list[float]:
    for container in members(engine, operator_project(project)):
        if container.service == AGENT and container.state == "running":
            with suppress(docker.errors.APIError, KeyError):
                return [_used(engine.api.stats(container.id, stream=False, one_shot=True)["memory_stats"])]
    return []


def _used(told: dict[str, Any]) -> float:
    """Megabytes; as the docker command, without the page cache that can be given up (cgroup v1 and v2)."""
    cache = told["stats"].get("total_inactive_file", told["stats"].get("inactive_file", 0))
    return float(told["usage"] - cache) / 1e6


BENCHMARKS: dict[str, Benchmark] = {"memory": memory}
