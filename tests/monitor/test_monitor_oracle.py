"""The oracle: its baseline, and for each of its items a world in which that item alone fails."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from monitor_bench import Bench, Serving

from operator_demo import events, outcomes, tickets
from operator_demo.events import Effect, timestamp
from operator_demo.monitor import oracle as oracle_module
from operator_demo.monitor.oracle import NotHealthy, Oracle
from operator_demo.store import Row
from operator_demo.subject import Check, Violation
from operator_demo.workload.ledger import LEDGER_FILE, Ledger


class World:
    """A healthy subject that was broken once and repaired; tests break one thing more."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.folder, self.stop = bench, folder, threading.Event()
        self.fingerprint: dict[str, dict[str, Any]] = {
            name: {"image": "i", "environment": ["A=1"], "volumes": [{"name": f"{name}-data", "mark": "a1"}]}
            for name in bench.subject.members}
        self.writes: dict[str, Any] = {"kept": 100, "lost": 0, "unknown": 0, "details": []}
        self.seconds: list[dict[str, Any]] = []
        self.load = {"ops": 200, "p50": 0.001, "p99": 0.01, "errors": {}}
        self.oracle = self.new()

    def new(self) -> Oracle:
        return Oracle(self.bench.observer, self.bench.monitor, lambda: self.fingerprint, self.folder / "workload.sock",
                      self.folder, self.stop)

    def quiet(self, seconds: float) -> None:
        """As if the invariants had held for so long."""
        self.bench.observer.look()
        self.bench.observer._holds_since = time.time() - seconds

    def check(self, limit: float) -> dict[str, Any]:
        return self.writes

    def ticket(self) -> Row:
        """One that the agent says is repaired."""
        bench = self.bench
        violation = events.Violation("member_down:m1", "member_down", "m1", "critical", "m1 is down.", ago(20))
        ticket = tickets.open_(bench.monitor, subject="fake", severity="critical", title="t",
                               violations=[violation])
        assert tickets.claim(bench.agent, "ses-1")
        tickets.verify(bench.agent, ticket, "ses-1", "done", [])
        return tickets.get(bench.store, ticket)


def ago(seconds: float) -> str:
    return timestamp(datetime.now(UTC) - timedelta(seconds=seconds))


@pytest.fixture
def world(bench: Bench, short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(bench, short_folder)
    serving = Serving(short_folder / "workload.sock", {"check": made.check})
    # 40 s of load: 20 s of it before the fault, then a second that it hit, then as before.
    monkeypatch.setattr(oracle_module, "loads", lambda *_: [
        {"ts": time.time() - age, "data": made.load if age < 6 else GOOD if age != 19 else HIT} for age in range(40)])
    monkeypatch.setattr(oracle_module, "LOAD_HEAL", 0.0)
    made.quiet(oracle_module.QUIET)
    made.oracle.arm({"allow": []})
    made.quiet(oracle_module.HOLD + 1)
    yield made
    made.stop.set()
    serving.end()


GOOD = {"ops": 200, "p50": 0.001, "p99": 0.01, "errors": {}}
HIT = {"ops": 150, "p50": 0.001, "p99": 0.9, "errors": {"timeout": 7}}


def verdict(world: World) -> dict[str, str]:
    ticket = world.ticket()
    return {c.name: c.status for c in world.oracle.final(ticket, time.time())}


ITEMS = ("invariants", "data_plane", "agreement", "redundancy", "fingerprint", "writes", "load")
ALL = dict.fromkeys(ITEMS, "passed")


def test_a_real_repair_passes_every_item(world: World) -> None:
    assert verdict(world) == ALL


def violated(world: World) -> None:
    world.bench.subject.found = [Violation("member_down", "m1", "critical", "m1 does not answer.")]


def told_by_subject(name: str, status: str = "failed") -> Callable[[World], None]:
    def break_(world: World) -> None:
        world.bench.subject.checks[name] = Check(name, status, "not so")
    return break_


def changed(item: str, value: object) -> Callable[[World], None]:
    def break_(world: World) -> None:
        world.fingerprint = {n: dict(m) for n, m in world.fingerprint.items()}
        world.fingerprint["m1"][item] = value
    return break_


def without_m1(world: World) -> None:
    world.fingerprint = {n: m for n, m in world.fingerprint.items() if n != "m1"}


def another_m1(world: World) -> None:
    observe = world.bench.subject.observe

    def see(*arguments: Any) -> Any:
        observation = observe(*arguments)
        observation.members["m1"]["id"] = "another"
        return observation
    world.bench.subject.observe = see  # type: ignore[method-assign]


def writes(**answer: Any) -> Callable[[World], None]:
    return lambda world: world.writes.update(answer)


def load(**data: Any) -> Callable[[World], None]:
    def break_(world: World) -> None:
        world.load = GOOD | data
    return break_


@pytest.mark.parametrize(("break_", "item", "status"), [
    (violated, "invariants", "failed"),
    (lambda world: world.quiet(9.0), "invariants", "failed"),
    (told_by_subject("data_plane"), "data_plane", "failed"),
    (told_by_subject("agreement"), "agreement", "failed"),
    (told_by_subject("agreement", "unknown"), "agreement", "unknown"),
    (told_by_subject("redundancy"), "redundancy", "failed"),
    (without_m1, "fingerprint", "failed"),
    (another_m1, "fingerprint", "failed"),
    (changed("image", "other"), "fingerprint", "failed"),
    (changed("environment", []), "fingerprint", "failed"),
    (changed("volumes", [{"name": "m1-data", "mark": None}]), "fingerprint", "failed"),
    (changed("limits", {"memory": 1}), "fingerprint", "failed"),
    (writes(lost=1, details=["k: 1 lost"]), "writes", "failed"),
    (writes(unknown=1), "writes", "unknown"),
    (load(errors={"timeout": 30}), "load", "failed"),
    (load(ops=150), "load", "failed"),
    (load(p99=0.5), "load", "failed"),
    (load(p99=None), "load", "failed"),
])
def test_each_item_alone_can_fail(world: World, break_: Callable[[World], None], item: str, status: str) -> None:
    break_(world)
    if break_ is violated:
        world.bench.observer.look()
    assert verdict(world) == ALL | {item: status}


def test_a_load_that_cannot_be_asked_leaves_the_writes_unknown(world: World) -> None:
    world.oracle._workload_socket = world.folder / "nobody.sock"
    assert verdict(world) == ALL | {"writes": "unknown"}


@pytest.mark.parametrize(("value", "status"), [("10", "passed"), ("9", "failed"), (None, "unknown")])
def test_the_writes_of_a_load_that_is_gone_are_checked_by_what_it_left(
        world: World, monkeypatch: pytest.MonkeyPatch, value: str | None, status: str) -> None:
    """Ten writes were acknowledged, and the key holds `value`; without one no member can be read."""
    ledger = Ledger(world.folder / LEDGER_FILE, ["a"])
    for _ in range(10):
        ledger.acknowledge("a", ledger.next("a"))
    ledger.flush()
    world.oracle._workload_socket = world.folder / "nobody.sock"
    monkeypatch.setattr(world.bench.subject, "client", lambda *_: FakeClient(value))
    assert verdict(world) == ALL | {"writes": status}
    ledger.close()


class FakeClient:
    """Every key holds the same value."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def put(self, key: str, value: str) -> None:
        raise NotImplementedError

    def get(self, key: str) -> str | None:
        if self._value is None:
            raise TimeoutError
        return self._value

    def close(self) -> None:
        return


def test_a_check_that_breaks_is_unknown_and_not_passed(world: World) -> None:
    world.bench.subject.checks.clear()
    assert verdict(world) == ALL | dict.fromkeys(("data_plane", "agreement", "redundancy"), "unknown")


def test_a_load_that_the_fault_did_not_move_is_not_tested(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_module, "loads", lambda *_: [{"ts": time.time() - n, "data": GOOD} for n in range(40)])
    assert verdict(world) == ALL | {"load": "not_tested"}


def test_a_load_that_ended_before_the_fault_is_not_tested(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_module, "loads",
                        lambda *_: [{"ts": time.time() - n, "data": GOOD} for n in range(25, 50)])
    assert verdict(world) == ALL | {"load": "not_tested"}


def test_a_load_that_fell_silent_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_module, "loads",
                        lambda *_: [{"ts": time.time() - n, "data": GOOD} for n in range(10, 50)])
    assert verdict(world) == ALL | {"load": "failed"}


def test_a_load_that_is_shaken_for_a_moment_is_given_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_module, "LOAD_HEAL", 30.0)
    start = time.time()
    monkeypatch.setattr(oracle_module, "loads", lambda *_: [
        {"ts": start + n, "data": GOOD if n < -20 or (n > -5 and time.time() > start + 1) else HIT}
        for n in range(4, -41, -1)])
    assert verdict(world) == ALL


@pytest.mark.parametrize(("allow", "break_", "status"), [
    (["data"], changed("volumes", []), "passed"), (["data"], changed("image", "x"), "failed"),
    (["member_id"], another_m1, "passed"), (["environment"], changed("environment", []), "passed")])
def test_a_scenario_may_allow_what_a_repair_must_change(world: World, allow: list[str],
                                                        break_: Callable[[World], None], status: str) -> None:
    world.oracle.arm({"allow": allow})
    break_(world)
    assert verdict(world)["fingerprint"] == status


# -- the baseline ----------------------------------------------------------------------------------------------------

def test_it_is_taken_only_while_all_is_healthy(world: World) -> None:
    world.bench.members.set("m1", state="exited", address=None)
    with pytest.raises(NotHealthy, match="m1 is exited"):
        world.oracle.arm()
    world.bench.members.set("m1", state="running", address="10.0.0.1")
    with pytest.raises(NotHealthy, match="quiet for 0 s"):
        world.oracle.arm()


def test_it_outlives_a_restart_and_is_its_owners_alone(world: World) -> None:
    assert (world.folder / "baseline.json").stat().st_mode & 0o777 == 0o600
    world.oracle = world.new()
    assert world.oracle.armed
    assert verdict(world) == ALL


def test_what_is_said_of_it_does_not_tell_what_is_allowed(world: World) -> None:
    world.oracle.arm({"allow": ["data"]})
    assert "allow" not in str(world.bench.of("armed")[-1])


def test_without_it_nothing_passes(world: World) -> None:
    (world.folder / "baseline.json").unlink()
    world.oracle = world.new()
    assert verdict(world) == ALL | {"redundancy": "unknown", "fingerprint": "unknown"}


# -- its part in the life of a ticket ---------------------------------------------------------------------------------

@pytest.fixture
def judging(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(oracle_module, "HEAL", 0.3)
    thread = threading.Thread(target=world.oracle.run)
    thread.start()
    yield world
    world.stop.set()
    thread.join(10)
    assert not thread.is_alive()


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_subject_that_heals_slowly_gets_its_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_module, "HEAL", 0.0)
    world.bench.subject.heal_time = 1.0
    world.bench.observer = world.bench.new_observer()
    oracle = world.new()
    violated(world)
    world.bench.observer.look()
    began = time.monotonic()
    oracle._wait_for_quiet()
    assert time.monotonic() - began >= 1.0


def test_it_looks_once_when_a_ticket_opens(judging: World) -> None:
    violated(judging)
    judging.bench.observer._graces["member_down"] = 0
    judging.bench.observer.look()
    wait_until(lambda: judging.bench.of("verdict"))
    time.sleep(0.6)
    (opening,) = judging.bench.of("verdict")
    assert (opening["phase"], opening["passed"]) == ("opening", False)


def test_a_repair_that_is_real_resolves_the_ticket(judging: World) -> None:
    ticket = judging.ticket()["ticket"]
    wait_until(lambda: tickets.get(judging.bench.store, ticket)["state"] == "resolved")
    final = next(e for e in judging.bench.store.events("run-1", types=["verdict"]) if e.raw["phase"] == "final")
    assert (final.raw["passed"], final.ticket, final.session) == (True, ticket, "ses-1")


def test_one_that_is_not_goes_back_once_with_words_and_then_to_a_human(judging: World) -> None:
    violated(judging)
    judging.bench.observer.look()
    bench, ticket = judging.bench, judging.ticket()["ticket"]
    wait_until(lambda: tickets.get(bench.store, ticket)["state"] == "acknowledged")
    assert "m1 does not answer" in bench.of("ticket_returned")[0]["words"]
    tickets.verify(bench.agent, ticket, "ses-1", "again", [])
    wait_until(lambda: tickets.get(bench.store, ticket)["state"] == "escalated")
    assert [v["passed"] for v in bench.of("verdict") if v["phase"] == "final"] == [False, False]


@pytest.mark.parametrize("opening_was_said", [True, False])
@pytest.mark.parametrize("well", [True, False])
def test_what_was_being_verified_when_the_monitor_died_is_judged_by_the_next_one(
        world: World, monkeypatch: pytest.MonkeyPatch, opening_was_said: bool, well: bool) -> None:
    monkeypatch.setattr(oracle_module, "HEAL", 0.3)
    bench, ticket = world.bench, world.ticket()
    if opening_was_said:
        world.oracle._say("opening", ticket, world.oracle.opening())
    world.oracle._wait_for_quiet()  # here it dies
    bench.observer = bench.new_observer()
    if not well:
        violated(world)
        bench.observer.look()
    else:
        world.quiet(oracle_module.HOLD + 1)
    thread = threading.Thread(target=world.new().run)
    thread.start()
    try:
        state = "resolved" if well else "acknowledged"
        wait_until(lambda: tickets.get(bench.store, ticket["ticket"])["state"] == state)
    finally:
        world.stop.set()
        thread.join(10)
    assert [v["phase"] for v in bench.of("verdict")] == ["opening", "final"]


@pytest.mark.parametrize(("break_", "item"), [
    (lambda w, m: w.writes.clear(), "writes"),
    (lambda w, m: m.setattr(oracle_module, "loads", lambda *_: 1 / 0), "load"),
    (lambda w, m: setattr(w, "fingerprint", None), "fingerprint")])
def test_an_item_that_breaks_is_unknown_and_the_ticket_is_judged(
        world: World, monkeypatch: pytest.MonkeyPatch, break_: Callable[[World, pytest.MonkeyPatch], None],
        item: str) -> None:
    break_(world, monkeypatch)
    assert verdict(world) == ALL | {item: "unknown"}


def test_a_ticket_that_was_taken_away_meanwhile_gets_no_verdict(world: World) -> None:
    ticket = world.ticket()
    tickets.escalate(world.bench.monitor, ticket["ticket"], "the host says so")
    world.oracle.judge(ticket)
    assert world.bench.of("verdict") == []


def nothing_done(world: World, *effects: tuple[str, str | None, str | None]) -> list[Check]:
    """The verdict on a claim that nothing was to do; the effects are (action, member, who did it)."""
    bench = world.bench
    said = events.Violation("member_down:m1", "member_down", "m1", "critical", "says he", ago(20))
    ticket = tickets.open_(bench.monitor, subject="fake", severity="critical", title="t", violations=[said])
    assert tickets.claim(bench.agent, "ses-1")
    for action, member, explained in effects:
        effect = Effect(container="c", member=member, action=action, explained=explained, time=time.time() - 20)
        bench.monitor.say(effect, ticket=ticket if explained == "tool_call" else None, session="ses-1")
    tickets.verify(bench.agent, ticket, "ses-1", "nothing is wrong", [], outcomes.NO_ACTION)
    world.oracle.judge(tickets.get(bench.store, ticket))
    return [Check(**c) for c in bench.of("verdict")[-1]["checks"]]


def test_a_claim_that_nothing_was_to_do_is_checked_like_a_repair(world: World) -> None:
    found = nothing_done(world, ("exec_start", "m1", "tool_call"), ("create", None, "tool_call"),
                         ("die", "m1", "fault"))
    assert {c.name: c.status for c in found} == ALL | {"untouched": "passed"}
    assert world.bench.of("ticket_resolved") == [{"outcome": "no_action"}]


@pytest.mark.parametrize("action", ["restart", "update", "pause"])
def test_who_touched_the_subject_cannot_claim_that_nothing_was_to_do(world: World, action: str) -> None:
    found = nothing_done(world, (action, "m1", "tool_call"))
    assert [c.name for c in found if c.status == "failed"] == ["untouched"]
    assert f"{action} of m1" in world.bench.of("ticket_returned")[0]["words"]


def test_nothing_to_do_is_not_so_while_something_is_broken(world: World) -> None:
    world.bench.subject.checks["redundancy"] = Check("redundancy", "failed", "2 of 3")
    nothing_done(world)
    assert world.bench.of("ticket_resolved") == []
