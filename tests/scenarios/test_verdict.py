"""How a run ended, from what its events left behind."""

from typing import Any

import pytest

from operator_demo import events, subject
from operator_demo.chaos import scenario
from operator_demo.events import (
    Fault,
    Finding,
    Payload,
    TicketCleared,
    TicketEscalated,
    TicketOpened,
    TicketResolved,
    Verdict,
    Violation,
)
from operator_demo.stage import verdict
from operator_demo.stage.situation import Situation

ETCD = subject.load("etcd").subject
KILL = "title: T\nfault: {kind: kill}\ncause: process_killed\ninvariants: [member_down]\n"
TWICE = KILL.replace("kill}", "kill, again: 4}")
LOAD = "title: T\nfault: {kind: kill}\ncause: overload\noutcome: escalated\n"
FALSE = "title: T\nfault: {kind: none}\ncause: no_fault\noutcome: no_action\n" \
        "ticket: {invariant: member_down, text: they say so}\n"


def seen(state: str, **more: Any) -> Situation:
    """What the events left behind: one ticket of a fault, in this state."""
    what = {"passed": True, "opening": False, "outcome": "repaired", "by": events.AGENT, "strikes": 1,
            "invariants": (), "causes": ()} | more
    situation, script = Situation(), []
    verdict_of = {"opening": what["opening"], "final": what["passed"]}
    for _ in range(what["strikes"]):
        script += [(events.STAGE, Fault(phase=phase, kind="kill", targets=())) for phase in ("injecting", "injected")]
    attached = tuple(Violation(name, name) for name in what["invariants"])
    script.append((events.MONITOR, TicketOpened(subject="etcd", severity="critical", title="t", violations=attached)))
    script += [(events.AGENT, Finding(member=None, cause=cause, text="")) for cause in what["causes"]]
    script += [(events.MONITOR, Verdict(phase=phase, passed=passed, checks=()))
               for phase, passed in verdict_of.items() if state == "resolved"]
    end: dict[str, tuple[str, Payload]] = {
        "resolved": (events.MONITOR, TicketResolved(outcome=what["outcome"])),
        "escalated": (what["by"], TicketEscalated(reason="r")), "cleared": (events.MONITOR, TicketCleared())}
    for n, (source, content) in enumerate([*script, *([end[state]] if state in end else [])]):
        ticket = None if isinstance(content, Fault) else "tkt-1"
        situation.apply(events.event("run-1", source, content, ticket=ticket).numbered(n + 1, events.now()))
    return situation


PASSED: dict[str, Any] = {"state": "resolved", "invariants": ["member_down"]}
HANDED_OVER: dict[str, Any] = {"state": "escalated"}


@pytest.mark.parametrize(("text", "left", "outcome", "reached"), [
    (KILL, PASSED, "repaired", True),
    (KILL, PASSED | {"passed": False}, "unverified", False),
    (KILL, PASSED | {"opening": True}, "unverified", False),
    (KILL, PASSED | {"invariants": ["high_latency"]}, "unverified", False),
    (KILL, PASSED | {"outcome": "no_action"}, "no_action", False),
    (KILL, HANDED_OVER | {"causes": ["process_killed"], "invariants": ["member_down"]}, "escalated", False),
    (KILL, HANDED_OVER | {"by": events.MONITOR}, "unverified", False),
    (KILL, {"state": "cleared"}, "cleared", False),
    (KILL, {"state": "open"}, "unverified", False),
    (TWICE, PASSED, "repaired", False),
    (TWICE, PASSED | {"strikes": 2}, "repaired", True),
    (LOAD, HANDED_OVER | {"causes": ["unknown", "overload"]}, "escalated", True),
    (LOAD, HANDED_OVER | {"causes": ["unknown"]}, "escalated", False),
    (LOAD, HANDED_OVER, "escalated", False),
    (LOAD, PASSED, "repaired", False),
    (FALSE, PASSED | {"outcome": "no_action", "opening": True}, "no_action", True),
    (FALSE, PASSED | {"opening": True}, "unverified", False),
    (FALSE, HANDED_OVER | {"causes": ["no_fault"]}, "escalated", False),
])
def test_outcome(text: str, left: dict[str, Any], outcome: str, reached: bool) -> None:
    play, situation = scenario.parse("mine", text, ETCD, "mine.yaml"), seen(**left)
    assert verdict.outcome(play, situation) == outcome
    assert verdict.reached(play, situation) is reached


def test_what_keeps_an_outcome_from_being_right_is_said() -> None:
    play = scenario.parse("mine", LOAD + "invariants: [client_errors]\n", ETCD, "mine.yaml")
    words = " ".join(verdict.shortcomings(play, seen(**HANDED_OVER | {"causes": ["unknown"]})))
    assert "client_errors" in words
    assert "with unknown; the cause was overload" in words
