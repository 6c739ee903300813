"""`operator-demo scenarios prove`, with a program that only looks like a run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stand_in_program

from operator_demo.evaluation import runner

ROOT = Path(__file__).parents[2]


@pytest.fixture
def program(short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = stand_in_program.make(short)
    monkeypatch.setenv("OPERATOR_DEMO_FILE", str(made))
    return made


def proving(short: Path) -> Path:
    return short / "home" / ".operator" / "proving" / "etcd"


def test_it_proves_and_the_list_shows_it(program: Path, short: Path, fake_engine: Any,
                                         operator_demo: Callable[..., Any]) -> None:
    done = operator_demo("--host", fake_engine.url, "scenarios", "prove", "etcd", "--scenario", "noisy-load",
                         "--scenario", "slow-member")
    assert done.status == 0, done.err
    assert done.out.split("\n")[0].split() == ["SCENARIO", "RIGHT", "IS", "NO", "AGENT", "REHEARSAL"]
    assert "slow-member  repaired   unverified  repaired" in done.out
    assert runner.finished(proving(short)) == {}, "the next call begins anew"
    rows = {row["name"]: row for row in json.loads(operator_demo("scenarios", "list", "etcd", "--json").out)}
    assert rows["noisy-load"]["rehearsal"]["version"] == "v"
    assert rows["slow-member"]["without_agent"]["outcome"] == "unverified"
    assert rows["quiet"]["rehearsal"]["version"] != "v", "what was not run here is as it was"
    assert "no agent    unverified (" in operator_demo("scenarios", "show", "slow-member").out


def test_it_tells_what_proved_nothing(short: Path, fake_engine: Any, monkeypatch: pytest.MonkeyPatch,
                                      operator_demo: Callable[..., Any]) -> None:
    broken = stand_in_program.make(short)
    broken.write_bytes(b"#!/bin/sh\necho no image; exit 3\n" + broken.read_bytes())
    monkeypatch.setenv("OPERATOR_DEMO_FILE", str(broken))
    done = operator_demo("--host", fake_engine.url, "scenarios", "prove", "etcd", "--scenario", "quiet")
    assert done.status == 1
    assert "etcd/quiet/rehearsal/1 proves nothing: failed. no image" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_run_under_way_ends_with_it(number: signal.Signals, program: Path, short: Path, fake_engine: Any) -> None:
    command = [sys.executable, "-m", "operator_demo", "--host", fake_engine.url, "scenarios", "prove", "etcd",
               "--scenario", "frozen-member"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            home = proving(short) / "homes" / "etcd_frozen-member_none_1"
            end = time.monotonic() + 30
            while not (home / "began").exists():
                assert time.monotonic() < end
                time.sleep(0.05)
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert (home / "ended").read_text() == "SIGTERM"
    assert not (short / "home" / ".operator" / "proven").exists()


def test_a_scenario_that_is_not_there_is_a_usage_error(program: Path, operator_demo: Callable[..., Any]) -> None:
    done = operator_demo("scenarios", "prove", "etcd", "--scenario", "no-such")
    assert done.status == 2
