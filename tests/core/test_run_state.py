"""The fold of a run: what is known at which moment, and above all when the fault began and which ticket is its."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from any_event import any_event
from hypothesis import given, settings
from hypothesis import strategies as st
from story import SESSION, START, TICKET, Author, members, story, until

from operator_demo import events
from operator_demo.events import AGENT, MONITOR, STAGE, Event
from operator_demo.run_state import EFFECT_WITHIN, LOAD_WINDOW, RunState
from operator_demo.screen.screen_state import ScreenState

DOWN = {"key": "member_down:etcd1", "invariant": "member_down", "member": "etcd1"}
SLOW = {"key": "high_latency", "invariant": "high_latency"}


class Script(Author):
    """A run in short sentences; `at` is in seconds since the start."""

    def fault(self, at: float, phase: str) -> None:
        self.say(at, STAGE, "fault", phase=phase, kind="kill", targets=["etcd1"])

    def strike(self, at: float, phase: str = "injecting", seen: bool = True) -> None:
        """The engine sees it half a second later."""
        self.fault(at, phase)
        if seen:
            self.effect(at + 0.5, "fault")
        self.fault(at + 0.6, "injected")

    def effect(self, at: float, explained: str | None, action: str = "die", member: str | None = "etcd1") -> None:
        self.say(at, MONITOR, "effect", container="c", member=member, action=action, explained=explained,
                 time=START + at)

    def arm(self, at: float) -> None:
        self.say(at, MONITOR, "armed", fingerprint={}, checks=[])

    def seal(self, at: float) -> None:
        self.say(at, STAGE, "truth_sealed", sha256="ab")

    def look(self, at: float, *violations: str) -> None:
        self.say(at, MONITOR, "observation", members=members(), cluster={}, violations=violations, duration=0.1)

    def open(self, at: float, ticket: str, violation: dict[str, Any] = DOWN) -> None:
        self.say(at, MONITOR, "ticket_opened", ticket=ticket, subject="etcd", severity="critical", title="t",
                 violations=[violation])

    def attach(self, at: float, ticket: str, *violations: dict[str, Any]) -> None:
        self.say(at, MONITOR, "ticket_updated", ticket=ticket, violations=violations)

    def judge(self, at: float, ticket: str, passed: bool = True) -> None:
        self.say(at, MONITOR, "verdict", ticket=ticket, phase="final", passed=passed, checks=[])
        if passed:
            self.say(at, MONITOR, "ticket_resolved", ticket=ticket, outcome="repaired")


def fold(many: Sequence[Event]) -> RunState:
    state = RunState()
    for e in many:
        state.apply(e)
    return state


def told(*lines: Callable[[Script], None]) -> RunState:
    script = Script()
    for line in lines:
        line(script)
    return fold(sorted(script.events, key=lambda e: e.ts))


# -- what is known ----------------------------------------------------------------------------------------------------


def test_a_whole_run_is_told() -> None:
    state = fold(story())
    assert (state.run.subject, state.chapter.name) == ("etcd", "end")
    assert [m.role for m in state.members.values()] == ["follower", "leader", "follower"]
    ticket = state.fault_ticket
    assert ticket is not None and ticket is state.ticket
    assert (ticket.id, ticket.state, ticket.holder, ticket.outcome) == (TICKET, "resolved", SESSION, "repaired")
    assert ticket.closed == START + 40.0
    assert (ticket.invariants, ticket.causes) == ({"member_down", "client_errors"}, {"process_killed"})
    assert not ticket.verdicts["opening"].data.passed and ticket.verdicts["final"].data.passed
    assert (state.agent.session.status, state.agent.steps, state.agent.calls) == ("verified", 4, 5)
    assert (state.agent.session.id, state.agent.session.ticket) == (SESSION, TICKET)
    assert state.writes is not None and state.writes.kept == 2412
    assert state.outcome is not None and state.outcome.data.outcome == "repaired"


def test_a_member_that_is_gone_has_no_role() -> None:
    state = fold(until(20))
    gone = state.members["etcd1"]
    assert (gone.state, gone.healthy, gone.role) == ("exited", False, "")
    assert list(state.members) == ["etcd1", "etcd2", "etcd3"]


def test_load_is_kept_for_some_minutes() -> None:
    a = Author()
    for second in range(200):
        a.say(second, events.WORKLOAD, "load", ops=second, p50=0.1, p99=0.2, errors={"timeout": 2, "refused": 1})
    state = fold(a.events)
    assert len(state.load) == LOAD_WINDOW
    assert (state.load[-1].data.ops, state.load[-1].data.failed) == (199, 3)


def test_a_cost_that_is_unknown_once_stays_unknown() -> None:
    a = Author()
    for n, cost in enumerate((0.5, None, 0.25)):
        a.say(n, AGENT, "usage", session=SESSION, input_tokens=1, output_tokens=1, cache_read_tokens=0,
              cache_write_tokens=0, cost_usd=cost, duration=1.0, request_id="r", stop_reason="end_turn")
    assert fold(a.events).agent.cost is None


def test_an_agent_works_from_the_start_of_its_session_to_the_end() -> None:
    assert not fold(until(16.3)).agent.working
    assert fold(until(20)).agent.working
    assert not fold(story()).agent.working


@pytest.mark.parametrize(("move", "more", "state"), [
    ("resolved", {}, "resolved"), ("cleared", {}, "cleared"), ("escalated", {"reason": "too hard"}, "escalated")])
def test_a_ticket_is_closed_by_each_of_its_ends(move: str, more: dict[str, str], state: str) -> None:
    def end(s: Script) -> None:
        s.say(3, MONITOR, f"ticket_{move}", ticket="tkt-1", **more)

    ticket = told(lambda s: s.open(1, "tkt-1"), end).tickets["tkt-1"]
    assert (ticket.state, ticket.closed, ticket.reason) == (state, START + 3, more.get("reason", ""))


def test_the_agent_may_be_heard_before_the_monitor() -> None:
    s = Script()
    s.say(2, AGENT, "ticket_claimed", ticket="tkt-1", session="ses-1", holder="ses-1")
    s.open(1, "tkt-1")
    ticket = fold(s.events).tickets["tkt-1"]
    assert (ticket.state, ticket.holder, ticket.opened) == ("acknowledged", "ses-1", START + 1)


# -- when the fault began ---------------------------------------------------------------------------------------------


def began(state: RunState) -> float | None:
    return None if state.fault_began is None else round(state.fault_began - START, 3)


def clocks(state: RunState) -> tuple[float | None, float | None]:
    return tuple(None if value is None else round(value, 3) for value in (state.ttd, state.ttm))


def test_the_engine_tells_best_when_it_began() -> None:
    assert began(told(lambda s: s.strike(10))) == 10.5


def test_what_the_engine_does_not_see_began_when_the_stage_said_so() -> None:
    assert began(told(lambda s: s.strike(10, seen=False))) == 10


def test_an_effect_from_before_or_from_long_after_is_not_the_beginning() -> None:
    """The undoing of an earlier fault is explained as `fault` as well."""
    assert began(told(lambda s: s.effect(5, "fault"), lambda s: s.strike(10, seen=False))) == 10
    late = 10 + EFFECT_WITHIN + 1
    assert began(told(lambda s: s.strike(10, seen=False), lambda s: s.effect(late, "fault"))) == 10


def test_an_injection_that_was_begun_anew_counts_from_then() -> None:
    """A new host takes back a half injection, and injects once more."""
    assert began(told(lambda s: s.fault(10, "injecting"), lambda s: s.strike(30))) == 30.5


def test_before_a_fault_there_is_no_clock() -> None:
    state = told(lambda s: s.open(3, "tkt-0"))
    assert (state.fault_began, state.ttd, state.ttm, state.fault_ticket) == (None, None, None, None)


# -- the fault's ticket -----------------------------------------------------------------------------------------------


def false_ticket(s: Script) -> None:
    s.open(3, "tkt-0", SLOW)
    s.say(6, MONITOR, "ticket_cleared", ticket="tkt-0")


def test_the_clocks_of_the_story() -> None:
    assert clocks(fold(until(40.5))) == (0.9, 24.9)  # the effect at 15.1, the ticket at 16.0, the verdict at 40.0


def test_a_false_ticket_from_before_is_none_of_the_faults() -> None:
    state = told(false_ticket, lambda s: s.strike(10))
    assert (state.fault_ticket, state.ttd) == (None, None)
    state = told(false_ticket, lambda s: s.strike(10), lambda s: s.open(12, "tkt-1"), lambda s: s.judge(30, "tkt-1"))
    assert state.fault_ticket is state.tickets["tkt-1"]
    assert clocks(state) == (1.5, 19.5)


def test_a_false_ticket_that_was_verified_ends_no_clock() -> None:
    state = told(lambda s: s.open(3, "tkt-0", SLOW), lambda s: s.judge(8, "tkt-0"), lambda s: s.strike(10),
                 lambda s: s.open(12, "tkt-1"))
    assert clocks(state) == (1.5, None)


def test_a_ticket_that_is_still_open_is_the_faults_once_violations_attach() -> None:
    before = [lambda s: s.open(9, "tkt-0", SLOW), lambda s: s.strike(10)]
    assert told(*before).fault_ticket is None
    assert told(*before, lambda s: s.attach(12, "tkt-0")).fault_ticket is None, "it healed, and knew nothing of it"
    state = told(*before, lambda s: s.attach(12, "tkt-0", SLOW, DOWN))
    assert state.fault_ticket is state.tickets["tkt-0"]
    assert clocks(state) == (1.5, None)


def test_a_refused_verdict_gives_no_time_to_repair() -> None:
    state = told(lambda s: s.strike(10), lambda s: s.open(12, "tkt-1"), lambda s: s.judge(30, "tkt-1", passed=False))
    assert clocks(state) == (1.5, None)


# -- waiting for the presenter ----------------------------------------------------------------------------------------


def order(at: float, name: str) -> Callable[[Script], None]:
    return lambda s: s.say(at, MONITOR, "agent_order", order=name, by="anna")


def claim(at: float, ticket: str = "tkt-1") -> Callable[[Script], None]:
    def tell(s: Script) -> None:
        s.say(at, AGENT, "ticket_claimed", ticket=ticket, session="ses-1", holder="ses-1")
        s.say(at, AGENT, "session_started", ticket=ticket, session="ses-1", model="m", brain="rehearsal",
              mode="execute")
    return tell


def pause(at: float, seconds: float) -> Callable[[Script], None]:
    def tell(s: Script) -> None:
        s.say(at, AGENT, "agent_paused", ticket="tkt-1", session="ses-1")
        s.say(at + seconds, AGENT, "agent_resumed", ticket="tkt-1", session="ses-1", seconds=seconds)
    return tell


def waits(state: RunState) -> tuple[float, float | None]:
    return round(state.waited, 3), None if state.own_ttm is None else round(state.own_ttm, 3)


HELD = [order(2, "hold"), lambda s: s.strike(10), lambda s: s.open(12, "tkt-1")]


def test_nothing_is_waited_for_without_an_order() -> None:
    state = told(lambda s: s.strike(10), lambda s: s.open(12, "tkt-1"), claim(15), lambda s: s.judge(40, "tkt-1"))
    assert waits(state) == (0.0, 29.5)
    assert (state.held, state.agent.order) == (False, "go")


def test_an_agent_that_is_held_waits_from_the_ticket_until_it_may_claim_it() -> None:
    state = told(*HELD, lambda s: s.look(20))
    assert state.held
    assert state.waited == 8
    state = told(*HELD, order(30, "go"), claim(30.1), lambda s: s.judge(50, "tkt-1"))
    assert not state.held
    assert clocks(state) == (1.5, 39.5), "the ticket's clock goes on"
    assert waits(state) == (18.0, 21.5)


def test_a_pause_counts_while_the_agent_stands_still_and_not_while_its_step_ends() -> None:
    state = told(lambda s: s.strike(10), lambda s: s.open(12, "tkt-1"), claim(13), order(15, "pause"), pause(20, 5),
                 order(25, "go"), lambda s: s.judge(50, "tkt-1"))
    assert waits(state) == (5.0, 34.5)


def test_a_pause_has_no_end_while_the_agent_stands_still_and_ends_with_its_session() -> None:
    before = [lambda s: s.strike(10), lambda s: s.open(12, "tkt-1"), claim(13), order(15, "pause"),
              lambda s: s.say(20, AGENT, "agent_paused", ticket="tkt-1", session="ses-1")]
    state = told(*before, lambda s: s.look(26))
    assert state.agent.paused
    assert state.waited == 6
    state = told(*before, lambda s: s.say(23, STAGE, "session_finished", session="ses-1", status="interrupted",
                                          summary=""), lambda s: s.look(40))
    assert not state.agent.paused
    assert state.waited == 3


def test_a_ticket_from_before_the_fault_is_not_waited_for() -> None:
    state = told(order(1, "hold"), false_ticket, lambda s: s.strike(10), lambda s: s.look(15))
    assert state.waited == 0


def test_an_agent_that_was_stopped_gave_nothing_up_itself() -> None:
    def stop(s: Script) -> None:
        s.say(30, AGENT, "ticket_escalated", ticket="tkt-1", session="ses-1", reason="stopped", by="presenter")

    ticket = told(lambda s: s.open(12, "tkt-1"), claim(12), stop).tickets["tkt-1"]
    assert (ticket.state, ticket.escalated_by) == ("escalated", "presenter")


# -- a fault that comes back ------------------------------------------------------------------------------------------


COMES_BACK = [lambda s: s.strike(10), lambda s: s.open(12, "tkt-1"), lambda s: s.judge(30, "tkt-1"),
              lambda s: s.strike(40, "again")]


def test_a_fault_that_comes_back_is_one_incident() -> None:
    """Its clock goes on: the first repair did not last."""
    state = told(*COMES_BACK)
    assert (began(state), len(state.strikes)) == (10.5, 2)
    assert state.fault_ticket is None, "nobody has noticed the second strike yet"
    assert clocks(state) == (1.5, None)
    state = told(*COMES_BACK, lambda s: s.open(43, "tkt-2"), lambda s: s.judge(60, "tkt-2"))
    assert state.fault_ticket is state.tickets["tkt-2"]
    assert [ticket.id for ticket in state.fault_tickets] == ["tkt-1", "tkt-2"]
    assert clocks(state) == (1.5, 49.5)


def test_strikes_count_once_they_took_effect() -> None:
    assert [strike.injected for strike in told(*COMES_BACK).fault.strikes] == [True, True]
    assert [strike.injected for strike in told(lambda s: s.fault(10, "injecting")).fault.strikes] == [False]


# -- a fault by hand --------------------------------------------------------------------------------------------------


def armed(s: Script) -> None:
    s.arm(8)


def test_by_hand_it_began_with_what_nobody_accounts_for() -> None:
    state = told(false_ticket, armed, lambda s: s.effect(20, None), lambda s: s.look(20.5, "member_down:etcd1"),
                 lambda s: s.open(21, "tkt-1"), lambda s: s.judge(40, "tkt-1"))
    assert began(state) == 20
    assert clocks(state) == (1.0, 20.0)


def test_by_hand_what_was_before_it_was_armed_is_nothing() -> None:
    state = told(lambda s: s.effect(2, None), lambda s: s.look(2.5, "high_latency"), false_ticket, armed)
    assert (state.by_hand, state.fault_began, state.fault_ticket) == (True, None, None)


@pytest.mark.parametrize(("explained", "action", "member"), [
    ("tool_call", "start", "etcd1"), ("policy", "start", "etcd1"), (None, "exec_start", "etcd1"), (None, "die", None)])
def test_by_hand_neither_the_agent_nor_the_engine_nor_a_look_is_the_fault(
        explained: str | None, action: str, member: str | None) -> None:
    assert began(told(armed, lambda s: s.effect(20, explained, action, member))) is None


def test_by_hand_without_an_effect_the_first_violation_counts_else_the_ticket() -> None:
    looks = [armed, lambda s: s.look(9), lambda s: s.look(20, "no_leader"), lambda s: s.look(21, "no_leader")]
    assert began(told(*looks, lambda s: s.open(22, "tkt-1"))) == 20
    assert began(told(false_ticket, armed, lambda s: s.open(22, "tkt-1"))) == 22


def test_a_planned_fault_is_none_by_hand() -> None:
    """While it counts down, a violation is a false alarm."""
    state = told(armed, lambda s: s.seal(9), lambda s: s.look(10, "high_latency"), lambda s: s.open(10.1, "tkt-0"))
    assert (state.by_hand, state.fault_began, state.ttd) == (False, None, None)


# -- order ------------------------------------------------------------------------------------------------------------


def mixed(many: Sequence[Event], chance: random.Random) -> list[Event]:
    """The same events with each source in its own order, interleaved anyhow."""
    waiting: dict[str, list[Event]] = {}
    for e in many:
        waiting.setdefault(e.source, []).append(e)
    out: list[Event] = []
    while waiting:
        source = chance.choice(sorted(waiting))
        out.append(waiting[source].pop(0))
        if not waiting[source]:
            del waiting[source]
    return out


def both(many: Sequence[Event]) -> tuple[RunState, ScreenState]:
    screen = ScreenState()
    for e in many:
        screen.apply(e)
    return fold(many), screen


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_in_which_sources_arrive_does_not_matter(chance: random.Random) -> None:
    whole = story()
    assert both(mixed(whole, chance)) == both(whole)
    assert list(fold(mixed(whole, chance)).members) == ["etcd1", "etcd2", "etcd3"]


@st.composite
def scripts(draw: st.DrawFn) -> list[Event]:
    """Runs that never were: strikes, tickets, verdicts and sessions at any times."""
    s = Script()
    ids, sessions = st.sampled_from(["tkt-1", "tkt-2", "tkt-3"]), st.sampled_from(["a", "b"])
    ends = st.sampled_from(["error", "verified"])
    sentences: list[Callable[[int], None]] = [
        s.arm, s.seal, s.strike, lambda at: s.strike(at, "again"), lambda at: s.fault(at, "injecting"),
        lambda at: s.effect(at, draw(st.sampled_from([None, "fault", "tool_call"]))),
        lambda at: s.look(at, *draw(st.sampled_from([(), ("no_leader",)]))),
        lambda at: s.open(at, draw(ids)), lambda at: s.attach(at, draw(ids), *draw(st.sampled_from([(), (DOWN,)]))),
        lambda at: s.judge(at, draw(ids), draw(st.booleans())),
        lambda at: s.say(at, AGENT, "ticket_claimed", ticket=draw(ids), session="ses-1", holder="ses-1"),
        lambda at: s.say(at, AGENT, "ticket_escalated", ticket=draw(ids), session="ses-1", reason="no"),
        lambda at: s.say(at, MONITOR, "ticket_escalated", ticket=draw(ids), reason="no"),
        lambda at: s.say(at, STAGE, "ticket_escalated", ticket=draw(ids), reason="gone"),
        lambda at: s.say(at, AGENT, "session_started", ticket=draw(ids), session=draw(sessions), model="m",
                         brain="rehearsal", mode="observe"),
        lambda at: s.say(at, AGENT, "session_finished", session=draw(sessions), status=draw(ends), summary=""),
        lambda at: s.say(at, STAGE, "session_finished", session=draw(sessions), status=draw(ends), summary="gone"),
        lambda at: s.say(at, MONITOR, "agent_order", order=draw(st.sampled_from(["go", "hold", "pause", "stop"]))),
        lambda at: s.say(at, AGENT, "agent_paused", session=draw(sessions)),
        lambda at: s.say(at, AGENT, "agent_resumed", session=draw(sessions), seconds=1.0),
        lambda at: s.say(at, AGENT, "ticket_released", ticket=draw(ids), session="ses-1", reason=""),
        lambda at: s.say(at, AGENT, "finding", ticket=draw(ids), session="a", member=None, cause="overload", text=""),
        lambda at: s.say(at, STAGE, "run_started", project="p", subject="etcd", mode="execute", model="x",
                         brain="claude", version="v", engine="e", seed=1),
    ]
    for at in sorted(draw(st.lists(st.integers(0, 100), max_size=25))):
        draw(st.sampled_from(sentences))(at)
    return sorted(s.events, key=lambda e: e.ts)


@settings(max_examples=200, deadline=None)
@given(scripts(), st.randoms(use_true_random=False))
def test_the_order_does_not_matter_in_runs_that_never_were(many: list[Event], chance: random.Random) -> None:
    one, other = fold(many), fold(mixed(many, chance))
    assert one == other
    for state in (one, other):
        assert state.ttd is None or state.ttd >= 0
        assert state.ttm is None or state.ttd is not None or len(state.strikes) > 1
        assert state.waited >= 0
        assert state.own_ttm is None or 0 <= state.own_ttm <= max(state.ttm or 0, 0)
    assert (one.ttd, one.ttm, one.strikes) == (other.ttd, other.ttm, other.strikes)
    assert (one.waited, one.own_ttm) == (other.waited, other.own_ttm)


@settings(max_examples=400, deadline=None)
@given(st.lists(any_event(), max_size=12))
def test_no_valid_event_breaks_the_fold(many: list[Event]) -> None:
    state = fold(many)
    _ = state.ticket, state.fault_ticket, state.ttd, state.ttm


def test_times_are_those_of_the_story() -> None:
    assert events.parse_ts(story()[0].ts) == START


def test_what_the_volume_holds_in_the_place_of_a_forged_event_counts() -> None:
    script = Script()
    script.open(1, "tkt-1")
    ts = events.timestamp(datetime.fromtimestamp(START + 2, UTC))
    there = {"type": "ticket_resolved", "ts": ts, "ticket": "tkt-1", "session": None, "data": {"outcome": "repaired"}}
    script.say(3, STAGE, "contradiction", text="forged", from_source=MONITOR, seq=7, recorded=there)
    state = fold(script.events)
    assert state.tickets["tkt-1"].state == "resolved"
    assert len(state.contradictions) == 1


@pytest.mark.parametrize("there", [{}, {"type": "note"}, {"type": 5, "ts": "", "ticket": 1, "session": 2, "data": {}},
                                   {"type": "note", "ts": "no", "ticket": None, "session": None, "data": []}])
def test_what_stands_there_and_is_no_event_ends_nothing(there: dict[str, Any]) -> None:
    script = Script()
    script.say(3, STAGE, "contradiction", text="forged", from_source=MONITOR, seq=7, recorded=there)
    assert len(fold(script.events).contradictions) == 1
