"""Between two steps the agent does as the presenter wishes: it pauses, goes on, stops."""

import asyncio
import time
from collections.abc import Callable

import pytest
from agent_bench import Bench
from fake_messages import FakeMessages, answer, call

from operator_demo.agent.stop import Stop
from operator_demo.agent.waiting import waited
from operator_demo.events import AgentOrder, AgentPaused

Fake = Callable[..., FakeMessages]


def order(bench: Bench, name: str) -> None:
    bench.monitor.say(AgentOrder(order=name))


def test_it_pauses_before_its_next_step_and_goes_on(bench: Bench, fake: Fake) -> None:
    server = fake(answer(call("observe")), answer(call("escalate", reason="no idea")))
    order(bench, "go")
    bench.open_ticket()
    work = bench.claimed()
    order(bench, "pause")

    async def let_go(stop: Stop) -> None:
        while not bench.events("agent_paused"):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert server.requests == [], "it asks its model nothing meanwhile"
        order(bench, "go")

    session = bench.run_session(server.base_url, work=work, meanwhile=let_go)
    assert bench.session_row(session)["status"] == "escalated"
    (paused,), (resumed,) = bench.events("agent_paused"), bench.events("agent_resumed")
    assert 0.25 < resumed.raw["seconds"] < 10
    assert waited(bench.store, bench.settings.run) == pytest.approx(resumed.at - paused.at)


def test_it_pauses_between_two_calls_of_one_answer(bench: Bench, fake: Fake) -> None:
    server = fake(answer(call("shell", reasoning="r", command="true"), call("escalate", reason="no idea")))

    async def pause(stop: Stop) -> None:
        while not bench.events("tool_call"):
            await asyncio.sleep(0.002)
        order(bench, "pause")
        while not bench.events("agent_paused"):
            await asyncio.sleep(0.02)
        assert len(bench.events("tool_call")) == 1
        order(bench, "go")

    bench.run_session(server.base_url, meanwhile=pause)
    assert [d["tool"] for d in bench.data("tool_call")] == ["shell", "escalate"]


@pytest.mark.parametrize("first", ["stop", "pause"])
def test_it_stops_after_its_step_and_the_ticket_goes_to_a_human(bench: Bench, fake: Fake, first: str) -> None:
    server = fake(answer(call("observe")), endless=True)
    bench.open_ticket()
    work = bench.claimed()
    order(bench, first)

    async def then_stop(stop: Stop) -> None:
        while first == "pause" and not bench.events("agent_paused"):
            await asyncio.sleep(0.02)
        order(bench, "stop")

    session = bench.run_session(server.base_url, work=work, meanwhile=then_stop)
    assert bench.session_row(session)["status"] == "escalated"
    assert bench.ticket_row()["state"] == "escalated"
    assert bench.data("ticket_escalated") == [{"reason": "The presenter stopped the agent.", "by": "presenter"}]


def test_a_pause_of_a_session_that_was_cut_short_ends_with_it(bench: Bench, fake: Fake) -> None:
    server = fake(endless=True)
    bench.open_ticket()
    work = bench.claimed()
    order(bench, "pause")

    async def cut(stop: Stop) -> None:
        while not bench.events("agent_paused"):
            await asyncio.sleep(0.02)
        stop.set("the end")

    session = bench.run_session(server.base_url, work=work, meanwhile=cut)
    assert bench.session_row(session)["status"] == "interrupted"
    before = waited(bench.store, bench.settings.run)
    time.sleep(0.05)
    assert waited(bench.store, bench.settings.run) == before
    assert bench.ticket_row()["state"] == "open"


def test_the_budget_of_seconds_stands_still_in_a_pause(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.open_ticket()
    work = bench.claimed()
    began = work.say(AgentPaused()).at
    left = work.budget.seconds_left()
    monkeypatch.setattr(time, "time", lambda: began + 1000.0)
    assert work.budget.seconds_left() == pytest.approx(left, abs=1.0)
