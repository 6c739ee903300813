"""`run --mode approve`: a human, here in a second terminal, decides about each change."""

import signal
import threading
from typing import Any

import pytest
from presenter import Demo, Result

pytestmark = pytest.mark.e2e


RUN = ("--mode", "approve", "--scenario", "member-kill", "--seed", "7", "--model", "rehearsal")


def answered(demo: Demo, option: str, *arguments: str) -> Result:
    """A run in which every question gets this answer."""
    done = threading.Event()
    failures: list[str] = []

    def answer() -> None:
        seen: set[str] = set()
        while not done.wait(0.2):
            for asked in [e["data"]["id"] for e in list(demo.events) if e["type"] == "approval_requested"]:
                if asked not in seen:
                    seen.add(asked)
                    given = demo.command("approve", "--project", demo.project, option, asked)
                    if given.returncode != 0 and "does not wait" not in given.stderr:
                        failures.append(given.stderr)

    demo.start(*(arguments or RUN))
    human = threading.Thread(target=answer)
    human.start()
    try:
        result = demo.wait()
    finally:
        done.set()
        human.join()
    assert failures == []
    return result


def allowed(result: Result) -> list[dict[str, Any]]:
    """(That an exec is started was approved when it was made.)"""
    entries = [e["data"] for e in result.of("guard") if e["data"]["caller"] == "agent"]
    return [entry for entry in entries if entry["ruling"] == "allow" and not entry["path"].startswith("/exec/")]


def test_what_is_approved_is_done_and_the_run_is_repaired(demo: Demo) -> None:
    result = answered(demo, "--yes")
    assert (result.status, result.outcome) == (0, "repaired"), result.story
    answers = [e["data"] for e in result.of("approval_answered")]
    assert answers
    assert {e["answer"] for e in answers} <= {"yes", "withdrawn"}, result.story
    assert "operator-demo approve" in answers[0]["by"]
    asked = {e["data"]["digest"] for e in result.of("approval_requested")}
    assert allowed(result)
    assert {entry["digest"] for entry in allowed(result)} <= asked, "nothing was changed that was not asked about"
    assert all(e["data"]["call"] for e in result.of("approval_requested"))
    assert not [e for e in result.of("effect") if e["data"]["explained"] is None], result.story
    shown = demo.command("audit", "show", "last").stdout
    assert "a human is asked: docker start" in shown
    assert "the answer is yes" in shown


@pytest.mark.wide
def test_what_is_not_approved_is_not_done_and_a_human_gets_the_ticket(demo: Demo) -> None:
    result = answered(demo, "--no")
    assert result.outcome == "escalated", result.story
    assert result.of("approval_answered")
    assert allowed(result) == []
    assert [e["data"]["rule"] for e in result.of("guard") if e["data"]["ruling"] == "deny"].count("not approved") >= 1
    told = [e["data"]["output"] for e in result.of("tool_result")]
    assert any("not approved" in output for output in told), result.story


@pytest.mark.wide
def test_who_attaches_answers_what_the_first_host_left_unanswered(demo: Demo) -> None:
    demo.start(*RUN)
    left = demo.until(lambda event: event["type"] == "approval_requested")["data"]["id"]
    demo.signal(signal.SIGHUP)
    assert demo.wait().status == 128 + signal.SIGHUP
    result = answered(demo, "--yes", "--attach")
    assert (result.status, result.outcome) == (0, "repaired"), result.story
    answers = {e["data"]["id"]: e["data"]["answer"] for e in result.of("approval_answered")}
    assert answers[left] == "yes", result.story
