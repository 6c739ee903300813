"""The policy at a real engine, asked by the unmodified docker command: what the agent can do, and what it cannot."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import project_names
import pytest
from running_guard import RUN, Guard

from operator_demo import labels
from operator_demo.guard.policy import Policy
from operator_demo.guard.upstream import Upstream
from operator_demo.guard.world import World

IMAGE = "operator-demo/base:trixie"
ENGINE = Path("/var/run/docker.sock")
pytestmark = [pytest.mark.engine, pytest.mark.skipif(not shutil.which("docker"), reason="no docker command")]


@dataclass
class Stage:
    """A subject of two members (and one that is bare to the host), with a neighbour, a container of ours, and a
    stranger."""

    guard: Guard
    project: str

    def docker(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """As the agent runs it. `{p}` stands for the project."""
        filled = [argument.replace("{p}", self.project) for argument in arguments]
        return run(f"unix://{self.guard.path}", *filled, text=text)

    def ok(self, *arguments: str, text: str = "") -> str:
        done = self.docker(*arguments, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout


def run(host: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], env={**os.environ, "DOCKER_HOST": host}, input=text, text=True,
                          capture_output=True, timeout=60)


def raw(*arguments: str) -> str:
    done = run(f"unix://{ENGINE}", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def of(project: str, service: str) -> list[str]:
    return ["--label", f"{labels.PROJECT}={project}", "--label", f"{labels.SERVICE}={service}", "--label",
            f"{labels.ONEOFF}=False"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    project = project_names.new_name()
    mark = f"{labels.PROJECT}={project}"
    raw("network", "create", "--label", mark, f"{project}_default")
    raw("volume", "create", "--label", mark, f"{project}_data")
    raw("volume", "create", "--label", mark, "-o", "type=none", "-o", "o=bind", "-o", "device=/etc", f"{project}_etc")
    start = ["run", "-d", "--init", "--network", f"{project}_default"]
    sleep = [IMAGE, "sleep", "600"]
    for member in ("a", "b"):
        raw(*start, "--name", f"{project}-{member}-1", "-v", f"{project}_data:/data", *of(project, member), *sleep)
    raw(*start, "--name", f"{project}-bare-1", "-v", f"{project}_etc:/data", *of(project, "bare"), *sleep)
    raw(*start, "--name", f"{project}-operator-monitor-1", *of(f"{project}-operator", "monitor"), *sleep)
    raw(*start, "--name", f"visitor-of-{project}", *sleep)
    raw("run", "-d", "--name", f"stranger-to-{project}", "--network", "none", *sleep)
    names = [f"{project}-{n}-1" for n in ("a", "b", "bare", "operator-monitor")]
    names += [f"visitor-of-{project}", f"stranger-to-{project}", f"{project}-made"]
    guard = Guard(tmp_path_factory.mktemp("guard"), ENGINE, Policy(World(Upstream(ENGINE), project, RUN)))
    yield Stage(guard, project)
    guard.stop()
    run(f"unix://{ENGINE}", "rm", "-f", *names)
    raw("volume", "rm", f"{project}_data", f"{project}_etc")
    raw("network", "rm", f"{project}_default")


def test_the_agent_sees_the_subject_and_what_is_beside_it(stage: Stage) -> None:
    visible = {f"{stage.project}-{n}-1" for n in ("a", "b", "bare")} | {f"visitor-of-{stage.project}"}

    assert set(stage.ok("ps", "-a", "--format", "{{.Names}}").split()) == visible
    assert stage.ok("network", "ls", "--format", "{{.Name}}").split() == [f"{stage.project}_default"]
    assert set(stage.ok("volume", "ls", "-q").split()) == {f"{stage.project}_data", f"{stage.project}_etc"}
    assert set(stage.ok("images", "--format", "{{.Repository}}").split()) == {"operator-demo/base"}
    on_it = json.loads(stage.ok("network", "inspect", "{p}_default"))[0]["Containers"]
    assert {c["Name"] for c in on_it.values()} == visible
    assert len(stage.ok("ps", "-n", "2", "-q").split()) == 2


@pytest.mark.parametrize("command", [
    "inspect {p}-a-1", "inspect {p}_default", "inspect {p}_data", "logs --tail 5 {p}-a-1", "logs visitor-of-{p}",
    "top {p}-a-1", "top {p}-a-1 aux", "stats --no-stream", "diff {p}-a-1", "port {p}-a-1", "version", "info",
    "image inspect operator-demo/base:trixie", "history operator-demo/base:trixie", "ps --filter network={p}_default",
    "events --since 1m --until 0s --filter container={p}-a-1", "cp {p}-a-1:/etc/hostname -",
])
def test_looking(stage: Stage, command: str) -> None:
    stage.ok(*command.split())


REPAIRS = [
    "pause {p}-a-1", "unpause {p}-a-1", "update --cpu-quota -1 {p}-a-1", "restart -t 0 {p}-a-1", "stop -t 0 {p}-a-1",
    "start {p}-a-1", "kill {p}-a-1", "start {p}-a-1", "network disconnect {p}_default {p}-a-1",
    "network connect --alias a --alias {p}-a-1 {p}_default {p}-a-1", "exec {p}-a-1 true",
    "exec -u 0 -w /tmp -e A=b {p}-a-1 true", "exec -d {p}-a-1 true", "cp /etc/hostname {p}-a-1:/data/host",
    "restart -t 0 {p}-bare-1",
]


def test_repairing(stage: Stage) -> None:
    for command in REPAIRS:
        before = len(stage.guard.entries())
        stage.ok(*command.split())
        entries = stage.guard.entries()[before:]
        count = 2 if command.startswith("exec") else 1  # one is made, and started
        member = "bare" if "bare" in command else "a"
        assert [(e.ruling, e.member) for e in entries] == [("allow", member)] * count, command


def test_a_command_in_a_member_has_its_input_output_and_exit_status(stage: Stage) -> None:
    done = stage.docker("exec", "-i", "{p}-a-1", "sh", "-c", "cat; exit 7", text="hello")

    assert (done.returncode, done.stdout) == (7, "hello")


def test_a_one_shot_repairs_the_data_of_a_stopped_member_and_reaches_nothing_else(stage: Stage) -> None:
    stage.ok("stop", "-t", "0", "{p}-b-1")
    script = "echo kept > /data/one-shot; grep -h -e CapEff -e NoNew /proc/self/status; grep -c : /proc/net/dev"
    output = stage.ok("run", "--rm", "--network", "none", "--volumes-from", "{p}-b-1", "--entrypoint", "sh", IMAGE,
                      "-c", script)
    assert output.split() == ["CapEff:", "0" * 16, "NoNewPrivs:", "1", "1"]
    stage.ok("start", "{p}-b-1")
    assert stage.ok("exec", "{p}-b-1", "cat", "/data/one-shot") == "kept\n"


def test_a_one_shot_is_its_makers_to_look_after(stage: Stage) -> None:
    stage.ok("create", "--name", "{p}-made", "--volumes-from", "{p}-a-1:ro", IMAGE, "sh", "-c", "echo out; sleep 600")
    stage.ok("start", "{p}-made")
    assert stage.docker("exec", "{p}-made", "true").returncode == 1
    stage.ok("kill", "{p}-made")
    assert stage.ok("wait", "{p}-made") == "137\n"
    assert stage.ok("logs", "{p}-made") == "out\n"
    assert f"{stage.project}-made" in stage.ok("ps", "-a", "--format", "{{.Names}}")
    stage.ok("rm", "{p}-made")


_RUN = "run --rm --volumes-from {p}-a-1 "
REFUSED = [
    "inspect stranger-to-{p}", "inspect {p}-operator-monitor-1", "stop {p}-operator-monitor-1", "rm -f {p}-a-1",
    "logs {p}-operator-monitor-1", "stop visitor-of-{p}", "exec visitor-of-{p} id", "exec {p}-operator-monitor-1 id",
    "cp visitor-of-{p}:/etc/hostname -", "attach --no-stdin {p}-a-1", "rename {p}-a-1 x", "commit {p}-a-1 x",
    "export {p}-a-1", "update --restart always {p}-a-1", "exec --privileged {p}-a-1 id", "exec {p}-bare-1 id",
    "cp {p}-bare-1:/data/hostname -", "cp /etc/hostname {p}-bare-1:/data/x", "cp /etc/hostname {p}-a-1:/etc/x",
    "run --rm operator-demo/base:trixie id", "run --rm -v /:/host operator-demo/base:trixie id",
    _RUN + "-v /:/host operator-demo/base:trixie id", _RUN + "--privileged operator-demo/base:trixie id",
    _RUN + "--cap-add SYS_ADMIN operator-demo/base:trixie id", _RUN + "--network host operator-demo/base:trixie id",
    _RUN + "--network {p}_default operator-demo/base:trixie id", _RUN + "--pid host operator-demo/base:trixie id",
    _RUN + "--pid container:{p}-a-1 operator-demo/base:trixie id", _RUN + "--ipc host operator-demo/base:trixie id",
    _RUN + "--device /dev/null operator-demo/base:trixie id", _RUN + "--userns host operator-demo/base:trixie id",
    _RUN + "--security-opt seccomp=unconfined operator-demo/base:trixie id", _RUN + "operator-demo/etcd:3.5 id",
    _RUN + "--security-opt systempaths=unconfined operator-demo/base:trixie id",
    _RUN + "--mount type=bind,src=/,dst=/h operator-demo/base:trixie id",
    _RUN + "--label com.docker.compose.project={p} operator-demo/base:trixie id",
    _RUN + "--tmpfs /x operator-demo/base:trixie id", _RUN + "-p 80:80 operator-demo/base:trixie id",
    "run -d --restart always --volumes-from {p}-a-1 operator-demo/base:trixie id",
    "run --rm --volumes-from {p}-bare-1 operator-demo/base:trixie id",
    "run --rm --volumes-from stranger-to-{p} operator-demo/base:trixie id",
    "volume rm {p}_data", "volume create x", "volume prune -f", "network rm {p}_default", "network create x",
    "network connect bridge {p}-a-1", "network connect {p}_default stranger-to-{p}", "network inspect bridge",
    "network connect --link stranger-to-{p} {p}_default {p}-a-1", "system prune -f", "system df", "image prune -f",
    "rmi operator-demo/base:trixie", "tag operator-demo/base:trixie x:1", "pull debian",
    "save operator-demo/base:trixie",
    "swarm init", "plugin ls", "secret ls", "node ls", "search x", "ps --filter ancestor=operator-demo/etcd:3.5",
    "events --since 1m --until 0s --filter container=stranger-to-{p}", "top {p}-a-1 -U root",
]


@pytest.mark.parametrize("command", REFUSED)
def test_what_the_agent_cannot_do(stage: Stage, command: str) -> None:
    before = len(stage.guard.entries())
    done = stage.docker(*command.split())

    assert done.returncode != 0, done.stdout
    assert any(e.ruling == "deny" for e in stage.guard.entries()[before:])
    assert f"stranger-to-{stage.project} " not in done.stdout


def test_the_stage_is_still_whole_after_all_that(stage: Stage) -> None:
    listed = raw("ps", "--format", "{{.Names}}", "--filter", f"name={stage.project}").split()

    assert {f"{stage.project}-{n}-1" for n in ("a", "b", "bare", "operator-monitor")} <= set(listed)
    assert raw("exec", f"{stage.project}-a-1", "ls", "-d", "/data") == "/data"
    assert raw("volume", "ls", "-q", "--filter", f"name={stage.project}").split() == [
        f"{stage.project}_data", f"{stage.project}_etc"]
