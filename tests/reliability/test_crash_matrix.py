"""Each thing that can go wrong around a run, in chapters where it can: the run ends or goes on as docs/architecture.md
promises, nothing stays on the engine, and the record is whole.

Not the full product: every cause and every chapter at least twice. docs/reliability.md has the results.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import crash_causes as causes
import docker
import matrix_results
import pytest
from crash_causes import Cause, Scene
from crash_matrix import CASES
from log_tap import LogTap
from own_engine import OwnEngine
from presenter import Demo
from record_faults import record_faults

pytestmark = [pytest.mark.engine, pytest.mark.e2e, pytest.mark.wide]

OF_ENGINE = (causes.engine_restarts, causes.engine_is_frozen)
OF_DISK = (causes.store_is_full,)
PACE, PACE_AT_END = "2", "10"  # seconds that a chapter lasts at least, so that it can be met
DISK = "8m"


def words(cause: Cause) -> str:
    return cause.__name__.replace("_", " ")


def case(cause: Cause, chapter: str) -> Any:
    marks = [pytest.mark.xdist_group("other-engines")] if cause in OF_ENGINE else []
    return pytest.param(cause, chapter, id=f"{cause.__name__}-{chapter}", marks=marks)


@pytest.mark.parametrize(("cause", "chapter"), [case(*pair) for pair in CASES])
def test_crash(cause: Cause, chapter: str, tmp_path: Path, docker_client: docker.DockerClient,
               request: pytest.FixtureRequest) -> None:
    name = f"{words(cause)} / {chapter}"
    tested = matrix_results.build()
    if matrix_results.has_passed(name, tested):
        pytest.skip("it has passed with this file")
    own_engine = request.getfixturevalue("own_engine") if cause in OF_ENGINE else None
    promise = " ".join((cause.__doc__ or "").split())
    with matrix_results.noted(words(cause), chapter, promise, tested), ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path)) if cause in OF_DISK else None
        demo = stack.enter_context(demo_on(own_engine, docker_client, disk or tmp_path / "home"))
        tap = LogTap(demo.engine, demo.project)
        stack.callback(tap.close)
        demo.start("--scenario", "member-kill", "--rate", "50", "--pace", PACE_AT_END if chapter == "end" else PACE)
        run = demo.until(lambda event: event["type"] == "run_started")["run"]
        await_chapter(demo, chapter)
        cause(Scene(demo, chapter, own_engine, disk))
        assert demo.leftovers() == []
        assert record_faults(demo.home, run, tap.heard) == []


def await_chapter(demo: Demo, chapter: str) -> None:
    """Until something of it is under way."""
    demo.until_chapter(chapter)
    if chapter == "welcome":  # half of the cluster is there
        demo.until(lambda event: is_up(event) and bool(demo.containers()))
    if chapter == "repair":
        demo.until(lambda event: event["type"] == "tool_call")
    if chapter == "end":
        demo.until(lambda event: event["type"] == "run_finished")


def is_up(event: dict[str, Any]) -> bool:
    """Is it progress of a project that is brought up?"""
    return bool(event["type"] == "progress" and event["data"]["task"] == "up")


@contextmanager
def demo_on(own_engine: OwnEngine | None, docker_client: docker.DockerClient, home: Path) -> Iterator[Demo]:
    with ExitStack() as stack:
        environment = {}
        if own_engine is not None:
            docker_client = stack.enter_context(contextlib.closing(own_engine.client()))
            environment = {"DOCKER_HOST": own_engine.url}
        yield stack.enter_context(Demo.performed(home, docker_client, environment=environment))


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)
