"""The built file: faults by hand on a running demo, and the next run after one that was killed."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from presenter import Demo

pytestmark = pytest.mark.e2e


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with Demo.performed(tmp_path / "home") as made:
        yield made


def monitor_tells(demo: Demo, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Waits for an event in the monitor's log, which stays when the run is over."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        lines = demo.container("monitor").logs().decode().splitlines()
        told = [json.loads(line) for line in lines if line.startswith('{"v":') and '"chunk":' not in line]
        for event in told:
            if wanted(event):
                return event
        time.sleep(0.2)
    pytest.fail("the event did not come")


@pytest.mark.wide
def test_a_fault_by_hand_for_a_while(demo: Demo) -> None:
    """The run may end by itself as soon as the fault is reverted; its containers stay for the questions."""
    demo.start("--scenario", "by-hand", "--no-agent", "--keep")
    demo.until(lambda e: e["type"] == "armed")
    done = demo.command("chaos", "inject", "kill", "--target", "follower", "--for", "2s", "--project", demo.project)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["injecting", "injected", "reverted"]
    told = demo.command("chaos", "status", "--project", demo.project).stdout
    start = monitor_tells(demo, lambda e: e["type"] == "effect" and e["data"]["action"] == "start"
                          and bool(e["data"]["member"]))
    assert start["data"]["explained"] == "fault"
    assert told == f"{demo.project}  kill of {start['data']['member']}: reverted\n"
    monitor_tells(demo, lambda e: e["type"] == "ticket_opened")
    demo.signal(signal.SIGTERM)
    assert demo.wait(60).status in (1, 143, -signal.SIGTERM)  # it may have come to its end by itself, healed
    assert demo.command("down", "--project", demo.project, "--volumes").returncode == 0
    assert not list((demo.home / "journal").glob("*.faults.json"))


@pytest.mark.wide
@pytest.mark.parametrize(("scenario", "removed"), [("crash-loop", True), ("corrupt-member", True), ("split", False)])
def test_the_next_run_finds_what_a_killed_one_left(demo: Demo, scenario: str, removed: bool) -> None:
    demo.start("--scenario", scenario, "--no-agent")
    demo.until(lambda e: e["type"] == "fault" and e["data"]["phase"] == "injected")
    demo.signal(signal.SIGKILL)
    demo.wait(30)
    if removed:  # somebody takes the containers away, and the damaged volume stays
        for container in demo.containers():
            container.remove(force=True)
    demo.start("--scenario", "quiet", "--no-agent", *([] if removed else ["--restart"]))
    demo.until_chapter("fault")
    assert not [f for f in (demo.home / "journal").glob("*.faults.json") if '"injected"' in f.read_text()]
    demo.signal(signal.SIGTERM)
    assert demo.wait(60).status == 143


@pytest.mark.wide
def test_keep_takes_back_what_holds(demo: Demo) -> None:
    result = demo.run("--scenario", "member-stop", "--no-agent", "--keep")
    assert result.outcome == "unverified"
    assert [e["data"]["phase"] for e in result.of("fault")] == ["injecting", "injected", "reverted"]
    assert {c.status for c in demo.containers()} == {"running"}
