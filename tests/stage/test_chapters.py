"""A whole run on a fake cluster: every chapter, its ends, and a second host."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes import RUN, SCENARIO, Run, lose_host

from operator_demo import chapters
from operator_demo.chaos.spec import FaultSpec
from operator_demo.errors import Exit, OperatorError
from operator_demo.events import Event
from operator_demo.stage import chapters as played

MakeRun = Callable[..., Run]


def press_quit_at(run: Run, chapter: str) -> None:
    def look(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == chapter:
            run.display.quit()

    run.display.on_event = look


def test_all_chapters_are_played(make_run: MakeRun) -> None:
    run = make_run()
    assert run.stage.perform() == Exit.OK
    assert run.display.chapters == list(chapters.NAMES)
    assert run.display.outcome == ("repaired", Exit.OK)
    assert [d["phase"] for d in run.display.of("fault")][:2] == ["injecting", "injected"]
    assert [e.raw["sha256"] for e in run.recorded("truth_sealed")] == [
        e.raw["sha256"] for e in run.recorded("truth_opened")]
    assert run.recorded("score")[0].raw["reached"] is True
    assert run.cluster.calls[-1] == "down"
    assert run.display.stopped
    assert run.journal.read() is None
    assert not run.faults.path.exists()


def test_the_fault_is_announced_before_it_is_injected(make_run: MakeRun) -> None:
    run = make_run()
    run.stage.perform()
    calls = run.cluster.calls
    assert "ask" in calls[:calls.index("fault")]
    announced = [more["seconds"] for op, more in run.cluster.heard if op == "fault"]
    assert announced[0] > announced[1]


def test_a_key_brings_each_chapter_forward(make_run: MakeRun) -> None:
    run = make_run(manual=True)
    run.display.on_event = run.display.press_when_asked
    assert run.stage.perform() == Exit.OK
    assert run.display.chapters == list(chapters.NAMES)
    assert [d["space"] for d in run.display.of("prompt") if d.get("space")] == [
        "next: A healthy cluster", "next: Under load", "next: A fault", "strike", "the agent may begin",
        "next: The end", "take everything down"]


@pytest.mark.parametrize("chapter", chapters.NAMES[:-1])
def test_q_ends_it_in_any_chapter(make_run: MakeRun, chapter: str) -> None:
    run = make_run(pace=0.3)
    press_quit_at(run, chapter)
    assert run.stage.perform() == Exit.INTERRUPTED
    assert run.display.chapters[-1] == chapter
    assert run.display.outcome == ("interrupted", Exit.INTERRUPTED)
    assert run.cluster.calls[-1] == "down"


def test_nobody_repairs(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(played, "SETTLE", 0.2)
    run = make_run(brain="none")
    run.cluster.repairs = False
    assert run.stage.perform() == Exit.NOT_REACHED
    assert any("nobody repaired" in d["text"] for d in run.display.of("note"))


def test_a_cluster_that_never_becomes_healthy_says_what_is_missing(
        make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(played, "START_LIMIT", 0.2)
    run = make_run()
    run.cluster.missing = "etcd1 waits for its first heartbeat."
    with pytest.raises(OperatorError, match=r"healthy within 0 seconds\. etcd1 waits for its first heartbeat"):
        run.stage.perform()


def test_a_fault_that_nobody_sees_ends_the_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(scenario=replace(SCENARIO, fault=FaultSpec("none"), detect_limit=0.3))
    with pytest.raises(OperatorError, match="The monitor opened no ticket within 0 seconds"):
        run.stage.perform()
    assert run.display.outcome == ("failed", Exit.ENVIRONMENT)
    assert run.cluster.calls[-1] == "down"


def test_an_attach_waits_while_another_process_holds_the_store(make_run: MakeRun) -> None:
    run = make_run(keep=True)
    lose_host(run)
    second = run.another_stage()
    holder = sqlite3.connect(run.store.path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(1.0, holder.execute, ["ROLLBACK"])
    release.start()
    assert second.perform(attach=True) == Exit.OK
    release.join()
    holder.close()
    assert any("held by another process" in d["status"] for d in run.display.of("progress"))
    assert len(run.recorded("run_finished")) == 1


def test_a_second_host_goes_on(make_run: MakeRun) -> None:
    run = make_run(keep=True)
    lose_host(run)
    assert run.another_stage().perform(attach=True) == Exit.OK
    assert [e.raw["name"] for e in run.store.events(RUN, types=["chapter"])] == list(chapters.NAMES)
    assert len(run.recorded("run_finished")) == 1


def test_a_fault_that_comes_back_is_repaired_twice(make_run: MakeRun) -> None:
    run = make_run(scenario=replace(SCENARIO, fault=FaultSpec("fake", again=0.3)))
    assert run.stage.perform() == Exit.OK
    phases = [e.raw["phase"] for e in run.recorded("fault")]
    assert phases.count("injected") == 2
    assert phases.index("ended") < phases.index("again")
    assert [e.ticket for e in run.recorded("ticket_resolved")] == ["tkt-1", "tkt-2"]
    assert len({e.raw["targets"][0] for e in run.recorded("fault")}) == 1
