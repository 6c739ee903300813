"""What goes wrong in the middle of a run, and what must follow. docs/architecture.md promises it."""

import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from own_engine import OwnEngine
from presenter import Demo, Result

SOON = 60.0  # seconds within which a process that must end has ended, on a busy machine
STOPPED, HELD = 15.0, 8.0  # seconds
ENGINE_GONE = 90.0  # 15 seconds of silence, and what was asked of the engine before


@dataclass(frozen=True)
class Scene:
    """A run in the middle of `chapter`. `engine` is there where it is the test's own, `disk` where it is small."""

    demo: Demo
    chapter: str
    engine: OwnEngine | None = None
    disk: Path | None = None


Cause = Callable[[Scene], None]


# -- the host ----------------------------------------------------------------------------------------------------------

def host_is_killed(scene: Scene) -> None:
    """the run goes on in its containers; `--attach` shows it to its end"""
    scene.demo.signal(signal.SIGKILL)
    assert scene.demo.wait(SOON).status == -signal.SIGKILL
    _come_back(scene)


def terminal_is_gone(scene: Scene) -> None:
    """the host ends with status 129, the run goes on; `--attach` shows it to its end"""
    scene.demo.signal(signal.SIGHUP)
    assert scene.demo.wait(SOON).status == 128 + signal.SIGHUP
    _come_back(scene)


def host_is_stopped(scene: Scene) -> None:
    """after 15 s (SIGSTOP) the run goes on to its end"""
    scene.demo.signal(signal.SIGSTOP)
    time.sleep(STOPPED)
    scene.demo.signal(signal.SIGCONT)
    _assert_repaired(scene.demo.wait())


def second_host(scene: Scene) -> None:
    """refused with status 3, names the process of the first; the first is not disturbed"""
    assert scene.demo.process
    refused = scene.demo.command("run", "etcd", "--auto", "--attach", "--project", scene.demo.project)
    assert refused.returncode == 3, refused.stderr
    assert str(scene.demo.process.pid) in refused.stderr
    _assert_repaired(scene.demo.wait())


def down_from_elsewhere(scene: Scene) -> None:
    """the host is asked to leave and ends with status 143; all is removed; a verdict that was told stays"""
    down = scene.demo.command("down", "--project", scene.demo.project, "--volumes")
    assert down.returncode == 0, down.stderr
    result = scene.demo.wait(SOON)
    assert result.status == 143, result.story
    assert result.outcome == ("repaired" if scene.chapter == "end" else "interrupted"), result.story
    assert "Traceback" not in result.stderr


def _come_back(scene: Scene) -> None:
    """Before the first container of ours is there, and after the last word, there is nothing to go on with."""
    demo = scene.demo
    if scene.chapter in ("welcome", "end"):
        refused = demo.command("run", "etcd", "--auto", "--attach", "--project", demo.project)
        assert refused.returncode == 3, refused.stderr
        assert re.search("cannot go on|is over", refused.stderr), refused.stderr
        assert "operator-demo down" in refused.stderr
        _take_down(demo)
    else:
        _assert_repaired(demo.run("--attach"))


# -- our containers ----------------------------------------------------------------------------------------------------

def monitor_is_killed(scene: Scene) -> None:
    """the run ends at once: `failed`, status 3; all is removed"""
    scene.demo.container("monitor").kill()
    result = scene.demo.wait(SOON)
    assert (result.status, result.outcome) == (3, "failed"), result.story
    assert f"{scene.demo.project}-operator-monitor" in result.stderr


def guard_is_killed(scene: Scene) -> None:
    """the engine starts it again; until then everything is refused, which it says; the run goes on to its end"""
    # (A container that the engine was asked to kill is not started again.)
    os.kill(scene.demo.container("guard").attrs["State"]["Pid"], signal.SIGKILL)
    result = scene.demo.wait()
    _assert_repaired(result)
    assert _warned(result, "The guard ended and has started again.")


def agent_is_killed(scene: Scene) -> None:
    """said at once; the stage gives the ticket to a human: `unverified`, status 1; all is removed"""
    scene.demo.container("agent").kill()
    result = scene.demo.wait()
    assert (result.status, result.outcome) == (1, "unverified"), result.story
    assert result.of("ticket_escalated")[-1]["source"] == "stage", result.story
    assert _warned(result, f"{scene.demo.project}-operator-agent")


def workload_is_killed(scene: Scene) -> None:
    """a warning; the run goes on to its end: writes are checked by the ledger that is left, the load is not tested"""
    scene.demo.container("workload").kill()
    result = scene.demo.wait()
    assert (result.status, result.outcome) == (0, "repaired"), result.story
    checks = {check["name"]: check["status"] for check in result.verdict()["checks"]}
    assert (checks["writes"], checks["load"]) == ("passed", "not_tested"), result.story
    assert result.last("chapter")["name"] == "end"
    assert _warned(result, f"{scene.demo.project}-operator-workload")


def _warned(result: Result, text: str) -> bool:
    return any(text in note["data"]["text"] for note in result.of("note") if note["data"]["level"] != "info")


# -- the engine --------------------------------------------------------------------------------------------------------

def engine_restarts(scene: Scene) -> None:
    """the engine ends all containers, so the run ends: `interrupted` or `failed`; `down` works"""
    assert scene.engine
    scene.engine.restart()
    result = scene.demo.wait(ENGINE_GONE)
    assert result.status in (3, 143), result.story
    assert "Traceback" not in result.stderr
    if scene.demo.leftovers():
        assert f"operator-demo down --project {scene.demo.project}" in result.stderr
    _take_down(scene.demo)


def engine_is_frozen(scene: Scene) -> None:
    """the run ends after 15 s of silence: `failed`, status 3, the message names `down`, which works later"""
    assert scene.engine
    scene.engine.freeze()
    try:
        result = scene.demo.wait(ENGINE_GONE)
    finally:
        scene.engine.thaw()
    assert (result.status, result.outcome) == (3, "failed"), result.story
    assert f"operator-demo down --project {scene.demo.project}" in result.stderr
    assert "Traceback" not in result.stderr
    _take_down(scene.demo)


# -- the store ---------------------------------------------------------------------------------------------------------

def store_is_full(scene: Scene) -> None:
    """the run ends with status 3, its containers stopped and kept; with space again `down` saves the record"""
    assert scene.disk
    ballast = scene.disk / "ballast"
    _fill(ballast)
    result = scene.demo.wait()
    assert result.status == 3, result.story
    assert "full" in result.stderr
    assert "Traceback" not in result.stderr
    assert {container.status for container in scene.demo.containers()} == {"exited"}
    ballast.unlink()
    _take_down(scene.demo)


def store_is_held(scene: Scene) -> None:
    """events wait for the 8 s that another process holds the lock; the run goes on to its end"""
    with closing(sqlite3.connect(scene.demo.home / "tickets.db", timeout=10, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(HELD)
        other.execute("ROLLBACK")
    _assert_repaired(scene.demo.wait())


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            pass  # no space is left


# -- afterwards --------------------------------------------------------------------------------------------------------

def _assert_repaired(result: Result) -> None:
    assert (result.status, result.outcome) == (0, "repaired"), result.story
    assert "Traceback" not in result.stderr


def _take_down(demo: Demo) -> None:
    down = demo.command("down", "--project", demo.project, "--volumes")
    assert down.returncode == 0, down.stderr
    assert "Traceback" not in down.stderr
