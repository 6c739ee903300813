"""The judge of `./build.sh soak`."""

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import soak

from operator_demo import events
from operator_demo.evaluation import runner
from operator_demo.evaluation.campaign import Trial
from operator_demo.store import Store

TRIAL = Trial("etcd", "member-kill", "rehearsal", 1)
SCENARIOS = {"member-kill": {"outcome": "repaired", "rehearsal": {"outcome": "repaired"}},
             "crash-loop": {"outcome": "repaired", "rehearsal": {"outcome": "escalated"}}}


def client(*left: str) -> MagicMock:
    engine = MagicMock()
    engine.containers.list.return_value = []
    engine.networks.list.return_value = []
    engine.volumes.list.side_effect = lambda filters: [MagicMock() for _ in left]
    return engine


def judge(folder: Path, *left: str) -> soak.Judge:
    home = runner.home_of(folder, TRIAL)
    home.mkdir(parents=True)
    started = {"project": "p", "subject": "etcd", "mode": "execute", "model": "rehearsal", "brain": "rehearsal",
               "version": "0", "engine": "x", "seed": 1, "clock_offset": 0.0, "manual": False}
    finished = {"outcome": "repaired", "exit_status": 0, "ttd": None, "ttm": None}
    with Store(home / "tickets.db") as store:
        for name, data in (("run_started", started), ("run_finished", finished)):
            store.record(events.event("run-aaaaaaaa", "stage", events.TYPES[name].of(data)))
    return soak.Judge(folder, client(*left), SCENARIOS)


def result(**more: Any) -> dict[str, Any]:
    return {"trial": TRIAL.name, "outcome": "repaired", "exit_status": 0} | more


def test_a_good_run(tmp_path: Path) -> None:
    judging = judge(tmp_path)
    judging.ended(TRIAL, result())
    assert judging.judged[TRIAL.name]["faults"] == []
    assert soak.Judge(tmp_path, client(), SCENARIOS).judged == judging.judged  # an interrupted soak knows it again


def test_what_is_left_on_the_engine(tmp_path: Path) -> None:
    judging = judge(tmp_path, "a volume")
    judging.ended(TRIAL, result())
    assert len(judging.judged[TRIAL.name]["faults"]) == 2  # one of the subject's project, one of ours


def test_another_outcome_than_proven(tmp_path: Path) -> None:
    judging = judge(tmp_path)
    judging.ended(TRIAL, result(outcome="failed", exit_status=3))
    assert judging.judged[TRIAL.name]["faults"] == ["ended as failed with status 3, not as repaired with 0"]


def test_a_run_without_a_record(tmp_path: Path) -> None:
    judging = judge(tmp_path)
    (runner.home_of(tmp_path, TRIAL) / "tickets.db").unlink()
    judging.ended(TRIAL, result())
    assert len(judging.judged[TRIAL.name]["faults"]) == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_the_draw_can_be_repeated(seed: int) -> None:
    runs = soak.drawn(SCENARIOS, 20, seed)
    assert runs == soak.drawn(SCENARIOS, 20, seed)
    assert len({trial.project for trial in runs.trials}) == 20
    assert {trial.scenario for trial in runs.trials} == set(SCENARIOS)
