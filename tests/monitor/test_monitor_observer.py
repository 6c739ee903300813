"""From what is seen to tickets: opened, updated, cleared, and never opened twice for the same."""

import io
import threading
import time
from typing import Any

import pytest
from monitor_bench import Bench

from operator_demo import tickets
from operator_demo.engine import EngineEvent
from operator_demo.errors import OperatorError
from operator_demo.events import WORKLOAD
from operator_demo.monitor import incidents, observer
from operator_demo.store import Recorder
from operator_demo.subject import Member, Observation, Violation

DIED = EngineEvent("container", "die", "p-m1-1", "id-m1", 0.0, "p", "m1")


@pytest.fixture
def clock(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> "Clock":
    return Clock(bench, monkeypatch)


class Clock:
    """Time that passes when the test says so, a look each second."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self._bench = time.time(), bench
        monkeypatch.setattr(time, "time", lambda: self.now)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += 1
            self._bench.observer.look()


def slow(member: str = "m0") -> Violation:
    return Violation("slow", member, "warning", f"{member} is slow.")


def claimed(bench: Bench) -> str:
    row = tickets.claim(bench.agent, "ses-1")
    assert row
    return str(row["ticket"])


def test_a_healthy_subject_opens_nothing(bench: Bench, clock: Clock) -> None:
    clock.look(5)
    assert bench.of("ticket_opened") == []
    assert [o["violations"] for o in bench.of("observation")] == [[]] * 5
    assert bench.observer.all_healthy()


def test_an_exit_opens_a_ticket_at_once(bench: Bench, clock: Clock) -> None:
    clock.look()
    bench.members.set("m1", state="exited", address=None, exit_code=137)
    clock.look()
    (opened,) = bench.of("ticket_opened")
    assert opened["severity"] == "critical"
    assert [v["key"] for v in opened["violations"]] == ["member_down:m1"]
    assert opened["violations"][0]["member"] == "m1"


def test_a_report_of_the_engine_opens_it_without_a_look(bench: Bench, clock: Clock) -> None:
    clock.look()
    bench.subject.broken = AssertionError("nobody is to look")
    bench.members.set("m1", state="exited", address=None, exit_code=137)
    bench.observer.glance(DIED)
    assert len(bench.of("ticket_opened")) == 1
    seen = bench.of("observation")[-1]["members"]["m1"]
    assert (seen["state"], seen["reachable"], seen["healthy"]) == ("exited", False, False)


def test_a_ticket_opens_while_a_look_hangs(bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.look()
    hanging, go_on = threading.Event(), threading.Event()
    observe = bench.subject.observe

    def slow_observe(members: list[Member], deadline: float) -> Observation:
        hanging.set()
        go_on.wait(10)
        return observe(members, deadline)

    monkeypatch.setattr(bench.subject, "observe", slow_observe)
    look = threading.Thread(target=bench.observer.look)
    look.start()
    assert hanging.wait(5)
    bench.members.set("m1", state="exited", address=None, exit_code=137)
    bench.observer.glance(DIED)
    assert len(bench.of("ticket_opened")) == 1
    go_on.set()
    look.join()
    assert bench.states() == ["open"]
    assert "member_down:m1" in bench.observer.state, "a look that began before does not undo the report"


def test_a_blip_within_its_grace_opens_nothing(bench: Bench, clock: Clock) -> None:
    bench.subject.found = [slow()]
    clock.look(3)
    bench.subject.found = []
    clock.look()
    assert bench.of("ticket_opened") == []


def test_a_restart_by_the_engine_is_given_its_grace(bench: Bench, clock: Clock) -> None:
    clock.look()
    bench.subject.violations = lambda o: [  # type: ignore[method-assign]
        Violation("member_down", "m1", "critical", "restarting")] if o.members["m1"]["state"] == "restarting" else []
    bench.members.set("m1", state="restarting", address=None)
    clock.look(2)
    bench.members.set("m1", state="running", address="10.0.0.1")
    clock.look(3)
    assert bench.of("ticket_opened") == []


def test_further_violations_attach_to_the_one_ticket(bench: Bench, clock: Clock) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    bench.subject.found = [slow()]
    clock.look(5)
    assert len(bench.of("ticket_opened")) == 1
    (update,) = bench.of("ticket_updated")
    assert {v["key"] for v in update["violations"]} == {"member_down:m1", "slow:m0"}
    assert tickets.current(bench.store, "run-1")["violations"] == update["violations"]  # type: ignore[index]


def test_it_is_cleared_when_it_healed_with_nobody_holding_it(bench: Bench, clock: Clock) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    bench.members.set("m1", state="running", address="10.0.0.1")
    clock.look(int(incidents.CLEAR_AFTER))
    assert bench.states() == ["open"]
    clock.look(2)
    assert bench.states() == ["cleared"]


def test_a_held_ticket_is_never_cleared(bench: Bench, clock: Clock) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    claimed(bench)
    bench.members.set("m1", state="running", address="10.0.0.1")
    clock.look(20)
    assert bench.states() == ["acknowledged"]


def test_after_it_is_closed_a_new_violation_opens_a_new_one(bench: Bench, clock: Clock) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    bench.members.set("m1", state="running", address="10.0.0.1")
    clock.look(6)
    bench.members.set("m2", state="paused")
    clock.look()
    assert bench.states() == ["cleared", "open"]


def escalated(bench: Bench, clock: Clock) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    tickets.escalate(bench.agent, claimed(bench), "no idea", "ses-1")
    clock.look(5)


def test_what_was_escalated_opens_no_other_ticket_while_it_stands(bench: Bench, clock: Clock) -> None:
    escalated(bench, clock)
    assert bench.states() == ["escalated"]
    bench.members.set("m2", state="exited", address=None)
    clock.look()
    assert bench.states() == ["escalated", "open"]
    assert [v["key"] for v in bench.of("ticket_opened")[-1]["violations"]] == ["member_down:m2"]


def test_what_was_escalated_and_healed_and_broke_again_does(bench: Bench, clock: Clock) -> None:
    escalated(bench, clock)
    bench.members.set("m1", state="running", address="10.0.0.1")
    clock.look()
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    assert bench.states() == ["escalated", "open"]


@pytest.mark.parametrize("end", ["open", "escalated"])
def test_a_monitor_that_was_restarted_goes_on_with_the_ticket(bench: Bench, clock: Clock, end: str) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    if end == "escalated":
        tickets.escalate(bench.agent, claimed(bench), "no idea", "ses-1")
    bench.observer = bench.new_observer()
    clock.look(3)
    assert bench.states() == [end]


def test_a_failing_observation_is_a_violation_and_never_health(bench: Bench, clock: Clock) -> None:
    clock.look()
    bench.subject.broken = ZeroDivisionError("oops")
    clock.look()
    assert not bench.observer.all_healthy()
    assert bench.observer.held_for() == 0
    clock.look(2)
    (opened,) = bench.of("ticket_opened")
    assert opened["violations"][0]["invariant"] == "observation_failed"
    assert "ZeroDivisionError" in opened["title"]


def test_an_engine_that_does_not_answer_is_a_violation_and_members_are_still_looked_at(
        bench: Bench, clock: Clock) -> None:
    clock.look()
    bench.members.broken = OperatorError("The engine is gone.")
    clock.look(4)
    assert "observation_failed" in bench.observer.state
    assert bench.observer.all_healthy(), "their addresses are known"
    assert len(bench.of("ticket_opened")) == 1


def test_how_long_the_invariants_have_held(bench: Bench, clock: Clock) -> None:
    clock.look(4)
    assert bench.observer.held_for() == 3
    bench.subject.found = [Violation("member_down", "m1", "critical", "no answer")]
    clock.look()
    assert bench.observer.held_for() == 0
    bench.subject.found = []
    clock.look(2)
    assert bench.observer.held_for() == 1


def test_a_look_answers_for_a_while(bench: Bench) -> None:
    first = bench.observer.look()
    assert bench.observer.look(10.0) is first
    assert bench.observer.look() is not first


@pytest.mark.parametrize(("age", "known"), [(0.0, True), (observer.LOAD_FRESH + 1, False)])
def test_only_a_fresh_load_is_part_of_a_look(bench: Bench, clock: Clock, age: float, known: bool) -> None:
    data: dict[str, Any] = {"ops": 5, "p50": 0.1, "p99": 0.2, "errors": {}}
    Recorder(bench.store, "run-1", WORKLOAD, io.StringIO()).say("load", **data)
    assert (bench.observer.newest_load(time.time() + age) == data) is known


def test_what_somebody_reports_is_a_ticket_that_no_look_clears(bench: Bench, clock: Clock) -> None:
    bench.observer.look()
    ticket = bench.observer.report("member_down", "m1", "A user says that m1 is down.")
    for _ in range(10):
        clock.now += 1.0
        bench.observer.look()
    assert bench.states() == ["open"]
    (opened,) = bench.of("ticket_opened")
    assert opened["title"] == "A user says that m1 is down"
    assert (opened["severity"], opened["violations"][0]["key"]) == ("critical", "member_down:m1")
    with pytest.raises(tickets.TicketStateError):
        bench.observer.report("slow", None, "And now it is slow.")
    assert tickets.current(bench.store, "run-1")["ticket"] == ticket  # type: ignore[index]


def test_what_is_seen_beside_a_report_attaches_to_its_ticket(bench: Bench, clock: Clock) -> None:
    bench.observer.report("slow", None, "A user says that it is slow.")
    bench.members.set("m2", state="exited", address=None)
    clock.now += 1.0
    bench.observer.look()
    assert [v["key"] for v in bench.of("ticket_updated")[-1]["violations"]] == ["member_down:m2"]
    assert bench.states() == ["open"]


def test_no_ticket_opens_while_a_fault_is_only_half_there(bench: Bench, clock: Clock) -> None:
    bench.observer.hold(clock.now + 5)
    bench.members.set("m1", state="exited", address=None)
    clock.look(4)
    assert bench.states() == []
    clock.look(2)
    assert bench.states() == ["open"]
