"""The docker command, unmodified, through the guard to a real engine."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import project_names
import pytest
from running_guard import Guard

from operator_demo.engine import connect, exec_in

IMAGE = "operator-demo/base:trixie"
ENGINE = Path("/var/run/docker.sock")
pytestmark = [pytest.mark.engine, pytest.mark.skipif(not shutil.which("docker"), reason="no docker command")]


@pytest.fixture
def guard(make_guard: Callable[[Path], Guard]) -> Guard:
    return make_guard(ENGINE)


def docker(guard: Guard | None, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{guard.path if guard else ENGINE}"}
    return subprocess.run(["docker", *arguments], env=environment, capture_output=True, timeout=60,
                          **{"text": True, **how})


def ok(guard: Guard | None, *arguments: str) -> str:
    done = docker(guard, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def container() -> Iterator[str]:
    name = project_names.new_name()
    ok(None, "run", "-d", "--name", name, "--label", f"com.docker.compose.project={name}", IMAGE, "sh", "-c",
       "trap 'exit 0' TERM; n=0; while :; do echo line $((n += 1)); sleep 0.2; done")
    yield name
    docker(None, "rm", "-f", name)


def test_reading(guard: Guard, container: str) -> None:
    assert container in ok(guard, "ps", "--format", "{{.Names}}")
    assert json.loads(ok(guard, "inspect", container))[0]["Name"] == f"/{container}"
    assert "line 1\n" in ok(guard, "logs", container)
    assert "trap" in ok(guard, "top", container)
    assert "Server" in ok(guard, "version")
    assert docker(guard, "stats", "--no-stream", container).returncode == 0
    assert guard.entries() == []


def test_changing(guard: Guard, container: str) -> None:
    def state() -> str:
        return ok(None, "inspect", "-f", "{{.State.Status}}", container).strip()

    for command, expected in [("pause", "paused"), ("unpause", "running"), ("stop", "exited"), ("start", "running"),
                              ("restart", "running"), ("kill", "exited")]:
        ok(guard, command, container)
        assert state() == expected
    assert len(guard.entries()) == 6
    ok(guard, "update", "--memory", "64m", "--memory-swap", "64m", container)
    assert ok(None, "inspect", "-f", "{{.HostConfig.Memory}}", container).strip() == str(64 << 20)


def test_exec_has_input_and_an_exit_code(guard: Guard, container: str) -> None:
    done = docker(guard, "exec", "-i", container, "sh", "-c", "cat; echo problem >&2; exit 7", input="some\ninput\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "some\ninput\n", "problem\n")


def test_exec_by_a_client_that_asks_for_no_upgrade(guard: Guard, container: str) -> None:
    engine = connect(f"unix://{guard.path}")
    try:
        assert exec_in(engine, container, ["sh", "-c", "cat; exit 7"], stdin=b"input\n") == (7, b"input\n", b"")
        assert exec_in(engine, container, ["echo", "hello"]) == (0, b"hello\n", b"")
    finally:
        engine.close()


def test_exec_of_ten_megabytes_both_ways(guard: Guard, container: str) -> None:
    content = os.urandom(10 * 1024 * 1024)
    done = docker(guard, "exec", "-i", container, "cat", input=content, text=False)
    assert done.returncode == 0 and done.stdout == content


def test_exec_in_the_background(guard: Guard, container: str) -> None:
    ok(guard, "exec", "-d", container, "touch", "/tmp/was-here")
    end = time.monotonic() + 10
    while docker(None, "exec", container, "test", "-e", "/tmp/was-here").returncode:
        assert time.monotonic() < end


def test_copying_both_ways(guard: Guard, container: str, tmp_path: Path) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(os.urandom(3 * 1024 * 1024))
    ok(guard, "cp", str(sent), f"{container}:/tmp/file")
    ok(guard, "cp", f"{container}:/tmp/file", str(got))
    assert got.read_bytes() == sent.read_bytes()


def test_following_logs_ends_with_the_client(guard: Guard, container: str) -> None:
    process = subprocess.Popen(["docker", "-H", f"unix://{guard.path}", "logs", "-f", container],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "line 1\n"
    assert process.stdout.readline() == "line 2\n"
    process.kill()
    process.communicate()
    wait_until(lambda: guard.connections() == 0)


def test_a_silent_exec_ends_with_the_client(guard: Guard, container: str) -> None:
    process = subprocess.Popen(["docker", "-H", f"unix://{guard.path}", "exec", container, "sleep", "1000"])
    wait_until(lambda: any(request.path[0] == "exec" for _, request in guard.policy.asked))
    process.kill()
    process.wait()
    wait_until(lambda: guard.connections() == 0)


def test_networks(guard: Guard, container: str) -> None:
    name = project_names.new_name()
    ok(None, "network", "create", "--label", f"com.docker.compose.project={name}", name)
    try:
        ok(guard, "network", "connect", name, container)
        assert name in ok(None, "inspect", container)
        ok(guard, "network", "disconnect", name, container)
        assert name not in ok(None, "inspect", "-f", "{{json .NetworkSettings.Networks}}", container)
    finally:
        docker(None, "network", "rm", name)


def test_events_as_they_happen(guard: Guard, container: str) -> None:
    process = subprocess.Popen(["docker", "-H", f"unix://{guard.path}", "events", "--filter", f"container={container}",
                                "--format", "{{.Action}}"], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: any(request.path == ("events",) for _, request in guard.policy.asked))
    time.sleep(0.3)  # the engine subscribes after it has begun to answer
    ok(guard, "pause", container)
    assert process.stdout is not None
    assert process.stdout.readline() == "pause\n"
    process.kill()
    process.communicate()


def test_run_in_the_foreground(guard: Guard) -> None:
    done = docker(guard, "run", "--rm", "-i", "--network", "none", IMAGE, "sh", "-c", "cat; exit 3", input="hello\n")
    assert (done.returncode, done.stdout) == (3, "hello\n"), done.stderr


def test_requests_in_flight_end_with_the_guard(guard: Guard, container: str) -> None:
    process = subprocess.Popen(["docker", "-H", f"unix://{guard.path}", "exec", container, "sleep", "1000"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: "sleep" in ok(None, "top", container, "-o", "pid,args").replace("sleep 0.2", ""))
    guard.stop()
    process.communicate(timeout=20)
    assert docker(guard, "ps").returncode != 0


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
