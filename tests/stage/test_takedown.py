"""Every step of a take-down runs, whatever the others raise."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes import RUN, Run, refuse

from operator_demo.chaos import injection
from operator_demo.chaos.journal import INJECTED
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import TYPES, WORKLOAD, Event
from operator_demo.stage import takedown
from operator_demo.store import Store, StoreError

MakeRun = Callable[..., Run]
STEPS = ("feed_stop", "stop_operators", "whole_record", "down", "ask", "ground")


@pytest.mark.parametrize("error", [refuse(), RuntimeError("a defect")])
@pytest.mark.parametrize("failing", STEPS)
def test_all_others_run(make_run: MakeRun, failing: str, error: Exception) -> None:
    run = make_run(pace=0.3)

    def fail_later(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "load":
            run.display.quit()
            run.cluster.failing[failing] = error

    run.display.on_event = fail_later
    try:
        run.stage.perform()
    except (OperatorError, RuntimeError):
        pass
    calls = run.cluster.calls
    assert {"feed_stop", "stop_operators", "whole_record"} <= set(calls)
    assert calls[-1] == ("halt" if failing == "whole_record" else "down")
    assert run.display.stopped


def test_a_defect_of_the_program_ends_the_run_in_its_record(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.failing["ask"] = RuntimeError("a defect")
    with pytest.raises(RuntimeError):
        run.stage.perform()
    (end,) = run.store.events(RUN, types=["run_finished"])
    assert (end.raw["outcome"], end.raw["exit_status"]) == ("failed", 1)


def test_what_could_not_be_removed_is_said(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.failing["down"] = refuse("the network is in use")
    with pytest.raises(OperatorError, match="the network is in use") as caught:
        run.stage.perform()
    assert "operator-demo down --project demo-fake" in caught.value.hint
    assert run.journal.read() is not None  # `down` needs it


def test_a_monitor_that_is_gone_keeps_no_fault(make_run: MakeRun) -> None:
    """With `--keep`, what was injected is taken back, and the journal says so."""
    run = make_run(keep=True, pace=0.3)
    run.cluster.repairs = False

    def quit_in_repair(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "repair":
            run.cluster.failing["ask"] = refuse("there is no monitor")
            run.display.quit()

    run.display.on_event = quit_in_repair
    run.stage.perform()
    assert "revert" in run.cluster.calls
    assert [r.phase for r in run.faults.records() if r.phase == INJECTED] == []
    assert "down" not in run.cluster.calls


def test_a_watch_that_hangs_holds_nothing_up(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injection, "WATCH_PATIENCE", 0.2)
    run = make_run()
    run.cluster.repairs = False

    def hang_in_repair(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "repair":
            run.cluster.hanging.add("fault")
            threading.Timer(0.5, run.display.quit).start()

    run.display.on_event = hang_in_repair
    assert run.stage.perform() == Exit.INTERRUPTED
    assert run.cluster.calls[-1] == "down"


def test_a_store_that_fails_when_q_is_pressed(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(pace=0.3)

    def full(*_: object) -> None:
        raise StoreError("The disk is full.")

    def quit_in_load(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "load":
            run.display.quit()
            monkeypatch.setattr(Store, "record", full)

    run.display.on_event = quit_in_load
    with pytest.raises(OperatorError, match="The disk is full"):
        run.stage.perform()
    assert {"stop_operators", "halt"} <= set(run.cluster.calls)
    assert "down" not in run.cluster.calls  # the containers hold the only record


def test_the_store_is_held_when_the_take_down_begins(make_run: MakeRun) -> None:
    """What is said meanwhile waits in memory, and stands in the store before anything is removed."""
    run = make_run()
    reader = sqlite3.connect(run.store.path, isolation_level=None, check_same_thread=False)
    reader.execute("PRAGMA busy_timeout=5000")

    def hold_at_the_end(e: Event) -> None:
        if e.type == "run_finished":
            reader.execute("BEGIN EXCLUSIVE")
            threading.Timer(1.5, reader.execute, ["ROLLBACK"]).start()

    run.display.on_event = hold_at_the_end
    run.stage.perform()
    assert run.cluster.calls[-1] == "down"
    shown = [e for e in run.display.events if not TYPES[e.type].ephemeral]
    assert len(list(run.store.events(RUN))) == len(shown)


def test_a_store_held_to_the_end_keeps_the_containers(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takedown, "STORE_LIMIT", 1.0)
    run = make_run()
    reader = sqlite3.connect(run.store.path, isolation_level=None)
    reader.execute("PRAGMA busy_timeout=5000")

    def hold_at_the_end(e: Event) -> None:
        if e.type == "run_finished":
            reader.execute("BEGIN EXCLUSIVE")
            last = next(e for e in reversed(run.cluster.volume) if e.source == WORKLOAD and e.seq is not None)
            run.cluster.volume.append(replace(last, seq=(last.seq or 0) + 1))  # that no log has told

    run.display.on_event = hold_at_the_end
    with pytest.raises(OperatorError, match="held by another process"):
        run.stage.perform()
    reader.execute("ROLLBACK")
    assert "halt" in run.cluster.calls
    assert "down" not in run.cluster.calls


def test_what_the_agent_left_is_told_and_removed_before_the_rest(make_run: MakeRun) -> None:
    run = make_run()
    run.stage.perform()
    assert run.cluster.calls.index("remove_left") < run.cluster.calls.index("down")
    assert any("The agent left" in note["text"] for note in run.display.of("note"))


def test_what_the_agent_left_and_stays_is_said(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.failing["remove_left"] = refuse("it is in use")
    with pytest.raises(OperatorError, match="it is in use"):
        run.stage.perform()
    assert "down" in run.cluster.calls
