"""The monitor's process: observes every second, and at once when the engine reports a change."""

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable

from operator_demo import rpc
from operator_demo import subject as subjects
from operator_demo.engine import (
    Engine,
    EngineEvent,
    EngineUnavailable,
    connect,
    discover_network,
    fingerprint,
    inspect,
    read_log,
    watch,
)
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import MONITOR, MonitorStarted
from operator_demo.guarded_subject import GuardedSubject
from operator_demo.monitor import time_limit
from operator_demo.monitor.agent_orders import AgentOrders
from operator_demo.monitor.announced import Announced
from operator_demo.monitor.effects import Effects
from operator_demo.monitor.health_checks import HealthChecks
from operator_demo.monitor.incidents import Incidents
from operator_demo.monitor.members import Members
from operator_demo.monitor.observer import Observer
from operator_demo.monitor.oracle import Oracle
from operator_demo.monitor.probes import Probes
from operator_demo.monitor.questions import Questions
from operator_demo.settings import Settings
from operator_demo.store import Recorder, Store

PERIOD = 1.0  # seconds between the beginnings of two observations
_START = 20.0  # seconds that the guard may take to listen
_BETWEEN_TRIES = 0.1  # seconds
_CHANGES = ("start", "die", "pause", "unpause", "destroy", "connect", "disconnect", "oom")
"""Actions that may change a member."""


def run(settings: Settings) -> int:
    """Watches until SIGTERM or SIGINT, or until the run's time is over. Raises `OperatorError` where the guard does not
    answer; the engine then restarts the monitor, which tries again."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = _connect()
    try:
        with Store(settings.store_path, durable=True) as store:
            Monitor(settings, engine, Recorder(store, settings.run, MONITOR, sys.stdout), stop).run()
    finally:
        engine.close()
    return Exit.OK


def _connect() -> Engine:
    """Through the guard, which may still be starting."""
    end = time.monotonic() + _START
    while True:
        try:
            return connect()
        except EngineUnavailable:
            if time.monotonic() > end:
                raise
        time.sleep(_BETWEEN_TRIES)


class Monitor:
    """All parts of the monitor put together. `run` blocks until `stop` is set."""

    def __init__(self, settings: Settings, engine: Engine, recorder: Recorder, stop: threading.Event) -> None:
        subject = GuardedSubject(subjects.load_inside(settings.subject))
        self._settings, self._engine, self._recorder, self._stop = settings, engine, recorder, stop
        self._wake = threading.Event()
        self._failed: list[BaseException] = []
        probes = Probes(engine)
        self.members = Members(engine, settings.project, subject.members, probes)
        announced = Announced(settings.data / "announced.json")
        self.observer = Observer(subject, self.members, recorder, Incidents(recorder, subject.name, announced))
        health = HealthChecks(lambda id_: inspect(engine, id_))
        self.effects = Effects(recorder, self.members, settings.project, announced, health,
                               lambda container: _restarted(engine, container), probes.is_one)
        self.oracle = Oracle(self.observer, recorder, lambda: fingerprint(engine, settings.project),
                             settings.workload_socket, settings.data, stop)
        self.orders = AgentOrders(recorder)
        self.questions = Questions(self.observer, self.oracle, announced, self.orders, recorder,
                                   lambda: discover_network(engine, settings.project),
                                   lambda id_: inspect(engine, id_), lambda id_, lines: read_log(engine, id_, lines),
                                   settings.is_host)

    def run(self) -> None:
        since = self._engine.now()
        self._recorder.say(MonitorStarted(subject=self.observer.subject.name,
                                          members=tuple(self.observer.subject.members),
                                          groups=self.observer.subject.groups))
        self.observer.look()
        parts: dict[str, Callable[[], None]] = {
            "events": lambda: self._watch(since),
            "oracle": self.oracle.run,
            "socket": lambda: rpc.serve(self._settings.monitor_socket, self.questions.handlers(), self._stop),
        }
        threads = [threading.Thread(target=self._part, args=(part,), name=name) for name, part in parts.items()]
        for thread in threads:
            thread.start()
        end = time.monotonic() + time_limit.seconds_left(self._recorder, self._settings.max_time)
        try:
            self._look_until(end)
            expired = not self._stop.is_set()
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
            self.effects.settle(math.inf)
            self.effects.tell_of_others(now=True)
        if self._failed:
            raise self._failed[0]
        if expired:  # nothing observes any more, so stopped members open no ticket
            time_limit.record_end(self._recorder, self._settings.max_time)

    def _part(self, part: Callable[[], None]) -> None:
        """A part that fails ends the process, and the engine restarts it: a monitor never runs with a part missing."""
        try:
            part()
        except BaseException as e:
            self._failed.append(e)
        finally:
            self._stop.set()
            self._wake.set()

    def _look_until(self, end: float) -> None:
        """Observes until `stop` is set, or until `end` (monotonic)."""
        while not self._stop.is_set() and time.monotonic() < end:
            began = time.monotonic()
            self._wake.clear()
            self.observer.look()
            self.effects.settle(time.time())
            self.effects.tell_of_others()
            self.orders.look()
            self._wake.wait(max(0.0, PERIOD - (time.monotonic() - began)))

    def _watch(self, since: float) -> None:
        for event in watch(self._engine, self._stop, since):
            changed = event.kind != "volume" and event.action in _CHANGES and self._is_member(event)
            if changed:
                with contextlib.suppress(OperatorError):  # the engine does not answer: the next observation says so
                    self.observer.apply(event)
            else:
                self.members.apply(event)
            self.effects.record(event)
            if changed:
                self._wake.set()

    def _is_member(self, event: EngineEvent) -> bool:
        return event.project == self._settings.project or self.members.name_of(event.container) is not None


def _restarted(engine: Engine, container: str) -> bool:
    """Docker counts restarts by its policy, and resets the count when somebody starts a container."""
    try:
        return int(inspect(engine, container).get("RestartCount") or 0) > 0
    except OperatorError:
        return False
