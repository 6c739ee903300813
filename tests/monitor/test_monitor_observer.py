"""From what is seen to tickets: opened, updated, cleared, and never opened twice for the same."""

import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from monitor_bench import Bench, Serving

from operator_demo import rpc, tickets
from operator_demo.engine import EngineEvent
from operator_demo.errors import OperatorError
from operator_demo.events import WORKLOAD, Load
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
    bench.observer.apply(DIED)
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
    bench.observer.apply(DIED)
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


def test_a_violation_that_ended_and_comes_back_is_told_again(bench: Bench, clock: Clock) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    tickets.verify(bench.agent, claimed(bench), "ses-1", "done", [])
    bench.members.set("m1", state="running", address="10.0.0.1")
    clock.look(2)
    bench.members.set("m1", state="exited", address=None)
    clock.look(3)
    (opened,), (update,) = bench.of("ticket_opened"), bench.of("ticket_updated")
    assert [v["key"] for v in update["violations"]] == ["member_down:m1"]
    assert update["violations"][0]["since"] > opened["violations"][0]["since"]


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


@pytest.mark.parametrize("end", ["open", "acknowledged", "verifying", "escalated"])
def test_a_monitor_that_was_restarted_goes_on_with_the_ticket(bench: Bench, clock: Clock, end: str) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    if end != "open":
        ticket = claimed(bench)
    if end == "verifying":
        tickets.verify(bench.agent, ticket, "ses-1", "done", [])
    if end == "escalated":
        tickets.escalate(bench.agent, ticket, "no idea", "ses-1")
    bench.observer = bench.new_observer()
    clock.look(3)
    assert bench.states() == [end]
    if end != "escalated":
        bench.subject.found = [slow()]
        clock.look(5)
        assert {v["key"] for v in bench.of("ticket_updated")[-1]["violations"]} == {"member_down:m1", "slow:m0"}


def test_a_monitor_that_was_restarted_clears_what_it_saw_and_not_what_was_reported(bench: Bench, clock: Clock) -> None:
    bench.members.set("m1", state="exited", address=None)
    clock.look()
    bench.members.set("m1", state="running", address="10.0.0.1")
    bench.observer = bench.new_observer()
    clock.look(6)
    assert bench.states() == ["cleared"]
    bench.observer.report("member_down", "m1", "A user says that m1 is down.")
    bench.observer = bench.new_observer()
    clock.look(6)
    assert bench.states() == ["cleared", "open"]


def test_a_failing_observation_is_a_violation_and_never_health(bench: Bench, clock: Clock) -> None:
    clock.look()
    bench.subject.broken = ZeroDivisionError("oops")
    clock.look()
    assert not bench.observer.all_healthy()
    assert bench.observer.held_for() == 0
    clock.look(2)
    (opened,) = bench.of("ticket_opened")
    assert opened["violations"][0]["invariant"] == "subject_defect"
    assert "fake.observe failed: ZeroDivisionError: oops" in opened["title"]


@pytest.mark.parametrize("judged", [ZeroDivisionError("oops"), None, ["no violation"]])
def test_violations_that_cannot_be_told_are_a_violation_for_looks_and_for_the_engines_reports(
        bench: Bench, clock: Clock, judged: object) -> None:
    clock.look()

    def violations(_: Observation) -> Any:
        if isinstance(judged, Exception):
            raise judged
        return judged

    bench.subject.violations = violations  # type: ignore[method-assign]
    bench.members.set("m1", state="exited", address=None, exit_code=137)
    bench.observer.apply(DIED)
    clock.look(3)
    (opened,) = bench.of("ticket_opened")
    assert [v["key"] for v in opened["violations"]] == ["subject_defect"]
    assert "fake.violations failed" in opened["title"]
    assert bench.observer.held_for() == 0


def test_a_report_of_the_engine_is_taken_whatever_the_subject_called_its_leader(bench: Bench, clock: Clock) -> None:
    observe = bench.subject.observe

    def led_by_nobody_known(members: list[Member], deadline: float) -> Observation:
        observation = observe(members, deadline)
        observation.cluster["leader"] = "m9"
        return observation

    bench.subject.observe = led_by_nobody_known  # type: ignore[assignment, method-assign]
    clock.look()
    bench.members.set("m1", state="exited", address=None, exit_code=137)
    bench.observer.apply(DIED)
    assert bench.of("observation")[-1]["cluster"]["leader"] is None


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


# -- many who ask ------------------------------------------------------------------------------------------------------

class SlowLooks:
    """Looks that end only when the test says so, and threads that ask for them."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._observe = bench, bench.subject.observe
        self.begun, self.may_end = 0, threading.Semaphore(0)
        self.answers: list[Observation] = []
        bench.subject.observe = self._slowly  # type: ignore[method-assign]

    def _slowly(self, members: Sequence[Member], deadline: float) -> Observation:
        self.begun += 1
        assert self.may_end.acquire(timeout=20)
        return self._observe(members, deadline)

    def ask(self, askers: int, max_age: float | None) -> list[threading.Thread]:
        threads = [threading.Thread(target=lambda: self.answers.append(self._bench.observer.look(max_age)))
                   for _ in range(askers)]
        for thread in threads:
            thread.start()
        return threads


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def slow_looks(bench: Bench) -> Iterator[SlowLooks]:
    made = SlowLooks(bench)
    yield made
    made.may_end.release(100)


def test_many_who_ask_share_the_look_that_is_under_way(bench: Bench, slow_looks: SlowLooks) -> None:
    threads = slow_looks.ask(1, None)
    wait_until(lambda: slow_looks.begun == 1)
    threads += slow_looks.ask(16, observer.FRESH)
    time.sleep(0.2)
    slow_looks.may_end.release()
    for thread in threads:
        thread.join(20)
    assert (len(slow_looks.answers), slow_looks.begun) == (17, 1)


def test_who_wants_a_look_that_begins_after_the_question_shares_the_next_one(bench: Bench, slow_looks: SlowLooks
                                                                             ) -> None:
    threads = slow_looks.ask(1, None)
    wait_until(lambda: slow_looks.begun == 1)
    threads += slow_looks.ask(16, None)
    time.sleep(0.2)
    slow_looks.may_end.release(2)
    for thread in threads:
        thread.join(20)
    assert (len(slow_looks.answers), slow_looks.begun) == (17, 2)


def test_the_age_of_a_look_counts_from_its_end(bench: Bench, slow_looks: SlowLooks) -> None:
    (thread,) = slow_looks.ask(1, None)
    time.sleep(0.3)
    slow_looks.may_end.release()
    thread.join(20)
    assert bench.observer.look(10.0) is slow_looks.answers[0]
    slow_looks.may_end.release()
    assert bench.observer.look(0.0) is not slow_looks.answers[0]


def test_everybody_is_answered_while_a_member_is_slow(bench: Bench, short_folder: Path) -> None:
    """A look takes 0.6 s and follows on the last one, as in the monitor's own loop."""
    observe, stop = bench.subject.observe, threading.Event()

    def slowly(members: Sequence[Member], deadline: float) -> Observation:
        time.sleep(0.6)
        return observe(members, deadline)

    bench.subject.observe = slowly  # type: ignore[method-assign]

    def keep_looking() -> None:
        while not stop.is_set():
            bench.observer.look()

    looking = threading.Thread(target=keep_looking)
    looking.start()
    serving = Serving(short_folder / "m.sock", {"observe": lambda: asdict(bench.observer.look(observer.FRESH))})
    try:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: rpc.call(serving.path, "observe", timeout=5.0), range(32)))
    finally:
        stop.set()
        looking.join(20)
        serving.end()
    assert all(answer["members"] for answer in answers)


def test_a_look_that_fails_leaves_nobody_waiting(bench: Bench, slow_looks: SlowLooks,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.observer, "_publish", lambda *_: 1 / 0)

    def fail() -> None:
        with pytest.raises(ZeroDivisionError):
            bench.observer.look()

    asked = threading.Thread(target=fail)
    asked.start()
    wait_until(lambda: slow_looks.begun == 1)
    threads = slow_looks.ask(4, observer.FRESH)
    time.sleep(0.2)
    slow_looks.may_end.release()
    for thread in (asked, *threads):
        thread.join(20)
    assert len(slow_looks.answers) == 4


@pytest.mark.parametrize(("age", "known"), [(0.0, True), (observer.LOAD_FRESH + 1, False)])
def test_only_a_fresh_load_is_part_of_a_look(bench: Bench, clock: Clock, age: float, known: bool) -> None:
    data: dict[str, Any] = {"ops": 5, "p50": 0.1, "p99": 0.2, "errors": {}}
    Recorder(bench.store, "run-1", WORKLOAD, io.StringIO()).say(Load.of(data))
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


@pytest.mark.parametrize("restarted", [False, True])
def test_no_ticket_opens_while_a_fault_is_only_half_there(bench: Bench, clock: Clock, restarted: bool) -> None:
    bench.announced.announce([], clock.now + 5, hold=True)
    if restarted:
        bench.observer = bench.new_observer()
    bench.members.set("m1", state="exited", address=None)
    clock.look(4)
    assert bench.states() == []
    clock.look(2)
    assert bench.states() == ["open"]
