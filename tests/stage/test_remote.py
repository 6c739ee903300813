"""Keys from the presenter's other terminal come over a socket of this user alone."""

import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operator_demo import rpc
from operator_demo.stage.remote import Remote, socket_path


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def pressed() -> list[str]:
    return []


@pytest.fixture
def path(short_folder: Path) -> Path:
    return socket_path(short_folder, "run-7k3mq2px")


@pytest.fixture
def remote(path: Path, pressed: list[str]) -> Iterator[Remote]:
    made = Remote(path, pressed.append, lambda: "strike")
    made.start()
    until(path.exists)
    yield made
    made.stop()


def test_a_key_reaches_the_run(remote: Remote, path: Path, pressed: list[str]) -> None:
    rpc.call(path, "press", word="next")
    rpc.call(path, "press", word="pause")
    assert pressed == ["next", "pause"]
    assert rpc.call(path, "state") == {"space": "strike"}


@pytest.mark.parametrize("word", ["quit", "stop", "yes", "always", ""])
def test_only_what_brings_the_story_forward_comes_from_there(remote: Remote, path: Path, pressed: list[str],
                                                             word: str) -> None:
    with pytest.raises(rpc.RpcError, match="next, pause"):
        rpc.call(path, "press", word=word)
    assert pressed == []


def test_nobody_else_may_press(remote: Remote, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_goes_with_the_run_and_what_a_killed_one_left_goes_with_the_next(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    stale = path.with_name("run-stale000")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    remote = Remote(path, lambda word: None, lambda: "")
    remote.start()
    until(path.exists)
    assert not stale.exists()
    remote.stop()
    assert not path.exists()


def test_a_home_without_sockets_ends_nothing(tmp_path: Path) -> None:
    remote = Remote(tmp_path / ("x" * 120) / "run", lambda word: None, lambda: "")
    remote.start()
    remote.stop()
