"""The worker against members in memory that are slow, gone, frozen, or forget."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operator_demo.subject import Refused
from operator_demo.workload import worker as worker_module
from operator_demo.workload.check import check
from operator_demo.workload.ledger import Ledger
from operator_demo.workload.tally import Tally
from operator_demo.workload.targets import Targets
from operator_demo.workload.worker import Worker, kind

KEYS = ["k0", "k1", "k2", "k3"]


class Members:
    """Data behind a client; `broken` is called before each operation and may raise."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.broken: Callable[[], None] = lambda: None
        self.asked = 0

    def connect(self) -> "Client":
        return Client(self)


class Client:
    def __init__(self, members: Members) -> None:
        self._members = members

    def _operate(self) -> None:
        self._members.asked += 1
        self._members.broken()

    def put(self, key: str, value: str) -> None:
        self._operate()
        self._members.data[key] = value

    def get(self, key: str) -> str | None:
        self._operate()
        return self._members.data.get(key)

    def close(self) -> None:
        return


class Bench:
    def __init__(self, folder: Path) -> None:
        self.members, self.tally = Members(), Tally()
        self.ledger = Ledger(folder / "workload.db", KEYS)

    def run(self, seconds: float, period: float = 0.01, index: int = 0) -> None:
        worker = Worker(index, KEYS[index::2], self.members.connect, self.ledger, self.tally, period, 0.0)
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(time.monotonic(), stop))
        thread.start()
        time.sleep(seconds)
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.ledger.close()


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error
    return fail


def test_half_of_the_operations_are_reads_and_each_key_has_one_writer(bench: Bench) -> None:
    bench.run(2.0)  # a busy machine does a fraction of the 200 that are due
    told = bench.tally.take()
    assert told["errors"] == {}
    assert abs(told["reads"] - told["writes"]) <= 1
    assert told["ops"] >= 20
    assert set(bench.members.data) == {"k0", "k2"}


def test_the_schedule_does_not_wait_for_answers(bench: Bench) -> None:
    """A member that is silent for a while makes operations late; it does not make them fewer."""
    bench.members.broken = lambda: time.sleep(0.4) if bench.members.asked == 1 else None
    bench.run(0.8)
    told = bench.tally.take()
    assert told["ops"] >= 60, "about 80 were due"
    assert told["p99"] >= 0.3, "latency counts from when an operation was due"
    assert told["p50"] < 0.3


def test_what_is_too_late_is_given_up_and_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "MAX_LATE", 0.1)
    slow = iter([0.4])
    bench.members.broken = lambda: time.sleep(next(slow, 0.0))
    bench.run(2.0)  # a busy machine begins late
    told = bench.tally.take()
    assert told["late"] == told["errors"]["late"] >= 10


@pytest.mark.parametrize(("error", "name"), [
    (Refused("x"), "refused"), (TimeoutError("x"), "timeout"), (ConnectionError("x"), "unavailable"),
    (ConnectionResetError("x"), "unavailable"), (ValueError("x"), "other")])
def test_what_a_client_raises_is_counted_and_the_next_operation_is_tried(bench: Bench, error: Exception,
                                                                         name: str) -> None:
    assert kind(error) == name

    def fail_once() -> None:
        if bench.members.asked == 1:
            raise error

    bench.members.broken = fail_once
    bench.run(0.3)
    told = bench.tally.take()
    assert told["errors"] == {name: 1}
    assert told["ops"] >= 10


def test_refused_values_are_used_again_and_unanswered_ones_are_not(bench: Bench) -> None:
    for error, refused, unanswered in ((Refused("no"), True, False), (TimeoutError(), False, True)):
        before = bench.ledger.entry("k0")
        bench.members.broken = failing(error)
        bench.run(0.2)
        after = bench.ledger.entry("k0")
        assert after.acknowledged == before.acknowledged
        assert (after.refused > before.refused, after.unanswered > before.unanswered) == (refused, unanswered)
        assert (after.last > before.last) is unanswered


def test_without_a_client_operations_fail_until_there_is_one(bench: Bench) -> None:
    connect, tried = bench.members.connect, []

    def connect_late() -> Client:
        tried.append(1)
        if len(tried) < 4:
            raise ConnectionError("x")
        return connect()

    bench.members.connect = connect_late  # type: ignore[method-assign]
    bench.run(0.3)
    told = bench.tally.take()
    assert told["errors"] == {"unavailable": 3}
    assert told["ops"] >= 5


def test_an_old_answer_is_told_apart_from_a_lost_write(bench: Bench) -> None:
    bench.run(0.3)
    old, get = "0", Client.get

    def once_old(self: Client, key: str) -> str | None:
        answers.append(key)
        return old if len(answers) == 1 else get(self, key)

    answers: list[str] = []
    Client.get = once_old  # type: ignore[method-assign]
    try:
        bench.run(0.2)
    finally:
        Client.get = get  # type: ignore[method-assign]
    assert bench.tally.take()["stale"] == 1
    assert sum(bench.ledger.entry(k).lost for k in KEYS) == 0


def test_data_that_vanishes_under_the_load_is_found_though_it_is_written_over(bench: Bench) -> None:
    bench.run(0.3)
    bench.members.data.clear()
    bench.run(0.3)
    answer = check(bench.ledger, bench.members.connect, 5.0)
    assert answer["lost"] > 0
    assert answer["details"]


# -- the check -------------------------------------------------------------------------------------------------------

def test_all_is_kept(bench: Bench) -> None:
    bench.run(0.3)
    answer = check(bench.ledger, bench.members.connect, 5.0)
    written = sum(bench.ledger.entry(k).count() for k in KEYS)
    assert (answer["kept"], answer["lost"], answer["unknown"], answer["keys"]) == (written, 0, 0, 4)
    assert written > 5


def test_a_write_that_is_missing_is_lost(bench: Bench) -> None:
    bench.run(0.3)
    bench.members.data["k0"] = str(int(bench.members.data["k0"]) - 2)
    answer = check(bench.ledger, bench.members.connect, 5.0)
    assert (answer["lost"], answer["unknown"]) == (2, 0)
    assert answer["details"][0].startswith("k0: 2 lost")


def test_a_value_that_leaves_it_open_is_read_again(bench: Bench) -> None:
    bench.run(0.3)
    last = bench.ledger.entry("k0").acknowledged
    bench.ledger.unanswered("k0", bench.ledger.next("k0"))
    bench.ledger.acknowledge("k0", bench.ledger.next("k0"))
    bench.members.data["k0"] = str(last + 1)
    threading.Timer(0.3, bench.members.data.update, [{"k0": str(last + 2)}]).start()
    assert check(bench.ledger, bench.members.connect, 5.0)["unknown"] == 0
    bench.members.data["k0"] = str(last + 1)
    answer = check(bench.ledger, bench.members.connect, 5.0)
    assert (answer["unknown"], answer["lost"]) == (1, 0)


def test_the_check_tries_a_read_again(bench: Bench) -> None:
    bench.run(0.2)
    asked = bench.members.asked

    def fail_at_first() -> None:
        if bench.members.asked == asked + 1:
            raise TimeoutError

    bench.members.broken = fail_at_first
    assert check(bench.ledger, bench.members.connect, 5.0)["unknown"] == 0


def test_without_a_quorum_nothing_is_kept(bench: Bench) -> None:
    bench.run(0.2)
    bench.members.broken = failing(TimeoutError())
    answer = check(bench.ledger, bench.members.connect, 5.0)
    assert answer["kept"] == 0
    assert answer["unknown"] == sum(bench.ledger.entry(k).count() for k in KEYS) > 0


def test_the_check_ends_in_time_when_all_members_hang(bench: Bench) -> None:
    bench.members.broken = lambda: time.sleep(0.3)
    began = time.monotonic()
    check(bench.ledger, bench.members.connect, 0.1)
    assert time.monotonic() - began < 2


# -- targets ---------------------------------------------------------------------------------------------------------

def member(name: str, state: str = "running", reachable: bool = True) -> dict[str, object]:
    return {"name": name, "state": state, "address": f"at {name}", "reachable": reachable}


def order(targets: Targets, worker: int = 0) -> str:
    return "".join(m.name for m in targets.order(worker))


def test_workers_are_spread_evenly() -> None:
    targets = Targets()
    targets.update([member(a) for a in "abc"])
    assert [order(targets, n) for n in range(4)] == ["abc", "bca", "cab", "abc"]
    assert targets.order(1)[0].address == "at b"


def test_members_that_do_not_answer_come_last_and_those_that_do_not_run_are_left_out() -> None:
    targets = Targets()
    assert order(targets) == ""
    targets.update([member("a"), member("b", reachable=False), member("c", state="paused"), member("d")])
    assert [order(targets, n) for n in range(3)] == ["adb", "dab", "adb"]
    targets.update([member("a", reachable=False), member("b", reachable=False), member("c", state="exited")])
    assert order(targets, 1) == "ab"
    targets.update([])
    assert targets.addresses == ["at a", "at b"], "what was known stays known"


@pytest.mark.parametrize(("count", "p50", "p99"), [
    (1, 1, 1), (2, 1, 2), (100, 50, 99), (101, 51, 100), (1000, 500, 990)])
def test_percentiles_by_nearest_rank(count: int, p50: float, p99: float) -> None:
    tally = Tally()
    for n in range(count, 0, -1):
        tally.done(float(n), read=False)
    told = tally.take()
    assert (told["p50"], told["p99"], told["writes"]) == (p50, p99, count)
    assert tally.take()["ops"] == 0
