"""The operator of rules on a real engine: its commands run in bash against three containers that play a cluster."""

import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from project_names import new_name
from rehearsal_talk import EXECUTE, OBSERVE, Conversation, first_message

from operator_demo.agent.rehearsal.operator import Call

pytestmark = pytest.mark.engine
IMAGE = "operator-demo/base:trixie"
MEMBERS = ("etcd1", "etcd2", "etcd3")


def docker(*argv: str) -> str:
    done = subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"docker {' '.join(argv)}: {done.stderr}"
    return done.stdout.strip()


class Sleepers:
    """Three members that sleep, labelled and named as Compose would, and decoys beside them."""

    def __init__(self) -> None:
        self.project = new_name()
        self.network = f"{self.project}_default"
        self.made: list[str] = []
        docker("network", "create", "--label", f"com.docker.compose.project={self.project}", self.network)
        for member in MEMBERS:
            self.create(self.name(member), member)
        self.decoys = [
            self.create(f"{self.project}-old-1", "old", "--label", "com.example.maintenance=stopped on purpose"),
            self.create(f"{self.project}-job-run-1", "etcd2", "--label", "com.docker.compose.oneoff=True"),
            self.create(f"outside-{self.project}", "etcd2", project="x" + self.project),
        ]
        docker("kill", *self.decoys)
        self.before = {name: self.inspect(name) for name in self.made}

    def create(self, name: str, service: str, *more: str, project: str = "",
               command: tuple[str, ...] = ("sleep", "600")) -> str:
        self.made.append(name)
        docker("run", "-d", "--init", "--name", name, "--network", self.network, "--network-alias", service,
               "--network-alias", name, "--label", f"com.docker.compose.project={project or self.project}",
               "--label", f"com.docker.compose.service={service}", *more, IMAGE, *command)
        return name

    def remove(self) -> None:
        subprocess.run(["docker", "rm", "-fv", *self.made], capture_output=True, timeout=60, check=False)
        subprocess.run(["docker", "network", "rm", self.network], capture_output=True, timeout=60, check=False)

    def name(self, member: str) -> str:
        return f"{self.project}-{member}-1"

    def inspect(self, name: str) -> dict[str, Any]:
        return dict(json.loads(docker("inspect", name))[0])

    def aliases(self, inspected: dict[str, Any]) -> set[str]:
        return set(inspected["NetworkSettings"]["Networks"][self.network]["Aliases"]) - {inspected["Id"][:12]}

    def observe(self) -> dict[str, Any]:
        seen, violations = {}, []
        for member in MEMBERS:
            inspected = self.inspect(self.name(member))
            on = inspected["NetworkSettings"]["Networks"].get(self.network)
            well = inspected["State"]["Status"] == "running" and on is not None
            seen[member] = {"container": inspected["Id"], "state": inspected["State"]["Status"], "reachable": well,
                            "healthy": well, "leader": False, "error": None, "address": on["IPAddress"] if on else None}
            if not well:
                violations.append({"key": f"member_down:{member}", "invariant": "member_down", "member": member,
                                   "severity": "critical", "text": f"{member} is down", "since": ""})
        return {"ts": time.time(), "project": self.project, "network": self.network, "members": seen,
                "cluster": {"leader": None, "quorum": len(violations) < 2}, "violations": violations, "load": None}

    def run(self, call: Call) -> str:
        match call.tool:
            case "observe":
                return json.dumps(self.observe())
            case "inspect":
                full = self.inspect(self.name(call.input["member"]))
                return json.dumps({"name": full["Name"].lstrip("/"), "state": full["State"],
                                   "networks": full["NetworkSettings"]["Networks"]})
            case "logs":
                return docker("logs", self.name(call.input["member"]))
            case "shell":
                began = time.monotonic()
                done = subprocess.run(["bash", "-c", call.input["command"]], capture_output=True, text=True, timeout=60,
                                      check=False)
                stderr = f"\n--- stderr\n{done.stderr}" if done.stderr else ""
                return f"exit status {done.returncode} ({time.monotonic() - began:.1f} s)\n{done.stdout}{stderr}"
            case "resolve":
                return "verified" if not self.observe()["violations"] else "not verified: violations"
        return "recorded"

    def talk(self, tools: list[dict[str, Any]] = EXECUTE) -> Conversation:
        opening = first_message(self.project, self.network, subject="sleepers")
        return Conversation(opening, self.run, tools)

    def assert_others_untouched(self, but: set[str]) -> None:
        for name in set(self.made) - but:
            before, now = self.before[name], self.inspect(name)
            for field in ("Status", "StartedAt", "FinishedAt"):
                assert now["State"][field] == before["State"][field], name


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    made = Sleepers()
    try:
        yield made
    finally:
        made.remove()


def disconnect(sleepers: Sleepers, name: str) -> None:
    docker("network", "disconnect", sleepers.network, name)


FAULTS: dict[str, tuple[str, Callable[[Sleepers, str], object]]] = {
    "kill": ("process_killed", lambda _, name: docker("kill", name)),
    "stop": ("process_stopped", lambda _, name: docker("stop", "-t", "5", name)),
    "pause": ("process_frozen", lambda _, name: docker("pause", name)),
    "disconnect": ("network_disconnected", disconnect),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_real_fault_is_repaired_and_nothing_else_is_touched(sleepers: Sleepers, fault: str) -> None:
    cause, inject = FAULTS[fault]
    victim = random.choice(MEMBERS)
    name = sleepers.name(victim)
    inject(sleepers, name)
    talk = sleepers.talk().go()
    assert talk.findings == {(victim, cause)}
    assert talk.ended == "resolve"
    assert talk.results[-1] == "verified"
    assert len(talk.repairs) == 1
    now = sleepers.inspect(name)
    assert now["Id"] == sleepers.before[name]["Id"]
    assert sleepers.aliases(now) == sleepers.aliases(sleepers.before[name]) == {victim, name}
    peer = next(member for member in MEMBERS if member != victim)
    address = now["NetworkSettings"]["Networks"][sleepers.network]["IPAddress"]
    assert address in docker("exec", sleepers.name(peer), "getent", "ahostsv4", victim)
    sleepers.assert_others_untouched(but={name})


def test_all_at_once(sleepers: Sleepers) -> None:
    for member, fault in zip(MEMBERS, ("kill", "pause", "disconnect"), strict=True):
        FAULTS[fault][1](sleepers, sleepers.name(member))
    talk = sleepers.talk().go()  # the frozen and the killed are still attached: the third is compared with them
    assert talk.ended == "resolve"
    assert talk.results[-1] == "verified"
    assert len(talk.repairs) == 3
    sleepers.assert_others_untouched(but={sleepers.name(member) for member in MEMBERS})


def test_a_member_that_crashes_is_left_to_a_human(sleepers: Sleepers) -> None:
    name = sleepers.name("etcd3")
    docker("rm", "-f", name)
    sleepers.made.remove(name)
    sleepers.create(name, "etcd3", command=("bash", "-c", "exit 3"))
    docker("wait", name)
    sleepers.before[name] = sleepers.inspect(name)
    talk = sleepers.talk().go()
    assert talk.ended == "escalate"
    assert talk.repairs == []
    assert talk.findings == {("etcd3", "process_crashed")}
    sleepers.assert_others_untouched(but=set())


def test_observe_mode_says_what_it_would_do_and_does_nothing(sleepers: Sleepers) -> None:
    name = sleepers.name("etcd1")
    docker("pause", name)
    talk = sleepers.talk(OBSERVE).go()
    assert talk.ended == "escalate"
    assert f"docker unpause {name}" in talk.reason
    assert sleepers.inspect(name)["State"]["Status"] == "paused"
