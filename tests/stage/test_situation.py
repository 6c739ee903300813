"""What the stage waits for. When a fault began, and which ticket is its, is `tests/core/test_run_state.py`'s."""

from typing import Any

from operator_demo import events
from operator_demo.events import AGENT, MONITOR, STAGE, WORKLOAD, Event
from operator_demo.stage.situation import Situation

HEALTHY = {"etcd1": {"healthy": True, "leader": True}, "etcd2": {"healthy": True}}


def at(second: float, source: str, type: str, ticket: str | None = None, **data: Any) -> Event:
    made = events.event("run-1", source, events.TYPES[type].of(data), ticket=ticket)
    return made.numbered(1, f"2026-01-01T00:00:{second:09.6f}Z")


def opened(second: float, ticket: str) -> Event:
    return at(second, MONITOR, "ticket_opened", ticket, subject="etcd", severity="critical", title="t",
              violations=[{"key": "member_down", "invariant": "member_down"}])


def look(second: float, members: dict[str, Any], *violations: str) -> Event:
    return at(second, MONITOR, "observation", members=members, cluster={}, violations=violations, duration=0.1)


FAULT = at(10, STAGE, "fault", phase="injecting", kind="kill", targets=["etcd1"])


def fold(*many: Event) -> Situation:
    situation = Situation()
    for event in many:
        situation.apply(event)
    return situation


def test_without_a_load_the_looks_count() -> None:
    looks = [look(second, HEALTHY) for second in range(1, 6)]
    started = [at(0, WORKLOAD, "workload_started", rate=rate, read_share=0.5, keys=64) for rate in (0, 100)]
    assert fold(started[0], *looks).well_for(5)
    assert not fold(started[0], *looks).well_for(6)
    assert not fold(started[1], *looks).well_for(5)


def test_good_looks_are_counted_in_a_row() -> None:
    good, sick = look(1, HEALTHY), look(2, HEALTHY | {"etcd2": {"healthy": False}})
    assert fold(good, good).healthy_looks == 2
    assert [fold(good, bad).healthy_looks for bad in (sick, look(2, {}), look(2, HEALTHY, "no_leader"))] == [0, 0, 0]
    assert fold(sick).roles == {"etcd1": "leader"}


def test_good_seconds_of_load_are_counted_in_a_row() -> None:
    started = at(1, WORKLOAD, "workload_started", rate=100, read_share=0.5, keys=1)
    good = at(2, WORKLOAD, "load", ops=90, p50=None, p99=None, errors={})
    few, failing = (at(3, WORKLOAD, "load", ops=ops, p50=None, p99=None, errors=errors)
                    for ops, errors in ((70, {}), (90, {"timeout": 1})))
    assert fold(started, good, good).loaded_for(2)
    assert not fold(started, good, few).loaded_for(1) and not fold(started, good, failing).loaded_for(1)


def test_the_ticket_at_hand_is_the_faults_once_it_has_struck() -> None:
    earlier = [opened(3, "tkt-0"), at(4, MONITOR, "ticket_cleared", "tkt-0")]
    before = fold(*earlier)
    assert (before.ticket, before.closed, before.in_trouble) == ("tkt-0", True, False)
    struck = fold(*earlier, FAULT)
    assert (struck.ticket, struck.closed, struck.in_trouble) == (None, False, False)
    noticed = fold(*earlier, FAULT, opened(10.1, "tkt-1"))
    assert (noticed.ticket, noticed.ticket_state, noticed.in_trouble) == ("tkt-1", "open", True)


def test_by_hand_a_ticket_from_before_does_not_count_either() -> None:
    earlier = [opened(3, "tkt-0"), at(4, MONITOR, "ticket_cleared", "tkt-0"),
               at(5, MONITOR, "armed", fingerprint={}, checks=[])]
    assert fold(*earlier).ticket is None
    assert fold(*earlier, opened(20, "tkt-1")).ticket == "tkt-1"


def test_a_session_is_under_way_until_it_ends() -> None:
    started = at(1, AGENT, "session_started", model="m", brain="rehearsal", mode="execute")
    assert fold(started).working
    assert not fold(started, at(2, AGENT, "session_finished", status="verified", summary="")).working
