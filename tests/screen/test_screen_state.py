"""What the screen folds beside the run: the agent's log, live text, long work."""

import copy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from story import SESSION, Author, story, until

from operator_demo import events, phrases
from operator_demo.events import Event
from operator_demo.screen.screen_state import ScreenState


def fold(many: list[Event]) -> ScreenState:
    state = ScreenState()
    for e in many:
        state.apply(e)
    return state


def test_live_text_grows_and_goes_when_the_finished_entry_comes() -> None:
    before = fold(until(17.45))
    assert before.live[-1].kind == "thinking"
    assert before.live[-1].text.startswith("The ticket says that")
    assert before.entries == []
    after = fold(until(17.7))
    assert after.live == []
    assert [e.kind for e in after.entries] == ["thinking"]


def test_a_retry_drops_what_was_half_written() -> None:
    a = Author()
    a.say(1, events.AGENT, "delta", kind="text", text="half a sen")
    a.say(2, events.AGENT, "retry", reason="overloaded", attempt=1, delay=2.0)
    assert fold(a.events).live == []


def test_a_result_belongs_to_its_call() -> None:
    call = next(e for e in fold(story()).entries if e.call == "toolu_3")
    assert (call.kind, call.status, call.exit_code) == ("call", "error", 6)
    a = Author()
    a.say(1, events.AGENT, "tool_result", call="c", tool="shell", status="ok", output="late")
    assert [(e.text, e.output) for e in fold(a.events).entries] == [("shell", "late")]


def test_a_refusal_of_the_guard_stands_in_the_agents_log() -> None:
    a = Author()
    a.say(1, events.AGENT, "tool_call", call="c", tool="shell", input={"command": "docker volume rm data"})
    refused = {"ruling": "deny", "rule": "not offered", "method": "DELETE", "path": "/volumes/data", "reason": "No."}
    a.say(2, events.GUARD, "guard", caller="agent", **refused)
    a.say(3, events.GUARD, "guard", caller="monitor", **refused)
    a.say(4, events.GUARD, "guard", caller="agent", ruling="allow", rule="docker start", method="POST", path="/x")
    assert [(e.kind, e.text) for e in fold(a.events).entries] == [
        ("call", "$ docker volume rm data"), ("guard", "DELETE /volumes/data (not offered): No.")]


def test_the_countdown_ends_with_the_fault() -> None:
    assert fold(until(14.5)).progress[("fault", "fault")].status == "in 1"
    assert ("fault", "fault") not in fold(until(15.1)).progress


@pytest.mark.parametrize(("brain", "label"), [
    ("claude", "Claude (claude-opus-5-5)"), ("rehearsal", "REHEARSAL (rule-based, not Claude)"),
    ("none", "no agent"), ("Claude", "unknown brain (Claude)")])
def test_only_claude_is_called_claude(brain: str, label: str) -> None:
    agent = fold(until(20, brain, "claude-opus-5-5")).agent
    assert phrases.brain_label(agent.brain, agent.model) == label


def _durable(state: ScreenState) -> ScreenState:
    return replace(copy.deepcopy(state), live=[], progress={})


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.sampled_from(["thinking", "text", "command", "output"]),
                          st.text(max_size=20)), max_size=20))
def test_ephemeral_events_change_nothing_that_lasts(pieces: list[tuple[int, str, str]]) -> None:
    many = [e for e in story() if e.seq is not None]
    expected = _durable(fold(many))
    a = Author()
    for at, kind, text in pieces:
        a.say(0, events.AGENT, "delta", kind=kind, text=text)
        a.say(0, events.STAGE, "progress", task=kind, item=text, status=text)
        many.insert(at % (len(many) + 1), a.events[-2])
        many.insert(at % (len(many) + 1), a.events[-1])
    assert _durable(fold(many)) == expected


def test_memory_is_bounded() -> None:
    a = Author()
    for n in range(3000):
        a.say(n, events.AGENT, "reasoning", session=SESSION, kind="text", text="x")
        a.say(n, events.AGENT, "delta", session=SESSION, kind="text", text="y" * 100)
        a.say(n, events.STAGE, "note", level="info", text="z")
        a.say(n, events.MONITOR, "effect", container="c", member="m", action="die", explained=None)
    state = fold(a.events)
    assert len(state.entries) <= 1000
    assert len(state.notes) <= 50
    assert len(state.effects) <= 50
    assert sum(len(part.text) for part in state.live) <= 80_000
