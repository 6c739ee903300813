"""The time in which a human was waited for."""

import asyncio
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_bench import own_account

from operator_demo.agent.budget import Budget, Limits
from operator_demo.agent.shell import Execution
from operator_demo.agent.waiting import waited
from operator_demo.approvals import GRACE, LIMIT
from operator_demo.events import GUARD, ApprovalAnswered, ApprovalRequested
from operator_demo.store import Recorder, Store

RUN = "run-waiting0"


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Recorder]:
    with Store(tmp_path / "tickets.db") as store:
        yield Recorder(store, RUN, GUARD, io.StringIO())


def ask(guard: Recorder, id: str) -> float:
    return guard.say(ApprovalRequested(id=id, rule="docker stop", method="POST", path="/x", digest="d", limit=LIMIT)).at


def answer(guard: Recorder, id: str) -> float:
    return guard.say(ApprovalAnswered(id=id, answer="yes", by="anna")).at


def test_times_that_overlap_count_once(guard: Recorder) -> None:
    begin = ask(guard, "a")
    ask(guard, "b")
    answer(guard, "a")
    end = answer(guard, "b")
    assert waited(guard.store, RUN) == pytest.approx(end - begin)
    assert waited(guard.store, RUN, since=end) == 0.0
    assert waited(guard.store, "run-another0") == 0.0


def test_what_was_never_answered_ends_with_its_limit(guard: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = ask(guard, "a")
    monkeypatch.setattr(time, "time", lambda: begin + 7.0)
    assert waited(guard.store, RUN) == pytest.approx(7.0)
    monkeypatch.setattr(time, "time", lambda: begin + 10_000.0)
    assert waited(guard.store, RUN) == pytest.approx(LIMIT + GRACE)


def test_the_budget_does_not_count_it(guard: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(guard.store, RUN, Limits(seconds=100.0), "rehearsal")
    begin = ask(guard, "a")
    monkeypatch.setattr(time, "time", lambda: begin + 30.0)
    assert budget.seconds_left() == pytest.approx(130.0)  # (no session has begun)


@pytest.mark.skipif(os.geteuid() != 0, reason="changing the account needs root")
def test_the_timeout_of_a_command_does_not_count_it() -> None:
    def run(waited: float) -> Execution:
        account = own_account()
        execution = Execution(account, account.environment(), "sleep 1")
        asyncio.run(execution.run(0.3, lambda piece: None, lambda: waited))
        return execution

    assert run(0.0).timed_out
    patient = run(600.0)
    assert (patient.timed_out, patient.exit_code) == (False, 0)
