"""What the guard adds to a call of the engine, against the engine's own socket."""

import http.client
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Benchmark, Row, Unavailable, say

ENGINE = Path("/var/run/docker.sock")
IMAGE = "operator-demo/base:trixie"
CALLS, CLI_CALLS, WARM_UP = 200, 20, 10
ADDED, CLI_ADDED = 1.5, 10.0  # milliseconds, at most
PATIENCE = 30.0  # seconds


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))


def added() -> list[Row]:
    if not ENGINE.exists() or not shutil.which("docker"):
        raise Unavailable(f"needs an engine at {ENGINE} and the docker command")
    name = f"bench-guard-{secrets.token_hex(4)}"
    rows = []
    with _member(name), _guard(name) as guarded:
        for work, path in [("_ping", "/_ping"), ("inspect", f"/v1.41/containers/{name}/json"),
                           ("containers/json", "/v1.41/containers/json")]:
            say(f"    {work}")
            rows.append(_row(work, _getter(guarded, path), _getter(ENGINE, path), CALLS, ADDED))
        say("    docker exec")
        rows.append(_row("docker exec true", _exec(guarded, name), _exec(ENGINE, name), CLI_CALLS, CLI_ADDED))
    return rows


def _row(work: str, ours: Callable[[], None], theirs: Callable[[], None], calls: int, target: float) -> Row:
    """By how much more a call takes than its neighbour that goes to the engine's socket."""
    direct, differences = [], []
    for number in range(calls + WARM_UP):
        base = _timed(theirs)
        guarded = _timed(ours)
        if number >= WARM_UP:
            direct.append(base)
            differences.append(guarded - base)
    return Row(f"{work}: added by the guard", "the engine's socket", "ms", differences, direct, target,
               against_theirs=False)


def _timed(call: Callable[[], None]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _getter(path: Path, target: str) -> Callable[[], None]:
    connection = _Connection(path)

    def get() -> None:
        connection.request("GET", target)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{target}: {answer.status}")

    return get


def _exec(path: Path, container: str) -> Callable[[], None]:
    return lambda: _docker(["exec", container, "true"], path)


def _docker(arguments: Sequence[str], path: Path = ENGINE) -> None:
    subprocess.run(["docker", "-H", f"unix://{path}", *arguments], check=True, capture_output=True, timeout=PATIENCE)


@contextmanager
def _member(name: str) -> Iterator[None]:
    """A subject of one member."""
    _docker(["run", "-d", "--name", name, "--label", f"com.docker.compose.project={name}",
             "--label", "com.docker.compose.service=member", IMAGE, "sleep", "1000"])
    try:
        yield
    finally:
        _docker(["rm", "-f", name])


@contextmanager
def _guard(project: str) -> Iterator[Path]:
    """The socket that the guard of a project gives its agent."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "agent" / "docker.sock"
        environment = {**os.environ, "OPERATOR_RUN": "run-bench000", "OPERATOR_SUBJECT": "etcd",
                       "OPERATOR_DATA": folder, "OPERATOR_PROJECT": project, "OPERATOR_GUARD": folder}
        process = subprocess.Popen([sys.executable, "-m", "operator_demo", "guard"], env=environment,
                                   stdout=subprocess.DEVNULL)
        try:
            end = time.monotonic() + PATIENCE
            while not path.exists():
                if time.monotonic() > end or process.poll() is not None:
                    raise RuntimeError("the guard did not start")
                time.sleep(0.05)
            yield path
        finally:
            process.terminate()
            process.wait()


BENCHMARKS: dict[str, Benchmark] = {"guard": added}
