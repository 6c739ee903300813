"""From the death of a member to the ticket: the real monitor in its container, watching a real cluster."""

import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty
from typing import Any

from benchmarks.cut_socket import cut_socket
from benchmarks.measure import FILE, Benchmark, Row, say
from operator_demo import events
from operator_demo import subject as subjects
from operator_demo.compose import down, up, wait_healthy
from operator_demo.engine import Engine, connect, container_action, find_socket, members
from operator_demo.events import Event
from operator_demo.stage.environment import Environment, operator_project
from operator_demo.stage.feed import Feed
from operator_demo.stage.inbox import Inbox

DEATHS = 10
POLL = 5.0  # seconds between two looks of the loop that is compared with
PATIENCE = 90.0  # seconds
SETTLED = 3  # healthy looks in a row before the next death


def detection() -> list[Row]:
    with cluster() as environment:
        socket = find_socket(environment.engine, prepared_image(environment.engine), None)
        with _monitor(environment, socket) as monitor, _bare_watcher(environment.engine) as died:
            kills = [_kill(environment, monitor, number, died) for number in range(DEATHS)]
        with cut_socket(socket) as path, _monitor(environment, path) as monitor:
            blind = [_kill(environment, monitor, number) for number in range(DEATHS)]
    tickets, deaths, polled = zip(*kills, strict=True)
    return [
        Row("death of a member to ticket", "the `die` event", "s", tickets, deaths, 0.15, against_theirs=False,
            remark="both from the call that kills it; theirs is the event in a bare docker-py thread"),
        Row("death of a member to ticket", f"a loop that looks every {POLL:g} s", "s", tickets, polled, 0.05),
        Row("the same with the event stream cut", "", "s", [ticket for ticket, _, _ in blind], [], 3,
            against_theirs=False),
    ]


def prepared_image(engine: Engine) -> str:
    """The image of our containers, built if it is not there."""
    os.environ["OPERATOR_DEMO_FILE"] = str(FILE)  # what it is built from
    return Environment(engine, "bench", subjects.load("etcd")).prepare(_quiet, threading.Event())


@contextmanager
def cluster() -> Iterator[Environment]:
    """A healthy cluster of a project of its own, with all images there; it goes at the end with all around it."""
    engine = connect()
    environment = Environment(engine, f"bench-{secrets.token_hex(4)}", subjects.load("etcd"))
    stop = threading.Event()
    try:
        say("a cluster comes up")
        prepared_image(engine)
        project = environment.subject_project()
        up(engine, project, progress=_quiet, stop=stop)
        wait_healthy(engine, project.name, project.services, PATIENCE, stop)
        yield environment
    finally:
        environment.down(volumes=True, progress=_quiet)
        engine.close()


@contextmanager
def _monitor(environment: Environment, socket: str) -> Iterator[Feed]:
    """Our containers without an agent, with the engine at `socket`; what the monitor says comes through the feed."""
    engine, run = environment.engine, events.new_id("run")
    variables = {
        "OPERATOR_SUBJECT": "etcd", "OPERATOR_BRAIN": "none", "OPERATOR_MODEL": "none",
        "OPERATOR_IMAGE": prepared_image(engine), "OPERATOR_ENGINE_SOCKET": socket,
    }
    feed = Feed(engine, run, {}, Inbox())
    try:
        environment.up_operator(run, variables, "", [], _quiet, threading.Event())
        feed.follow(c for c in environment.operators() if c.service == "monitor")
        yield feed
    finally:
        feed.stop()
        down(engine, operator_project(environment.project), volumes=True, progress=_quiet)


def _kill(environment: Environment, monitor: Feed, number: int,
          died: Callable[[], float] | None = None) -> tuple[float, float, float]:
    """Seconds from the call that kills a member to the ticket, to the `die` event, and to a polling loop's notice."""
    engine = environment.engine
    say(f"death {number + 1} of {DEATHS}{'' if died else ', without events'}")
    _settle(monitor)
    found = members(engine, environment.project)
    victim = found[number % len(found)]
    with _polling(environment, POLL * (number + random.random()) / DEATHS) as noticed:
        called = engine.now()
        container_action(engine, victim.id, "kill")
        ticket = events.parse_ts(_await(monitor, lambda e: e.type == "ticket_opened").ts) - called
        death, polled = (died() - called, noticed() - called) if died else (0.0, 0.0)
    container_action(engine, victim.id, "start")
    _await(monitor, lambda e: e.type == "ticket_cleared")
    return ticket, death, polled


def _settle(monitor: Feed) -> None:
    healthy = 0
    while healthy < SETTLED:
        seen = _await(monitor, lambda e: e.type == "observation").raw
        well = not seen["violations"] and seen["members"] and all(m["healthy"] for m in seen["members"].values())
        healthy = healthy + 1 if well else 0


def _await(monitor: Feed, wanted: Callable[[Event], bool]) -> Event:
    end = time.monotonic() + PATIENCE
    while (left := end - time.monotonic()) > 0:
        try:
            item = monitor.items.get(timeout=left)
        except Empty:
            break
        if isinstance(item, Event) and wanted(item):
            return item
    raise RuntimeError("the monitor did not say what was waited for")


@contextmanager
def _bare_watcher(engine: Engine) -> Iterator[Callable[[], float]]:
    """What a thread of docker-py alone can know: when (engine's clock) the newest `die` event came."""
    heard: list[float] = []
    arrived = threading.Event()
    stream: Any = engine.api.events(decode=True, filters={"event": "die"})

    def read() -> None:
        for _ in stream:
            heard.append(engine.now())
            arrived.set()

    def newest() -> float:
        if not arrived.wait(PATIENCE):
            raise RuntimeError("the engine told of no death")
        arrived.clear()
        return heard[-1]

    thread = threading.Thread(target=read, name="bare watcher")
    try:
        thread.start()
        yield newest
    finally:
        stream.close()
        thread.join()


@contextmanager
def _polling(environment: Environment, first: float) -> Iterator[Callable[[], float]]:
    """A loop that looks at the project's containers every `POLL` seconds, in `first` seconds for the first time: when
    (engine's clock) it saw that one does not run."""
    seen: list[float] = []
    done = threading.Event()

    def look() -> None:
        done.wait(first)
        while not done.is_set():
            if any(c.state != "running" for c in members(environment.engine, environment.project)):
                seen.append(environment.engine.now())
                return
            done.wait(POLL)

    def noticed() -> float:
        thread.join(PATIENCE)
        return seen[0]

    thread = threading.Thread(target=look, name="polling")
    try:
        thread.start()
        yield noticed
    finally:
        done.set()
        thread.join()


def _quiet(item: str, status: str) -> None:
    pass


BENCHMARKS: dict[str, Benchmark] = {"detection": detection}
