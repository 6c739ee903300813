"""The lease: kept while a session works, and nothing is touched once it is lost."""

import asyncio
import time
from collections.abc import Callable

import pytest
from agent_bench import Bench, left_of
from fake_messages import FakeMessages, answer, call

from operator_demo import tickets
from operator_demo.agent import recovery, work
from operator_demo.agent.stop import Stop
from operator_demo.events import ToolCall, new_id

Fake = Callable[..., FakeMessages]


@pytest.fixture(autouse=True)
def _renewed_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "RENEW_EVERY", 0.1)
    monkeypatch.setattr("operator_demo.agent.verdict.RENEW_EVERY", 0.1)


def expire(bench: Bench, ticket: str) -> None:
    bench.store.execute("UPDATE tickets SET lease_until=0 WHERE ticket=?", ticket)


def test_is_renewed_while_a_tool_runs(bench: Bench, fake: Fake) -> None:
    server = fake(answer(call("shell", reasoning="x", command="sleep 1")), answer(call("escalate", reason="x")))
    leases: list[float] = []

    async def look(stop: Stop) -> None:
        while True:
            await asyncio.sleep(0.1)
            leases.append(bench.ticket_row()["lease_until"])

    bench.run_session(server.base_url, meanwhile=look)
    assert len(set(leases)) >= 4
    assert leases == sorted(leases)


def test_is_renewed_while_the_oracle_looks(bench: Bench, fake: Fake) -> None:
    leases: list[float] = []

    async def look(stop: Stop) -> None:
        while bench.ticket_row()["state"] != "verifying":
            await asyncio.sleep(0.02)
        for _ in range(6):
            await asyncio.sleep(0.15)
            leases.append(bench.ticket_row()["lease_until"])
        bench.oracle(True)

    session = bench.run_session(fake(answer(call("resolve", summary="x", actions=[]))).base_url, meanwhile=look)
    assert len(set(leases)) >= 3
    assert bench.session_row(session)["status"] == "verified"


def test_an_end_counts_although_the_lease_ended_with_it(bench: Bench, fake: Fake,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal that comes due in the very moment in which the ticket was handed over finds it closed."""
    from operator_demo.agent import loop

    whole = loop.Loop.run

    async def run(self: loop.Loop, first_message: str) -> work.End:
        end = await whole(self, first_message)
        time.sleep(0.3)  # nothing else runs meanwhile, so the renewal is overdue
        await asyncio.sleep(0)
        return end

    monkeypatch.setattr(loop.Loop, "run", run)
    session = bench.run_session(fake(answer(call("escalate", reason="x"))).base_url)
    assert bench.session_row(session)["status"] == "escalated"
    assert bench.events("interrupt") == []


def test_a_lost_lease_ends_the_session_and_touches_nothing(bench: Bench, fake: Fake) -> None:
    bench.open_ticket()
    mine = bench.claimed()
    server = fake(answer(call("shell", reasoning="x", command="sleep 60", timeout=100)))

    async def rob(stop: Stop) -> None:
        while not bench.events("tool_call"):
            await asyncio.sleep(0.02)
        expire(bench, mine.ticket)
        assert tickets.claim(bench.recorder, "ses-other") is not None

    begun = time.monotonic()
    bench.run_session(server.base_url, work=mine, meanwhile=rob)
    assert time.monotonic() - begun < 40
    assert bench.session_row(mine.session)["status"] == "interrupted"
    assert bench.data("interrupt")[0]["reason"].startswith("lease lost")
    assert bench.data("tool_result")[0]["status"] == "interrupted"
    assert bench.ticket_row()["holder"] == "ses-other"
    assert bench.ticket_row()["state"] == "acknowledged"
    assert left_of(mine.account) == []


def test_a_human_who_takes_the_ticket_ends_the_session(bench: Bench, fake: Fake) -> None:
    server = fake(answer(call("shell", reasoning="x", command="sleep 60", timeout=100)))

    async def take(stop: Stop) -> None:
        while not bench.events("tool_call"):
            await asyncio.sleep(0.02)
        tickets.escalate(bench.monitor, bench.ticket_row()["ticket"], "I do it myself")

    session = bench.run_session(server.base_url, meanwhile=take)
    assert bench.session_row(session)["status"] == "interrupted"
    assert bench.ticket_row()["reason"] == "I do it myself"


def test_who_takes_over_closes_the_session_of_the_dead(bench: Bench) -> None:
    ticket = bench.open_ticket()
    dead = bench.claimed()
    dead.say(ToolCall(call="toolu_1", tool="shell", input={}, diagnosed=False))
    expire(bench, ticket)
    heir = new_id("ses")
    assert tickets.claim(bench.recorder, heir)
    recovery.close_predecessor(bench.recorder, bench.settings.run, heir, ticket)
    assert bench.session_row(dead.session)["status"] == "interrupted"
    assert bench.data("tool_result")[0]["status"] == "unknown"
    recovery.finish(bench.recorder, dead.session, ticket, "interrupted", "late")
    assert len(bench.events("session_finished")) == 1


def test_sessions_of_another_container_are_left_alone(bench: Bench) -> None:
    bench.open_ticket()
    theirs = bench.claimed()
    from dataclasses import replace

    async def go() -> None:
        elsewhere = replace(bench.agent, container="elsewhere")
        await recovery.close_own_sessions(bench.recorder, bench.settings, elsewhere, theirs.budget, Stop())

    asyncio.run(go())
    assert bench.session_row(theirs.session)["status"] == "running"
    assert bench.ticket_row()["state"] == "acknowledged"
