"""A run that loses something it needs: it is said, the run ends or goes on by the rule, and the record is closed."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

import pytest
from fakes import REMOVED, RUN, Run

from operator_demo.engine import EngineUnavailable
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Event, RunFinished
from operator_demo.stage import container_watch
from operator_demo.stage.supervision import EngineGone

MakeRun = Callable[..., Run]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = {"period": 0.02, "patience": 0.2}
    monkeypatch.setattr(container_watch.ContainerWatch.__init__, "__kwdefaults__", defaults)


def at(run: Run, type_: str, act: Callable[[], None]) -> None:
    """`act` when an event of this type is shown."""
    def look(e: Event) -> None:
        if e.type == type_:
            act()

    run.display.on_event = look


def lose(run: Run, service: str, exit_code: int) -> Callable[[], None]:
    def act() -> None:
        run.cluster.ended[service] = exit_code
    return act


def row(run: Run, table: str) -> dict[str, object]:
    (only,) = run.store.rows(f"SELECT * FROM {table} WHERE run=?", RUN)
    return only


def notes(run: Run) -> str:
    return "\n".join(d["text"] for d in run.display.of("note"))


@pytest.mark.parametrize("service", ["monitor", "guard"])
def test_nothing_can_be_seen_any_more(make_run: MakeRun, service: str) -> None:
    run = make_run()
    run.cluster.repairs = False
    at(run, "ticket_opened", lose(run, service, 137))
    with pytest.raises(OperatorError, match=rf"operator-{service}-1 ended \(exit code 137\)"):
        run.stage.perform()
    assert run.display.outcome == ("failed", Exit.ENVIRONMENT)
    assert run.cluster.calls[-1] == "down"
    assert row(run, "tickets")["state"] == "escalated"
    assert "exit code 137" in str(row(run, "tickets")["reason"])


def test_the_agent_is_gone_in_the_middle_of_its_work(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.dies_at_work = True
    at(run, "session_started", lose(run, "agent", 137))
    assert run.stage.perform() == Exit.NOT_REACHED
    assert run.display.outcome == ("unverified", Exit.NOT_REACHED)
    assert row(run, "tickets")["state"] == "escalated"
    session = row(run, "agent_sessions")
    assert (session["status"], session["finished"] is None) == ("interrupted", False)
    assert "operator-agent-1 ended (exit code 137)" in str(session["summary"])
    assert "operator-agent-1 ended (exit code 137)" in notes(run)


def test_the_agent_is_gone_before_there_is_a_ticket(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.repairs = False
    at(run, "workload_started", lose(run, "agent", 1))
    assert run.stage.perform() == Exit.NOT_REACHED
    assert row(run, "tickets")["state"] == "escalated"


def test_a_repair_that_the_oracle_judges_is_judged(make_run: MakeRun) -> None:
    run = make_run()
    at(run, "ticket_verifying", lose(run, "agent", 137))
    assert run.stage.perform() == Exit.OK
    assert row(run, "tickets")["state"] == "resolved"


def test_the_workload_is_gone(make_run: MakeRun) -> None:
    run = make_run()
    at(run, "workload_started", lose(run, "workload", 1))
    assert run.stage.perform() == Exit.OK
    assert "There is no load any more" in notes(run)


@pytest.mark.parametrize("service", ["network", "relay"])
def test_what_connects_the_agent_is_gone(make_run: MakeRun, service: str) -> None:
    run = make_run()
    at(run, "workload_started", lose(run, service, 1))
    assert run.stage.perform() == Exit.OK
    assert "The agent cannot reach all that it needs any more" in notes(run)


@pytest.mark.parametrize("exit_code", [0, REMOVED])
@pytest.mark.parametrize("service", ["agent", "monitor", "workload", "guard"])
def test_it_is_ended_from_elsewhere(make_run: MakeRun, service: str, exit_code: int) -> None:
    run = make_run(pace=5)
    at(run, "load", lose(run, service, exit_code))
    assert run.stage.perform() == Exit.TERMINATED
    assert run.display.outcome == ("interrupted", Exit.TERMINATED)
    assert "ended from elsewhere" in notes(run)


@pytest.mark.parametrize("keep", [False, True])
def test_it_is_asked_to_leave(make_run: MakeRun, keep: bool) -> None:
    """The one who asks takes the containers; this process touches none of them."""
    run = make_run(pace=5, keep=keep)

    def ask() -> None:
        run.asked_to_leave = "`operator-demo down` takes it down."

    at(run, "load", ask)
    assert run.stage.perform() == Exit.TERMINATED
    assert run.display.outcome == ("interrupted", Exit.TERMINATED)
    assert "`operator-demo down` takes it down." in notes(run)
    assert not {"stop_operators", "down", "halt"} & set(run.cluster.calls)


def test_the_engine_is_gone(make_run: MakeRun) -> None:
    run = make_run(pace=30)

    def go() -> None:
        run.cluster.failing["container_states"] = EngineUnavailable("nobody answers")

    at(run, "load", go)
    with pytest.raises(EngineGone, match="nobody answers") as gone:
        run.stage.perform()
    assert "operator-demo down --project demo-fake" in gone.value.hint
    assert run.display.outcome == ("failed", Exit.ENVIRONMENT)
    assert not {"stop_operators", "down", "halt"} & set(run.cluster.calls)


def test_nothing_is_lost_in_a_good_run(make_run: MakeRun) -> None:
    run = make_run()
    assert run.stage.perform() == Exit.OK
    assert run.recorded("ticket_escalated") == []
    assert [e.source for e in run.recorded("session_finished")] == ["agent"]


@pytest.mark.parametrize("type_", ["truth_opened", "score", "run_finished"])
def test_the_end_stands_once_in_a_record(make_run: MakeRun, type_: str) -> None:
    """Also where a second host plays the last chapter again."""
    run = make_run(keep=True)
    run.stage.perform()
    (first,) = run.recorded(type_)
    run.another_stage().perform(attach=True)
    assert run.recorded(type_) == [first]


@pytest.mark.parametrize("held", [False, True])
def test_the_first_end_counts_also_when_the_store_was_held(make_run: MakeRun, held: bool) -> None:
    run = make_run()
    run.stage.recording.say(RunFinished(outcome="repaired", exit_status=0))
    second = run.another_stage().recording
    with closing(sqlite3.connect(run.store.path, isolation_level=None)) as holder:
        if held:
            holder.execute("BEGIN IMMEDIATE")
        second.say(RunFinished(outcome="failed", exit_status=3))
    second.take_in(0)
    assert second.settled
    assert [e.raw["outcome"] for e in run.recorded("run_finished")] == ["repaired"]


def test_what_is_open_when_a_run_is_quit_is_closed(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.dies_at_work = True
    at(run, "session_started", lambda: run.display.quit())
    assert run.stage.perform() == Exit.INTERRUPTED
    assert row(run, "tickets")["state"] == "escalated"
    assert row(run, "agent_sessions")["status"] == "interrupted"


def test_a_thread_of_the_watch_does_not_keep_the_process_alive(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.hanging.add("container_states")
    assert run.stage.perform() == Exit.OK
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "container watch")
