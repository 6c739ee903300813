"""The presenter's answers go to the guard, and the run's limits wait meanwhile."""

from collections.abc import Callable
from typing import Any

from fakes import RUN, Run

from operator_demo import events
from operator_demo.approvals import LIMIT
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
    assert run.stage.loop.next_pressed(), "`n` is the next chapter where nothing is asked"
    turn(run, asked("ask-1", 1), keys=("next",))
    assert not run.stage.loop.next_pressed()
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
