"""At the end of a run's time everything of it stops, in an order in which nothing starts again, and it is on record."""

from pathlib import Path

import pytest
from monitor_bench import Bench

from operator_demo import tickets
from operator_demo.engine import Container, NotOnEngine
from operator_demo.errors import OperatorError
from operator_demo.events import MonitorStarted, parse_ts
from operator_demo.monitor import time_limit


class FakeEngine:
    """Containers by project, and what was done to them."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.projects = {
            "p-operator": [container("monitor"), container("agent"), container("workload", "exited")],
            "p": [container("m0"), container("m1", "paused"), container("m2", "exited"), container("dashboard")]}
        self.stopped: list[str] = []
        self.broken: dict[str, OperatorError] = {}
        self.open_ticket_at: dict[str, bool] = {}

    def members(self, _: object, project: str) -> list[Container]:
        return self.projects[project]

    def container_action(self, _: object, id_: str, action: str) -> None:
        assert action == "stop"
        self.open_ticket_at[id_] = tickets.current(self._bench.store, "run-1") is not None
        if id_ in self.broken:
            raise self.broken[id_]
        self.stopped.append(id_)

    def end_run(self) -> None:
        time_limit.end_run(self, "p", self._bench.monitor, 60.0)  # type: ignore[arg-type]


def container(service: str, state: str = "running") -> Container:
    return Container(service, f"p-{service}-1", service, state, None, None, None, {}, "image")


@pytest.fixture
def engine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    made = FakeEngine(bench)
    monkeypatch.setattr(time_limit, "members", made.members)
    monkeypatch.setattr(time_limit, "container_action", made.container_action)
    return made


def test_all_that_runs_is_stopped_but_the_monitor_itself_and_the_agent_first(engine: FakeEngine) -> None:
    engine.end_run()
    assert engine.stopped[0] == "agent"
    assert set(engine.stopped) == {"agent", "m0", "m1", "dashboard"}


def test_the_record_says_why(bench: Bench, engine: FakeEngine) -> None:
    engine.end_run()
    (note,) = bench.of("note")
    assert note["level"] == "warning"
    assert "The longest time of a run (60 s) is over." in note["text"]


@pytest.mark.parametrize("held", [False, True])
def test_an_open_ticket_is_closed_before_the_members_stop(bench: Bench, engine: FakeEngine, held: bool) -> None:
    tickets.open_(bench.monitor, subject="fake", severity="critical", title="t", violations=[])
    if held:
        assert tickets.claim(bench.agent, "ses-1")
    engine.end_run()
    assert bench.states() == ["escalated"]
    assert "(60 s) is over" in bench.of("ticket_escalated")[0]["reason"]
    assert (engine.open_ticket_at["agent"], engine.open_ticket_at["m0"]) == (True, False)


def test_one_that_cannot_be_stopped_keeps_no_other_running_and_is_told(engine: FakeEngine) -> None:
    engine.broken = {"agent": OperatorError("no answer"), "m0": NotOnEngine("gone meanwhile")}
    with pytest.raises(OperatorError, match="p-agent-1: no answer") as e:
        engine.end_run()
    assert "m0" not in str(e.value)
    assert set(engine.stopped) == {"m1", "dashboard"}


def test_the_time_counts_from_the_first_monitor_of_the_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, well=False)
    for _ in range(2):
        bench.monitor.say(MonitorStarted(subject="fake", members=()))
    first, _ = bench.store.events("run-1", types=["monitor_started"])
    assert time_limit.began(bench.monitor) == parse_ts(first.ts)
