"""Output that nobody reads to the end, that cannot be written, or that has nowhere to go."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import docker
import pytest
from project_names import new_name
from single_file import Run

from operator_demo.store import Store

PRINTING = [
    ["--help"], ["--version"], ["run", "--help"], ["subjects"], ["scenarios"], ["doctor"], ["status"],
    ["completion", "bash"],
    ["audit", "list"], ["audit", "list", "--json"], ["audit", "show", "last"], ["audit", "show", "last", "--json"],
    ["tickets", "list"], ["tickets", "list", "--json"], ["tickets", "show", "last"],
]
NEW_YEAR = "2026-01-01T00:00:00.000000Z"
ENGINE = ("status", "doctor")  # need one; without it they end with 3, and say so in more or in less


@pytest.fixture
def prepared(start: Run, tmp_path: Path, cache: Path) -> dict[str, str]:
    """The environment of a user with a record, and no engine."""
    store = tmp_path / "operator/tickets.db"
    Store(store).close()
    with sqlite3.connect(store) as db:
        for number in range(30):
            db.execute("INSERT INTO runs (run, started) VALUES (?, ?)", (f"run-{number}", NEW_YEAR))
            db.execute("INSERT INTO agent_sessions (session, run, started) VALUES (?, ?, ?)",
                       (f"ses-{number}", f"run-{number}", NEW_YEAR))
            db.execute("INSERT INTO tickets (ticket, run, opened) VALUES (?, ?, ?)",
                       (f"tkt-{number}", f"run-{number}", NEW_YEAR))
    db.close()
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SHIV_ROOT": str(cache), "LC_ALL": "C.UTF-8",
            "OPERATOR_HOME": str(store.parent), "DOCKER_HOST": "unix:///nonexistent.sock"}


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_reader_that_went_away_is_no_error(built_file: Path, prepared: dict[str, str], command: list[str]) -> None:
    whole = subprocess.run([sys.executable, "-IS", built_file, *command], env=prepared, capture_output=True, text=True)
    assert whole.returncode == (3 if command[0] in ENGINE else 0), whole.stderr
    reading, writing = os.pipe()
    os.close(reading)
    try:
        closed = subprocess.run([sys.executable, "-IS", built_file, *command], env=prepared, stdout=writing,
                                stderr=subprocess.PIPE, text=True, timeout=60)
    finally:
        os.close(writing)
    assert (closed.returncode, closed.stderr) == (whole.returncode, whole.stderr)


@pytest.mark.parametrize("command", ["audit show last | head -n 1", "audit list | head -n 1", "--help | true",
                                     "subjects | head -n 0", "audit list --json | head -c 1", "completion fish | true",
                                     "no-such-command 2>&1 | true"])
def test_a_shells_pipe_that_closes_early_ends_quietly(
    built_file: Path, prepared: dict[str, str], command: str
) -> None:
    words, _, reader = command.partition(" | ")
    script = f"'{sys.executable}' -IS '{built_file}' {words} | {reader} >/dev/null; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], env=prepared, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (2 if "no-such" in command else 0, "", "")


@pytest.mark.parametrize("command", [c for c in PRINTING if c[0] not in ENGINE], ids=" ".join)
def test_output_that_does_not_fit_on_the_disk_is_said(
    built_file: Path, prepared: dict[str, str], command: list[str]
) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run([sys.executable, "-IS", built_file, *command], env=prepared, stdout=full, text=True,
                                stderr=subprocess.PIPE, timeout=60)
    assert (result.returncode, result.stderr) == (
        3, "operator-demo: The output could not be written: No space left on device.\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["--help", "subjects", "audit list", "no-such-command"])
def test_closed_descriptors(built_file: Path, prepared: dict[str, str], command: str, closed: str) -> None:
    script = f"'{sys.executable}' -IS '{built_file}' {command} {closed}"
    result = subprocess.run(["sh", "-c", script], env=prepared, capture_output=True, text=True, timeout=60)
    assert result.returncode == (2 if command == "no-such-command" else 0)
    assert "Traceback" not in result.stderr


def test_the_streams_keep_the_encoding_that_python_gave_them(start: Run, prepared: dict[str, str]) -> None:
    rich = start("audit", "show", "last", **prepared)
    poor = start("audit", "show", "last", flags=("-IS", "-X", "utf8=0"), **prepared | {"LC_ALL": "C"})
    assert (rich.returncode, poor.returncode) == (0, 0)
    assert not rich.stdout.isascii()
    assert poor.stdout.isascii()
    assert poor.stdout


@pytest.mark.engine
def test_taking_down_ends_well_when_nobody_reads(built_file: Path, prepared: dict[str, str]) -> None:
    del prepared["DOCKER_HOST"]
    client = docker.from_env()
    name = new_name()
    volume = client.volumes.create(f"{name}_data", labels={"com.docker.compose.project": name,
                                                           "io.operator-demo.run": "run-x"})
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run([sys.executable, "-IS", built_file, "down", "--volumes", "--project", name],
                                env=prepared, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
        assert (result.returncode, result.stderr) == (0, "")
        assert volume.name not in {found.name for found in client.volumes.list()}
    finally:
        os.close(writing)
        if volume.name in {found.name for found in client.volumes.list()}:
            volume.remove(force=True)
        client.close()
