"""A cluster up, healthy and down again, against the real Compose 2.26 with the same file on the same engine.

Ours runs in this process, as `operator-demo run` does it; Compose is called by exec in a container that is kept. What
that costs by itself is measured too and told, not taken off.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.measure import ROOT, Benchmark, Row, Unavailable, say
from operator_demo.compose import Project, down, ensure_service_image, load_project, up, wait_healthy
from operator_demo.engine import Engine, connect
from operator_demo.errors import OperatorError
from tests.parity.real_compose import RealCompose

ROUNDS = 10
_SUBJECT = ROOT / "subjects" / "etcd"
_HEALTHY_WITHIN = 60  # seconds


def cluster() -> list[Row]:
    with ExitStack() as after:
        try:
            engine = connect()
            after.callback(engine.close)
            compose = RealCompose(engine)
            after.callback(compose.close)
        except OperatorError as e:
            raise Unavailable(e.message) from e
        names = [f"bench-{secrets.token_hex(4)}" for _ in range(2)]
        for name in names:
            after.callback(down, engine, name, volumes=True)
        return _measured(engine, compose, *names)


def _measured(engine: Engine, compose: RealCompose, our_name: str, their_name: str) -> list[Row]:
    compose.put(_SUBJECT)
    project = load_project(_SUBJECT, "compose.yaml", project=our_name, env={})
    for service in project.services.values():
        ensure_service_image(engine, project, service)
    samples: dict[str, tuple[list[float], list[float]]] = {k: ([], []) for k in ("start", "healthy", "down")}
    bare: list[float] = []
    for number in range(-1, ROUNDS):  # the first round warms up and does not count
        say(f"compose: round {max(number + 1, 0)} of {ROUNDS}")
        ours, theirs = _our_round(engine, project), _their_round(compose, _SUBJECT, their_name)
        if number < 0:
            continue
        bare.append(_seconds(lambda: compose.run(_SUBJECT, "version")))
        for what, (mine, other) in samples.items():
            mine.append(ours[what])
            other.append(theirs[what])
    overhead = f"of Compose's time {median(bare):.2f} s is the exec and its own start (`version`)"
    return [
        Row("cluster create and start", "Compose 2.26 up -d", "s", *samples["start"], target=0.8, remark=overhead),
        Row("cluster up to healthy", "Compose 2.26 up -d --wait", "s", *samples["healthy"], target=1.0),
        Row("cluster down with volumes", "Compose 2.26 down -v -t 1", "s", *samples["down"], target=0.5),
    ]


def _our_round(engine: Engine, project: Project) -> Mapping[str, float]:
    stop = threading.Event()
    start = _seconds(lambda: up(engine, project, stop=stop))
    waited = _seconds(lambda: wait_healthy(engine, project.name, project.services, _HEALTHY_WITHIN, stop))
    removed = _seconds(lambda: down(engine, project.name, volumes=True))
    return {"start": start, "healthy": start + waited, "down": removed}


def _their_round(compose: RealCompose, folder: Path, name: str) -> Mapping[str, float]:
    """Compose waits for health only as a part of `up`, so that is a second start."""
    start = _seconds(lambda: compose.run(folder, "up", "-d", project=name))
    compose.run(folder, "down", "-v", "-t", "0", project=name)
    healthy = _seconds(lambda: compose.run(folder, "up", "-d", "--wait", project=name))
    removed = _seconds(lambda: compose.run(folder, "down", "-v", "-t", "1", project=name))
    return {"start": start, "healthy": healthy, "down": removed}


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


BENCHMARKS: dict[str, Benchmark] = {"compose": cluster}
