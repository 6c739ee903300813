"""Measures a load that the subject's own services make, where the program has no client to read and write with."""

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any

from operator_demo import events, rpc
from operator_demo import subject as subjects
from operator_demo.events import WorkloadStarted
from operator_demo.guarded_subject import GuardedSubject
from operator_demo.settings import Settings
from operator_demo.store import Recorder
from operator_demo.subject import Load, Member

_PERIOD = 1.0  # seconds between two `load` events
_ASK = 1.0  # seconds that the monitor may take to answer, and the subject to measure


class Meter:
    """`run` blocks until `stop` is set. `rate` is the load's target in operations per second; 0: there is no load."""

    def __init__(self, settings: Settings, recorder: Recorder, stop: threading.Event, rate: float) -> None:
        self._subject = GuardedSubject(subjects.load_inside(settings.subject))
        self._settings, self._recorder, self._stop = settings, recorder, stop
        self._rate = rate if self._subject.load_maker else 0.0
        self._members: Sequence[Member] = ()
        self._failed: list[BaseException] = []

    def run(self) -> None:
        end = time.monotonic() + self._settings.max_time
        self._recorder.say(WorkloadStarted(rate=self._rate, read_share=0.5, keys=0))
        server = threading.Thread(target=self._serve, name="socket")
        server.start()
        try:
            while time.monotonic() < end and not self._stop.wait(_PERIOD):
                self._tell()
        finally:
            self._stop.set()
            server.join()
        if self._failed:
            raise self._failed[0]

    def _serve(self) -> None:
        try:
            rpc.serve(self._settings.workload_socket, {"check": self.check, "status": self.status}, self._stop)
        except BaseException as e:
            self._failed.append(e)
        finally:
            self._stop.set()

    def _tell(self) -> None:
        if not self._rate:
            return
        with contextlib.suppress(rpc.RpcError):
            members = rpc.call(self._settings.monitor_socket, "members", timeout=_ASK)["members"]
            self._members = [Member(m["name"], m["container"], m["state"], m["address"], m["exit_code"])
                             for m in members]
        load = self._subject.measure_load(self._members, _ASK)
        if load is not None:
            self._recorder.say(as_event(load))

    # -- requests ----------------------------------------------------------------------------------------------------

    def check(self, limit: float = 0.0) -> dict[str, Any]:
        """There is no list of acknowledged writes to check; `limit` is ignored."""
        maker = self._subject.load_maker if self._rate else None
        return {"not_checked": f"{maker} keeps no list of acknowledged writes" if maker else "there is no load"}

    def status(self) -> dict[str, Any]:
        return {"rate": self._rate, "keys": 0, "members": [m.address for m in self._members if m.address]}


def as_event(load: Load) -> events.Load:
    reads, writes = round(load.reads), round(load.writes)
    errors = {kind: round(n) for kind, n in load.errors.items() if round(n)}
    return events.Load(ops=reads + writes, reads=reads, writes=writes, p50=load.p50, p99=load.p99, errors=errors)
