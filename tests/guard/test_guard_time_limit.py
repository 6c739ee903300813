"""At the end of a run's time everything of it stops, in an order in which nothing starts again."""

import asyncio
import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from operator_demo import labels
from operator_demo.errors import OperatorError
from operator_demo.events import MONITOR, MonitorStarted
from operator_demo.guard import time_limit
from operator_demo.guard.upstream import Call, EngineGone
from operator_demo.store import Recorder, Store


class FakeEngine:
    def __init__(self) -> None:
        self.running = {"p-operator": ["guard", "monitor", "agent", "workload"], "p": ["m0", "m1", "m2"]}
        self.paused = ["m1"]
        self.answers: dict[str, int | None] = {}
        self.stopped: list[str] = []

    async def get(self, path: tuple[str, ...], query: Mapping[str, str]) -> list[dict[str, Any]]:
        assert path == ("containers", "json")
        (label,) = json.loads(query["filters"])["label"]
        project = label.partition("=")[2]
        return [{"Id": name, "Names": [f"/{project}-{name}-1"], "State": "paused" if name in self.paused else "running",
                 "Labels": {labels.SERVICE: name}} for name in self.running[project]]

    async def ask(self, call: Call, patience: float) -> tuple[int, Any]:
        assert (call.method, call.path[0], call.path[2]) == ("POST", "containers", "stop")
        status = self.answers.get(call.path[1], 204)
        if status is None:
            raise EngineGone("no answer")
        if status == 204:
            self.stopped.append(call.path[1])
        return status, {"message": "it is stuck"}


def end_run(engine: FakeEngine) -> None:
    asyncio.run(time_limit.end_run(engine, "p"))  # type: ignore[arg-type]


def test_the_agent_stops_first_and_monitor_and_guard_end_by_themselves() -> None:
    engine = FakeEngine()
    end_run(engine)
    assert set(engine.stopped[:2]) == {"agent", "workload"}
    assert set(engine.stopped[2:]) == {"m0", "m1", "m2"}


def test_one_that_cannot_be_stopped_keeps_no_other_running_and_is_told() -> None:
    engine = FakeEngine()
    engine.answers = {"agent": None, "m0": 404, "m2": 500}
    with pytest.raises(OperatorError, match="p-operator-agent-1: no answer; p-m2-1: it is stuck") as e:
        end_run(engine)
    assert "m0" not in str(e.value)
    assert set(engine.stopped) == {"workload", "m1"}


def test_a_restart_does_not_extend_the_time(tmp_path: Path) -> None:
    with Store(tmp_path / "tickets.db") as store:
        assert time_limit.seconds_left(store, "run-1", 60.0) == 60.0
        Recorder(store, "run-1", MONITOR, io.StringIO()).say(MonitorStarted(subject="fake", members=()))
        began = store.began("run-1")
        assert began is not None
        assert time_limit.seconds_left(store, "run-1", 60.0) <= began + 60.0 - time.time() + 0.1
        assert time_limit.seconds_left(store, "run-1", -5.0) == 0.0
