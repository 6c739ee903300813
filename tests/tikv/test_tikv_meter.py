"""A load that others make: told as it is measured, and never called checked."""

import io
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from operator_demo import rpc
from operator_demo import subject as subjects
from operator_demo.events import WORKLOAD, WorkloadStarted
from operator_demo.monitor import checks
from operator_demo.settings import Settings
from operator_demo.stage.situation import Situation
from operator_demo.store import Recorder, Store
from operator_demo.subject import Found, HasClient, HasOwnLoad, Load, Member
from operator_demo.workload.meter import Meter
from subjects.etcd.subject import SUBJECT as ETCD
from subjects.tikv.subject import SUBJECT as TIKV


class Loadless:
    name, title, invariants, members, quorum = "fake", "A fake", (), ("a",), 1


class Loaded(Loadless):
    load_maker = "a maker of load"

    def __init__(self, *loads: Load | None) -> None:
        self.loads, self.asked = list(loads), []

    def measure_load(self, members: Sequence[Member], deadline: float) -> Load | None:
        self.asked.append([m.name for m in members])
        return self.loads.pop(0) if self.loads else None


def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: Any, rate: float, seconds: float
         ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the meter said, and its answer about the writes."""
    monkeypatch.setattr(subjects, "load", lambda *_: Found(subject, tmp_path))
    settings, out, stop = Settings("run-1", "x", "p", data=tmp_path), io.StringIO(), threading.Event()
    member = {"name": "a", "container": "c", "state": "running", "address": "10.0.0.1", "exit_code": None}
    monitor = threading.Thread(target=rpc.serve, args=(settings.monitor_socket,
                                                       {"members": lambda: {"members": [member]}}, stop))
    with Store(tmp_path / "t.db") as store:
        meter = Meter(settings, Recorder(store, "run-1", WORKLOAD, out), stop, rate)
        threads = [monitor, threading.Thread(target=meter.run)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(seconds)
            answer = rpc.call(settings.workload_socket, "check", timeout=5.0, limit=1.0)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    return [json.loads(line) for line in out.getvalue().splitlines()], answer


def test_what_was_measured_is_told_and_silence_is_not_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Loaded(Load(60.4, 30.2, 0.001, 0.02, {"failed": 0.3, "refused": 2.0}), None)
    said, answer = play(tmp_path, monkeypatch, subject, 100.0, 2.6)
    assert [e["type"] for e in said] == ["workload_started", "load"]
    assert said[0]["data"]["rate"] == 100.0
    assert said[1]["data"] == {"ops": 90, "reads": 60, "writes": 30, "p50": 0.001, "p99": 0.02,
                               "errors": {"refused": 2}}
    assert subject.asked[0] == ["a"]
    check = checks.writes(answer)
    assert (check.status, "a maker of load" in check.saw) == ("not_checked", True)
    assert checks.accepted([check])


@pytest.mark.parametrize("subject", [Loaded(Load(1, 1, None, None, {})), Loadless()])
def test_without_load_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: object) -> None:
    said, answer = play(tmp_path, monkeypatch, subject, 0.0 if isinstance(subject, Loaded) else 100.0, 1.3)
    assert [e["type"] for e in said] == ["workload_started"]
    assert said[0]["data"]["rate"] == 0
    assert checks.writes(answer).status == "not_checked"


def test_a_load_that_cannot_be_measured_is_one_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Loaded):
        def measure_load(self, members: Sequence[Member], deadline: float) -> Load | None:
            raise ZeroDivisionError("oops")

    said, _ = play(tmp_path, monkeypatch, Broken(), 100.0, 1.6)
    ((kind, count),) = said[1]["data"]["errors"].items()
    assert count == 1
    assert "fake.measure_load failed: ZeroDivisionError: oops" in kind


def test_which_subject_has_which_load() -> None:
    assert (isinstance(ETCD, HasClient), isinstance(ETCD, HasOwnLoad)) == (True, False)
    assert (isinstance(TIKV, HasClient), isinstance(TIKV, HasOwnLoad)) == (True, False)


def test_the_stage_waits_for_load_only_where_there_is_one() -> None:
    from operator_demo import events

    def started(rate: float) -> Situation:
        situation = Situation()
        assert not situation.loaded_for(1)
        situation.apply(events.event("run-1", WORKLOAD, WorkloadStarted(rate=rate, read_share=0.5, keys=0)))
        return situation

    assert started(0).loaded_for(10)
    loaded = started(10)
    assert not loaded.loaded_for(1)
    loaded.apply(events.event("run-1", WORKLOAD, events.Load(ops=9, p50=None, p99=None, errors={})))
    assert loaded.loaded_for(1)
    assert not loaded.loaded_for(2)
