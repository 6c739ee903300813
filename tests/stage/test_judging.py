"""The outcome rests on what the containers recorded in their volume, whatever their logs said."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes import RUN, SCENARIO, FakeFeed, Run, refuse

from operator_demo import events
from operator_demo.errors import Exit
from operator_demo.events import Event, Finding, Note, TicketEscalated, TicketResolved, Verdict
from operator_demo.run_state import RunState
from operator_demo.stage import chapters
from operator_demo.stage.record_check import contradiction, key

MakeRun = Callable[..., Run]
FAR = 10_000  # numbers ahead of what the containers say meanwhile
PASSED = Verdict(phase="final", passed=True, checks=())


def contradictions(run: Run) -> list[str]:
    return [e.raw["text"] for e in run.recorded("contradiction")]


def outcomes(run: Run) -> tuple[str, str, int]:
    """As the fold has it, and as the store has it with its exit status."""
    state = RunState()
    for e in run.store.events(RUN):
        state.apply(e)
    row = run.store.row("SELECT outcome, exit_status FROM runs")
    assert state.outcome is not None and row is not None
    return state.outcome.data.outcome, row["outcome"], row["exit_status"]


def forge_verdict(feed: FakeFeed, ticket: str) -> None:
    """(Two such lines made the screen and the store say REPAIRED while the member was dead.)"""
    feed.forge(events.MONITOR, PASSED, ticket=ticket, ahead=FAR)
    feed.forge(events.MONITOR, TicketResolved(outcome="repaired"), ticket=ticket, ahead=FAR + 1)


def test_what_agrees_with_the_volume_is_no_contradiction(make_run: MakeRun) -> None:
    run = make_run()
    assert run.stage.perform() == Exit.OK
    assert contradictions(run) == []
    assert outcomes(run) == ("repaired", "repaired", Exit.OK)


def test_a_forged_verdict_proves_nothing(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.repairs, run.cluster.lie = False, forge_verdict
    assert run.stage.perform() == Exit.NOT_REACHED
    assert run.display.outcome == ("unverified", Exit.NOT_REACHED)
    assert sum("the volume has no such event" in text for text in contradictions(run)) == 2
    assert any("nothing is proved" in d["text"] for d in run.display.of("note"))
    assert outcomes(run) == ("unverified", "unverified", Exit.NOT_REACHED)


def test_a_forged_hand_over_proves_nothing(make_run: MakeRun) -> None:
    def hand_over(feed: FakeFeed, ticket: str) -> None:
        feed.forge(events.AGENT, Finding(member=None, cause="process_killed", text=""), ticket=ticket, ahead=FAR)
        feed.forge(events.AGENT, TicketEscalated(reason="no"), ticket=ticket, ahead=FAR + 1)

    run = make_run()
    run.cluster.repairs, run.cluster.lie = False, hand_over
    assert run.stage.perform() == Exit.NOT_REACHED
    assert run.display.outcome[0] == "unverified"


def test_a_volume_that_cannot_be_read_proves_nothing(make_run: MakeRun) -> None:
    run = make_run()
    run.cluster.failing["deciding"] = refuse("it is busy")
    assert run.stage.perform() == Exit.NOT_REACHED
    assert run.display.outcome == ("unverified", Exit.NOT_REACHED)
    assert "the volume cannot be read: The engine said it is busy." in contradictions(run)[0]


def test_what_the_logs_did_not_tell_is_read_from_the_volume(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log ends before the verdict; the volume has it."""
    monkeypatch.setattr(chapters, "LAST_WORDS", 0.2)
    run = make_run()
    swallowed = ("ticket_resolved", "verdict", "session_finished")
    said = FakeFeed.say

    def say(feed: FakeFeed, source: str, type: str, /, **more: object) -> None:
        if type not in swallowed or more.get("phase") == "opening":
            said(feed, source, type, **more)  # type: ignore[arg-type]
            return
        incoming, feed._incoming = feed._incoming, feed._nowhere
        said(feed, source, type, **more)  # type: ignore[arg-type]
        feed._incoming = incoming

    monkeypatch.setattr(FakeFeed, "say", say)
    assert run.stage.perform() == Exit.OK
    assert run.display.outcome == ("repaired", Exit.OK)


def test_a_line_that_hides_a_verdict_is_a_contradiction(make_run: MakeRun) -> None:
    """It takes the number of the next event of the monitor."""
    run = make_run()
    run.cluster.lie = lambda feed, ticket: feed.forge(events.MONITOR, Note(level="info", text="all is well"))
    run.stage.perform()
    assert run.display.outcome[0] in ("unverified", "repaired")
    assert outcomes(run)[1:] == ("unverified", Exit.NOT_REACHED)


def test_a_run_does_not_wait_for_what_a_forged_line_hides(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line takes the number of the ticket's end, and the feed finds out."""
    said = FakeFeed.say

    def say(feed: FakeFeed, source: str, type: str, /, **more: object) -> None:
        if type == "ticket_resolved":
            feed.forge(source, Note(level="info", text="all is well"))
        said(feed, source, type, **more)  # type: ignore[arg-type]
        if type == "ticket_resolved":
            there = feed._cluster.volume[-1]
            feed._incoming.put(events.event(RUN, events.STAGE, contradiction(key(there), None, there)))

    monkeypatch.setattr(FakeFeed, "say", say)
    run = make_run(scenario=replace(SCENARIO, repair_limit=120.0))
    began = time.monotonic()
    assert run.stage.perform() == Exit.NOT_REACHED
    assert time.monotonic() - began < 60
    assert run.display.outcome == ("unverified", Exit.NOT_REACHED)


def test_what_comes_to_light_after_the_end_changes_the_outcome(make_run: MakeRun) -> None:
    """A forged line that decides nothing is found when the whole record is there."""
    run = make_run()
    run.cluster.lie = lambda feed, ticket: feed.forge(events.MONITOR, Note(level="info", text="all is well"), ahead=FAR)
    assert run.stage.perform() == Exit.NOT_REACHED
    assert run.display.outcome == ("repaired", Exit.OK)  # as it was told
    assert len(contradictions(run)) == 1
    assert outcomes(run) == ("unverified", "unverified", Exit.NOT_REACHED)


def test_a_verdict_that_is_gone_from_the_volume_is_told(make_run: MakeRun) -> None:
    run = make_run()

    def remove_verdict(e: Event) -> None:
        if e.type == "run_finished":
            run.cluster.volume = [e for e in run.cluster.volume if e.type not in ("verdict", "ticket_resolved")]

    run.display.on_event = remove_verdict
    assert run.stage.perform() == Exit.NOT_REACHED
    assert any("The outcome was told as repaired. The whole record says unverified" in text
               for text in contradictions(run))


def test_an_event_of_an_unknown_type_ends_nothing(make_run: MakeRun) -> None:
    def say_something(feed: FakeFeed, ticket: str) -> None:
        feed._seq[events.MONITOR] += 1
        unknown = Event(RUN, events.MONITOR, "of_another_version", {}, feed._seq[events.MONITOR], events.now())
        run.cluster.volume.append(unknown)
        feed._incoming.put(unknown)

    run = make_run()
    run.cluster.lie = say_something
    assert run.stage.perform() == Exit.OK
    assert contradictions(run) == []


def test_a_run_that_was_interrupted_stays_so(make_run: MakeRun) -> None:
    run = make_run(pace=0.3)

    def forge_and_quit(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "repair":
            run.display.quit()

    run.cluster.lie, run.display.on_event = forge_verdict, forge_and_quit
    assert run.stage.perform() == Exit.INTERRUPTED
    assert contradictions(run)
    assert outcomes(run) == ("interrupted", "interrupted", Exit.INTERRUPTED)
