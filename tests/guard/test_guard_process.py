"""The guard as a process: it starts, serves, is told to stop, dies and is started again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import project_names
import pytest

IMAGE = "operator-demo/base:trixie"
PROJECT = project_names.new_name()
PROBE = ["echo", "well"]
PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
pytestmark = pytest.mark.engine


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    environment = {**os.environ, "OPERATOR_RUN": "run-guard000", "OPERATOR_SUBJECT": "etcd",
                   "OPERATOR_PROJECT": PROJECT, "OPERATOR_DATA": str(tmp_path), "OPERATOR_GUARD": str(tmp_path),
                   "OPERATOR_PROBES": json.dumps([PROBE]),
                   "OPERATOR_ANSWERS": str(tmp_path / "answers" / "answers.sock")}
    started: list[subprocess.Popen[str]] = []

    def start_one() -> subprocess.Popen[str]:
        started.append(subprocess.Popen([sys.executable, "-m", "operator_demo", "guard"], env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def ask(path: Path) -> bytes:
    """The answer to a ping; nothing where nobody serves."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(PING)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer
    return b""


def wait_for(path: Path) -> bytes:
    end = time.monotonic() + 30
    while not (answer := ask(path)):
        assert time.monotonic() < end
        time.sleep(0.05)
    return answer


def test_it_serves_both_callers_until_it_is_told_to_stop(start: Callable[[], subprocess.Popen[str]],
                                                         tmp_path: Path) -> None:
    process = start()
    for caller in ("agent", "monitor"):
        assert wait_for(tmp_path / caller / "docker.sock").startswith(b"HTTP/1.1 ")
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(tmp_path / "agent" / "docker.sock"))
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert all(json.loads(line)["source"] == "guard" for line in output.splitlines())
    assert ask(tmp_path / "agent" / "docker.sock") == b""


def test_one_that_died_serves_nobody_until_it_is_started_again(start: Callable[[], subprocess.Popen[str]],
                                                               tmp_path: Path) -> None:
    path = tmp_path / "agent" / "docker.sock"
    process = start()
    wait_for(path)
    process.kill()
    process.wait()
    assert ask(path) == b""
    again = start()
    assert wait_for(path).startswith(b"HTTP/1.1 ")
    again.terminate()
    output, _ = again.communicate(timeout=20)
    assert "The guard ended and has started again." in output


def docker(*arguments: str, at: Path = Path("/var/run/docker.sock")) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", "-H", f"unix://{at}", *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture
def containers() -> Iterator[None]:
    """A member of the subject, one with access to the host, and a stranger."""
    of_project = ["--label", f"com.docker.compose.project={PROJECT}"]
    all_options = {"plain": of_project, "risky": [*of_project, "--pid=host"], "other": []}
    try:
        for name, options in all_options.items():
            made = docker("run", "-d", "--name", f"{PROJECT}.{name}", "--label", f"com.docker.compose.service={name}",
                          *options, IMAGE, "sleep", "1000")
            assert made.returncode == 0, made.stderr
        yield
    finally:
        docker("rm", "-f", *(f"{PROJECT}.{name}" for name in all_options))


@pytest.mark.usefixtures("containers")
def test_its_policy_holds_for_the_docker_command(start: Callable[[], subprocess.Popen[str]], tmp_path: Path) -> None:
    path = tmp_path / "agent" / "docker.sock"
    process = start()
    wait_for(path)
    listed = docker("ps", "--format", "{{.Names}}", at=path)
    assert set(listed.stdout.split()) == {f"{PROJECT}.plain", f"{PROJECT}.risky"}
    monitors = tmp_path / "monitor" / "docker.sock"
    assert docker("exec", f"{PROJECT}.plain", *PROBE, at=monitors).stdout == "well\n"
    assert docker("pause", f"{PROJECT}.plain", at=path).returncode == 0
    assert docker("unpause", f"{PROJECT}.plain", at=path).returncode == 0
    assert docker("exec", f"{PROJECT}.plain", "echo", "hello", at=path).stdout == "hello\n"
    refused = [docker("kill", f"{PROJECT}.other", at=path), docker("exec", f"{PROJECT}.risky", "true", at=path),
               docker("run", "--rm", "-v", "/:/host", IMAGE, "true", at=path)]
    assert all(done.returncode for done in refused), refused
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    said = [json.loads(line) for line in output.splitlines()]
    assert f"{PROJECT}.plain" not in said[0]["data"]["text"] and "PidMode" in said[0]["data"]["text"]
    rulings = [event["data"]["ruling"] for event in said[1:]]
    assert (rulings.count("deny"), rulings.count("allow")) == (3, 4)
