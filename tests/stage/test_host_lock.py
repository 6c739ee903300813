"""One host at a time: the second is refused and told who the first is, and a host can be asked to leave."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from operator_demo.stage.host_lock import HostLock, HostRuns

HOLD = """
import sys, time
from pathlib import Path
from operator_demo.stage.host_lock import HostLock
with HostLock(Path(sys.argv[1]), "engine", "demo"):
    print("held", flush=True)
    time.sleep(60)
"""


def lock(home: Path, project: str = "demo") -> HostLock:
    return HostLock(home, "engine", project)


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that shows the project."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_host_is_refused_and_told_the_first_ones_process(tmp_path: Path,
                                                                  other: "subprocess.Popen[str]") -> None:
    with pytest.raises(HostRuns) as refused, lock(tmp_path):
        pass
    assert refused.value.pid == other.pid
    assert str(other.pid) in refused.value.message
    assert lock(tmp_path).holder() == other.pid


def test_a_host_that_was_killed_holds_nothing(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    other.kill()
    other.wait()
    assert lock(tmp_path).holder() is None
    with lock(tmp_path):
        pass


def test_asking_who_holds_it_takes_it_from_nobody(tmp_path: Path) -> None:
    assert lock(tmp_path).holder() is None
    with lock(tmp_path):
        pass
    assert lock(tmp_path).holder() is None
    with lock(tmp_path), lock(tmp_path, "another"):
        pass


def test_a_host_that_is_asked_to_leave_is_waited_for(tmp_path: Path) -> None:
    reasons: list[str] = []
    held = threading.Event()

    def show() -> None:
        with lock(tmp_path) as mine:
            held.set()
            while not mine.asked_to_leave():
                time.sleep(0.01)
            reasons.append(mine.asked_to_leave())

    host = threading.Thread(target=show)
    host.start()
    held.wait()
    assert lock(tmp_path).ask_to_leave("it is taken down", patience=30)
    host.join()
    assert reasons == ["it is taken down"]
    with lock(tmp_path) as next_:
        assert next_.asked_to_leave() == ""


def test_a_host_that_does_not_react_is_given_up(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    assert not lock(tmp_path).ask_to_leave("it is taken down", patience=0.2)
    other.kill()
    other.wait()
    with lock(tmp_path) as next_:
        assert next_.asked_to_leave() == ""
