"""What a command left running on the engine is ended, and nothing else."""

import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from project_names import new_name

from operator_demo.agent.leftovers import Place, end

pytestmark = pytest.mark.engine
IMAGE = "operator-demo/base:trixie"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


@dataclass
class Stand:
    project: str = field(default_factory=new_name)
    session: str = field(default_factory=lambda: f"ses-{secrets.token_hex(4)}")
    made: list[str] = field(default_factory=list)

    def container(self, *options: str) -> str:
        self.made.append(docker("run", "-d", "--network", "none", "--init", *options, IMAGE, "sleep", "600"))
        return self.made[-1]

    def member(self, *options: str) -> str:
        return self.container("--label", f"com.docker.compose.project={self.project}", *options)

    @property
    def place(self) -> Place:
        return Place(self.project, self.session, "run-x", image=IMAGE)

    def commands_in(self, container: str) -> str:
        return docker("top", container, "-eo", "pid,args")


@pytest.fixture
def stand() -> Iterator[Stand]:
    made = Stand()
    yield made
    for container in made.made:
        subprocess.run(["docker", "rm", "-f", container], capture_output=True, timeout=60, check=False)


def exec_and_leave(container: str, *argv: str) -> None:
    client = subprocess.Popen(["docker", "exec", container, *argv], stdout=subprocess.DEVNULL)
    time.sleep(1.0)
    client.kill()
    client.wait()


def test_an_exec_outlives_its_client_and_is_ended_with_its_children(stand: Stand) -> None:
    member = stand.member()
    since = time.time()
    exec_and_leave(member, "sh", "-c", "sleep 4242; true")
    assert "sleep 4242" in stand.commands_in(member)
    ended = end(stand.place, since)
    assert ended == [f"`sh -c sleep 4242; true` in {docker('inspect', '-f', '{{.Name}}', member).lstrip('/')}"]
    assert "4242" not in stand.commands_in(member)
    assert "sleep 600" in stand.commands_in(member)
    assert end(stand.place, since) == []


def test_earlier_execs_and_those_of_others_stay(stand: Stand) -> None:
    member, stranger = stand.member(), stand.container()
    docker("exec", "-d", member, "sleep", "4243")
    time.sleep(1.2)
    since = time.time()
    docker("exec", "-d", stranger, "sleep", "4244")
    assert end(stand.place, since) == []
    assert "4243" in stand.commands_in(member)
    assert "4244" in stand.commands_in(stranger)


def test_health_checks_stay(stand: Stand) -> None:
    member = stand.member("--health-cmd", "sleep 4245", "--health-interval", "1s", "--health-timeout", "60s")
    since = time.time()
    until = time.monotonic() + 15
    while "4245" not in stand.commands_in(member) and time.monotonic() < until:
        time.sleep(0.1)
    assert end(stand.place, since) == []
    assert "4245" in stand.commands_in(member)


def test_containers_of_the_session_are_removed(stand: Stand) -> None:
    mark = ("--label", f"io.operator-demo.session={stand.session}")
    early = stand.container(*mark)
    time.sleep(1.2)
    since = time.time()
    late, other = stand.container(*mark), stand.container("--label", "io.operator-demo.session=ses-other")
    assert len(end(stand.place, since)) == 1
    left = docker("ps", "-aq", "--no-trunc").split()
    assert late not in left
    assert {early, other} <= set(left)
