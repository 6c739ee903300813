"""The built file, run as a presenter would, on a real engine; each run under a project name and a home of its own."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from project_names import new_name

FILE = Path(__file__).parents[2] / "operator-demo"
LABEL = "com.docker.compose.project"


@dataclass
class Result:
    status: int
    events: list[dict[str, Any]]
    stderr: str

    @property
    def story(self) -> str:
        """What a failed assertion should show: how it went, not thousands of observations."""
        told = [e for e in self.events if e["type"] not in ("observation", "load", "progress", "delta", "usage")]
        lines = [f"{e['ts'][11:23]} {e['source']} {e['type']} {json.dumps(e['data'])[:400]}" for e in told[-60:]]
        return f"exit status {self.status}\n{self.stderr}\n" + "\n".join(lines)

    def of(self, *types: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["type"] in types]

    def last(self, type: str) -> dict[str, Any]:
        found = self.of(type)
        assert found, f"no {type}\n{self.story}"
        return found[-1]["data"]

    @property
    def outcome(self) -> str:
        return str(self.last("run_finished")["outcome"])

    def verdict(self) -> dict[str, Any]:
        return next(e["data"] for e in reversed(self.of("verdict")) if e["data"]["phase"] == "final")

    def failed_checks(self) -> set[str]:
        return {c["name"] for c in self.verdict()["checks"] if c["status"] in ("failed", "unknown")}

    def commands(self) -> list[str]:
        return [e["data"]["input"]["command"] for e in self.of("tool_call") if e["data"]["tool"] == "shell"]


RATE = "100"  # half of a demonstration's: other tests keep the machine busy meanwhile, and clients would time out


@dataclass
class Demo:
    """One project on the engine. `start` begins a run with `--display json`; `wait` collects it."""

    home: Path
    engine: docker.DockerClient
    project: str = field(default_factory=new_name)
    environment: dict[str, str] = field(default_factory=dict)
    subject: str = "etcd"
    process: subprocess.Popen[str] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)

    def env(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if k not in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")}
        return clean | {"OPERATOR_HOME": str(self.home)} | self.environment

    def command(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run([FILE, *arguments], env=self.env(), text=True, capture_output=True, timeout=120, **more)

    def start(self, *arguments: str) -> None:
        self.events, self.stderr = [], []
        self.process = subprocess.Popen(
            [FILE, "run", self.subject, "--auto", "--pace", "0", "--display", "json", "--project", self.project,
             "--rate", RATE, *arguments],
            env=self.env(), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = self.process.stdout, self.process.stderr
        assert out
        assert err
        self._readers = [threading.Thread(target=lambda: [self.events.append(json.loads(line)) for line in out]),
                         threading.Thread(target=lambda: self.stderr.extend(err))]
        for reader in self._readers:
            reader.start()

    def wait(self, timeout: float = 240) -> Result:
        assert self.process
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._join()
            tail = "\n".join(json.dumps(e)[:300] for e in self.events[-15:])
            pytest.fail(f"the run did not end within {timeout} s\n{tail}\n{''.join(self.stderr)}")
        self._join()
        return Result(status, self.events, "".join(self.stderr))

    def _join(self) -> None:
        for reader in self._readers:
            reader.join()

    def run(self, *arguments: str, timeout: float = 240) -> Result:
        self.start(*arguments)
        return self.wait(timeout)

    def until(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 120) -> dict[str, Any]:
        """Waits for an event of the running demo."""
        end, seen = time.monotonic() + timeout, 0
        while time.monotonic() < end:
            while seen < len(self.events):
                if wanted(self.events[seen]):
                    return self.events[seen]
                seen += 1
            assert self.process
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        tail = "\n".join(json.dumps(e)[:300] for e in self.events[-15:])
        pytest.fail(f"the event did not come\n{tail}\n{''.join(self.stderr)}")

    def until_chapter(self, name: str, timeout: float = 120) -> None:
        self.until(lambda e: e["type"] == "chapter" and e["data"]["name"] == name, timeout)

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def containers(self) -> list[Any]:
        return [c for name in (self.project, f"{self.project}-operator")
                for c in self.engine.containers.list(all=True, ignore_removed=True,
                                                       filters={"label": f"{LABEL}={name}"})]

    def container(self, service: str) -> Any:
        return next(c for c in self.containers() if c.labels["com.docker.compose.service"] == service)

    @classmethod
    @contextmanager
    def performed(cls, home: Path, engine: docker.DockerClient | None = None, **more: Any) -> "Iterator[Demo]":
        """For a fixture: needs the built file, and nothing may be left on the engine afterwards. `engine` is closed by
        whoever gives it."""
        if not FILE.exists():
            pytest.fail("There is no built file; run ./build.sh first.")
        client = engine or docker.from_env()
        made = cls(home, client, **more)
        try:
            yield made
            made.clean()
            left = made.leftovers()
        finally:
            if engine is None:
                client.close()
        assert left == []

    def leftovers(self) -> list[str]:
        names = [c.name for c in self.containers()]
        for name in (self.project, f"{self.project}-operator"):
            names += [n.name for n in self.engine.networks.list(filters={"label": f"{LABEL}={name}"})]
            names += [v.name for v in self.engine.volumes.list(filters={"label": f"{LABEL}={name}"})]
        return names

    def clean(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self._join()
        self.command("down", "--project", self.project, "--volumes")
