"""The program from end to end, without an engine: a monitor and an agent that meet a hostile text, and the host that
shows what they recorded."""

import asyncio
import gzip
import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import agent_bench
import monitor_bench
import pytest
from click.testing import CliRunner
from drawn import drawn
from hostile_texts import KEY, Hostile

from operator_demo import events, rpc, wire
from operator_demo.agent.dispatch import Dispatch
from operator_demo.agent.record import AgentRecorder
from operator_demo.agent.shell import Execution
from operator_demo.agent.work import Result
from operator_demo.commands.audit import audit
from operator_demo.events import Event
from operator_demo.home import store_path
from operator_demo.monitor.agent_orders import AgentOrders
from operator_demo.monitor.oracle import Oracle
from operator_demo.monitor.questions import Questions
from operator_demo.redaction import Scrubber
from operator_demo.report.digest import digest
from operator_demo.report.postmortem import postmortem
from operator_demo.report.source import from_store
from operator_demo.screen.layout import arrange
from operator_demo.screen.plain import Plain
from operator_demo.screen.terminal_text import UNICODE, Writer
from operator_demo.store import Store
from operator_demo.subject import Member, Observation, Violation

SCREEN = (200, 60)


class Monitor:
    """A real monitor over a member that writes the hostile text wherever it can."""

    def __init__(self, folder: Path) -> None:
        self.text, self.log = "", Hostile("", "", b"")
        self._bench = monitor_bench.Bench(folder)
        self._bench.subject.observe = self._observe  # type: ignore[method-assign]
        self._bench.subject.violations = self._violations  # type: ignore[method-assign]
        self._out = io.StringIO()
        self._bench.monitor._out = self._out
        oracle = Oracle(self._bench.observer, self._bench.monitor, dict, folder / "w.sock", folder, threading.Event())
        self._questions = Questions(self._bench.observer, oracle, self._bench.announced,
                                    AgentOrders(self._bench.monitor), self._bench.monitor,
                                    lambda: "net", self._inspect, lambda _, lines: self.log.pieces(), lambda _: True)

    def observe(self) -> None:
        self._bench.observer.look()

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        answer = json.loads(json.dumps(self._questions.handlers()[op](**arguments)))
        assert isinstance(answer, dict)
        return answer

    def events(self) -> list[Event]:
        """What it said since the last time, as the host takes it in."""
        return taken_in(self._out)

    def close(self) -> None:
        self._bench.store.close()

    def _observe(self, members: list[Member], deadline: float) -> Observation:
        seen: dict[str, dict[str, Any]] = {
            m.name: {"reachable": False, "healthy": False, "error": self.text, "kind": self.text, "version": self.text,
                     "alarms": [self.text]} for m in members}
        return Observation(0.0, seen, {"leader": self.text, self.text: self.text})

    def _violations(self, observation: Observation) -> list[Violation]:
        return [Violation("slow", "m0", "warning", self.text)]

    def _inspect(self, container: str) -> dict[str, Any]:
        text = self.text
        return {"Name": f"/{text}", "State": {"Status": text, "Error": text, "Health": {"Log": [{"Output": text}]}},
                "Config": {"Image": text, "Cmd": [text, "--password", text], "Entrypoint": None,
                           "Env": [f"A={text}", text], "Labels": {text: text}},
                "HostConfig": {"RestartPolicy": {"Name": "no"}},
                "NetworkSettings": {"Networks": {text: {"IPAddress": text, "Aliases": [text]}}},
                "Mounts": [{"Type": "volume", "Name": text, "Destination": text, "RW": True}]}


class Agent:
    """A real session whose shell prints the hostile text, and whose monitor answers with it."""

    def __init__(self, folder: Path, monitor: Monitor, mode: str) -> None:
        self._bench = agent_bench.Bench(folder, mode=mode)
        self._bench.recorder = AgentRecorder(self._bench.store, self._bench.settings.run, self._bench.out,
                                             Scrubber([KEY]))
        self._bench.open_ticket()
        self.work = self._bench.claimed()
        self.printed = Hostile("", "", b"")
        self._monitor = monitor
        self._dispatch = Dispatch(self.work)

    def call(self, tool: str, **given: Any) -> Result:
        """A tool as the model calls it; bash prints the text instead of running the command."""
        async def print_(execution: Execution, timeout: float, show: Callable[[str], None],
                         waited: Callable[[], float]) -> None:
            for piece in self.printed.pieces():
                execution.stdout.feed(piece)
                execution.stderr.feed(piece)
                show(piece.decode("utf-8", "replace"))
            execution.exit_code = 0

        def ask(path: Path, op: str, timeout: float, **arguments: Any) -> dict[str, Any]:
            return self._monitor.ask(op, **arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Execution, "run", print_)
            patch.setattr(rpc, "call", ask)
            return asyncio.run(self._dispatch("toolu_1", tool, given))

    def write(self, kind: str, text: str) -> None:
        """The model's own prose, while it is being written and when it is finished."""
        async def go() -> None:
            live = self.work.live(kind)
            live.feed(text)
            live.close()

        asyncio.run(go())
        if kind != "command":
            self.work.say(events.Reasoning(kind=kind, text=text))

    def events(self) -> list[Event]:
        return taken_in(self._bench.out)

    def on_disk(self) -> str:
        return self._bench.everything_written()

    def close(self) -> None:
        self._bench.close()


def taken_in(out: io.StringIO) -> list[Event]:
    """The events of a container's output, through the decoder of the host; the output is empty afterwards."""
    decoder, taken = wire.Decoder(), []
    for line in out.getvalue().splitlines():
        event = decoder.feed(line)
        if event is not None:
            taken.append(event)
    out.seek(0)
    out.truncate()
    return taken


def told(many: list[Event]) -> Iterator[tuple[str, str]]:
    """What people see of events: (where, text)."""
    yield "screen", "\n".join(drawn(many, SCREEN, 5.0, UNICODE, False, arrange))
    out = io.StringIO()
    plain = Plain(Writer(out, color=False))
    for event in many:
        plain.event(event)
    yield "plain", out.getvalue()
    durable = [event for event in many if event.seq is not None]
    if durable:
        store_path().unlink(missing_ok=True)
        with Store(store_path()) as store:
            store.import_([_start_of(durable[0]), *durable])
        for options in ([], ["--full"], ["--json"]):
            shown = CliRunner().invoke(audit, ["show", durable[0].run, *options], catch_exceptions=False)
            assert shown.exit_code == 0
            yield f"audit show {' '.join(options)}", shown.stdout
        yield "audit export", gzip.decompress(_exported(durable[0].run, "opdemo")).decode()
        trajectory = json.loads(_exported(durable[0].run, "atif"))
        yield "audit export --format atif", "\n".join(strings(trajectory))
        run = from_store(store_path(), durable[0].run)
        digested = digest(run, [])
        yield "report", "\n".join(strings(digested))
        yield "post-mortem", postmortem(digested)


def _exported(run: str, form: str) -> bytes:
    file = store_path().with_name(f"exported.{form}")
    done = CliRunner().invoke(audit, ["export", run, "--format", form, "-o", str(file)], catch_exceptions=False)
    assert done.exit_code == 0
    return file.read_bytes()


def strings(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield key
                yield from strings(item)
        case list():
            for item in value:
                yield from strings(item)


def _start_of(first: Event) -> Event:
    started = events.RunStarted(project="p", subject="fake", mode="execute", model="m", brain="claude", version="1",
                                engine="e", seed=1)
    return events.event(first.run, events.STAGE, started).numbered(1, first.ts)
