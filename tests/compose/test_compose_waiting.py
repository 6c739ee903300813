"""What `up` waits for, told by containers as the engine describes them; what no fake can show is on a real engine."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from operator_demo.compose import Project, up
from operator_demo.compose import waiting as module
from operator_demo.compose.model import COMPLETED, HEALTHY
from operator_demo.compose.waiting import Awaited, CannotHold
from operator_demo.engine import Engine, inspect, members
from operator_demo.errors import OperatorError

SECOND = 10**9
CHECK = {"Test": ["CMD", "x"], "Interval": SECOND, "Timeout": 2 * SECOND, "StartPeriod": 5 * SECOND, "Retries": 4}


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def awaited(condition: str, check: dict[str, Any] | None = None) -> tuple[Awaited, Callable[..., bool]]:
    """A container, and what is asked about it when the engine describes its state so."""
    described: dict[str, Any] = {"Config": {"Healthcheck": check}}
    api = SimpleNamespace(inspect_container=lambda _: described)
    container = Awaited(SimpleNamespace(api=api), "id", condition)  # type: ignore[arg-type]

    def holds(status: str, code: int = 0, health: str | None = "starting") -> bool:
        described["State"] = {"Status": status, "ExitCode": code,
                              "Health": {"Status": health, "Log": []} if health else None}
        return container.holds()

    return container, holds


def test_health_is_waited_for_while_the_policy_restarts(clock: Clock) -> None:
    _, holds = awaited(HEALTHY, CHECK)
    assert not holds("running")
    for _ in range(3):
        assert not holds("restarting", 1, "unhealthy")  # the engine calls it so between two starts
        clock.now += 5
        assert not holds("running")
    assert holds("running", health="healthy")


@pytest.mark.parametrize(("check", "seconds"), [(CHECK, 17), ({}, 180), (None, 180)])
def test_restarts_are_waited_for_as_long_as_the_healthcheck_gives(clock: Clock, check: dict[str, Any] | None,
                                                                  seconds: int) -> None:
    _, holds = awaited(HEALTHY, check)
    assert not holds("restarting", 3)
    clock.now += seconds - 1
    assert not holds("restarting", 3)
    clock.now += 2
    with pytest.raises(CannotHold, match=f"after {seconds} s of restarts it still ends with exit code 3"):
        holds("restarting", 3)


@pytest.mark.parametrize(("state", "words"), [
    (("exited", 3), "has ended with exit code 3"), (("dead", 1), "has ended"),
    (("running", 0, "unhealthy"), "unhealthy; its check says: nothing"), (("running", 0, None), "no healthcheck"),
    (("restarting", 1, None), "no healthcheck")])
def test_what_waiting_does_not_heal(state: tuple[Any, ...], words: str) -> None:
    _, holds = awaited(HEALTHY)
    with pytest.raises(CannotHold, match=words):
        holds(*state)


def test_completion_is_the_first_end_with_0(clock: Clock) -> None:
    _, holds = awaited(COMPLETED)
    assert not holds("running", health=None)
    assert not holds("restarting", 1, None)
    assert holds("restarting", 0, None)  # restart: always starts it again for ever
    assert holds("exited", 0, None)
    with pytest.raises(CannotHold, match="it ended with exit code 7"):
        holds("exited", 7, None)
    clock.now += 181
    with pytest.raises(CannotHold, match="still ends with exit code 1"):
        holds("restarting", 1, None)


RESTARTED = """\
services:
  db:
    image: IMAGE
    init: true
    restart: on-failure
    command: bash -c 'echo >> /tmp/starts; test $$(wc -l < /tmp/starts) -ge 3 || exit 1; exec sleep 1000'
    healthcheck: {test: "true", interval: 200ms, retries: 3}
    stop_grace_period: 0s
  job:
    image: IMAGE
    restart: always
    command: "true"
    stop_grace_period: 0s
  web:
    image: IMAGE
    init: true
    command: sleep 1000
    depends_on: {db: {condition: service_healthy}, job: {condition: service_completed_successfully}}
    stop_grace_period: 0s
"""


@pytest.mark.engine
def test_a_service_that_fails_its_first_starts(engine: Engine, load: Callable[..., Project], project_name: str,
                                               stop: threading.Event) -> None:
    begin = time.monotonic()
    up(engine, load(RESTARTED, project_name), stop=stop)
    assert time.monotonic() - begin < 60
    containers = {c.service: c for c in members(engine, project_name)}
    assert (containers["db"].health, containers["web"].state) == ("healthy", "running")
    assert inspect(engine, containers["db"].id)["RestartCount"] == 2


@pytest.mark.engine
def test_a_service_whose_restarts_do_not_help(engine: Engine, load: Callable[..., Project], project_name: str,
                                              stop: threading.Event) -> None:
    text = RESTARTED.replace("-ge 3", "-ge 300").replace("interval: 200ms", "interval: 200ms, timeout: 300ms")
    with pytest.raises(OperatorError, match="web waits for db to be healthy, but after 2 s of restarts it still ends"):
        up(engine, load(text, project_name), stop=stop)
