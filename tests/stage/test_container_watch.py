"""What is told of our own containers: each loss once, a restart never, and an engine that is gone."""

import queue
from collections.abc import Callable, Sequence

import pytest

from operator_demo.engine import ContainerState, EngineUnavailable
from operator_demo.stage.container_watch import ContainerWatch, EngineLost, Loss

Script = Sequence[Sequence[ContainerState] | Exception]


def agent(state: str, exit_code: int | None = None) -> ContainerState:
    return ContainerState("a", "demo-agent-1", "agent", state, exit_code)


def played(script: Script) -> Callable[[], Sequence[ContainerState]]:
    """A look that answers by a script; its last line is repeated for ever."""
    steps = iter(script)
    last = script[-1]

    def look() -> Sequence[ContainerState]:
        answer = next(steps, last)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


def findings(script: Script, seconds: float = 0.5) -> list[Loss | EngineLost]:
    watch = ContainerWatch(played(script), period=0.01, patience=0.1)
    watch.start()
    found: list[Loss | EngineLost] = []
    try:
        while True:
            found.append(watch.findings.get(timeout=seconds))
    except queue.Empty:
        watch.stop()
        return found


LOST = Loss("agent", "demo-agent-1", 137)


@pytest.mark.parametrize(("script", "expected"), [
    ([[], [agent("created")], [agent("running")]], []),
    ([[agent("running")], [agent("exited", 137)]], [LOST]),
    ([[agent("exited", 137)]], [LOST]),  # (a host that attaches finds it like this)
    ([[agent("running")], [agent("restarting")], [agent("running")]], []),
    ([[agent("running")], [agent("exited", 1)], [agent("running")]], []),
    ([[agent("running")], [agent("restarting")], [agent("exited", 137)]], [LOST]),
    ([[agent("paused")]], []),
    ([[agent("running")], []], [Loss("agent", "demo-agent-1", None, removed=True)]),
    ([[agent("exited", 137)], [agent("exited", 137)], []], [LOST]),
    ([[agent("running")], EngineUnavailable("hm"), [agent("running")]], []),
    ([[agent("running")], EngineUnavailable("hm"), [agent("exited", 137)]], [LOST]),
])
def test_what_is_lost(script: Script, expected: list[Loss]) -> None:
    assert findings(script) == expected


def test_an_engine_that_does_not_come_back() -> None:
    (lost,) = findings([[agent("running")], EngineUnavailable("nobody answers")])
    assert isinstance(lost, EngineLost)
    assert lost.words == "nobody answers"
    assert lost.seconds >= 0.1


def test_it_is_said_with_name_and_exit_code() -> None:
    assert str(LOST) == "The container demo-agent-1 ended (exit code 137) and does not come back."
