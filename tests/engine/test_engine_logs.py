"""Following logs and events on a real engine."""

import threading
import time
from collections.abc import Callable

import pytest

from operator_demo.compose import Project, down, up
from operator_demo.engine import (
    Engine,
    EngineEvent,
    LogsUnavailable,
    container_action,
    exec_in,
    follow,
    members,
    read_log,
    watch,
)
from operator_demo.engine.logs import READ_LIMIT

pytestmark = pytest.mark.engine

Load = Callable[..., Project]

# Goes on counting where it stopped, as the sources of events do; each line is written at once.
COUNTER = """\
services:
  count:
    image: IMAGE
    init: true
    restart: on-failure
    command:
      - bash
      - -c
      - |
        n=$$(tail -n 1 /count 2>/dev/null || echo 0)
        while [ $$n -lt LAST ]; do
          n=$$((n + 1)); echo $$n >> /count; echo "number $$n é"; sleep PAUSE
        done
        exec sleep 1000
"""


def counter(load: Load, project: str, last: int, pause: float, more: str = "") -> Project:
    return load(COUNTER.replace("LAST", str(last)).replace("PAUSE", str(pause)) + more, project)


def only(engine: Engine, project: str) -> str:
    return members(engine, project)[0].id


class Follower:
    """Follows in a thread; `wait_for` returns when a line has come."""

    def __init__(self, engine: Engine, container: str, stop: threading.Event, since: float | None = None) -> None:
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._run, args=(engine, container, stop, since))
        self._thread.start()

    def _run(self, engine: Engine, container: str, stop: threading.Event, since: float | None) -> None:
        for line in follow(engine, container, stop, since):
            self.lines.append(line)

    def wait_for(self, line: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while line not in self.lines:
            assert time.monotonic() < deadline, f"{line!r} did not come; last: {self.lines[-3:]}"
            time.sleep(0.02)

    def ended_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()


def numbers(last: int) -> list[str]:
    return [f"number {n} é" for n in range(1, last + 1)]


def test_over_restarts_every_line_comes_once(engine: Engine, load: Load, project_name: str,
                                             stop: threading.Event) -> None:
    up(engine, counter(load, project_name, 200, 0.02), stop=stop)
    follower = Follower(engine, only(engine, project_name), stop)
    follower.wait_for("number 30 é")
    # The child of init, so the container dies by itself and its restart policy brings it back.
    exec_in(engine, only(engine, project_name), ["sh", "-c", "kill -9 $(cat /proc/1/task/1/children | cut -d' ' -f1)"])
    follower.wait_for("number 80 é")
    container_action(engine, only(engine, project_name), "restart", timeout=0)
    follower.wait_for("number 120 é")
    container_action(engine, only(engine, project_name), "kill")
    time.sleep(1)
    container_action(engine, only(engine, project_name), "start")
    follower.wait_for("number 200 é")
    stop.set()
    assert follower.ended_within(10)
    # A process killed between counting and printing skips a number; it is never printed twice.
    assert follower.lines == sorted(set(follower.lines), key=follower.lines.index)
    missing = set(numbers(200)) - set(follower.lines)
    assert len(missing) <= 3
    assert [ln for ln in numbers(200) if ln not in missing] == follower.lines


def test_over_broken_connections_every_line_comes_once(proxied: Engine, proxy, load: Load, project_name: str,  # type: ignore[no-untyped-def]
                                                       stop: threading.Event) -> None:
    up(proxied, counter(load, project_name, 400, 0.01), stop=stop)
    follower = Follower(proxied, only(proxied, project_name), stop)
    for n in (20, 60, 100):
        follower.wait_for(f"number {n} é")
        proxy.cut()
    follower.wait_for("number 150 é")
    proxy.closed.set()
    proxy.cut()
    time.sleep(1)
    proxy.closed.clear()
    follower.wait_for("number 400 é")
    stop.set()
    assert follower.ended_within(10)
    assert follower.lines == numbers(400)


def test_a_silent_follow_ends_at_once(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, counter(load, project_name, 1, 0), stop=stop)
    follower = Follower(engine, only(engine, project_name), stop)
    follower.wait_for("number 1 é")
    begin = time.monotonic()
    stop.set()
    assert follower.ended_within(10)
    assert time.monotonic() - begin < 1


def test_a_follow_ends_with_its_container(engine: Engine, load: Load, project_name: str,
                                          stop: threading.Event) -> None:
    up(engine, counter(load, project_name, 1, 0), stop=stop)
    follower = Follower(engine, only(engine, project_name), stop)
    follower.wait_for("number 1 é")
    down(engine, project_name, volumes=True)
    assert follower.ended_within(10)
    assert list(follow(engine, "no-such-container", stop)) == []


def test_long_lines_and_last_words(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    text = """\
services:
  talk:
    image: IMAGE
    command: ["bash", "-c", "head -c 60000 /dev/zero | tr '\\\\0' x; echo; echo after; printf 'last words'"]
"""
    up(engine, load(text, project_name), stop=stop)
    follower = Follower(engine, only(engine, project_name), stop)
    follower.wait_for("last words")
    container_action(engine, only(engine, project_name), "start")
    deadline = time.monotonic() + 20
    while len(follower.lines) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert follower.lines == ["x" * 60000, "after", "last words"] * 2


def test_a_follow_from_a_moment(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, counter(load, project_name, 2, 3), stop=stop)
    time.sleep(2)
    follower = Follower(engine, only(engine, project_name), stop, since=engine.now())
    follower.wait_for("number 2 é")
    assert follower.lines == ["number 2 é"]


def test_a_log_that_is_rotated_away(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    """What the engine threw away is lost here (and seen by the gap in `seq`); the rest comes in order and once."""
    logging = '    logging: {driver: json-file, options: {max-size: 10k, max-file: "1"}}\n'
    up(engine, counter(load, project_name, 2000, 0, logging), stop=stop)
    container = only(engine, project_name)
    while b"number 2000 " not in b"".join(read_log(engine, container, 1)):
        time.sleep(0.1)
    follower = Follower(engine, container, stop)
    follower.wait_for("number 2000 é")
    order = [int(line.split()[1]) for line in follower.lines]
    assert order == sorted(set(order))
    assert 1 <= len(order) < 2000


def test_a_line_without_end_is_read_to_a_limit(engine: Engine, load: Load, project_name: str,
                                               stop: threading.Event) -> None:
    command = "head -c 30000000 /dev/zero | tr '\\\\0' x; echo; echo last words; exec sleep 1000"
    services = f"services:\n  print:\n    image: IMAGE\n    init: true\n    command: [bash, -c, \"{command}\"]\n"
    up(engine, load(services, project_name), stop=stop)
    container = only(engine, project_name)
    while b"last words" not in b"".join(read_log(engine, container, 1)):
        time.sleep(0.2)
    assert sum(len(piece) for piece in read_log(engine, container, 500)) <= READ_LIMIT
    whole = b"".join(read_log(engine, container, 10_000))
    assert len(whole) < READ_LIMIT + 100
    assert b"the rest is not read" in whole[-100:]


def test_a_log_that_rotates_while_it_is_followed(engine: Engine, load: Load, project_name: str,
                                                 stop: threading.Event) -> None:
    logging = '    logging: {driver: json-file, options: {max-size: 10k, max-file: "1"}}\n'
    up(engine, counter(load, project_name, 600, 0.005, logging), stop=stop)
    follower = Follower(engine, only(engine, project_name), stop)
    follower.wait_for("number 600 é")
    order = [int(line.split()[1]) for line in follower.lines]
    assert order == sorted(set(order))


def test_a_log_that_cannot_be_read(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, counter(load, project_name, 1, 0, "    logging: {driver: none}\n"), stop=stop)
    with pytest.raises(LogsUnavailable, match="driver is none"):
        list(follow(engine, only(engine, project_name), stop))


class Watcher:
    def __init__(self, engine: Engine, projects: list[str], stop: threading.Event) -> None:
        self.events: list[EngineEvent] = []
        stream = (e for e in watch(engine, stop) if e.kind == "container" and e.project in projects)
        self._thread = threading.Thread(target=lambda: self.events.extend(self._one_by_one(stream)))
        self._thread.start()

    def _one_by_one(self, stream):  # type: ignore[no-untyped-def]
        for event in stream:
            self.events.append(event)
        return []

    def wait_for(self, count: int, *actions: str) -> list[EngineEvent]:
        deadline = time.monotonic() + 30
        while len(found := [e for e in self.events if e.action in actions]) < count:
            assert time.monotonic() < deadline, f"{actions}: {[e.action for e in self.events]}"
            time.sleep(0.02)
        return found

    def ended_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()


def test_events_of_containers(engine: Engine, load: Load, new_project: Callable[[], str],
                                       stop: threading.Event) -> None:
    a, b, other = new_project(), new_project(), new_project()
    watcher = Watcher(engine, [a, b], stop)
    before = engine.now()
    for name in (other, a, b):
        up(engine, counter(load, name, 1, 0), stop=stop)
    container_action(engine, only(engine, a), "kill")
    died = watcher.wait_for(1, "die")[0]
    assert (died.container, died.project, died.service, died.name) == (only(engine, a), a, "count", f"{a}-count-1")
    assert died.attributes["exitCode"] == "137"
    assert before - 1 < died.time < engine.now() + 1
    assert [e.project for e in watcher.wait_for(2, "start")] == [a, b]
    begin = time.monotonic()
    stop.set()
    assert watcher.ended_within(10)
    assert time.monotonic() - begin < 1


def test_no_event_is_lost_or_repeated_over_a_broken_stream(engine: Engine, proxied: Engine, proxy, load: Load,  # type: ignore[no-untyped-def]
                                                           project_name: str, stop: threading.Event) -> None:
    up(engine, counter(load, project_name, 1, 0), stop=stop)
    container = only(engine, project_name)
    watcher = Watcher(proxied, [project_name], stop)

    def send(*signals: str) -> None:  # harmless ones, each of which is an event
        for signal in signals:
            container_action(engine, container, "kill", signal=signal)

    send("SIGWINCH")
    watcher.wait_for(1, "kill")
    proxy.closed.set()
    proxy.cut()
    send("SIGURG", "SIGCONT")
    time.sleep(0.5)
    proxy.closed.clear()
    watcher.wait_for(3, "kill")
    proxy.cut()
    send("SIGWINCH")
    watcher.wait_for(4, "kill")
    time.sleep(0.5)
    assert [e.attributes["signal"] for e in watcher.events if e.action == "kill"] == ["28", "23", "18", "28"]
