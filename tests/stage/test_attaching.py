"""Which runs may be gone on with, and what is said of the others."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import OPTIONS, RUN, container

from operator_demo import events, labels
from operator_demo.engine import Container
from operator_demo.errors import OperatorError
from operator_demo.stage.attaching import as_it_was, check_can_attach
from operator_demo.store import Recorder, Store

MONITOR = container("monitor")


def check(monitor: Container | None) -> None:
    environment: Any = SimpleNamespace(project="demo", monitor=lambda: monitor)
    check_can_attach(environment, RUN)


@pytest.mark.parametrize("labels", [{}, {labels.SCHEMA: "1", labels.OPERATOR_VERSION: "operator-demo 0.0.1"}])
@pytest.mark.parametrize("state", ["running", "paused", "restarting"])
def test_a_run_that_goes_on(state: str, labels: dict[str, str]) -> None:
    check(replace(MONITOR, state=state, labels=labels))


def test_a_run_without_its_monitor() -> None:
    with pytest.raises(OperatorError, match="its monitor is not there") as e:
        check(None)
    assert "operator-demo down --project demo" in e.value.hint


def test_a_run_whose_monitor_has_ended() -> None:
    with pytest.raises(OperatorError, match=r"is exited \(exit code 137\)") as e:
        check(replace(MONITOR, state="exited", exit_code=137))
    assert "operator-demo down --project demo" in e.value.hint


def test_a_run_of_a_newer_version() -> None:
    with pytest.raises(OperatorError, match=r"begun by operator-demo 9\.9 \(commit abc\)"):
        check(replace(MONITOR, labels={labels.SCHEMA: "2", labels.OPERATOR_VERSION: "operator-demo 9.9 (commit abc)"}))


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "tickets.db") as store:
        yield store


def begin(store: Store) -> Recorder:
    stage = Recorder(store, RUN, events.STAGE, io.StringIO())
    stage.say(events.RunStarted(project="demo", subject="etcd", mode="observe", model="m", brain="claude", version="0",
                                engine="1", seed=3))
    return stage


def test_it_keeps_how_it_was_begun(store: Store) -> None:
    begin(store)
    options = as_it_was(OPTIONS, store, None)
    assert (options.mode, options.brain, options.model) == ("observe", "claude", "m")


def test_a_run_that_is_over(store: Store) -> None:
    begin(store).say(events.RunFinished(outcome="repaired", exit_status=0))
    with pytest.raises(OperatorError, match=r"is over \(repaired\)"):
        as_it_was(OPTIONS, store, None)


def test_a_run_that_is_not_known_here(store: Store) -> None:
    with pytest.raises(OperatorError, match="was not started from here"):
        as_it_was(OPTIONS, store, None)
