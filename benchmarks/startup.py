"""The single file itself: its size, and how fast it starts against a bare interpreter."""

import io
import os
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import FILE, Benchmark, Row, say
from operator_demo import events
from operator_demo.events import RunFinished, RunStarted, SessionFinished, SessionStarted
from operator_demo.store import Recorder, Store

ROUNDS = 21
RUNS = 20  # in the store that is listed


def size() -> list[Row]:
    return [Row("size of the single file", "", "MB", [FILE.stat().st_size / 1e6], [], 16, against_theirs=False)]


def version() -> list[Row]:
    return [_start("--version", 8)]


def audit_list() -> list[Row]:
    return [_start("audit list", 20)]


def _start(words: str, target: float) -> Row:
    say(f"start-up: {words}")
    with _clean_python() as python, tempfile.TemporaryDirectory() as home:
        _past_runs(Path(home) / "tickets.db")
        environment = {**os.environ, "OPERATOR_HOME": home}
        ours, bare = [python, "-IS", str(FILE), *words.split()], [python, "-c", "pass"]
        _milliseconds(ours, environment), _milliseconds(bare, environment)  # warm
        pairs = [(_milliseconds(ours, environment), _milliseconds(bare, environment)) for _ in range(ROUNDS)]
    return Row(f"warm `{words}`", "python3 -c pass", "ms", [a for a, _ in pairs], [b for _, b in pairs], target)


@contextmanager
def _clean_python() -> Iterator[str]:
    """An interpreter without packages: those of this machine, or a version manager's shim, would slow both down and
    hide the difference."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, symlinks=True)
        yield os.path.join(folder, "bin", "python")


def _past_runs(path: Path) -> None:
    with Store(path) as store:
        for n in range(RUNS):
            stage = Recorder(store, f"run-{n:08d}", events.STAGE, io.StringIO())
            agent = Recorder(store, f"run-{n:08d}", events.AGENT, io.StringIO())
            session = {"ticket": f"tkt-{n:08d}", "session": f"ses-{n:08d}"}
            stage.say(RunStarted(project="demo-etcd", subject="etcd", mode="execute", model="rehearsal",
                                 brain="rehearsal", version="bench", engine="bench", seed=n))
            agent.say(SessionStarted(model="rehearsal", brain="rehearsal", mode="execute"), **session)
            agent.say(SessionFinished(status="verified", summary="It was repaired."), **session)
            stage.say(RunFinished(outcome="repaired", exit_status=0, ttd=0.05, ttm=20.0))


def _milliseconds(command: list[str], environment: Mapping[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
    return (time.perf_counter() - begin) * 1000


BENCHMARKS: dict[str, Benchmark] = {"version": version, "audit-list": audit_list, "size": size}
