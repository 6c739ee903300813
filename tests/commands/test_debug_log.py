"""The log that `-v` writes: what stands in it, what never does, and that it costs nothing while it is off."""

import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KEY = "sk-ant-abcdefgh12345678"
OTHER_KEY = "a-key-of-another-shape"


@pytest.fixture
def program(short: Path, fake_engine: Any) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """The program in a process of its own, so that the log is on there alone."""
    chosen = os.environ | {"OPERATOR_HOME": str(short / "records"), "DOCKER_HOST": fake_engine.url}

    def call(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "-m", "operator_demo", *arguments], cwd=ROOT, env=chosen | environment,
                              capture_output=True, text=True, timeout=60)

    return call


def test_it_is_off_by_default(program: Callable[..., Any], short: Path) -> None:
    assert program("status").returncode == 0
    assert program("status", OPERATOR_LOG="").returncode == 0
    assert not (short / "records").exists()


@pytest.mark.parametrize(("arguments", "environment"), [(("-v",), {}), ((), {"OPERATOR_LOG": "debug"})])
def test_engine_calls_are_written_with_their_times(arguments: tuple[str, ...], environment: dict[str, str],
                                                   program: Callable[..., Any], short: Path) -> None:
    done = program(*arguments, "status", **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "No demo is on the engine.\n", "")
    file = short / "records/debug.log"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = file.read_text().splitlines()
    assert "operator-demo 0." in lines[0] and "status" in lines[0]
    assert re.search(r"GET /version 200 in \d+\.\d{3} s$|GET /v[\d.]+/info 200 in \d+\.\d{3} s$", lines[1])
    assert any(re.search(r"GET /v1\.41/containers/json 200 in", line) for line in lines)
    assert not any("?" in line for line in lines), "queries may hold anything"


def test_an_error_stands_in_it_with_its_cause(program: Callable[..., Any], short: Path) -> None:
    done = program("-v", "--host", "tcp://127.0.0.1:1", "status")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    text = (short / "records/debug.log").read_text()
    assert "failed after" in text and "EngineUnavailable" in text and "Connection refused" in text


def test_no_key_gets_in(program: Callable[..., Any], short: Path) -> None:
    program("-v", "run", KEY, ANTHROPIC_API_KEY=OTHER_KEY)
    program("-v", "run", OTHER_KEY, ANTHROPIC_API_KEY=OTHER_KEY)
    text = (short / "records/debug.log").read_text()
    assert KEY not in text and OTHER_KEY not in text
    assert text.count("[redacted]") >= 2


def test_another_level_is_a_usage_error(program: Callable[..., Any]) -> None:
    done = program("status", OPERATOR_LOG="loud")
    assert done.returncode == 2
    assert "OPERATOR_LOG" in done.stderr


def test_a_home_that_cannot_be_written_is_one_clear_error(program: Callable[..., Any]) -> None:
    done = program("-v", "status", OPERATOR_HOME="/etc/hostname/x")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr and "OPERATOR_HOME" in done.stderr


def test_threads_that_start_end_and_fail_are_written(short: Path) -> None:
    script = """
import threading
from operator_demo import debug_log
debug_log.start()
threading.excepthook = lambda _: None
threading.Thread(target=lambda: None, name="one").start()
threading.Thread(target=lambda: 1 / 0, name="two").start()
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True,
                   env=os.environ | {"OPERATOR_HOME": str(short / "records")})
    text = (short / "records/debug.log").read_text()
    assert re.search(r"one: thread starts\n", text) and re.search(r"one: thread ends after 0\.\d+ s", text)
    assert re.search(r"two: thread fails\n(.*\n)*ZeroDivisionError", text)


def test_its_size_is_bounded(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPERATOR_HOME", str(short / "records"))
    script = """
import logging
from operator_demo import debug_log
debug_log._BYTES = 10_000
debug_log.start()
for number in range(2000):
    logging.getLogger("operator_demo.x").debug("line %d", number)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    files = sorted(path.name for path in (short / "records").iterdir())
    assert files == ["debug.log", "debug.log.1"]
    assert sum(path.stat().st_size for path in (short / "records").iterdir()) < 21_000
    assert "line 1999" in (short / "records/debug.log").read_text()


def test_logging_is_not_loaded_where_nothing_needs_it(program: Callable[..., Any]) -> None:
    loaded = subprocess.run([sys.executable, "-X", "importtime", "-m", "operator_demo", "--version"], cwd=ROOT,
                            capture_output=True, text=True).stderr
    assert "operator_demo.cli" in loaded
    assert "logging" not in {line.rpartition("|")[2].strip() for line in loaded.splitlines()}


def test_it_is_off_in_this_process() -> None:
    assert not logging.getLogger("operator_demo.engine.connect").isEnabledFor(logging.DEBUG)
