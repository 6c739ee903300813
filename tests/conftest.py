"""For all tests: several run side by side on a small machine, so how long an example takes says nothing, and whole
demos take turns; and the engine, which is reached only by those that ask for it."""

import contextlib
import fcntl
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import project_names
import pytest
import whole_run
from hypothesis import settings

from operator_demo.compose import Project, down, load_project
from operator_demo.engine import Engine, connect, ensure_base
from operator_demo.errors import OperatorError

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

# What a script starts in the background ignores Ctrl-C, under nohup SIGHUP too, and hands that on; programs under test
# must receive both.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No test writes into the home of whoever runs it.
os.environ.setdefault("OPERATOR_HOME", f"{tempfile.gettempdir()}/operator-demo-tests-home-{os.getuid()}")

IMAGE = "operator-demo/base:trixie"
AT_ONCE = max(2, (os.cpu_count() or 1) // 2)  # demos: each is a cluster under load


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Paths of Unix sockets are at most 107 bytes long."""
    with tempfile.TemporaryDirectory(prefix="o") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test of the built file, one that runs Compose in a container, or a wide one on an engine waits until fewer than
    AT_ONCE others run, in whichever process: a machine that is too busy for its clusters fails tests for reasons of its
    own."""
    marks = {mark.name for mark in request.node.iter_markers()}
    if not marks & {"e2e", "compose"} and not {"wide", "engine"} <= marks:
        yield
        return
    folder = Path(tempfile.gettempdir()) / f"operator-demo-turns-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:  # closing a place gives it back
        places = [stack.enter_context(open(folder / str(n), "w")) for n in range(AT_ONCE)]
        while not any(_taken(place.fileno()) for place in places):
            time.sleep(0.2)
        yield


def _taken(place: int) -> bool:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def pytest_sessionstart(session: pytest.Session) -> None:
    """Removes from the engine what killed tests left there; once, not in each worker."""
    if hasattr(session.config, "workerinput") or not project_names.are_left():
        return
    with contextlib.suppress(OperatorError), contextlib.closing(connect()) as engine:
        project_names.remove_left(lambda name: remove_demo(engine, name))


def remove_demo(engine: Engine, project: str) -> None:
    down(engine, f"{project}-operator", volumes=True)
    down(engine, project, volumes=True)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if whole_run.is_whole(config):
        whole_run.write(terminalreporter.stats)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    made = connect()
    ensure_base(made)
    yield made
    made.close()


@pytest.fixture
def new_project(engine: Engine) -> Iterator[Callable[[], str]]:
    """Gives project names; what comes to be under them is removed at the end."""
    names: list[str] = []

    def new() -> str:
        names.append(project_names.new_name())
        return names[-1]

    yield new
    for name in names:
        down(engine, name, volumes=True)


@pytest.fixture
def project_name(new_project: Callable[[], str]) -> str:
    return new_project()


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Project]:
    """Writes a Compose file and reads it; IMAGE stands for the base image."""

    def write_and_load(text: str, project: str = "p", env: dict[str, str] | None = None,
                       profiles: tuple[str, ...] = (), extra_labels: dict[str, str] | None = None) -> Project:
        (tmp_path / "compose.yaml").write_text(text.replace("IMAGE", IMAGE))
        return load_project(tmp_path, "compose.yaml", project=project, env=env or {}, profiles=profiles,
                            extra_labels=extra_labels)

    return write_and_load


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()
