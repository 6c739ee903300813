"""The single file itself: its size, and how fast it starts against a bare interpreter."""

import io
import os
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import FILE, Benchmark, Row, say
from operator_demo import events
from operator_demo.events import (
    Event,
    Load,
    Payload,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionStarted,
    ToolCall,
    ToolResult,
)
from operator_demo.store import Recorder, Store

ROUNDS = 21
RUNS = 20  # in the store that is listed
MILLION, EVENTS = 1_000_000, 1000  # events in a large store, and in each of its runs
OUTPUT = "\n".join(f"demo-etcd-etcd{n}-1   Up 3 minutes (healthy)" for n in range(3))


def size() -> list[Row]:
    return [Row("size of the single file", "", "MB", [FILE.stat().st_size / 1e6], [], 16, against_theirs=False)]


def version() -> list[Row]:
    return [_start("--version", 8)]


def audit_list() -> list[Row]:
    return [_start("audit list", 20)]


def audit_million() -> list[Row]:
    """Reading a store of a million events against reading one that holds a single short run."""
    say("audit: a store of a million events is filled, which takes minutes")
    with _clean_python() as python, tempfile.TemporaryDirectory() as large, tempfile.TemporaryDirectory() as small:
        _many_events(Path(large) / "tickets.db")
        _past_runs(Path(small) / "tickets.db")
        return [_beside_a_small_store(words, python, large, small)
                for words in ("audit list", "audit show last", "audit search xylophone")]


def _beside_a_small_store(words: str, python: str, large: str, small: str) -> Row:
    say(f"audit: {words}")
    command = [python, "-IS", str(FILE), *words.split()]
    homes = [{**os.environ, "OPERATOR_HOME": home} for home in (large, small)]
    for home in homes:
        _milliseconds(command, home)  # warm; the first search builds the index
    pairs = [[_milliseconds(command, home) for home in homes] for _ in range(ROUNDS)]
    return Row(f"`{words}`, 1,000,000 events: longer than with few by", "", "ms", [a - b for a, b in pairs], [], 300,
               against_theirs=False)


def _many_events(path: Path) -> None:
    """Runs of which most events are load, as in a real one; a word that is searched for is in each hundredth."""
    with Store(path) as store:
        for n in range(MILLION // EVENTS):
            store.import_(_run_of(n))


def _run_of(n: int) -> Iterator[Event]:
    run, session = f"run-{n:08d}", {"ticket": f"tkt-{n:08d}", "session": f"ses-{n:08d}"}
    begun = 1_760_000_000 + 4 * EVENTS * n
    said: list[tuple[str, Payload, dict[str, str]]] = [
        (events.STAGE, RunStarted(project="demo-etcd", subject="etcd", mode="execute", model="rehearsal",
                                  brain="rehearsal", version="bench", engine="bench", seed=n), {}),
        (events.AGENT, SessionStarted(model="rehearsal", brain="rehearsal", mode="execute"), session)]
    for step in range(EVENTS // 20):
        word = "xylophone" if (n + step) % 100 == 0 else "member"
        said.append((events.AGENT, ToolCall(call=f"toolu_{step}", tool="shell", input={
            "command": "docker ps -a", "reasoning": f"See the state of every {word}."}), session))
        said.append((events.AGENT, ToolResult(call=f"toolu_{step}", tool="shell", status="ok", output=OUTPUT), session))
    load = Load(ops=200, p50=0.002, p99=0.006, errors={})
    said += [(events.WORKLOAD, load, {})] * (EVENTS - len(said) - 2)
    said.append((events.AGENT, SessionFinished(status="verified", summary="It was repaired."), session))
    said.append((events.STAGE, RunFinished(outcome="repaired", exit_status=0, ttd=0.05, ttm=20.0), {}))
    for seq, (source, payload, ids) in enumerate(said, start=1):
        moment = datetime.fromtimestamp(begun + seq, UTC)
        yield Event(run, source, payload.type, payload.to_raw(), seq, events.timestamp(moment), **ids)


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
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, check=True)
    return (time.perf_counter() - begin) * 1000


BENCHMARKS: dict[str, Benchmark] = {"version": version, "audit-list": audit_list, "audit-million": audit_million,
                                         "size": size}
