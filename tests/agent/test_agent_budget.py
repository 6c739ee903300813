"""Budgets: each ends the session with words, none starts anew, and dollars need a price."""

from collections.abc import Callable

import pytest
from agent_bench import Bench
from fake_messages import FakeMessages, answer, call, cut_midway

from operator_demo import events, tickets
from operator_demo.agent.budget import Budget, Limits, Usage, price_of
from operator_demo.errors import UsageError
from operator_demo.events import SessionFinished, SessionStarted

Fake = Callable[..., FakeMessages]
ENDLESS = answer(call("observe"))


@pytest.mark.parametrize(("limits", "words"), [
    (Limits(steps=3), "3 steps"),
    (Limits(tokens=500), "500 tokens"),
    (Limits(usd=0.002), "$0.00 is used up"),
    (Limits(seconds=0.5), "0.5 seconds"),
])
def test_ends_an_endless_loop(make_bench: Callable[..., Bench], fake: Fake, limits: Limits, words: str) -> None:
    bench = make_bench(limits=limits)
    server = fake(answer(call("shell", reasoning="x", command="sleep 0.1")), endless=True)
    session = bench.run_session(server.base_url)
    assert bench.session_row(session)["status"] == "budget"
    assert bench.ticket_row()["state"] == "escalated"
    assert words in bench.ticket_row()["reason"]
    assert bench.data("refusal") == [{"reason": bench.ticket_row()["reason"]}]
    assert len(server.requests) < 12


def test_steps_are_requests_with_their_tools(make_bench: Callable[..., Bench], fake: Fake) -> None:
    bench = make_bench(limits=Limits(steps=2))
    server = fake(ENDLESS, endless=True)
    bench.run_session(server.base_url)
    assert len(server.requests) == 2
    assert len(bench.data("tool_result")) == 2


def test_a_new_session_gets_what_the_run_has_left(make_bench: Callable[..., Bench], fake: Fake) -> None:
    bench = make_bench(limits=Limits(steps=3))
    server = fake(ENDLESS, answer(call("escalate", reason="enough")), ENDLESS, endless=True)
    bench.run_session(server.base_url)
    second = bench.run_session(server.base_url)
    assert bench.session_row(second)["status"] == "budget"
    assert len(server.requests) == 3


def test_failing_requests_use_it_up_too(make_bench: Callable[..., Bench], fake: Fake, short_delays: None) -> None:
    bench = make_bench(limits=Limits(steps=2))
    server = fake(cut_midway(), endless=True)
    session = bench.run_session(server.base_url)
    assert bench.session_row(session)["status"] == "budget"
    assert len(server.requests) == 2


def test_a_tool_does_not_outlast_the_seconds(make_bench: Callable[..., Bench], fake: Fake) -> None:
    bench = make_bench(limits=Limits(seconds=1.5))
    server = fake(answer(call("shell", reasoning="x", command="sleep 60", timeout=600)), endless=True)
    session = bench.run_session(server.base_url, timeout=30)
    assert bench.session_row(session)["status"] == "budget"
    assert bench.data("tool_result")[0]["status"] == "timeout"


def test_the_seconds_end_while_the_oracle_looks(make_bench: Callable[..., Bench], fake: Fake) -> None:
    bench = make_bench(limits=Limits(seconds=1))
    session = bench.run_session(fake(answer(call("resolve", summary="x", actions=[]))).base_url, timeout=30)
    assert bench.session_row(session)["status"] == "budget"
    assert bench.ticket_row()["state"] == "escalated"


class TestDollars:
    def test_a_model_without_a_price_refuses_them(self, bench: Bench) -> None:
        with pytest.raises(UsageError, match="The price of claude-next is not known"):
            Budget(bench.store, bench.settings.run, Limits(usd=1.0), "claude-next")
        Budget(bench.store, bench.settings.run, Limits(), "claude-next")

    def test_the_rehearsal_costs_nothing(self, bench: Bench) -> None:
        budget = Budget(bench.store, bench.settings.run, Limits(usd=0.01), "rehearsal")
        assert budget.exceeded() is None
        assert budget.cost(Usage(1, 1, 1, 1)) is None

    def test_a_cost_that_is_not_known_ends_it(self, bench: Bench) -> None:
        bench.recorder.say(SessionStarted(model="m", brain="claude", mode="execute"), session="ses-1")
        usage = events.Usage(input_tokens=1, output_tokens=1, cache_read_tokens=0, cache_write_tokens=0, cost_usd=None,
                             duration=1, request_id=None, stop_reason="end_turn")
        bench.recorder.say(usage, session="ses-1")
        budget = Budget(bench.store, bench.settings.run, Limits(usd=5), "claude-opus-5-5")
        assert "is not known" in (budget.exceeded() or "")

    def test_prices(self) -> None:
        opus = price_of("claude-opus-5-5")
        assert opus is not None
        assert opus.cost(Usage(1_000_000, 1_000_000, 1_000_000, 1_000_000)) == pytest.approx(29.2)
        assert price_of("claude-opus-5-5-20260901") == opus
        assert price_of("claude-opus-5") is None
        assert price_of("") is None


def test_only_the_time_of_sessions_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(bench.store, bench.settings.run, Limits(seconds=100), "rehearsal")
    assert budget.seconds_left() == 100
    bench.open_ticket()
    work = bench.claimed()
    import time

    later = time.time() + 30
    monkeypatch.setattr("operator_demo.agent.budget.time.time", lambda: later)
    assert 69 < budget.seconds_left() <= 71
    bench.recorder.say(SessionFinished(status="escalated", summary=""), session=work.session)
    tickets.escalate(bench.recorder, work.ticket, "x")
    assert budget.seconds_left() > 98
