import copy
import random
from dataclasses import replace

import pytest
from any_event import any_event
from hypothesis import given, settings
from hypothesis import strategies as st
from story import SESSION, START, TICKET, Author, story, until

from operator_demo import events
from operator_demo.events import Event
from operator_demo.screen.state import LOAD_WINDOW, State


def fold(many: list[Event]) -> State:
    state = State()
    for e in many:
        state.apply(e)
    return state


def test_a_whole_run_is_told() -> None:
    state = fold(story())
    assert state.run.subject == "etcd"
    assert state.chapter.name == "end"
    assert state.chapter.number == 8
    assert [m.role for m in state.members.values()] == ["follower", "leader", "follower"]
    assert state.ticket is not None
    assert (state.ticket.id, state.ticket.state, state.ticket.holder) == (TICKET, "resolved", SESSION)
    assert state.agent.status == "verified"
    assert (state.agent.steps, state.agent.calls) == (4, 5)
    assert state.verdicts["final"].passed
    assert not state.verdicts["opening"].passed
    assert state.writes == (2412, 0, 7)
    assert state.outcome is not None
    assert state.outcome.name == "repaired"
    assert state.live == []


def test_clocks_run_from_what_the_engine_saw() -> None:
    state = fold(until(40.5))
    assert state.ttd == pytest.approx(0.9)  # ticket at 16.0, the engine's event at 15.1
    assert state.ttm == pytest.approx(24.9)  # verdict at 40.0


def test_a_member_that_is_gone_has_no_role() -> None:
    state = fold(until(20))
    gone = state.members["etcd1"]
    assert (gone.state, gone.healthy, gone.role) == ("exited", False, "")
    assert list(state.members) == ["etcd1", "etcd2", "etcd3"]


def test_live_text_grows_and_goes_when_the_finished_entry_comes() -> None:
    before = fold(until(17.45))
    assert before.live[-1].kind == "thinking"
    assert before.live[-1].text.startswith("The ticket says that")
    assert before.agent.entries == []
    after = fold(until(17.7))
    assert after.live == []
    assert [e.kind for e in after.agent.entries] == ["thinking"]


def test_a_retry_drops_what_was_half_written() -> None:
    a = Author()
    a.say(1, events.AGENT, "delta", kind="text", text="half a sen")
    a.say(2, events.AGENT, "retry", reason="overloaded", attempt=1, delay=2.0)
    assert fold(a.events).live == []


def test_the_countdown_ends_with_the_fault() -> None:
    assert fold(until(14.5)).progress[("fault", "fault")].status == "in 1"
    assert ("fault", "fault") not in fold(until(15.1)).progress


def test_load_is_kept_for_a_minute() -> None:
    a = Author()
    for second in range(200):
        a.say(second, events.WORKLOAD, "load", ops=second, p50=0.1, p99=0.2, errors={"timeout": 2, "refused": 1})
    state = fold(a.events)
    assert len(state.load) == LOAD_WINDOW
    assert state.load[-1].ops == 199
    assert state.load[-1].errors == 3


def test_a_cost_that_is_unknown_once_stays_unknown() -> None:
    a = Author()
    for n, cost in enumerate((0.5, None, 0.25)):
        a.say(n, events.AGENT, "usage", session=SESSION, input_tokens=1, output_tokens=1, cache_read_tokens=0,
              cache_write_tokens=0, cost_usd=cost, duration=1.0, request_id="r", stop_reason="end_turn")
    assert fold(a.events).agent.cost is None


@pytest.mark.parametrize(("brain", "label"), [
    ("claude", "Claude (claude-opus-5-5)"), ("rehearsal", "REHEARSAL (rule-based, not Claude)"),
    ("none", "no agent"), ("Claude", "unknown brain (Claude)")])
def test_only_claude_is_called_claude(brain: str, label: str) -> None:
    assert fold(until(20, brain, "claude-opus-5-5")).agent.label == label


def _durable(state: State) -> State:
    return replace(copy.deepcopy(state), live=[], progress={})


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_in_which_sources_arrive_does_not_matter(chance: random.Random) -> None:
    by_source: dict[str, list[Event]] = {}
    for e in story():
        by_source.setdefault(e.source, []).append(e)
    mixed: list[Event] = []
    while by_source:
        source = chance.choice(sorted(by_source))
        mixed.append(by_source[source].pop(0))
        if not by_source[source]:
            del by_source[source]
    told, expected = _durable(fold(mixed)), _durable(fold(story()))
    assert list(told.members) == list(expected.members)
    assert told == expected


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


@settings(max_examples=400, deadline=None)
@given(st.lists(any_event(), max_size=12))
def test_no_valid_event_breaks_the_fold(many: list[Event]) -> None:
    state = fold(many)
    _ = state.ticket, state.verdict, state.ttd, state.ttm, state.agent.label


def test_memory_is_bounded() -> None:
    a = Author()
    for n in range(3000):
        a.say(n, events.AGENT, "reasoning", session=SESSION, kind="text", text="x")
        a.say(n, events.AGENT, "delta", session=SESSION, kind="text", text="y" * 100)
        a.say(n, events.STAGE, "note", level="info", text="z")
        a.say(n, events.MONITOR, "effect", container="c", member="m", action="die", explained=None)
    state = fold(a.events)
    assert len(state.agent.entries) <= 300
    assert len(state.notes) <= 50
    assert len(state.effects) <= 50
    assert sum(len(part.text) for part in state.live) <= 80_000


def test_times_are_those_of_the_story() -> None:
    assert events.parse_ts(story()[0].ts) == START
