"""Campaigns: what is planned, how it is played and taken up again, and what the table says."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stand_in_program
from hypothesis import given
from hypothesis import strategies as st

from operator_demo.errors import UsageError
from operator_demo.evaluation import campaign, lifeline, runner, table

ROOT = Path(__file__).parents[2]

@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return stand_in_program.make(tmp_path)


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


FROZEN = SMALL.replace("member-kill", "frozen-member") + "baseline: false\n"


def homes(folder: Path) -> list[Path]:
    return sorted((folder / "homes").iterdir()) if (folder / "homes").exists() else []


def until(what: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def gone(process: int) -> bool:
    until(lambda: not Path(f"/proc/{process}").exists())
    return True


@pytest.fixture
def campaign_under_way(tmp_path: Path, program: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """`operator-demo eval` of two runs that go on for a minute; and the folder of its results."""
    (tmp_path / "campaign.yaml").write_text(FROZEN)
    out = tmp_path / "out"
    environment = os.environ | {"OPERATOR_DEMO_FILE": str(program), "OPERATOR_HOME": str(tmp_path / "home")}
    with subprocess.Popen([sys.executable, "-m", "operator_demo", "eval", str(tmp_path / "campaign.yaml"), "--out",
                           str(out)], cwd=ROOT, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until(lambda: len(homes(out)) == 2 and all((home / "began").exists() for home in homes(out)))
        yield process, out
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_the_runs_end_with_the_campaign(number: signal.Signals,
                                        campaign_under_way: tuple["subprocess.Popen[str]", Path]) -> None:
    process, out = campaign_under_way
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in err
    until(lambda: all((home / "ended").exists() for home in homes(out)))
    for home in homes(out):
        assert (home / "ended").read_text() == "SIGTERM"
        assert gone(int((home / "began").read_text()))
    assert runner.finished(out) == {}


def test_a_failure_of_the_campaign_ends_its_runs(tmp_path: Path, program: Path) -> None:
    out = tmp_path / "out"

    def fail(trial: campaign.Trial) -> None:
        until(lambda: any((home / "began").exists() for home in homes(out)))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        runner.play(plan(tmp_path, FROZEN), out, program, fail, lambda t, r: None)
    assert all((home / "ended").read_text() == "SIGTERM" for home in homes(out) if (home / "began").exists())


@pytest.mark.parametrize(("limit", "told"), [(1, 121), (900, 1020), (90000, 86400)])
def test_the_limit_is_told_to_the_run_too(limit: int, told: float, tmp_path: Path, program: Path) -> None:
    made = plan(tmp_path, SMALL + f"baseline: false\nlimit: {limit}\noptions: [--rate, '7']\n")
    play(made, tmp_path / "out", program)
    for home in homes(tmp_path / "out"):
        arguments = (home / "arguments").read_text().split()
        assert float(arguments[arguments.index("--max-time") + 1]) == told
        assert arguments.index("--rate") > arguments.index("--max-time"), "what the campaign says counts more"


def test_the_real_run_ends_with_its_input(short_path: Path) -> None:
    """While it waits for an engine that does not answer."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(short_path / "engine.sock"))
        engine.listen()
        with subprocess.Popen([sys.executable, "-m", "operator_demo", "--host", f"unix://{short_path}/engine.sock",
                               "run", "etcd", "--auto", "--model", "rehearsal", lifeline.OPTION], cwd=ROOT,
                              stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            engine.settimeout(30)
            connection, _ = engine.accept()
            process.stdin.close()
            assert process.wait(30) == -signal.SIGTERM
            connection.close()


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
