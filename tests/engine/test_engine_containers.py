"""What can be done to the containers of a project, on a real engine."""

import json
import threading
import time
from collections.abc import Callable

import pytest
from two_services import TWO, ids

from operator_demo.compose import Project, up
from operator_demo.engine import (
    Engine,
    ExecTimeout,
    container_action,
    discover_network,
    exec_in,
    fingerprint,
    members,
    read_file_from,
)
from operator_demo.errors import OperatorError

pytestmark = pytest.mark.engine

Load = Callable[..., Project]

def test_the_fingerprint_survives_repair_and_shows_change(engine: Engine, load: Load, project_name: str,
                                                          stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    before = fingerprint(engine, project_name)
    assert json.loads(json.dumps(before)) == before
    assert before["one"]["aliases"][f"{project_name}_main"] == sorted([f"{project_name}-one-1", "one", "uno"])
    assert before["one"]["volumes"][0]["name"] == f"{project_name}_data"
    assert before["one"]["volumes"][0]["mark"]

    written = f"{before['one']['volumes'][0]['target']}/written"
    assert exec_in(engine, ids(engine, project_name)["one"], ["touch", written], timeout=20)[0] == 0
    two = ids(engine, project_name)["two"]
    for action in ("kill", "start", "restart", "disconnect", "connect"):
        container_action(engine, two, action, timeout=0)
    assert fingerprint(engine, project_name) == before

    container_action(engine, two, "disconnect")
    assert fingerprint(engine, project_name)["two"]["aliases"] == {}
    container_action(engine, two, "connect", aliases=[])
    assert fingerprint(engine, project_name)["two"]["aliases"] != before["two"]["aliases"]
    engine.api.update_container(two, mem_limit=256 << 20, memswap_limit=-1)
    assert fingerprint(engine, project_name)["two"]["limits"] != before["two"]["limits"]
    engine.api.remove_container(two, force=True)
    assert set(fingerprint(engine, project_name)) == {"one"}
    up(engine, load(TWO, project_name), stop=stop)
    assert fingerprint(engine, project_name) == before


def test_actions_on_what_is_not_there(engine: Engine) -> None:
    with pytest.raises(OperatorError, match="No such container"):
        container_action(engine, "no-such-container", "start")
    with pytest.raises(OperatorError, match="unknown action 'explode'"):
        container_action(engine, "no-such-container", "explode")
    with pytest.raises(OperatorError, match="has no network"):
        discover_network(engine, "no-such-project")
    assert members(engine, "no-such-project") == []


def test_commands_in_a_container(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    one = ids(engine, project_name)["one"]
    assert exec_in(engine, one, ["sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, b"out\n", b"err\n")
    big = bytes(range(256)) * 4096
    assert exec_in(engine, one, ["cat"], stdin=big) == (0, big, b"")
    assert exec_in(engine, one, ["true"], stdin=b"unread")[0] == 0
    assert exec_in(engine, one, ["/no/such"])[0] in (126, 127)
    container_action(engine, one, "kill")
    with pytest.raises(OperatorError, match="not running"):
        exec_in(engine, one, ["true"])


def test_a_command_that_takes_too_long_is_ended_inside(engine: Engine, load: Load, project_name: str,
                                                       stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    one = ids(engine, project_name)["one"]
    with pytest.raises(ExecTimeout) as caught:
        exec_in(engine, one, ["sh", "-c", "echo so far; sleep 4321 & wait"], timeout=0.5)
    assert caught.value.stdout == b"so far\n"
    deadline = time.monotonic() + 10
    while b"4321" in exec_in(engine, one, ["sh", "-c", "cat /proc/[0-9]*/cmdline"])[1]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_files_from_a_stopped_container(engine: Engine, load: Load, project_name: str, stop: threading.Event) -> None:
    up(engine, load(TWO, project_name), stop=stop)
    one = ids(engine, project_name)["one"]
    exec_in(engine, one, ["sh", "-c", "printf content > /data/file"])
    container_action(engine, one, "kill")
    assert read_file_from(engine, one, "/data/file") == b"content"
    with pytest.raises(OperatorError, match="/data/none"):
        read_file_from(engine, one, "/data/none")
    with pytest.raises(OperatorError, match="not a plain file"):
        read_file_from(engine, one, "/data")
