from operator_demo import events
from operator_demo.events import Event
from operator_demo.stage.situation import Situation


def at(second: float, source: str, type: str, ticket: str | None = None, **data: object) -> Event:
    made = events.event("run-1", source, events.TYPES[type].of(data), ticket=ticket)
    stamp = f"2026-01-01T00:00:{second:09.6f}Z"
    return Event(made.run, made.source, made.type, made.raw, 1, stamp, ticket, None)


def opened(second: float, ticket: str) -> Event:
    return at(second, events.MONITOR, "ticket_opened", ticket, subject="etcd", severity="critical", title="t",
              violations=[{"key": "member_down", "invariant": "member_down"}])


FAULT = at(10, events.STAGE, "fault", phase="injecting", kind="kill", targets=["etcd1"])


def fold(*many: Event) -> Situation:
    situation = Situation()
    for event in many:
        situation.apply(event)
    return situation


def test_the_clocks_start_with_the_engines_own_event() -> None:
    start = events.parse_ts("2026-01-01T00:00:10.500000Z")
    situation = fold(
        FAULT, at(10.5, events.MONITOR, "effect", container="c", member="etcd1", action="die", explained="fault",
                  time=start), opened(10.6, "tkt-1"),
        at(30, events.MONITOR, "verdict", "tkt-1", phase="final", passed=True, checks=[]),
        at(30, events.MONITOR, "ticket_resolved", "tkt-1"))
    assert situation.ttd is not None
    assert situation.ttm is not None
    assert abs(situation.ttd - 0.1) < 1e-6
    assert abs(situation.ttm - 19.5) < 1e-6
    assert situation.closed


def test_a_ticket_from_before_the_fault_is_none_of_its() -> None:
    earlier = [opened(3, "tkt-0"), at(4, events.MONITOR, "ticket_cleared", "tkt-0")]
    assert fold(*earlier).closed
    situation = fold(*earlier, FAULT)
    assert situation.ticket is None
    assert not situation.closed
    situation = fold(*earlier, FAULT, opened(10.1, "tkt-1"))
    assert (situation.ticket, situation.ticket_state) == ("tkt-1", "open")
    assert situation.ttd is not None
    assert situation.ttd < 1


def test_a_refused_verdict_gives_no_time_to_repair() -> None:
    situation = fold(FAULT, opened(10.1, "tkt-1"),
                     at(30, events.MONITOR, "verdict", "tkt-1", phase="final", passed=False, checks=[]))
    assert situation.ttm is None


def test_the_agent_may_be_heard_before_the_monitor() -> None:
    situation = fold(FAULT, at(10.2, events.AGENT, "ticket_claimed", "tkt-1", holder="ses-1"), opened(10.1, "tkt-1"))
    assert (situation.ticket, situation.ticket_state) == ("tkt-1", "acknowledged")
    assert situation.ticket_invariants == {"member_down"}
