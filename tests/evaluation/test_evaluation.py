"""Campaigns: what is planned, how it is played and taken up again, and what the table says."""

import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.errors import UsageError
from operator_demo.evaluation import campaign, runner, table

# Stands in for the program: a run that writes a score into its store, and ends as its scenario's name says.
PROGRAM = """\
#!{python}
import os, pathlib, sys, time
sys.path[:0] = {path!r}
from operator_demo import events
from operator_demo.store import Store
arguments = sys.argv[1:]
scenario, home = arguments[arguments.index("--scenario") + 1], pathlib.Path(os.environ["OPERATOR_HOME"])
home.joinpath("began").write_text("yes")
if scenario == "frozen-member":
    time.sleep(60)
good = "--no-agent" not in arguments
with Store(home / "tickets.db") as store:
    def say(kind, **data):
        store.record(events.event("run-x", "stage", events.TYPES[kind].of(data)))
    say("run_started", project="p", subject="etcd", mode="execute", model="m", brain="b", version="v", engine="e",
        seed=1)
    say("score", outcome="repaired", expected="repaired", reached=good, clocks={{}}, ttd=1.0,
        ttm=20.0 if good else None, marks={{"cause": good}}, work={{"steps": 9, "tokens": 5, "cost_usd": None}},
        oracle={{}}, collateral=[], service={{"client_errors": 3, "lost_seconds": 1}})
    say("run_finished", outcome="repaired" if good else "unverified", exit_status=0 if good else 1)
sys.exit(0 if good else 1)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "operator-demo"
    made.write_text(PROGRAM.format(python=sys.executable, path=[str(Path(__file__).parents[2])]))
    made.chmod(0o755)
    return made


def plan(tmp_path: Path, text: str) -> campaign.Campaign:
    file = tmp_path / "campaign.yaml"
    file.write_text(textwrap.dedent(text))
    return campaign.load(file)


SMALL = "subjects: {etcd: [member-kill]}\nmodels: [rehearsal]\ntrials: 2\nparallel: 2\ncontrol: false\n"


def test_a_plan_has_every_combination_and_a_baseline(tmp_path: Path) -> None:
    made = plan(tmp_path, "subjects: {etcd: [member-kill, leader-kill]}\nmodels: [rehearsal, claude-x]\ntrials: 2\n")
    names = {(t.scenario, t.model) for t in made.trials}
    assert names == {(s, m) for s in ("member-kill", "leader-kill", "quiet") for m in ("rehearsal", "claude-x", "none")
                     if (s, m) != ("quiet", "none")}, "nothing can heal where nothing is broken"
    assert len(made.trials) == 16
    assert len({t.project for t in made.trials}) == 16


def test_all_models_meet_the_same_fault(tmp_path: Path) -> None:
    trials = plan(tmp_path, SMALL).trials
    assert len({t.seed for t in trials if t.number == 1}) == 1
    assert len({t.seed for t in trials}) == 2


@pytest.mark.parametrize(("text", "words"), [
    ("subjects: {etcd: [no-such]}\nmodels: [rehearsal]\n", r"campaign\.yaml:1: subjects\.etcd\.0: 'no-such'"),
    ("subjects: {etcd: all}\n", "models is missing"),
    ("subjects: {etcd: all}\nmodels: [none]\n", r"campaign\.yaml:2: models\.0"),
    ("subjects: {etcd: all}\nmodels: [rehearsal]\ntrails: 3\n", "did you mean 'trials'"),
    ("subjects: {etcd: all}\nmodels: [rehearsal]\ntrials: 0\n", r"campaign\.yaml:3: trials: at least 1"),
    ("subjects: {nowhere: all}\nmodels: [rehearsal]\n", "no subject 'nowhere'"),
])
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan(tmp_path, text)


def play(made: campaign.Campaign, folder: Path, program: Path) -> list[str]:
    began: list[str] = []
    runner.play(made, folder, program, lambda t: began.append(t.name), lambda t, r: None)
    return began


def test_every_trial_is_run_once_and_never_again(tmp_path: Path, program: Path) -> None:
    made = plan(tmp_path, SMALL)
    assert sorted(play(made, tmp_path / "out", program)) == sorted(t.name for t in made.trials)
    assert play(made, tmp_path / "out", program) == []


def test_a_campaign_goes_on_where_it_was_cut_off(tmp_path: Path, program: Path) -> None:
    made, out = plan(tmp_path, SMALL), tmp_path / "out"
    play(made, out, program)
    whole = (out / runner.RESULTS).read_text()
    (out / runner.RESULTS).write_text(whole[:-30])
    assert len(play(made, out, program)) == 1


def test_the_table_tells_what_the_agent_adds(tmp_path: Path, program: Path) -> None:
    play(plan(tmp_path, SMALL), tmp_path / "out", program)
    rows = {r["model"]: r for r in table.rows(runner.finished(tmp_path / "out").values())}
    assert (rows["none"]["rate"], rows["rehearsal"]["rate"], rows["rehearsal"]["added"]) == (0.0, 1.0, 1.0)
    assert (rows["rehearsal"]["ttm"], rows["none"]["ttm"], rows["rehearsal"]["cause_named"]) == (20.0, None, 1.0)
    assert set(rows["none"]) == set(table.COLUMNS)


def test_a_program_that_fails_is_a_result_with_its_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'no engine answers'; exit 3\n")
    broken.chmod(0o755)
    play(plan(tmp_path, SMALL), tmp_path / "out", broken)
    results = runner.finished(tmp_path / "out").values()
    assert {(r["exit_status"], r["outcome"], r["words"]) for r in results} == {(3, "failed", "no engine answers\n")}


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path, program: Path) -> None:
    made = plan(tmp_path, SMALL.replace("member-kill", "frozen-member") + "limit: 1\nbaseline: false\n")
    play(made, tmp_path / "out", program)
    assert {r["exit_status"] for r in runner.finished(tmp_path / "out").values()} == {-signal.SIGTERM}


def test_an_interrupt_ends_the_runs_under_way(tmp_path: Path, program: Path) -> None:
    made = plan(tmp_path, SMALL.replace("member-kill", "frozen-member") + "baseline: false\n")

    def interrupt(trial: campaign.Trial) -> None:
        began = tmp_path / "out" / "homes" / trial.name.replace("/", "_") / "began"
        while not began.exists():
            time.sleep(0.02)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.play(made, tmp_path / "out", program, interrupt, lambda t, r: None)
    assert not [t for t in threading.enumerate() if t.name.startswith("trial-")]
    assert subprocess.run(["pgrep", "-f", str(program)], capture_output=True).stdout == b""
    assert runner.finished(tmp_path / "out") == {}


@given(st.integers(0, 200), st.integers(1, 200))
def test_an_interval_holds_its_rate(successes: int, trials: int) -> None:
    low, high = table.wilson(min(successes, trials), trials)
    assert 0 <= low <= min(successes, trials) / trials + 1e-9
    assert min(successes, trials) / trials - 1e-9 <= high <= 1


def test_the_interval_is_wilsons() -> None:
    assert table.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_damaged_results_are_left_out(tmp_path: Path) -> None:
    good: dict[str, Any] = {"trial": "a"}
    (tmp_path / runner.RESULTS).write_text("nonsense\n[]\n" + json.dumps(good) + "\n{\"no\": 1}\n")
    assert runner.finished(tmp_path) == {"a": good}
