"""A run without an engine: an environment, a display and a fault that are played from a script."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from operator_demo import events, subject
from operator_demo.chaos.journal import FaultJournal
from operator_demo.chaos.primitive import Before, Ground, Primitive, Proof, Values
from operator_demo.chaos.scenario import Scenario
from operator_demo.chaos.spec import FaultSpec
from operator_demo.engine import Container, ContainerState, Interrupted
from operator_demo.errors import OperatorError
from operator_demo.events import Event, Payload
from operator_demo.stage.inbox import Inbox
from operator_demo.stage.journal import Journal
from operator_demo.stage.options import Options
from operator_demo.stage.record_check import DECIDING
from operator_demo.stage.run import Stage
from operator_demo.store import Store

RUN, PROJECT = "run-fake", "demo-fake"
SERVICES, REMOVED = ("monitor", "agent", "workload", "guard", "network", "relay"), -1
MEMBERS = ("etcd1", "etcd2", "etcd3")


class FakeFault(Primitive):
    """Breaks the cluster of the environment that it is given."""

    kind, what, proof = "fake", "a member is broken", "the cluster says so"
    every = 0.05

    def __init__(self, cluster: "Cluster") -> None:
        self.cluster = cluster

    def before(self, ground: Ground, targets: Sequence[str], values: Values) -> Before:
        self.cluster.answer("fault")
        return {}

    def inject(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        self.cluster.answer("fault")
        self.cluster.unproved = True
        self.cluster.broken = targets[0]

    def prove(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> Proof:
        self.cluster.answer("fault")
        proof = Proof(self.cluster.broken == targets[0], "seen")
        self.cluster.unproved = False
        return proof

    def revert(self, ground: Ground, targets: Sequence[str], values: Values, before: Before) -> None:
        self.cluster.answer("revert")
        self.cluster.broken = ""


class FakeGround(Ground):
    def containers(self) -> dict[str, Container]:
        return {name: container(name) for name in MEMBERS}


def container(service: str) -> Container:
    return Container(f"id-{service}", f"{PROJECT}-{service}-1", service, "running", None, None, None, {}, "image")


@dataclass
class Cluster:
    """The engine with all that runs on it. `broken` is the member that is; a call of a kind in `failing` raises,
    one in `hanging` never answers; `before_answer` is called in each."""

    before_answer: Callable[[str], None] = lambda call: None
    tick: float = 0.02  # seconds between two observations
    repairs: bool = True  # does the agent?
    dies_at_work: bool = False  # does the agent, in the middle of its session?
    broken: str = ""
    unproved: bool = False  # a fault was injected, and nobody has looked whether it took effect
    missing: str = ""  # what keeps it from becoming healthy
    failing: dict[str, Exception] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    hesitates: float = 0.2  # seconds from the ticket to its claim
    order: str = "go"  # what the presenter wants of the agent
    asked: deque[tuple[str, dict[str, Any]]] = field(default_factory=deque)  # of the monitor, and not heard yet
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answered: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # what the guard was asked
    ended: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(SERVICES))  # with which exit code
    volume: list[Event] = field(default_factory=list)  # what the containers recorded
    lie: Callable[["FakeFeed", str], None] = lambda feed, ticket: None  # called when a ticket was opened

    def answer(self, call: str) -> None:
        self.calls.append(call)
        self.before_answer(call)
        if call in self.hanging:
            time.sleep(600)
        if call in self.failing:
            raise self.failing[call]


class FakeFeed:
    """What the containers' logs say, from a thread: observations, load, and, when a member is broken, an incident."""

    def __init__(self, cluster: Cluster, seen: dict[str, int], incoming: Inbox) -> None:
        self._cluster, self._seq, self._incoming = cluster, dict(seen), incoming
        self._nowhere = Inbox()  # what a log has lost
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._cluster.answer("feed_stop")
        self._stop.set()
        self._thread.join()

    def say(self, source: str, type: str, /, *, ticket: str | None = None, session: str | None = None,
            **data: Any) -> None:
        self._seq[source] += 1
        event = events.event(RUN, source, events.TYPES[type].of(data), ticket=ticket, session=session)
        event = replace(event, seq=self._seq[source])
        self._cluster.volume.append(event)
        self._incoming.put(event)

    def forge(self, source: str, content: Payload, *, ticket: str | None = None, ahead: int = 1) -> None:
        """What a feed believes that could not read the volume."""
        event = events.event(RUN, source, content, ticket=ticket)
        self._incoming.put(replace(event, seq=self._seq[source] + ahead))

    def _run(self) -> None:
        self.say(events.WORKLOAD, "workload_started", rate=100, read_share=0.5, keys=8)
        handled, incidents = False, 0
        while not self._stop.wait(self._cluster.tick):
            self._hear()
            self._observe()
            if self._cluster.broken and not handled:
                handled, incidents = True, incidents + 1
                self._incident(self._cluster.broken, f"tkt-{incidents}", f"ses-{incidents}")
            handled = handled and self._cluster.broken != ""

    def _hear(self) -> None:
        """Does what the monitor was asked to do."""
        while self._cluster.asked:
            op, arguments = self._cluster.asked.popleft()
            if op == "arm":
                self.say(events.MONITOR, "armed", fingerprint={}, checks=[])
            elif op == "order":
                self._order(arguments["order"])
            else:
                self._cluster.heard.append((op, arguments))

    def _order(self, order: str) -> None:
        if order != self._cluster.order:
            self._cluster.order = order
            self.say(events.MONITOR, "agent_order", order=order, by="anna")

    def _wait_while(self, orders: Collection[str]) -> None:
        """As the agent does before it claims a ticket, and between two steps."""
        while self._cluster.order in orders and not self._stop.is_set():
            self._stop.wait(0.02)
            self._hear()

    def _observe(self) -> None:
        broken = self._cluster.broken
        members = {name: {"state": "running", "healthy": name != broken, "leader": name == MEMBERS[0]}
                   for name in MEMBERS}
        violations = [f"member_down:{broken}"] if broken else []
        if self._cluster.missing:
            self.say(events.MONITOR, "readiness", missing=[self._cluster.missing])
            members["etcd1"]["healthy"] = False
        self.say(events.MONITOR, "observation", members=members, cluster={}, violations=violations, duration=0.01)
        self.say(events.WORKLOAD, "load", ops=100, p50=0.001, p99=0.002, errors={})

    def _incident(self, member: str, ticket: str, session: str) -> None:
        violation = {"key": f"member_down:{member}", "invariant": "member_down", "member": member,
                     "severity": "critical", "text": f"{member} is down", "since": events.now()}
        self.say(events.MONITOR, "ticket_opened", ticket=ticket, subject="etcd", severity="critical",
                 title=f"{member} is down", violations=[violation])
        self.say(events.MONITOR, "verdict", ticket=ticket, phase="opening", passed=False, checks=[])
        self._cluster.lie(self, ticket)
        if not self._cluster.repairs:
            return
        while self._cluster.unproved and not self._stop.is_set():
            self._stop.wait(0.02)
        self._stop.wait(self._cluster.hesitates)
        self._hear()
        self._wait_while(("hold", "pause"))
        if self._cluster.order == "stop":
            self.say(events.MONITOR, "ticket_escalated", ticket=ticket, reason="stopped", by="presenter")
            return
        mine = {"ticket": ticket, "session": session}
        self.say(events.AGENT, "ticket_claimed", **mine, holder=session)
        self.say(events.AGENT, "session_started", **mine, model="rehearsal", brain="rehearsal", mode="execute")
        if self._cluster.dies_at_work:
            return
        self._hear()
        if self._cluster.order == "pause":
            self.say(events.AGENT, "agent_paused", **mine)
            self._wait_while(("pause",))
            self.say(events.AGENT, "agent_resumed", **mine, seconds=0.1)
        if self._cluster.order == "stop":
            self.say(events.AGENT, "ticket_escalated", **mine, reason="stopped", by="presenter")
            self.say(events.AGENT, "session_finished", **mine, status="escalated", summary="stopped")
            return
        self.say(events.AGENT, "finding", **mine, member=member, cause="process_killed", text="it is down")
        self._cluster.broken = ""
        self.say(events.AGENT, "ticket_verifying", **mine, summary="restarted", actions=[])
        self.say(events.MONITOR, "verdict", **mine, phase="final", passed=True, checks=[])
        self.say(events.MONITOR, "ticket_resolved", ticket=ticket)
        self.say(events.AGENT, "session_finished", **mine, status="verified", summary="restarted")


class FakeEnvironment:
    """As `stage.environment.Environment`."""

    project, engine_version, subject_reference = PROJECT, "1.0", "etcd"
    remarks, stand_ins, without_load, added_load = (), (), False, ""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.found = subject.load("etcd")

    def clock_offset(self) -> float:
        return 0.0

    def prepare(self, progress: Callable[[str, str], None], stop: threading.Event) -> str:
        self.cluster.answer("prepare")
        progress("image", "built")
        if stop.is_set():
            raise Interrupted("It was interrupted.")
        return "image"

    def up_subject(self, *_: object) -> None:
        self.cluster.answer("up_subject")

    def up_operator(self, *_: object) -> None:
        self.cluster.answer("up_operator")

    def addresses(self) -> dict[str, str]:
        return {}

    def socket(self, image: str, chosen: str | None) -> str:
        self.cluster.answer("socket")
        return "/var/run/docker.sock"

    def image(self) -> str:
        self.cluster.answer("image")
        return "image"

    def ground(self, image: str = "", *, up: bool = True) -> Ground:
        self.cluster.answer("ground")
        return FakeGround(None, PROJECT, "net", self.found.subject, image, self.ask)  # type: ignore[arg-type]

    def check_fault(self, kind: str, image: str) -> None:
        self.cluster.answer("check_fault")

    def follow(self, run: str, seen: dict[str, int], incoming: Inbox) -> FakeFeed:
        self.cluster.answer("follow")
        return FakeFeed(self.cluster, seen, incoming)

    def container_states(self) -> list[ContainerState]:
        self.cluster.answer("container_states")
        return [ContainerState(f"id-{service}", f"{PROJECT}-operator-{service}-1", service,
                               "running" if code is None else "exited", code)
                for service, code in self.cluster.ended.items() if code != REMOVED]

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        self.cluster.answer("ask")
        self.cluster.asked.append((op, arguments))
        return {}

    def ask_guard(self, op: str, **arguments: str) -> dict[str, Any]:
        self.cluster.answered.append((op, arguments))
        return {}

    def recorded(self, run: str, source: str, after: int, remark: Callable[[str], None]) -> list[Event]:
        self.cluster.answer("recorded")
        return []

    def deciding(self, run: str, remark: Callable[[str], None]) -> list[Event]:
        self.cluster.answer("deciding")
        return [e for e in self.cluster.volume if e.type in DECIDING]

    def stop_operators(self) -> None:
        self.cluster.answer("stop_operators")

    def halt(self) -> None:
        self.cluster.answer("halt")

    def whole_record(self, run: str) -> list[Event]:
        self.cluster.answer("whole_record")
        return list(self.cluster.volume)

    def remove_left(self, sessions: Collection[str], tell: Callable[[str], None]) -> list[str]:
        self.cluster.answer("remove_left")
        for session in sessions:
            tell(f"The agent left what {session} made.")
        return list(sessions)

    def down(self, *, volumes: bool, progress: Callable[[str, str], None]) -> list[str]:
        self.cluster.answer("down")
        return []


class FakeDisplay:
    """Keeps what it is shown; `frames` are the times of the ticks. `on_event` may press keys, or kill."""

    def __init__(self) -> None:
        self.keys: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.events: list[Event] = []
        self.frames: list[float] = []
        self.on_event: Callable[[Event], None] = lambda e: None
        self.stopped = False

    def start(self) -> None:
        pass

    def event(self, e: Event) -> None:
        self.events.append(e)
        self.on_event(e)

    def tick(self, now: float) -> None:
        self.frames.append(time.monotonic())

    def stop(self) -> None:
        self.stopped = True

    def restore(self) -> None:
        self.stopped = True

    def press(self, *words: str) -> None:
        for word in words:
            self.keys.put(word)

    def quit(self) -> None:
        """The key, and the answer to the question."""
        self.press("quit", "yes")

    def press_when_asked(self, e: Event) -> None:
        """For `on_event`: the key for the next chapter, wherever it does something."""
        if e.type == "prompt" and e.raw.get("space"):
            self.press("next")

    def of(self, type: str) -> list[dict[str, Any]]:
        return [e.raw for e in self.events if e.type == type]

    @property
    def chapters(self) -> list[str]:
        return [d["name"] for d in self.of("chapter")]

    @property
    def outcome(self) -> tuple[str, int]:
        finished = self.of("run_finished")
        assert len(finished) == 1
        return finished[0]["outcome"], finished[0]["exit_status"]


SCENARIO = Scenario("fake", "A member breaks", FaultSpec("fake"), cause="process_killed",
                    invariants=("member_down",), detect_limit=5.0, repair_limit=5.0)
OPTIONS = Options(run=RUN, scenario="fake", mode="execute", brain="rehearsal", model="rehearsal", variables={},
                  engine_socket=None, key="", manual=False, keep=False, pace=0.0, seed=7, version="0")


class Run:
    """A stage on a fake cluster, and all that it touches."""

    def __init__(self, folder: Path, scenario: Scenario = SCENARIO, **options: Any) -> None:
        self.cluster = Cluster()
        self.asked_to_leave = ""
        self.display = FakeDisplay()
        self.store = Store(folder / "store.db")
        self.journal = Journal(folder, "engine", PROJECT)
        self.faults = FaultJournal(folder, "engine", PROJECT)
        self.scenario, self.options = scenario, replace(OPTIONS, **options)
        self.stage = self.another_stage()

    def another_stage(self) -> Stage:
        environment: Any = FakeEnvironment(self.cluster)
        return Stage(environment, self.scenario, self.store, self.journal, self.faults, self.display, self.options,
                     lambda: self.asked_to_leave)

    def recorded(self, type: str) -> list[Event]:
        return list(self.store.events(RUN, types=[type]))


class Gone(BaseException):
    pass


def lose_host(run: Run) -> None:
    """Plays the run until its host is gone after the injection; the containers go on."""
    run.cluster.repairs = False

    def vanish(e: Event) -> None:
        if e.type == "chapter" and e.raw["name"] == "detection":
            raise Gone

    run.display.on_event = vanish
    with suppress(Gone):
        run.stage.chapters.play(attach=False)
    run.stage.recording.unfollow()
    run.display.on_event = lambda e: None
    run.cluster.repairs = True


def refuse(words: str = "no") -> OperatorError:
    return OperatorError(f"The engine said {words}.")
