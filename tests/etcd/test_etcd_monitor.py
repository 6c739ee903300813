"""The monitor at work on a real cluster."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from etcd_cluster import Cluster, Watching, wait_until

from operator_demo import tickets
from operator_demo.guard import time_limit
from operator_demo.guard.upstream import Upstream
from subjects.etcd.gateway import Gateway
from subjects.etcd.subject import SUBJECT

pytestmark = pytest.mark.engine


def other_than_leader(cluster: Cluster) -> str:
    leader = cluster.leader()
    return next(name for name in SUBJECT.members if name != leader)


@pytest.mark.parametrize(("fault", "repair", "effect"), [
    ("kill", "start", "die"), ("stop", "start", "die"), ("pause", "unpause", "pause"),
    ("disconnect", "connect", "network disconnect")])
def test_a_fault_opens_a_ticket_and_its_end_clears_it(cluster: Cluster, watching: Watching, fault: str, repair: str,
                                                      effect: str) -> None:
    victim = other_than_leader(cluster)
    container = cluster.containers()[victim].id
    watching.ask("fault", containers=[container], seconds=5)
    cluster.act(fault, victim)
    wait_until(lambda: watching.of("ticket_opened"), 5)
    (opened,) = watching.store.events("run-test", types=["ticket_opened"])
    assert [v["key"] for v in opened.raw["violations"]] == [f"member_down:{victim}"]
    wait_until(lambda: any(e["action"] == effect for e in watching.of("effect")), 5)
    seen = next(e for e in watching.of("effect") if e["action"] == effect)
    assert (seen["member"], seen["explained"]) == (victim, "fault")
    wait_until(lambda: watching.of("verdict"), 10)
    assert watching.of("verdict")[0]["passed"] is False
    cluster.act(repair, victim)
    wait_until(lambda: watching.of("ticket_cleared"), 30)
    assert len(watching.of("ticket_opened")) == 1


def test_a_process_that_hangs_opens_one_after_its_grace(cluster: Cluster, watching: Watching) -> None:
    victim = other_than_leader(cluster)
    cluster.act("SIGSTOP", victim)
    began = time.monotonic()
    wait_until(lambda: watching.of("ticket_opened"), 15)
    assert time.monotonic() - began > 2
    durations = [float(str(o["duration"])) for o in watching.of("observation")]
    assert max(durations) < 2.5
    cluster.act("SIGCONT", victim)
    wait_until(lambda: watching.of("ticket_cleared"), 30)


def test_a_process_that_dies_by_itself_comes_back_without_a_ticket(cluster: Cluster, watching: Watching) -> None:
    victim = other_than_leader(cluster)
    cluster.act("SIGKILL", victim)
    wait_until(lambda: any(e["action"] == "start" for e in watching.of("effect")), 15)
    assert {e["action"]: e["explained"] for e in watching.of("effect")} == {"die": None, "start": "policy"}
    wait_until(cluster.whole, 20)
    assert watching.of("ticket_opened") == []


def test_without_the_engines_events_the_looks_find_it(cluster: Cluster, watching: Watching,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching.monitor.observer, "apply", lambda _: None)
    watching.monitor._wake.set = lambda: None  # type: ignore[method-assign]
    cluster.act("kill", other_than_leader(cluster))
    wait_until(lambda: watching.of("ticket_opened"), 8)


def test_health_checks_are_no_effects(cluster: Cluster, watching: Watching) -> None:
    time.sleep(5)
    assert watching.of("effect") == []


def test_the_monitor_stops_promptly_in_the_middle_of_a_slow_look(cluster: Cluster, watching: Watching) -> None:
    cluster.act("SIGSTOP", *SUBJECT.members[:2])
    time.sleep(1.2)
    began = time.monotonic()
    watching.stop.set()
    watching._thread.join(10)
    assert time.monotonic() - began < 4
    left = {t.name for t in threading.enumerate()} - {"MainThread"}
    assert not {name for name in left if name in ("events", "oracle", "socket") or name.startswith("rpc")}


def test_at_the_end_of_its_time_the_guard_stops_the_members_in_whatever_state(cluster: Cluster) -> None:
    cluster.act("kill", "etcd0")
    cluster.act("pause", "etcd1")
    asyncio.run(time_limit.end_run(Upstream(Path("/var/run/docker.sock")), cluster.project))
    assert {c.state for c in cluster.containers().values()} == {"exited"}


def test_at_the_end_of_its_time_it_writes_the_end_down(cluster: Cluster, tmp_path: Path) -> None:
    cluster.act("kill", "etcd0")
    watching = Watching(cluster.engine, cluster.project, tmp_path, max_time=3.0, well=True)
    watching.start()
    try:
        watching._thread.join(40)
        assert not watching._thread.is_alive()
        assert "time of a run" in str(watching.of("note")[0]["text"])
        assert [row["state"] for row in watching.store.rows("SELECT state FROM tickets")] == ["escalated"]
    finally:
        watching.end()


# -- what a member looks like after a repair that is none --------------------------------------------------------------

@pytest.fixture
def armed(cluster: Cluster, watching: Watching) -> Watching:
    wait_until(lambda: watching.ask("status")["healthy"], 20)
    watching.ask("arm", timeout=10)
    return watching


def judged(watching: Watching) -> dict[str, str]:
    """The statuses of a final look, as if the ticket had just been said to be repaired."""
    wait_until(lambda: watching.monitor.observer.held_for() > 10, 30)
    ticket = tickets.open_(watching.monitor.oracle._recorder, subject="etcd", severity="critical", title="t",
                           violations=[])
    row = tickets.get(watching.store, ticket)
    return {c.name: c.status for c in watching.monitor.oracle.final(row, time.time())}


GOOD = {"invariants": "passed", "data_plane": "passed", "agreement": "passed", "redundancy": "passed",
        "fingerprint": "passed", "writes": "unknown", "load": "not_tested"}  # no load runs here


def less_memory(cluster: Cluster) -> Callable[[], None]:
    container = cluster.containers()["etcd1"].id
    cluster.engine.client.api.update_container(container, mem_limit="512m", memswap_limit="512m")
    return lambda: None


def a_member_that_never_started(cluster: Cluster) -> Callable[[], None]:
    gateway = Gateway(str(cluster.members()[0].address))
    added = gateway.post("/v3/cluster/member/add", {"peerURLs": ["http://etcd9:2380"], "isLearner": True}, 5.0)
    return lambda: gateway.post("/v3/cluster/member/remove", {"ID": added["member"]["ID"]}, 5.0) and None


@pytest.mark.parametrize(("break_", "item"), [
    (lambda _: lambda: None, None), (a_member_that_never_started, "redundancy"), (less_memory, "fingerprint")])
def test_each_alone_is_seen(cluster: Cluster, armed: Watching, break_: Callable[[Cluster], Callable[[], None]],
                            item: str | None) -> None:
    undo = break_(cluster)
    try:
        assert judged(armed) == GOOD | ({item: "failed"} if item else {})
    finally:
        undo()
