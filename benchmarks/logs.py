"""From a line in a container's log to an event in the host's hands, against `docker logs -f`."""

import io
import json
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty
from typing import Any

from benchmarks.measure import Benchmark, Row, Unavailable, quantile, say
from operator_demo import events, wire
from operator_demo.engine import BASE, Container, Engine, connect
from operator_demo.events import Event, Load
from operator_demo.stage.feed import Feed
from operator_demo.stage.inbox import Inbox
from operator_demo.store import Store

RUN = "run-bench000"

LATENCY_ROUNDS, LINES, EVERY = 6, 500, 0.005  # lines a round, seconds between two
FIRST = 100  # lines of a round that may have been printed before anybody listened
RATE_ROUNDS, MANY = 5, 200_000
BATCH = 500  # events a transaction, as the stage takes them
PATIENCE = 180.0  # seconds

# Prints events that carry the time at which they were printed; nothing is started for a line.
PRINTER = f"""
event='{{"v":1,"run":"{RUN}","source":"agent","type":"reasoning","data":{{"kind":"text","text":"%s"}},"seq":%d,'
event+='"ts":"2026-01-01T00:00:00.000000Z","ticket":null,"session":null}}'
exec 9<> <(:)
for ((seq = 1; seq <= $1; seq++)); do
    printf "$event\\n" "$EPOCHREALTIME" $seq
    read -rt $2 -u 9
done
"""


def latency() -> list[Row]:
    """Both read alone, in turns: side by side they would wait for each other's processor."""
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    with _engine() as engine:
        docker = _docker(engine)
        for number in range(LATENCY_ROUNDS):
            say(f"lines: round {number + 1} of {LATENCY_ROUNDS}")
            command = ["bash", "-c", PRINTER, "printer", str(LINES), str(EVERY)]
            with _container(engine, command) as made:
                ours.append(_heard_by_us(engine, made))
            with _container(engine, command) as made:
                theirs.append(_heard_by_docker(engine, docker, made))
    return [Row(f"line in a container to event in the queue, p{percent}", "docker logs -f", "ms",
                [quantile(r, percent / 100) * 1000 for r in ours],
                [quantile(r, percent / 100) * 1000 for r in theirs], target)
            for percent, target in ((50, 1.5), (99, 2))]


class _Stamping:
    """A queue that keeps how long each event was under way."""

    def __init__(self) -> None:
        self.ages: list[float] = []
        self.full = threading.Event()

    def __len__(self) -> int:
        return 0

    def put(self, item: Event | str) -> None:
        now = time.time()
        if isinstance(item, Event):
            self.ages.append(now - float(item.raw["text"]))
            if len(self.ages) == LINES:
                self.full.set()


def _heard_by_us(engine: Engine, made: "_Made") -> list[float]:
    feed, queue = Feed(engine, RUN, {}, Inbox()), _Stamping()
    feed.items = queue  # type: ignore[assignment]
    try:
        made.start()
        feed.follow([made.as_("agent")])
        if not queue.full.wait(PATIENCE):
            raise RuntimeError(f"{len(queue.ages)} of {LINES} events came")
    finally:
        feed.stop()
    return queue.ages[FIRST:]


def _heard_by_docker(engine: Engine, docker: list[str], made: "_Made") -> list[float]:
    ages = []
    made.start()
    with subprocess.Popen([*docker, "logs", "-f", made.id], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                ages.append(time.time() - float(json.loads(line)["data"]["text"]))
        finally:
            process.kill()
    return ages[FIRST:]


def rate() -> list[Row]:
    ours: list[float] = []
    theirs: list[float] = []
    with _engine() as engine:
        docker = _docker(engine)
        text = _load_events()
        with _container(engine, ["cat", "/lines"], {"lines": text}) as made:
            made.start()
            engine.api.wait(made.id)
            for number in range(RATE_ROUNDS):
                say(f"{MANY:,} events: round {number + 1} of {RATE_ROUNDS}")
                ours.append(MANY / _stored_by_us(engine, made))
                theirs.append(MANY / _read_by_docker(docker, made))
    return [Row(f"{MANY:,} events followed, decoded, stored", "docker logs -f", "/s", ours, theirs, 0.3,
                at_least=True, remark=f"lines of {len(text) // MANY} bytes, {BATCH} a transaction")]


def _load_events() -> bytes:
    first = events.event(RUN, events.WORKLOAD, Load(ops=200, p50=0.00123, p99=0.00456, errors={}))
    return "".join(wire.to_json(replace(first, seq=n)) + "\n" for n in range(1, MANY + 1)).encode()


def _stored_by_us(engine: Engine, made: "_Made") -> float:
    """Seconds from the question to the last event on the disk."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "tickets.db") as store:
        feed, stored = Feed(engine, RUN, {}, Inbox()), 0
        begin = time.perf_counter()
        try:
            feed.follow([made.as_("workload")])
            while stored < MANY:
                if time.perf_counter() - begin > PATIENCE:
                    raise RuntimeError(f"{stored} of {MANY} events came")
                stored += len(store.import_(_batch(feed)))
            return time.perf_counter() - begin
        finally:
            feed.stop()


def _batch(feed: Feed) -> list[Event]:
    found: list[Event] = []
    try:
        while len(found) < BATCH:
            item = feed.items.get(timeout=0.05)
            if not isinstance(item, Event):
                raise RuntimeError(item)
            found.append(item)
    except Empty:
        pass
    return found


def _read_by_docker(docker: list[str], made: "_Made") -> float:
    begin = time.perf_counter()
    subprocess.run([*docker, "logs", "-f", made.id], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


# -- the engine ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Made:
    engine: Engine
    id: str
    name: str

    def start(self) -> None:
        self.engine.api.start(self.id)

    def as_(self, service: str) -> Container:
        return Container(self.id, self.name, service, "running", None, None, None, {}, BASE)


@contextmanager
def _engine() -> Iterator[Engine]:
    engine = connect()
    try:
        yield engine
    finally:
        engine.close()


def _docker(engine: Engine) -> list[str]:
    """The docker command, asking the same engine."""
    if shutil.which("docker") is None:
        raise Unavailable("there is no docker command to compare with")
    if "unix://" not in engine.address:
        raise Unavailable("the engine is not on this machine")
    return ["docker", "--host", engine.address.split(" ")[0]]


@contextmanager
def _container(engine: Engine, command: Sequence[str], files: dict[str, bytes] | None = None) -> Iterator[_Made]:
    """Created, not started; removed at the end."""
    name = f"bench-{secrets.token_hex(4)}"
    settings: dict[str, Any] = engine.api.create_host_config(log_config={"Type": "json-file"})
    made = engine.api.create_container(BASE, list(command), name=name, host_config=settings)["Id"]
    try:
        for path, content in (files or {}).items():
            engine.api.put_archive(made, "/", _packed(path, content))
        yield _Made(engine, made, name)
    finally:
        engine.api.remove_container(made, force=True, v=True)


def _packed(path: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(path)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


BENCHMARKS: dict[str, Benchmark] = {"line-latency": latency, "line-rate": rate}
