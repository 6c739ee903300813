"""How a run ended, from what its events left behind."""

from typing import Any

import pytest

from operator_demo import events, subject
from operator_demo.chaos import scenario
from operator_demo.stage import verdict
from operator_demo.stage.situation import Situation

ETCD = subject.load("etcd").subject
KILL = "title: T\nfault: {kind: kill}\ncause: process_killed\ninvariants: [member_down]\n"
TWICE = KILL.replace("kill}", "kill, again: 4}")
LOAD = "title: T\nfault: {kind: kill}\ncause: overload\noutcome: escalated\n"
FALSE = "title: T\nfault: {kind: none}\ncause: no_fault\noutcome: no_action\n" \
        "ticket: {invariant: member_down, text: they say so}\n"
PASSED: dict[str, Any] = {"ticket_state": "resolved", "verdict": {"passed": True}, "opening_failed": True,
                          "resolved_as": "repaired", "ticket_invariants": {"member_down"}, "strikes": 1}
HANDED_OVER: dict[str, Any] = {"ticket_state": "escalated", "escalated_by": events.AGENT, "strikes": 1}


@pytest.mark.parametrize(("text", "seen", "outcome", "reached"), [
    (KILL, PASSED, "repaired", True),
    (KILL, PASSED | {"verdict": {"passed": False}}, "unverified", False),
    (KILL, PASSED | {"opening_failed": False}, "unverified", False),
    (KILL, PASSED | {"ticket_invariants": {"high_latency"}}, "unverified", False),
    (KILL, PASSED | {"resolved_as": "no_action"}, "no_action", False),
    (KILL, HANDED_OVER | {"causes": {"process_killed"}, "ticket_invariants": {"member_down"}}, "escalated", False),
    (KILL, HANDED_OVER | {"escalated_by": events.MONITOR}, "unverified", False),
    (KILL, {"ticket_state": "cleared"}, "cleared", False),
    (KILL, {"ticket_state": "open"}, "unverified", False),
    (TWICE, PASSED, "repaired", False),
    (TWICE, PASSED | {"strikes": 2}, "repaired", True),
    (LOAD, HANDED_OVER | {"causes": {"unknown", "overload"}}, "escalated", True),
    (LOAD, HANDED_OVER | {"causes": {"unknown"}}, "escalated", False),
    (LOAD, HANDED_OVER, "escalated", False),
    (LOAD, PASSED, "repaired", False),
    (FALSE, PASSED | {"resolved_as": "no_action", "opening_failed": False}, "no_action", True),
    (FALSE, PASSED | {"opening_failed": False}, "unverified", False),
    (FALSE, HANDED_OVER | {"causes": {"no_fault"}}, "escalated", False),
])
def test_outcome(text: str, seen: dict[str, Any], outcome: str, reached: bool) -> None:
    play, situation = scenario.parse("mine", text, ETCD, "mine.yaml"), Situation(**seen)
    assert verdict.outcome(play, situation) == outcome
    assert verdict.reached(play, situation) is reached


def test_what_keeps_an_outcome_from_being_right_is_said() -> None:
    play = scenario.parse("mine", LOAD + "invariants: [client_errors]\n", ETCD, "mine.yaml")
    words = " ".join(verdict.shortcomings(play, Situation(**HANDED_OVER | {"causes": {"unknown"}})))
    assert "client_errors" in words
    assert "with unknown; the cause was overload" in words
