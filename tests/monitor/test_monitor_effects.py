"""What the engine tells becomes an effect, or is noise; and who did it."""

import io
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from monitor_bench import Bench

from operator_demo import labels, tickets
from operator_demo.engine import EngineEvent
from operator_demo.events import GUARD, Guard, ToolCall, ToolResult, timestamp
from operator_demo.monitor.announced import Announced
from operator_demo.monitor.effects import Effects
from operator_demo.monitor.health_checks import HealthChecks
from operator_demo.store import Recorder

HEALTHCHECK = "curl --fail http://127.0.0.1/health"
LATER = 3600.0  # seconds after which nothing waits any more


class Logged:
    """An engine whose containers have this health check, and the log of it."""

    def __init__(self) -> None:
        self.log: list[dict[str, str]] = []

    def inspect(self, container: str) -> dict[str, Any]:
        return {"Config": {"Healthcheck": {"Test": ["CMD", *HEALTHCHECK.split()]}},
                "State": {"Health": {"Log": self.log}}}

    def add(self, start: float, end: float) -> None:
        self.log.append({"Start": timestamp(datetime.fromtimestamp(start, UTC)),
                         "End": timestamp(datetime.fromtimestamp(end, UTC))})


@pytest.fixture
def logged() -> Logged:
    return Logged()


def make_effects(bench: Bench, logged: Logged | None = None) -> Effects:
    return Effects(bench.monitor, bench.members, "p", bench.announced,  # type: ignore[arg-type]
                   HealthChecks((logged or Logged()).inspect), lambda container: container == "id-m2")


@pytest.fixture
def effects(bench: Bench, logged: Logged) -> Effects:
    bench.members.refresh()
    return make_effects(bench, logged)


def happening(action: str, member: str = "m1", kind: str = "container", **more: Any) -> EngineEvent:
    known: dict[str, Any] = {"name": f"p-{member}-1", "container": f"id-{member}", "time": time.time(), "project": "p",
                             "service": member, "attributes": {}}
    return EngineEvent(kind, action, **(known | more))


def foreign(action: str, **more: Any) -> EngineEvent:
    return happening(action, **({"name": "other", "container": "id-other", "project": "", "service": ""} | more))


def session(bench: Bench) -> str:
    """A ticket that is held."""
    ticket = tickets.open_(bench.monitor, subject="fake", severity="critical", title="t", violations=[])
    assert tickets.claim(bench.agent, "ses-1")
    return ticket


def call(bench: Bench, ticket: str, *requests: str, number: int = 1) -> None:
    """A tool call that goes on, with these requests to the engine: `start m1`."""
    bench.agent.say(ToolCall(call=f"c{number}", tool="shell", input={}), ticket=ticket, session="ses-1")
    for request in requests:
        entry(bench, request, ticket=ticket, call=f"c{number}")


def entry(bench: Bench, request: str, *, ticket: str | None = None, **more: Any) -> None:
    """What the guard writes before it forwards the request."""
    does, _, member = request.partition(" ")
    path = "/exec/0123/start" if does == "exec-start" else f"/containers/p-{member}-1/{does}?t=5"
    known: dict[str, Any] = {"caller": "agent", "ruling": "allow", "rule": f"docker {does}", "method": "POST",
                             "path": path, "object": f"p-{member}-1",
                             "object_id": f"id-{member}", "member": member}
    Recorder(bench.store, "run-1", GUARD, io.StringIO()).say(Guard(**(known | more)), ticket=ticket,
                                              session="ses-1" if ticket else None)


def result(bench: Bench, ticket: str, number: int = 1) -> None:
    bench.agent.say(ToolResult(call=f"c{number}", tool="shell", status="ok", output=""), ticket=ticket, session="ses-1")


def told(bench: Bench) -> list[tuple[str, str | None]]:
    return [(e["action"], e["explained"]) for e in bench.of("effect")]


def test_what_nobody_announced_is_unexplained(bench: Bench, effects: Effects) -> None:
    effects.record(happening("kill", attributes={"signal": "9"}))
    effects.record(happening("die", attributes={"exitCode": "137"}))
    kill, die = bench.of("effect")
    assert kill == {"container": "p-m1-1", "member": "m1", "action": "kill", "explained": None, "time": kill["time"],
                    "signal": "9"}
    assert die["exit_code"] == 137


def test_an_announced_fault_explains_its_containers_for_its_time(bench: Bench, effects: Effects) -> None:
    now = time.time()
    bench.announced.announce(["id-m1"], now + 2)
    effects.record(happening("die", time=now + 1))
    effects.record(happening("die", time=now + 3))
    effects.record(happening("die", "m2", time=now + 1))
    assert told(bench) == [("die", "fault"), ("die", None), ("die", None)]


def test_a_monitor_that_is_started_again_knows_what_was_announced(bench: Bench) -> None:
    bench.announced.announce(["id-m1"], time.time() + 20)
    bench.new_observer()
    make_effects(bench).record(happening("die"))
    assert told(bench) == [("die", "fault")]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"faults": 1, "held_until": 0}'])
def test_a_file_of_announcements_that_is_damaged_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "announced.json").write_text(content)
    announced = Announced(tmp_path / "announced.json")
    assert not announced.is_fault("id-m1", 0.1)


def test_what_follows_from_a_request_is_linked_to_its_call(bench: Bench, effects: Effects) -> None:
    ticket = session(bench)
    effects.record(happening("pause"))
    call(bench, ticket, "start m1")
    effects.record(happening("start", time=time.time()))
    result(bench, ticket)
    effects.record(happening("stop", time=time.time() + 5))
    assert told(bench) == [("pause", None), ("start", "tool_call"), ("stop", None)]
    linked = next(bench.store.events("run-1", types=["effect"], session="ses-1"))
    assert (linked.ticket, linked.raw["call"]) == (ticket, "c1")


@pytest.mark.parametrize(("request_", "events"), [
    ("start m1", ["start", "die"]), ("stop m1", ["kill", "die", "stop"]), ("kill m1", ["kill", "die"]),
    ("restart m1", ["kill", "die", "stop", "start", "restart"]), ("pause m1", ["pause"]), ("unpause m1", ["unpause"]),
    ("update m1", ["update"]), ("exec-start m1", ["exec_start: sh", "die"])])
def test_a_request_explains_what_it_brings_about(bench: Bench, effects: Effects, request_: str,
                                                 events: list[str]) -> None:
    call(bench, session(bench), request_)
    for action in events:
        effects.record(happening(action, time=time.time()))
    assert told(bench) == [(action.partition(":")[0], "tool_call") for action in events]


def test_an_exec_is_caused_by_the_call_that_starts_it(bench: Bench, effects: Effects) -> None:
    ticket = session(bench)
    call(bench, ticket, "exec m1")
    result(bench, ticket)
    call(bench, ticket, "exec-start m1", number=2)
    effects.record(happening("exec_start: sh", time=time.time()))
    [linked] = bench.store.events("run-1", types=["effect"])
    assert (linked.session, linked.raw["call"]) == ("ses-1", "c2")


@pytest.mark.parametrize(("request_", "action"), [
    ("start m1", "kill"), ("start m2", "start"), ("exec-start m1", "kill"), ("exec m1", "exec_start: sh"),
    ("pause m1", "unpause"), ("logs m1", "die"), ("stop m1", "start")])
def test_what_happens_during_a_call_without_a_request_is_somebody_elses(bench: Bench, effects: Effects, request_: str,
                                                                        action: str) -> None:
    call(bench, session(bench), request_)
    effects.record(happening(action, time=time.time()))
    assert told(bench) == [(action.partition(":")[0], None)]


@pytest.mark.parametrize("more", [{"ruling": "deny"}, {"caller": "monitor"}, {"caller": "guard"}])
def test_a_request_that_was_refused_or_is_not_the_agents_explains_nothing(bench: Bench, effects: Effects,
                                                                          more: dict[str, str]) -> None:
    ticket = session(bench)
    call(bench, ticket)
    entry(bench, "stop m1", ticket=ticket, call="c1", **more)
    effects.record(happening("stop", time=time.time()))
    assert told(bench) == [("stop", None)]


def test_a_network_is_left_by_request(bench: Bench, effects: Effects) -> None:
    call(bench, session(bench), "disconnect m1")
    bench.members.set("m1", address=None)
    effects.record(happening("disconnect", kind="network", name="p_default", project="", service="",
                             time=time.time()))
    assert told(bench) == [("network disconnect", "tool_call")]


def test_an_event_that_comes_after_the_result_is_linked_by_its_time(bench: Bench, effects: Effects) -> None:
    ticket = session(bench)
    call(bench, ticket, "start m1")
    during = time.time()
    result(bench, ticket)
    call(bench, ticket, number=2)
    result(bench, ticket, 2)
    effects.record(happening("start", time=during))
    assert bench.of("effect")[0]["call"] == "c1"


def test_the_agents_own_deed_is_not_taken_for_the_fault(bench: Bench, effects: Effects) -> None:
    bench.announced.announce(["id-m1"], time.time() + 20)
    call(bench, session(bench), "start m1")
    effects.record(happening("start"))
    assert told(bench) == [("start", "tool_call")]


def test_a_restart_by_the_engine_is_policy(bench: Bench, effects: Effects) -> None:
    """The fixture's engine says so of m2."""
    call(bench, session(bench), "exec-start m2", "start m1")
    for action in ("die", "start"):
        effects.record(happening(action, "m2", time=time.time()))
    effects.record(happening("start", "m1"))
    assert told(bench) == [("die", "tool_call"), ("start", "policy"), ("start", "tool_call")]


def test_what_the_policy_started_and_died_again_is_policy(bench: Bench, effects: Effects) -> None:
    call(bench, session(bench), "kill m2")
    for action in ("start", "die", "start", "kill", "die"):
        effects.record(happening(action, "m2", time=time.time()))
    assert told(bench) == [("start", "policy"), ("die", "policy"), ("start", "policy"), ("kill", "tool_call"),
                           ("die", "tool_call")]


LIKE_A_HELPER: dict[str, Any] = {"name": "p-operator-aux-1", "container": "id-aux", "project": "p-operator",
                                 "service": "aux"}


def test_a_helper_that_the_host_announced_is_not_told_of(bench: Bench, effects: Effects) -> None:
    call(bench, session(bench))
    effects.record(happening("create", time=time.time(), **LIKE_A_HELPER))
    bench.announced.announce_own(["id-aux"])
    for action in ("start", "kill", "die", "destroy", "exec_start: sh"):
        effects.record(happening(action, time=time.time(), **LIKE_A_HELPER))
    effects.settle(time.time() + LATER)
    assert told(bench) == []


@pytest.mark.parametrize("marks", [{}, {labels.ONEOFF: "True"}, {labels.RUN: "run-1"}])
def test_the_labels_of_a_helper_exempt_nobody(bench: Bench, effects: Effects, marks: dict[str, str]) -> None:
    """(One that mounted the host's root was not told of.)"""
    bench.announced.announce_own(["id-of-another"])
    session(bench)
    for action in ("create", "start", "exec_start: sh", "die", "destroy"):
        effects.record(happening(action, time=time.time(), **LIKE_A_HELPER, attributes=marks))
    assert ("start", None) in told(bench)
    effects.settle(time.time() + LATER)
    assert sorted(told(bench)) == [(action, None) for action in ("create", "destroy", "die", "exec_start", "start")]


def test_a_monitor_that_is_started_again_knows_the_hosts_helpers(bench: Bench) -> None:
    bench.announced.announce_own(["id-aux"])
    bench.new_observer()
    session(bench)
    make_effects(bench).record(happening("die", **LIKE_A_HELPER))
    assert told(bench) == []


def test_what_still_waits_when_the_monitor_ends_is_told(bench: Bench, effects: Effects) -> None:
    session(bench)
    effects.record(happening("create", time=time.time(), **LIKE_A_HELPER))
    effects.settle(time.time())
    assert told(bench) == []
    effects.settle(math.inf)
    assert told(bench) == [("create", None)]


@pytest.mark.parametrize("action", [
    "exec_create: ls", "exec_die", f"exec_start: {HEALTHCHECK}", "health_status: healthy", "attach", "top", "resize"])
def test_noise(bench: Bench, effects: Effects, action: str) -> None:
    effects.record(happening(action))
    assert told(bench) == []


def test_a_command_in_a_member_is_told_without_secrets(bench: Bench, effects: Effects) -> None:
    effects.record(happening("exec_start: sh -c \x1b[31mPASSWORD=hunter22 rm -rf /var/lib/etcd"))
    assert bench.of("effect")[0]["command"] == "sh -c \\x1b[31mPASSWORD=[redacted] rm -rf /var/lib/etcd"


def test_a_stopped_member_leaves_its_network_without_a_word(bench: Bench, effects: Effects) -> None:
    bench.members.set("m1", state="exited", address=None)
    effects.record(happening("disconnect", kind="network", name="p_default", project="", service=""))
    effects.record(happening("connect", kind="network", name="p_default", project="", service=""))
    assert told(bench) == []


def test_a_running_member_that_is_cut_off_is_told_once_and_its_return_too(bench: Bench, effects: Effects) -> None:
    cut = happening("disconnect", kind="network", name="p_default", project="", service="")
    bench.members.set("m1", address=None)
    effects.record(cut)
    effects.record(cut)  # the engine says it twice
    bench.members.set("m1", address="10.0.0.1")
    effects.record(happening("connect", kind="network", name="p_default", project="", service=""))
    assert [a for a, _ in told(bench)] == ["network disconnect", "network connect"]
    assert bench.of("effect")[0]["container"] == "p-m1-1"
    assert bench.of("effect")[0]["network"] == "p_default"


@pytest.mark.parametrize(("name", "is_told"), [("p_m1-data", True), ("other", False)])
def test_a_volume_of_the_project_that_is_removed(bench: Bench, effects: Effects, name: str, is_told: bool) -> None:
    effects.record(foreign("destroy", kind="volume", name=name, container=""))
    assert told(bench) == ([("volume destroy", None)] if is_told else [])


def test_what_others_create_during_a_session_is_counted_and_told_in_one_line(bench: Bench, effects: Effects) -> None:
    effects.record(foreign("create", name="before"))
    ticket = session(bench)
    for number in range(40):
        effects.record(foreign("create", name=f"ci-{number}"))
        effects.record(foreign("start", name=f"ci-{number}"))
    call(bench, ticket, "create m1")
    effects.record(foreign("create", name="ci-0"))
    effects.record(foreign("create", attributes={labels.SESSION: "ses-1"}))
    assert told(bench) == [("create", "tool_call")]
    effects.tell_of_others()
    assert bench.of("note") == []  # the session still runs
    tickets.escalate(bench.agent, ticket, "enough")
    effects.tell_of_others()
    effects.tell_of_others()
    (note,) = bench.of("note")
    assert "41 create, 40 start of containers" in note["text"] and "(ci-0, ci-1, ci-2 and 37 more)" in note["text"]


def test_what_others_did_is_told_when_the_monitor_ends_in_a_session(bench: Bench, effects: Effects) -> None:
    session(bench)
    effects.record(foreign("create", name="ci\x1b[31m-1"))
    effects.tell_of_others(now=True)
    (note,) = bench.of("note")
    assert "(ci-1)" in note["text"]


def test_without_others_nothing_is_told_of_them(bench: Bench, effects: Effects) -> None:
    effects.tell_of_others(now=True)
    assert bench.of("note") == []


OWN_EXEC: dict[str, Any] = {"project": "p-operator", "service": "monitor", "attributes": {"execID": "exec-1"}}


def test_an_exec_of_the_host_is_known_by_its_id(bench: Bench, effects: Effects) -> None:
    session(bench)
    effects.record(foreign("exec_start: operator-demo ctl", time=time.time(), **OWN_EXEC))
    bench.announced.announce_own(["exec-1"])
    effects.settle(time.time() + LATER)
    assert told(bench) == []


def test_a_probe_of_the_subject_is_noise(bench: Bench) -> None:
    session(bench)
    effects = Effects(bench.monitor, bench.members, "p", bench.announced,  # type: ignore[arg-type]
                      HealthChecks(Logged().inspect), lambda container: False, lambda exec_id: exec_id == "exec-1")
    effects.record(happening("exec_start: psql", time=time.time(), attributes={"execID": "exec-1"}))
    effects.record(happening("exec_start: psql", time=time.time(), attributes={"execID": "exec-2"}))
    assert told(bench) == [("exec_start", None)]


@pytest.mark.parametrize("command", ["operator-demo ctl", "sqlite3 /data/tickets.db"])
@pytest.mark.parametrize("attributes", [{}, {"execID": ""}, {"execID": "exec-1"}])
def test_who_else_enters_our_own_containers_in_a_session_is_told(bench: Bench, effects: Effects, command: str,
                                                                 attributes: dict[str, str]) -> None:
    bench.announced.announce_own(["", "exec-2"])
    session(bench)
    effects.record(foreign(f"exec_start: {command}", time=time.time(), **OWN_EXEC | {"attributes": attributes}))
    effects.settle(time.time() + LATER)
    assert told(bench) == [("exec_start", None)]


# -- health checks ----------------------------------------------------------------------------------------------------


def test_the_engines_own_health_check_is_noise(bench: Bench, effects: Effects, logged: Logged) -> None:
    session(bench)
    now = time.time()
    effects.record(happening(f"exec_start: {HEALTHCHECK}", time=now))
    effects.settle(now)
    logged.add(now - 0.1, now + 0.1)  # (the engine logs it when it ends)
    effects.settle(now + LATER)
    assert told(bench) == []


def test_an_exec_that_only_looks_like_a_health_check_is_told(bench: Bench, effects: Effects, logged: Logged) -> None:
    call(bench, session(bench), "exec-start m1")
    now = time.time()
    logged.add(now - 9.0, now - 8.0)
    effects.record(happening(f"exec_start: {HEALTHCHECK}", time=now))
    effects.settle(now + LATER)
    assert told(bench) == [("exec_start", "tool_call")]


def test_also_in_our_own_containers(bench: Bench, effects: Effects, logged: Logged) -> None:
    session(bench)
    now = time.time()
    logged.add(now - 0.1, now + 0.1)
    for moment in (now, now + 5.0):
        effects.record(foreign(f"exec_start: {HEALTHCHECK}", time=moment, project="p-operator", service="network"))
    effects.settle(now + LATER)
    assert told(bench) == [("exec_start", None)]


def test_one_health_check_accounts_for_one_exec(bench: Bench, effects: Effects, logged: Logged) -> None:
    session(bench)
    now = time.time()
    logged.add(now - 0.1, now + 0.1)
    for offset in (0.0, 0.01):
        effects.record(happening(f"exec_start: {HEALTHCHECK}", time=now + offset))
    effects.settle(now + LATER)
    assert told(bench) == [("exec_start", None)]


# -- containers that are neither the subject's nor made by the session -----------------------------------------------


OTHERS: dict[str, Any] = {"name": "shop-db-1", "container": "c0ffee" * 10, "project": "shop", "service": "db"}


@pytest.mark.parametrize("action", ["stop", "exec_start: sh", "destroy"])
def test_what_others_do_in_a_session_is_counted(bench: Bench, effects: Effects, action: str) -> None:
    effects.record(foreign(action, time=time.time(), **OTHERS))
    call(bench, session(bench), "stop m1")
    effects.record(foreign(action, time=time.time(), **OTHERS))
    assert told(bench) == []
    effects.tell_of_others(now=True)
    assert f"1 {action.partition(':')[0]} of containers" in bench.of("note")[0]["text"]


def test_strangers_whose_names_the_guard_hides_are_counted(bench: Bench, effects: Effects) -> None:
    session(bench)
    effects.record(foreign("create", name=""))
    effects.tell_of_others(now=True)
    assert "1 create of containers that are neither the subject's nor ours. No tool call" in bench.of("note")[0]["text"]


@pytest.mark.parametrize("action", ["die", "oom", f"exec_start: {HEALTHCHECK}", "health_status: healthy"])
def test_what_others_containers_do_by_themselves_is_noise(bench: Bench, effects: Effects, action: str) -> None:
    call(bench, session(bench))
    effects.record(foreign(action, time=time.time(), **OTHERS))
    assert told(bench) == []


def test_a_restart_policy_of_others_is_noise_to_us(bench: Bench, effects: Effects) -> None:
    """(The fixture's engine would say of m2 that its policy started it: nobody asks for others.)"""
    call(bench, session(bench))
    effects.record(foreign("start", time=time.time(), **OTHERS))
    assert told(bench) == []


def test_what_a_session_does_with_what_it_made_is_its_own_affair(bench: Bench, effects: Effects) -> None:
    call(bench, session(bench), "create m1")
    for action in ("create", "start", "die", "destroy"):
        effects.record(foreign(action, name="probe", time=time.time(), attributes={labels.SESSION: "ses-1"}))
    assert told(bench) == [("create", "tool_call")]


def test_the_label_of_a_session_alone_proves_nothing(bench: Bench, effects: Effects) -> None:
    call(bench, session(bench), "start m1")
    effects.record(foreign("create", name="probe", time=time.time(), attributes={labels.SESSION: "ses-1"}))
    assert told(bench) == []


def test_the_guards_own_helper_is_not_told_of(bench: Bench, effects: Effects) -> None:
    ticket = session(bench)
    call(bench, ticket)
    entry(bench, " ", ticket=ticket, caller="guard", object="operator-demo-kill-1", object_id="")
    for action in ("create", "start", "destroy"):
        effects.record(foreign(action, name="operator-demo-kill-1", time=time.time()))
    effects.tell_of_others(now=True)
    assert (told(bench), bench.of("note")) == ([], [])


def test_what_happens_to_our_own_containers_in_a_session_is_told(bench: Bench, effects: Effects) -> None:
    ours: dict[str, Any] = {"name": "p-operator-monitor-1", "project": "p-operator", "service": "monitor"}
    effects.record(foreign("kill", time=time.time(), **ours))
    session(bench)
    effects.record(foreign("kill", time=time.time(), **ours))
    effects.record(foreign("stop", time=time.time(), **ours | {"service": "workload"}))
    assert told(bench) == [("kill", None), ("stop", "workload")]


def test_the_load_is_ours(bench: Bench, effects: Effects) -> None:
    effects.record(foreign("start", project="p-operator", service="workload"))
    effects.record(foreign("start", project="p-operator", service="agent"))
    assert told(bench) == [("start", "workload")]
