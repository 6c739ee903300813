"""The workload's process: workers on a schedule, one event per second, and a check of acknowledged writes."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from operator_demo import rpc
from operator_demo import subject as subjects
from operator_demo.errors import Exit
from operator_demo.events import WORKLOAD, Load, Note, WorkloadStarted, WriteCheck
from operator_demo.guarded_subject import GuardedSubject
from operator_demo.settings import Settings, number
from operator_demo.store import Recorder, Store
from operator_demo.subject import KeyValue
from operator_demo.workload.check import check
from operator_demo.workload.ledger import LEDGER_FILE, Ledger
from operator_demo.workload.meter import Meter
from operator_demo.workload.records import fill
from operator_demo.workload.tally import Tally
from operator_demo.workload.targets import Targets
from operator_demo.workload.worker import TIMEOUT, Worker

RATE = 200.0  # operations per second
KEYS = 64
WORKERS = 16  # at most so many operations run at a time
FILL_LIMIT = 30.0  # seconds that the load waits after its records were written
_PERIOD = 1.0  # seconds between two `load` events
_ASK = 1.0  # seconds that the monitor may take to answer


def run(settings: Settings) -> int:
    """Puts load on the subject until SIGTERM, SIGINT or the end of the run's time."""
    stop = threading.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_, lambda *_: stop.set())
    rate = number(os.environ, "OPERATOR_RATE", RATE)
    with Store(settings.store_path, durable=True) as store:
        recorder = Recorder(store, settings.run, WORKLOAD, sys.stdout)
        make = Workload if _subject(settings).has_client else Meter
        make(settings, recorder, stop, rate).run()
    return Exit.OK


def _subject(settings: Settings) -> GuardedSubject:
    return GuardedSubject(subjects.load_inside(settings.subject))


class Workload:
    """`run` blocks until `stop` is set. `rate` is in operations per second; half of them are reads."""

    def __init__(self, settings: Settings, recorder: Recorder, stop: threading.Event, rate: float = RATE) -> None:
        self._settings, self._recorder, self._stop, self._rate = settings, recorder, stop, max(rate, 0.1)
        self._subject = _subject(settings)
        self._targets, self._tally = Targets(), Tally()
        self._records = [f"/operator-demo/load/{settings.run}/{n:05}" for n in range(max(KEYS, self._subject.records))]
        keys = [self._records[n * len(self._records) // KEYS] for n in range(KEYS)]
        self._ledger = Ledger(settings.data / LEDGER_FILE, keys)
        self._workers: list[Worker] = []
        self._failed: list[BaseException] = []

    def run(self) -> None:
        try:
            self._work()
        finally:
            self._ledger.close()
        if self._failed:
            raise self._failed[0]

    def _work(self) -> None:
        end = time.monotonic() + self._settings.max_time
        while not self._find_members() and not self._stop.wait(0.2):
            pass
        if self._subject.records and not any(self._ledger.floor(key) for key in self._ledger.keys):
            self._fill()
        self._recorder.say(WorkloadStarted(rate=self._rate, read_share=0.5, keys=KEYS))
        start, period = time.monotonic(), WORKERS / self._rate
        self._workers = [Worker(n, self._ledger.keys[n::WORKERS], partial(self._connect, n), self._ledger,
                                self._tally, period, period * n / WORKERS) for n in range(WORKERS)]
        answers: dict[str, rpc.Handler] = {"check": self.check, "status": self.status, "rate": self.rate}
        parts: list[Callable[[], None]] = [partial(worker.run, start, self._stop) for worker in self._workers]
        parts += [partial(self._keep_finding_members, self._stop),
                  partial(rpc.serve, self._settings.workload_socket, answers, self._stop)]
        threads = [threading.Thread(target=self._part, args=(part,), name=f"load {n}") for n, part in enumerate(parts)]
        for thread in threads:
            thread.start()
        try:
            self._tell(start, end)
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _fill(self) -> None:
        """Writes the records, and waits until the subject has done with them what it does."""
        self._recorder.say(Note(level="info", text=f"The load begins with {len(self._records)} records."))
        filled = threading.Event()
        finder = threading.Thread(target=self._keep_finding_members, args=(filled,), name="members")
        finder.start()
        try:
            fill(sorted(set(self._records) - set(self._ledger.keys)), self._connect, self._stop)
            self._wait_until_filled()
        finally:
            filled.set()
            finder.join()

    def _wait_until_filled(self) -> None:
        end = time.monotonic() + FILL_LIMIT
        while missing := self._subject.filled(partial(self._targets.order, 0), TIMEOUT):
            if time.monotonic() > end:
                self._recorder.say(Note(level="warning", text=f"The load begins although {missing}."))
                return
            if self._stop.wait(_PERIOD / 2):
                return

    def _part(self, part: Callable[[], None]) -> None:
        """A part that fails ends the process, and the engine restarts it."""
        try:
            part()
        except BaseException as e:
            self._failed.append(e)
        finally:
            self._stop.set()

    def _tell(self, start: float, end: float) -> None:
        seconds = 0
        while time.monotonic() < end:
            seconds += 1
            if self._stop.wait(max(0.0, start + seconds * _PERIOD - time.monotonic())):
                return
            self._recorder.say(Load(**self._tally.take()))
            self._ledger.flush()

    def _find_members(self) -> bool:
        """Asks the monitor for the members' addresses; keeps the known ones if it does not answer."""
        with contextlib.suppress(rpc.RpcError):
            self._targets.update(rpc.call(self._settings.monitor_socket, "members", timeout=_ASK)["members"])
        return bool(self._targets.addresses)

    def _keep_finding_members(self, end: threading.Event) -> None:
        while not end.wait(_PERIOD / 2) and not self._stop.is_set():
            self._find_members()

    def _connect(self, worker: int = 0) -> KeyValue:
        return self._subject.client(partial(self._targets.order, worker), TIMEOUT)

    # -- requests ----------------------------------------------------------------------------------------------------

    def check(self, limit: float = 10.0) -> dict[str, Any]:
        """Reads every acknowledged write, and reports the result in an event."""
        self._find_members()
        answer = check(self._ledger, self._connect, float(limit))
        self._recorder.say(WriteCheck.of(answer))
        return answer

    def status(self) -> dict[str, Any]:
        return {"rate": self._rate, "keys": KEYS, "members": self._targets.addresses}

    def rate(self, ops: float | None = None) -> dict[str, Any]:
        """The target rate in operations per second, changed to `ops` if given."""
        if ops is not None:
            self._rate = max(float(ops), 0.1)
            for worker in self._workers:
                worker.period = WORKERS / self._rate
        return {"ops": self._rate}
