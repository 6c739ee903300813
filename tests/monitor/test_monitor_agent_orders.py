"""The presenter's orders to the agent: kept in the record, and a host that falls silent keeps no agent waiting."""

import pytest
from monitor_bench import Bench

from operator_demo import tickets
from operator_demo.errors import UsageError
from operator_demo.monitor.agent_orders import LEASE, AgentOrders


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def orders(bench: Bench, clock: Clock) -> AgentOrders:
    return AgentOrders(bench.monitor, clock)


def open_ticket(bench: Bench) -> str:
    return tickets.open_(bench.monitor, subject="fake", severity="critical", title="t", violations=[])


def given(bench: Bench) -> list[str]:
    return [e["order"] for e in bench.of("agent_order")]


def test_nobody_claims_a_ticket_while_the_agent_is_held(bench: Bench, orders: AgentOrders) -> None:
    orders.give("hold", "anna")
    open_ticket(bench)
    assert tickets.claim(bench.agent, "ses-1") is None
    orders.give("go", "anna")
    assert tickets.claim(bench.agent, "ses-1") is not None
    assert bench.of("agent_order")[0] == {"order": "hold", "by": "anna"}


def test_the_same_order_once_more_is_no_news(bench: Bench, orders: AgentOrders) -> None:
    orders.give("go")
    for order in ("hold", "hold", "pause", "pause", "go"):
        orders.give(order)
    assert given(bench) == ["hold", "pause", "go"]


@pytest.mark.parametrize("order", ["hold", "pause"])
def test_a_host_that_falls_silent_keeps_no_agent_waiting(bench: Bench, orders: AgentOrders, clock: Clock,
                                                         order: str) -> None:
    orders.give(order)
    clock.now += LEASE - 1
    orders.look()
    orders.give(order)  # renews it
    clock.now += LEASE - 1
    orders.look()
    assert given(bench) == [order]
    clock.now += 2
    orders.look()
    orders.look()
    assert given(bench) == [order, "go"]
    assert "the host was silent" in bench.of("agent_order")[-1]["by"]


def test_a_monitor_that_starts_again_knows_the_order_and_ends_it_in_time(bench: Bench, orders: AgentOrders,
                                                                         clock: Clock) -> None:
    orders.give("hold")
    again = AgentOrders(bench.monitor, clock)
    again.give("hold")
    assert given(bench) == ["hold"]
    clock.now += LEASE + 1
    again.look()
    assert given(bench) == ["hold", "go"]


def test_the_ticket_of_an_agent_that_was_stopped_goes_to_a_human(bench: Bench, orders: AgentOrders) -> None:
    orders.give("stop", "anna")
    open_ticket(bench)
    orders.look()
    orders.look()
    assert bench.states() == ["escalated"]
    assert bench.of("ticket_escalated") == [{"reason": "The presenter stopped the agent.", "by": "presenter"}]


def test_a_ticket_that_the_agent_holds_is_left_to_it(bench: Bench, orders: AgentOrders) -> None:
    open_ticket(bench)
    tickets.claim(bench.agent, "ses-1")
    orders.give("stop")
    orders.look()
    assert bench.states() == ["acknowledged"]


def test_after_a_stop_nothing_else_is_heard(bench: Bench, orders: AgentOrders, clock: Clock) -> None:
    orders.give("stop")
    assert orders.give("go") == {"order": "stop"}
    clock.now += 10 * LEASE
    orders.look()
    assert given(bench) == ["stop"]


def test_another_word_is_no_order(orders: AgentOrders) -> None:
    with pytest.raises(UsageError, match="hold"):
        orders.give("run")
