"""The order in which things are written and done, and what happens when they cannot be."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from agent_bench import Bench

from operator_demo import tickets
from operator_demo.agent.dispatch import Dispatch, unfinished_calls
from operator_demo.agent.work import Call, LeaseLost, Result, Work
from operator_demo.store import StoreError


class Spy:
    """A tool that remembers what was on the disk when it ran."""

    def __init__(self, bench: Bench, then: Callable[[], Any] = lambda: None) -> None:
        self.bench, self.then = bench, then
        self.seen: list[list[str]] = []

    async def __call__(self, work: Work, call: Call) -> Result:
        self.seen.append([e.type for e in self.bench.events("tool_call", "tool_result")])
        self.then()
        return Result("ok", "done")


@pytest.fixture
def work(bench: Bench) -> Work:
    bench.open_ticket()
    return bench.claimed()


def observe(dispatch: Dispatch) -> Result:
    return asyncio.run(dispatch("toolu_1", "observe", {}))


def test_the_call_is_written_before_the_tool_runs_and_the_result_after(bench: Bench, work: Work) -> None:
    spy = Spy(bench)
    assert observe(Dispatch(work, {"observe": spy})).text == "done"
    assert spy.seen == [["tool_call"]]
    assert [e.type for e in bench.events("tool_call", "tool_result")] == ["tool_call", "tool_result"]


def test_the_call_is_committed_where_another_process_sees_it(bench: Bench, work: Work) -> None:
    import sqlite3

    seen = []

    def look() -> None:
        other = sqlite3.connect(bench.store.path)
        seen.append(other.execute("SELECT count(*) FROM events WHERE type='tool_call'").fetchone()[0])
        other.close()

    observe(Dispatch(work, {"observe": Spy(bench, look)}))
    assert seen == [1]


def test_a_call_that_cannot_be_written_does_not_run(bench: Bench, work: Work) -> None:
    bench.store.execute("CREATE TRIGGER full BEFORE INSERT ON events WHEN new.type='tool_call' "
                        "BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    spy = Spy(bench)
    with pytest.raises(StoreError):
        observe(Dispatch(work, {"observe": spy}))
    assert spy.seen == []
    assert bench.events("tool_result") == []


def test_a_result_that_cannot_be_written_is_not_returned_and_reads_unknown(bench: Bench, work: Work) -> None:
    bench.store.execute("CREATE TRIGGER full BEFORE INSERT ON events WHEN new.type='tool_result' "
                        "BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    spy = Spy(bench)
    with pytest.raises(StoreError):
        observe(Dispatch(work, {"observe": spy}))
    assert len(spy.seen) == 1
    assert unfinished_calls(bench.store, bench.settings.run, work.session) == [("toolu_1", "observe")]


def test_nothing_runs_when_the_ticket_is_not_ours(bench: Bench, work: Work) -> None:
    tickets.release(bench.recorder, work.ticket, work.session, "test")
    spy = Spy(bench)
    with pytest.raises(LeaseLost):
        observe(Dispatch(work, {"observe": spy}))
    assert spy.seen == []
    assert bench.events("tool_call") == []


def test_a_tool_that_fails_is_told_to_the_model(bench: Bench, work: Work) -> None:
    def fail() -> None:
        raise KeyError("x")

    result = observe(Dispatch(work, {"observe": Spy(bench, fail)}))
    assert (result.status, result.text) == ("error", "The tool failed: KeyError: 'x'")
    assert bench.data("tool_result")[0]["status"] == "error"


def test_calls_with_the_same_id_are_told_apart(bench: Bench, work: Work) -> None:
    dispatch = Dispatch(work, {"observe": Spy(bench)})
    observe(dispatch)
    observe(dispatch)
    assert [d["call"] for d in bench.data("tool_result")] == ["toolu_1", "toolu_1.2"]


def test_a_cancelled_call_is_written_with_what_it_had(bench: Bench, work: Work) -> None:
    async def go() -> None:
        given = {"reasoning": "wait", "command": "echo before; sleep 30; echo after"}
        running = asyncio.create_task(Dispatch(work)("toolu_1", "shell", given))
        await asyncio.sleep(0.5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(go())
    result, = bench.data("tool_result")
    assert result["status"] == "interrupted"
    assert result["output"].startswith("interrupted (")
    assert result["output"].endswith("\nbefore")
