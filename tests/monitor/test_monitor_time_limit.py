"""The end of a run's time is on record, and an open ticket is closed."""

import time

import pytest
from monitor_bench import Bench

from operator_demo import tickets
from operator_demo.monitor import time_limit


def test_the_record_says_why(bench: Bench) -> None:
    time_limit.record_end(bench.monitor, 60.0)
    (note,) = bench.of("note")
    assert note["level"] == "warning"
    assert "The longest time of a run (60 s) is over." in note["text"]


@pytest.mark.parametrize("held", [False, True])
def test_an_open_ticket_is_closed(bench: Bench, held: bool) -> None:
    tickets.open_(bench.monitor, subject="fake", severity="critical", title="t", violations=[])
    if held:
        assert tickets.claim(bench.agent, "ses-1")
    time_limit.record_end(bench.monitor, 60.0)
    assert bench.states() == ["escalated"]
    assert "(60 s) is over" in bench.of("ticket_escalated")[0]["reason"]


def test_the_time_counts_from_the_first_event_of_the_run(bench: Bench) -> None:
    began = bench.store.began("run-1")
    assert began is not None
    assert time_limit.seconds_left(bench.monitor, 60.0) <= began + 60.0 - time.time() + 0.1
