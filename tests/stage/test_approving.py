"""The presenter's answers go to the guard, and the run's limits wait meanwhile."""

import time
from collections.abc import Callable
from typing import Any

from fakes import RUN, FakeFeed, Run, lose_host

from operator_demo import events
from operator_demo.approvals import LIMIT
from operator_demo.errors import Exit
from operator_demo.events import Event

MakeRun = Callable[..., Run]


def asked(id: str, seq: int) -> Event:
    content = events.ApprovalRequested(id=id, rule="docker stop", method="POST", path="/x", digest=f"digest of {id}",
                                       limit=LIMIT)
    return events.event(RUN, events.GUARD, content).numbered(seq, events.now())


def answered(id: str, seq: int) -> Event:
    return events.event(RUN, events.GUARD, events.ApprovalAnswered(id=id, answer="yes", by="anna")).numbered(
        seq, events.now())


def turn(run: Run, *new: Event, keys: tuple[str, ...] = ()) -> None:
    run.stage.recording.import_(new)
    for key in keys:
        run.display.keys.put(key)
    for _ in range(3):
        run.stage.loop.turn()


def sent(run: Run) -> list[tuple[str, Any]]:
    return [(more["id"], more["answer"]) for op, more in run.cluster.answered if op == "answer"]


def test_a_key_answers_what_is_shown_once(make_run: MakeRun) -> None:
    run = make_run()
    turn(run, asked("ask-1", 1), asked("ask-2", 2), keys=("yes",))
    assert sent(run) == [("ask-1", "yes")]
    assert run.cluster.answered[0][1]["digest"] == "digest of ask-1"
    assert run.cluster.answered[0][1]["by"]
    turn(run, keys=("always",))
    assert sent(run) == [("ask-1", "yes")], "a second key before the guard has answered is not for the next request"
    turn(run, answered("ask-1", 3))
    turn(run, keys=("no",))
    assert sent(run) == [("ask-1", "yes"), ("ask-2", "no")]


def test_while_something_waits_no_key_brings_the_run_forward(make_run: MakeRun) -> None:
    run = make_run()
    turn(run, keys=("no",))
    turn(run, asked("ask-1", 1), keys=("next", "quit", "pause"))
    assert not any(run.stage.loop.presses.take(word) for word in ("next", "quit", "pause"))
    assert run.stage.loop.presses.question == ""
    assert sent(run) == []


def test_the_limits_of_a_run_wait_for_a_human(make_run: MakeRun) -> None:
    run = make_run()
    loop = run.stage.loop
    turn(run, asked("ask-1", 1))
    before = loop._watched
    turn(run)
    assert loop._watched == before
    turn(run, answered("ask-1", 2))
    turn(run)
    assert loop._watched > before


def test_who_attaches_is_asked_what_the_first_host_left_unanswered(make_run: MakeRun) -> None:
    run = make_run(keep=True)
    lose_host(run)
    run.stage.recording.import_([asked("ask-1", 1)])
    second = run.another_stage()

    def press(now: float) -> None:
        if second.recording.situation.run.waiting and not sent(run):
            run.display.keys.put("yes")

    def go_on(feed: FakeFeed, ticket: str) -> None:
        """The guard hears the answer, and the agent's command ends; then the member is repaired."""
        while not sent(run):
            time.sleep(0.02)
        feed.say(events.GUARD, "approval_answered", id="ask-1", answer="yes", by="anna")

    run.display.tick, run.cluster.lie = press, go_on  # type: ignore[method-assign]
    assert second.perform(attach=True) == Exit.OK
    assert sent(run) == [("ask-1", "yes")]
    assert [e["id"] for e in run.display.of("approval_requested")] == ["ask-1"] * 2  # to both hosts
    assert not second.recording.situation.run.waiting
