"""A conversation with the operator of rules, turn by turn until it ends, and a cluster on paper to talk of."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from operator_demo import settings
from operator_demo.agent import catalogue, prompts, validate
from operator_demo.agent.rehearsal.operator import Call, Turn, decide

EXECUTE: list[dict[str, Any]] = catalogue.definitions(settings.EXECUTE)
OBSERVE: list[dict[str, Any]] = catalogue.definitions(settings.OBSERVE)


def first_message(project: str, network: str | None, subject: str = "etcd",
                  before: list[dict[str, Any]] | None = None) -> str:
    ticket = {"ticket": "T-1", "subject": subject, "project": project, "network": network,
              "title": "a member is down",
              "violations": [{"key": "member_down:etcd1", "invariant": "member_down", "member": "etcd1",
                              "severity": "critical", "text": "etcd1 is down", "since": "2026-01-01T00:00:00.000000Z"}]}
    return prompts.first_message(ticket, prompts.history(before or []))


class Conversation:
    """`run(call)` answers one tool call with its result text. Every call is checked against the tool's schema."""

    def __init__(self, opening: str, run: Callable[[Call], str], tools: list[dict[str, Any]] = EXECUTE) -> None:
        self.request: dict[str, Any] = {
            "model": "rehearsal", "max_tokens": 4096, "system": "You are an operator.",
            "tools": tools,
            "messages": [{"role": "user", "content": opening}],
        }
        self._schemas = {tool["name"]: tool["input_schema"] for tool in tools}
        self._run = run
        self.turns: list[Turn] = []
        self.results: list[str] = []

    def go(self, most: int = 120) -> "Conversation":
        for _ in range(most):
            if not self.step():
                return self
        raise AssertionError(f"no end in sight after {most} turns: {self.commands[-5:]}")

    def step(self) -> bool:
        turn = decide(self.request)
        self.turns.append(turn)
        n = len(self.turns)
        said: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text else []
        said += [{"type": "tool_use", "id": f"toolu_{n}_{i}", "name": call.tool, "input": call.input}
                 for i, call in enumerate(turn.calls)]
        self.request["messages"].append({"role": "assistant", "content": said})
        if not turn.calls:
            return False
        answers = []
        for i, call in enumerate(turn.calls):
            assert validate.problems(call.input, self._schemas[call.tool]) == []
            output = self._run(call)
            self.results.append(output)
            answers.append({"type": "tool_result", "tool_use_id": f"toolu_{n}_{i}", "content": output})
        self.request["messages"].append({"role": "user", "content": answers})
        return True

    @property
    def calls(self) -> list[Call]:
        return [call for turn in self.turns for call in turn.calls]

    @property
    def commands(self) -> list[str]:
        return [call.input["command"] for call in self.calls if call.tool == "shell"]

    @property
    def repairs(self) -> list[str]:
        looking = ("docker ps ", "docker inspect ", "docker logs ", "curl ", "sleep ", "for from in ")
        return [command for command in self.commands if not command.startswith(looking)]

    @property
    def findings(self) -> set[tuple[str, str]]:
        return {(call.input.get("member", ""), call.input["cause"]) for call in self.calls if call.tool == "finding"}

    @property
    def ended(self) -> str:
        """The tool that ended it: resolve, no_action, escalate, or nothing."""
        last = [call.tool for call in self.calls if call.tool in ("resolve", "no_action", "escalate")]
        return last[-1] if last else ""

    @property
    def reason(self) -> str:
        return next((str(c.input["reason"]) for c in reversed(self.calls) if c.tool in ("escalate", "no_action")), "")


@dataclass
class Box:
    """A container of the paper cluster. `sick` and `heals_after` (looks): it runs, but is not well. `deaf`: rules in
    its network namespace drop what comes from its peers; `quota`: microseconds of processor time, 0 for none."""

    name: str
    id: str
    service: str
    state: str = "running"
    code: int = 0
    oom: bool = False
    restarts: int = 0
    networks: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    log: str = "serving client traffic"
    sick: bool = False
    heals_after: int = 0
    error: str = ""
    deaf: bool = False
    hangs: bool = False  # it does not even answer itself
    quota: int = 0


class PaperCluster:
    """Three members on paper. Answers the tools in the shapes that the real engine and monitor answer in."""

    def __init__(self, members: int = 3, project: str = "demo-etcd") -> None:
        self.project, self.network = project, f"{project}_default"
        self.boxes = {f"etcd{n}": self._box(n) for n in range(1, members + 1)}
        self.others: list[Box] = []
        self.oracle = ["verified: 7 checks passed"]
        self.cluster_violations: list[str] = []
        self.load: dict[str, Any] | None = None
        self.full = 0  # the steps that are left until there is room again
        self.subject = "etcd"
        self.schedulers: list[str] = []

    def _box(self, n: int) -> Box:
        service, id = f"etcd{n}", f"{n:x}" * 64
        name = f"{self.project}-{service}-1"
        return Box(name, id, service, networks={self.network: [name, service, id[:12]]},
                   labels={"com.docker.compose.project": self.project, "com.docker.compose.service": service,
                           "com.docker.compose.depends_on": "a:service_started:false,b:service_started:false"})

    def decoy(self, name: str, **labels: str) -> Box:
        labels = {"com.docker.compose.project": self.project, "com.docker.compose.service": name, **labels}
        box = Box(f"{self.project}-{name}-1", f"d{len(self.others)}" * 32, name, "exited", 137, labels=labels)
        self.others.append(box)
        return box

    def talk(self, tools: list[dict[str, Any]] = EXECUTE, before: list[dict[str, Any]] | None = None) -> Conversation:
        return Conversation(first_message(self.project, self.network, self.subject, before), self.run, tools)

    def run(self, call: Call) -> str:
        match call.tool:
            case "observe":
                return json.dumps(self.observe())
            case "resolve" | "no_action":
                return self.oracle.pop(0)
            case "shell":
                return self.shell(call.input["command"])
            case "inspect":
                return json.dumps(self.told_by_monitor(self.boxes[call.input["member"]]))
            case "logs":
                return self.boxes[call.input["member"]].log
        return "recorded"

    def observe(self) -> dict[str, Any]:
        for box in self.boxes.values():
            box.heals_after -= box.sick
            box.sick = box.sick and box.heals_after != 0
        fit = {name: self.fit(box) for name, box in self.boxes.items()}
        quorum = sum(fit.values()) * 2 > len(fit)
        members = {}
        violations = [{"invariant": text, "member": None, "severity": "warning", "key": text, "text": text, "since": ""}
                      for text in self.cluster_violations]
        for n, (name, box) in enumerate(self.boxes.items()):
            well = fit[name] and quorum
            members[name] = {"container": box.id, "state": box.state, "healthy": well,
                             "reachable": fit[name] or (box.state == "running" and (box.deaf or box.quota > 0)),
                             "address": f"172.18.0.{n + 2}" if self.network in box.networks else None,
                             "leader": False, "error": None if well else "timed out"}
            if not fit[name]:
                violations.append({"key": f"member_down:{name}", "invariant": "member_down", "member": name,
                                   "severity": "critical", "text": f"{name} is down", "since": ""})
        return {"ts": 1.0, "project": self.project, "network": self.network, "members": members,
                "cluster": {"leader": None, "quorum": quorum, "schedulers": self.schedulers},
                "violations": violations + self._alarms(), "load": self.load}

    def _alarms(self) -> list[dict[str, Any]]:
        return [{"key": f"db_space_alarm:{name}", "invariant": "db_space_alarm", "member": name, "text": "NOSPACE",
                 "severity": "critical", "since": ""} for name in self.boxes if self.full]

    def fit(self, box: Box) -> bool:
        held_back = box.sick or box.deaf or box.hangs or box.quota
        return box.state == "running" and self.network in box.networks and not held_back

    def shell(self, command: str) -> str:
        words = shlex.split(command)
        if command.startswith("docker ps "):
            boxes = [*self.boxes.values(), *self.others]
            return _ran("\n".join(json.dumps(self._row(box)) for box in boxes))
        if command.startswith("docker inspect "):
            named = [self.box(name) for name in words[2:words.index("|")]]
            return _ran("\n".join(json.dumps(self.describe(box)) for box in named))
        if command.startswith("docker logs "):
            return _ran(self.box(words[4]).log)
        if command.startswith("docker start "):
            return self.start(self.box(words[2]))
        if command.startswith("docker unpause "):
            self.box(words[2]).state = "running"
            return _ran(words[2])
        if command.startswith("docker network connect "):
            aliases = [words[i + 1] for i, word in enumerate(words) if word == "--alias"]
            self.box(words[-1]).networks[words[-2]] = aliases
            return _ran("")
        if command.startswith("docker restart "):
            box = self.box(words[2])
            box.deaf = False
            return _ran(box.name)
        if command.startswith("docker update "):
            box = self.box(words[-1])
            box.quota = max(0, int(words[words.index("--cpu-quota") + 1]))
            return _ran(box.name)
        if command.startswith("for from in "):
            return _ran(self.links(words[3:words.index("do")]))
        if "/schedulers/" in command:
            self.schedulers.remove(command.split("/schedulers/")[1].split()[0])
            self.cluster_violations = []
            return _ran("The scheduler is removed.")
        if "/v3/" in command:
            self.full -= 1
            return _ran("{}")
        if command.startswith("sleep "):
            return _ran("")
        assert command.startswith("curl "), command
        return _ran('{"health":"true"}')

    def links(self, named: list[str]) -> str:
        lines = []
        for a in (self.box(name.rstrip(";")) for name in named):
            for n, b in enumerate(self.boxes.values()):
                cut = (a.deaf or b.deaf) and a is not b
                lines.append(f"{a.name} 172.18.0.{n + 2} {28 if cut or b.hangs else 0}")
        return "\n".join(lines)

    def start(self, box: Box) -> str:
        box.state, box.code = "running", 0
        return _ran(box.name)

    def box(self, name: str) -> Box:
        return next(box for box in [*self.boxes.values(), *self.others] if box.name == name)

    def _row(self, box: Box) -> dict[str, Any]:
        status = f"Exited ({box.code}) 11 seconds ago" if box.state == "exited" else "Up 2 minutes"
        labels = ",".join(f"{key}={value}" for key, value in box.labels.items())
        return {"ID": box.id, "Names": box.name, "State": box.state, "Status": status, "Labels": labels}

    def describe(self, box: Box) -> dict[str, Any]:
        state = {"Status": box.state, "ExitCode": box.code, "OOMKilled": box.oom, "Error": box.error,
                 "FinishedAt": "2026-01-01T00:00:00Z"}
        return {"Id": box.id, "Name": f"/{box.name}", "RestartCount": box.restarts, "State": state,
                "Labels": box.labels, "Networks": box.networks, "Volumes": [f"{self.project}_{box.service}"],
                "Limits": {"NanoCpus": 0, "CpuQuota": box.quota, "Memory": 0}}

    def told_by_monitor(self, box: Box) -> dict[str, Any]:
        """As the monitor's own `inspect` tells it."""
        full = self.describe(box)
        return {"name": box.name, "image": "x", "state": full["State"], "restart_count": box.restarts,
                "networks": {name: {"IPAddress": "", "Aliases": aliases} for name, aliases in box.networks.items()},
                "mounts": [{"Type": "volume", "Name": name} for name in full["Volumes"]]}


def _ran(stdout: str, status: int = 0) -> str:
    return f"exit status {status} (0.1 s)\n{stdout}\n"
