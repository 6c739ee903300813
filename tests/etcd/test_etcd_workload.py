"""The load on a real cluster, as the process that it is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from etcd_cluster import Cluster, Watching, wait_until

from operator_demo import rpc
from operator_demo.store import Store
from subjects.etcd.gateway import Gateway

pytestmark = pytest.mark.engine

START = """
import sys
from operator_demo import settings
from operator_demo.workload.main import run
sys.exit(run(settings.from_environment()))
"""


class Load:
    def __init__(self, watching: Watching) -> None:
        self.settings, self.store = watching.settings, watching.store
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", START], cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL,
            env=os.environ | {"OPERATOR_RUN": "run-test", "OPERATOR_SUBJECT": "etcd", "OPERATOR_PROJECT": "p",
                              "OPERATOR_DATA": str(self.settings.data)} | environment)

    def end(self, how: int = signal.SIGTERM) -> int:
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(10)

    def seconds(self) -> list[dict[str, Any]]:
        return [e.raw for e in self.store.events("run-test", types=["load"])]

    def steady(self, seconds: int = 3) -> None:
        """Waits for some seconds in a row of full load."""
        def full() -> bool:
            newest = self.seconds()[-seconds:]
            return len(newest) == seconds and all(s["ops"] > 180 and not s["errors"] for s in newest)
        wait_until(full, 90, lambda: self.seconds()[-8:])

    def check(self) -> dict[str, Any]:
        return rpc.call(self.settings.workload_socket, "check", timeout=20)


@pytest.fixture
def load(watching: Watching) -> Iterator[Load]:
    made = Load(watching)
    made.start()
    yield made
    made.end()


@pytest.mark.wide  # it needs the machine for itself
def test_the_rate_is_kept_half_reads_and_all_is_found_again(load: Load) -> None:
    load.steady(5)
    seconds = load.seconds()
    due = sum(s["ops"] + sum(s["errors"].values()) for s in seconds)
    assert due == pytest.approx(200 * len(seconds), rel=0.1), "by the clock, whatever the members do"
    assert sum(s["reads"] for s in seconds) == pytest.approx(sum(s["writes"] for s in seconds), rel=0.1)
    assert all(0 < s["p50"] <= s["p99"] for s in seconds[-5:])
    answer = load.check()
    assert answer["kept"] > 400
    assert (answer["lost"], answer["unknown"], answer["keys"]) == (0, 0, 64)
    assert [e.raw["kept"] for e in load.store.events("run-test", types=["write_check"])] == [answer["kept"]]


@pytest.mark.parametrize("fault", [
    "kill", "pause", pytest.param("disconnect", marks=pytest.mark.wide),
    pytest.param("SIGSTOP", marks=pytest.mark.wide)])
def test_it_survives_a_fault_of_the_leader_and_loses_nothing(cluster: Cluster, load: Load, fault: str) -> None:
    load.steady()
    cluster.act(fault, cluster.leader())
    time.sleep(1)
    load.steady()
    cluster.heal()
    load.steady()
    assert sum(sum(s["errors"].values()) for s in load.seconds()) > 0, "the fault was felt"
    answer = load.check()
    assert (answer["lost"], answer["unknown"]) == (0, 0)


@pytest.mark.wide
def test_without_a_quorum_nothing_counts_as_kept(cluster: Cluster, load: Load) -> None:
    load.steady()
    cluster.act("kill", "etcd0", "etcd1")
    time.sleep(3)
    assert load.seconds()[-1]["ops"] == 0
    answer = load.check()
    assert (answer["kept"], answer["lost"]) == (0, 0)
    assert answer["unknown"] > 0
    cluster.heal()
    load.steady()
    assert load.check()["unknown"] == 0


def test_data_that_vanishes_is_lost(cluster: Cluster, load: Load) -> None:
    load.steady()
    gateway = Gateway(str(cluster.members()[0].address))
    for _ in range(5):
        gateway.delete_prefix("/operator-demo/load/", 5.0)
        time.sleep(0.2)
    gateway.close()
    assert load.check()["lost"] > 0


@pytest.mark.wide
def test_it_goes_on_after_being_killed(load: Load) -> None:
    load.steady()
    assert load.end(signal.SIGKILL) == -signal.SIGKILL
    before = len(load.seconds())
    load.start()
    wait_until(lambda: len(load.seconds()) > before + 3, 15)
    answer = load.check()
    assert (answer["lost"], answer["unknown"]) == (0, 0)
    assert 0 < answer["unanswered"] < 2000, "what was not flushed is not known"
    assert answer["kept"] > 200


def test_it_ends_promptly_and_in_order(load: Load) -> None:
    load.steady()
    began = time.monotonic()
    assert load.end() == 0
    assert time.monotonic() - began < 3
    assert not load.settings.workload_socket.exists()
    with Store(load.settings.store_path, read_only=True) as store:
        assert store.missing("run-test", "workload") == []


def test_it_ends_itself_when_its_time_is_over(watching: Watching) -> None:
    made = Load(watching)
    made.start(OPERATOR_MAX_TIME="3")
    assert made.process
    assert made.process.wait(15) == 0
    assert made.seconds()
