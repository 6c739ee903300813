"""A subject that was never well has no incident: what it lacks is told, and no ticket opens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from monitor_bench import Bench

from operator_demo.subject import Violation


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, well=False)
    bench.members.set("m1", state="exited", address=None, exit_code=137)
    yield bench
    bench.store.close()


def missing(bench: Bench) -> list[list[str]]:
    return [data["missing"] for data in bench.of("readiness")]


def test_it_tells_what_is_missing_and_opens_no_ticket(starting: Bench) -> None:
    starting.observer.look()
    starting.observer.look()
    assert missing(starting) == [["m1 is exited."]]
    assert starting.of("ticket_opened") == []


def test_a_member_that_no_invariant_names_is_missing_too(starting: Bench) -> None:
    starting.members.set("m1", state="running", address="10.0.0.1")
    starting.subject.unhealthy = {"m2"}
    starting.observer.look()
    assert missing(starting) == [["m2: not healthy."]]


def test_after_it_was_well_a_violation_opens_a_ticket(starting: Bench) -> None:
    starting.observer.look()
    starting.members.set("m1", state="running", address="10.0.0.1")
    starting.observer.look()
    starting.members.set("m2", state="exited", address=None, exit_code=1)
    starting.observer.look()
    assert missing(starting) == [["m1 is exited."], []]
    (opened,) = starting.of("ticket_opened")
    assert [v["key"] for v in opened["violations"]] == ["member_down:m2"]


def test_a_violation_that_was_there_from_the_start_opens_none_when_it_goes(starting: Bench) -> None:
    starting.members.set("m1", state="running", address="10.0.0.1")
    starting.subject.found = [Violation("slow", "m0", "warning", "m0 is slow.", certain=True)]
    starting.observer.look()
    starting.subject.found = []
    starting.observer.look()
    assert missing(starting) == [["m0 is slow."], []]
    assert starting.of("ticket_opened") == []


def test_a_monitor_that_is_restarted_knows_it(starting: Bench) -> None:
    starting.members.set("m1", state="running", address="10.0.0.1")
    starting.observer.look()
    starting.members.set("m1", state="exited", address=None, exit_code=137)
    starting.new_observer().look()
    assert len(starting.of("ticket_opened")) == 1
    assert missing(starting) == [[]]
