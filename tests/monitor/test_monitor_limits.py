"""Limits that are judged against this machine."""

import pytest
from monitor_bench import Bench

from operator_demo import phrases
from operator_demo.events import Limit
from operator_demo.monitor.limits import LOOKS, Limits
from operator_demo.subject import Invariant, Observation

INVARIANTS = [Invariant("slow", "warning", 0.1, "s", 3.0, "", "", measured="p99", times=4.0),
              Invariant("full", "warning", 70.0, "%", 3.0, "", "")]


def look(*latencies: object) -> Observation:
    return Observation(0.0, {f"m{n}": {"p99": p99} for n, p99 in enumerate(latencies)}, {})


@pytest.mark.parametrize(("looks", "limit"), [
    ([look(0.001, 0.002)] * 3, 0.1),
    ([look(0.2, 0.01), look(0.01, 0.3), look(0.25)], 1.0),  # of each look the worst; of those the median
    ([look(None, "fast"), Observation(0.0, {"m0": {}}, {})], 0.1),
    ([look(9.0)] * 50 + [look(0.1)] * LOOKS, 0.4),  # what was long ago is not the measure
])
def test_the_limit_is_a_multiple_of_what_is_usual_and_no_less_than_its_floor(
        bench: Bench, looks: list[Observation], limit: float) -> None:
    limits = Limits(INVARIANTS, bench.monitor)
    for one in looks:
        limits.see(one)
    assert limits.now == {}
    limits.set()
    assert limits.now == {"slow": pytest.approx(limit)}


def test_a_monitor_that_is_restarted_judges_by_the_same_limits(bench: Bench) -> None:
    limits = Limits(INVARIANTS, bench.monitor)
    limits.see(look(0.5))
    limits.set()
    assert Limits(INVARIANTS, bench.monitor).now == {"slow": 2.0}
    assert bench.of("limits") == [{"limits": {"slow": {"limit": 2.0, "unit": "s", "floor": 0.1, "times": 4.0,
                                                       "usual": 0.5}}}]


@pytest.mark.parametrize(("limit", "words"), [
    (Limit(0.8, "s", 0.1, 4.0, 0.2), "slow: limit 0.8 s, 4 times the usual 0.2 s"),
    (Limit(0.1, "s", 0.1, 4.0, 0.002), "slow: limit 0.1 s, the least one; 4 times the usual 0.002 s is not more"),
    (Limit(0.1, "s", 0.1, 4.0), "slow: limit 0.1 s, the least one; what is usual was not measured"),
])
def test_each_says_where_its_number_comes_from(limit: Limit, words: str) -> None:
    assert phrases.limit("slow", limit) == words
