"""What is known of a run: a fold over its events. No I/O and no clock.

Events of different sources may arrive in another order than they happened in, so what an event says counts only if
nothing later has been said about the same thing; the result does not depend on how the sources are interleaved.
Ephemeral events (`delta`, `progress`) change only `live` and `progress`, which the durable ones tidy up again.
"""

from dataclasses import dataclass, field
from typing import Any

from operator_demo.events import Event
from operator_demo.screen import values, words

CHAPTERS = ("welcome", "healthy", "load", "fault", "detection", "repair", "verified", "end")
LOAD_WINDOW = 60.0  # seconds of load that are kept
_MOST_ENTRIES, _MOST_NOTES, _MOST_EFFECTS, _MOST_LIVE = 300, 50, 50, 8000


@dataclass
class Chapter:
    name: str = ""
    title: str = ""
    narration: str = ""
    notes: str = ""  # the speaker's, not for the audience
    at: float = 0.0

    @property
    def number(self) -> int:
        """From 1; 0 before the first and for one that is not in the usual order."""
        return CHAPTERS.index(self.name) + 1 if self.name in CHAPTERS else 0


@dataclass
class Member:
    """A member as last observed. `state` is the engine's word for its container."""

    name: str
    state: str = ""
    reachable: bool | None = None
    healthy: bool | None = None
    leader: bool = False
    kind: str = ""  # what it is where members differ
    error: str = ""
    index: float | None = None
    term: float | None = None
    db_size: float | None = None  # bytes
    latency: float | None = None  # seconds
    alarms: str = ""

    @property
    def role(self) -> str:
        return "leader" if self.leader else self.kind or ("follower" if self.healthy else "")


@dataclass
class Violation:
    key: str
    severity: str = ""
    text: str = ""


@dataclass
class Ticket:
    id: str
    state: str = "open"
    severity: str = ""
    title: str = ""
    subject: str = ""
    holder: str = ""
    reason: str = ""  # why escalated or released
    words: str = ""  # the oracle's, when it sent the ticket back
    returns: int = 0
    opened: float | None = None
    closed: float | None = None
    violations: list[Violation] = field(default_factory=list)
    violations_at: float = 0.0
    updated: float = 0.0


@dataclass
class Fault:
    phase: str = ""
    kind: str = ""
    targets: list[str] = field(default_factory=list)
    at: float = 0.0
    injecting: float | None = None  # when the stage began with it
    seen: float | None = None  # when it happened, by the engine's own events

    @property
    def began(self) -> float | None:
        return self.injecting if self.seen is None else self.seen


@dataclass
class Entry:
    """One line of the agent's log. `kind`: thinking, text, call, finding, retry, refusal, interrupt."""

    at: float
    order: int
    kind: str
    text: str = ""
    call: str = ""
    why: str = ""
    status: str = ""  # of a call; empty while it runs
    exit_code: float | None = None
    duration: float | None = None
    output: str = ""


@dataclass
class Live:
    """Text that is being written just now. `kind`: thinking, text, command or output."""

    kind: str
    text: str = ""
    call: str = ""


@dataclass
class Agent:
    brain: str = ""
    model: str = ""
    mode: str = ""
    session: str = ""
    status: str = ""  # empty while it works
    summary: str = ""
    identified: float = 0.0
    started: float | None = None
    finished: float | None = None
    steps: int = 0
    calls: int = 0
    tokens: int = 0
    cost: float | None = 0.0  # dollars; None when a price was unknown
    entries: list[Entry] = field(default_factory=list)

    @property
    def label(self) -> str:
        return words.brain_label(self.brain, self.model)


@dataclass
class Load:
    at: float
    ops: float = 0.0
    p50: float | None = None  # seconds
    p99: float | None = None
    errors: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


@dataclass
class Check:
    name: str
    status: str
    saw: str


@dataclass
class Verdict:
    phase: str
    passed: bool
    checks: list[Check]
    at: float


@dataclass
class Progress:
    status: str
    current: float | None = None
    total: float | None = None


@dataclass
class Note:
    at: float
    level: str
    text: str


@dataclass
class Effect:
    at: float
    text: str
    explained: str  # empty: nobody accounts for it


@dataclass
class Outcome:
    name: str
    exit_status: int
    ttd: float | None
    ttm: float | None
    at: float


@dataclass
class Run:
    id: str = ""
    project: str = ""
    subject: str = ""
    version: str = ""
    seed: str = ""
    manual: bool | None = None  # do keys bring it forward? None: it was not said
    began: float | None = None
    stand_ins: bool = False  # something answers in the place of the real system

    @property
    def about(self) -> str:
        return f"{self.subject} STAND-INS" if self.stand_ins else self.subject


@dataclass
class State:
    """Times are seconds since the epoch; `latest` is that of the newest event."""

    run: Run = field(default_factory=Run)
    latest: float = 0.0
    chapter: Chapter = field(default_factory=Chapter)
    members: dict[str, Member] = field(default_factory=dict)
    quorum: bool | None = None
    violated: list[str] = field(default_factory=list)
    observed: float = 0.0
    tickets: dict[str, Ticket] = field(default_factory=dict)
    fault: Fault = field(default_factory=Fault)
    agent: Agent = field(default_factory=Agent)
    load: list[Load] = field(default_factory=list)
    rate: float | None = None  # operations a second that the workload aims at
    writes: tuple[int, int, int] | None = None  # kept, lost, unknown
    armed: bool = False
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    sealed: str = ""
    truth: str = ""
    score: dict[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None
    live: list[Live] = field(default_factory=list)
    progress: dict[tuple[str, str], Progress] = field(default_factory=dict)

    @property
    def ticket(self) -> Ticket | None:
        """The one that was opened last."""
        return max(self.tickets.values(), key=lambda t: (t.opened or 0.0, t.id), default=None)

    @property
    def verdict(self) -> Verdict | None:
        """The final one, else the opening one."""
        return self.verdicts.get("final") or self.verdicts.get("opening")

    @property
    def ttd(self) -> float | None:
        """Seconds from the fault to the ticket."""
        if self.outcome and self.outcome.ttd is not None:
            return self.outcome.ttd
        opened = [t.opened for t in self.tickets.values() if t.opened is not None]
        began = self.fault.began
        return max(0.0, min(opened) - began) if began is not None and opened else None

    @property
    def ttm(self) -> float | None:
        """Seconds from the fault to the verified repair."""
        if self.outcome and self.outcome.ttm is not None:
            return self.outcome.ttm
        final = self.verdicts.get("final")
        began = self.fault.began
        return max(0.0, final.at - began) if began is not None and final is not None and final.passed else None

    def apply(self, e: Event) -> None:
        """Takes one valid event in. Never raises, whatever its `data` holds."""
        at = values.seconds_of(e.ts)
        if at is None:
            at = self.latest
        self.latest = max(self.latest, at)
        self.run.id = self.run.id or values.label(e.run)
        d = e.raw
        match e.type:
            case "run_started":
                self._run_started(at, d)
            case "chapter":
                self._chapter(at, d)
            case "progress":
                key = (values.label(d["task"]), values.label(d["item"]))
                self.progress[key] = Progress(values.label(d["status"]), values.number(d.get("current")),
                                              values.number(d.get("total")))
            case "fault":
                self._fault(at, d)
            case "truth_sealed":
                self.sealed = values.label(d["sha256"])
            case "score":
                self.score = d
            case "truth_opened":
                self.truth = values.fields(d["truth"])
            case "note":
                self._note(at, values.label(d["level"]), values.text(d["text"]))
                self.run.stand_ins = self.run.stand_ins or bool(values.sequence(d.get("stand_ins")))
            case "gap" if not d["filled"]:
                self._note(at, "warning", f"events {values.label(d['first'])} to {values.label(d['last'])} "
                                          f"of {values.label(d['from_source'])} are missing")
            case "run_finished":
                self.outcome = Outcome(values.label(d["outcome"]), values.count(d["exit_status"]),
                                       values.number(d.get("ttd")), values.number(d.get("ttm")), at)
            case "monitor_started":
                for name in values.sequence(d["members"]):
                    self.members.setdefault(values.label(name), Member(values.label(name)))
            case "observation" if at >= self.observed:
                self._observation(at, d)
            case "effect":
                self._effect(at, d)
            case "armed":
                self.armed = True
            case "verdict":
                self._verdict(at, d)
            case "workload_started":
                self.rate = values.number(d["rate"])
            case "load":
                self._load(at, d)
            case "write_check":
                self.writes = (values.count(d["kept"]), values.count(d["lost"]), values.count(d["unknown"]))
            case _ if e.type.startswith("ticket_"):
                self._ticket(at, e)
            case _ if e.source == "agent":
                self._agent(at, e)

    # -- the run -----------------------------------------------------------------------------------------------------

    def _run_started(self, at: float, d: dict[str, Any]) -> None:
        self.run.project, self.run.subject = values.label(d["project"]), values.label(d["subject"])
        self.run.version, self.run.seed = values.label(d["version"]), values.label(d["seed"])
        self.run.manual = d["manual"] if isinstance(d.get("manual"), bool) else None
        self.run.began = at
        self._identify(at, d)

    def _chapter(self, at: float, d: dict[str, Any]) -> None:
        if at >= self.chapter.at:
            self.chapter = Chapter(values.label(d["name"]), values.label(d["title"]), values.text(d["narration"]),
                                   values.text(d.get("notes")), at)
            self.progress = {}

    def _fault(self, at: float, d: dict[str, Any]) -> None:
        phase = values.label(d["phase"])
        self.progress = {key: p for key, p in self.progress.items() if key[0] != "fault"}
        if phase == "injecting":
            self.fault.injecting = at
        if at >= self.fault.at:
            self.fault.phase, self.fault.kind, self.fault.at = phase, values.label(d["kind"]), at
            self.fault.targets = [values.label(t) for t in values.sequence(d["targets"])]

    def _note(self, at: float, level: str, text: str) -> None:
        self.notes.append(Note(at, level, text))
        self.notes = sorted(self.notes, key=lambda n: n.at)[-_MOST_NOTES:]

    # -- what is seen ------------------------------------------------------------------------------------------------

    def _observation(self, at: float, d: dict[str, Any]) -> None:
        self.observed = at
        seen = {values.label(name): _member(values.label(name), values.mapping(m))
                for name, m in values.mapping(d["members"]).items()}
        known = [name for name in self.members if name in seen]
        self.members = {name: seen[name] for name in [*known, *(n for n in seen if n not in known)]}
        quorum = values.mapping(d["cluster"]).get("quorum")
        self.quorum = quorum if isinstance(quorum, bool) else None
        self.violated = [values.label(key) for key in values.sequence(d["violations"])]

    def _effect(self, at: float, d: dict[str, Any]) -> None:
        explained = values.label(d["explained"])
        self.effects.append(Effect(at, words.effect(d), explained))
        self.effects = sorted(self.effects, key=lambda x: x.at)[-_MOST_EFFECTS:]
        moment = values.number(d.get("time"))
        if explained == "fault" and moment is not None:
            self.fault.seen = moment if self.fault.seen is None else min(self.fault.seen, moment)

    def _verdict(self, at: float, d: dict[str, Any]) -> None:
        phase = values.label(d["phase"])
        before = self.verdicts.get(phase)
        if before is None or at >= before.at:
            checks = [values.mapping(c) for c in values.sequence(d["checks"])]
            self.verdicts[phase] = Verdict(phase, d["passed"] is True, [
                Check(values.label(c.get("name")), values.label(c.get("status")), values.label(c.get("saw")))
                for c in checks], at)

    def _load(self, at: float, d: dict[str, Any]) -> None:
        kinds = {values.label(k): values.count(v) for k, v in values.mapping(d["errors"]).items()}
        self.load.append(Load(at, values.number(d["ops"]) or 0.0, values.number(d["p50"]), values.number(d["p99"]),
                              values.total(d["errors"]), {k: n for k, n in kinds.items() if n}))
        self.load.sort(key=lambda x: x.at)
        self.load = [x for x in self.load if x.at > self.load[-1].at - LOAD_WINDOW]

    # -- tickets -----------------------------------------------------------------------------------------------------

    def _ticket(self, at: float, e: Event) -> None:
        name, d = values.label(e.ticket), e.raw
        ticket = self.tickets.setdefault(name, Ticket(name))
        move = e.type.removeprefix("ticket_")
        if move == "opened":
            ticket.opened, ticket.title = at, values.label(d["title"])
            ticket.subject, ticket.severity = values.label(d["subject"]), values.label(d["severity"])
        if "violations" in d and at >= ticket.violations_at:
            ticket.violations_at = at
            ticket.violations = [_violation(v) for v in values.sequence(d["violations"])]
        if move == "returned":
            ticket.returns += 1
            ticket.words = values.text(d["words"])
        if move != "updated" and at >= ticket.updated:
            ticket.updated = at
            ticket.state = {"opened": "open", "claimed": "acknowledged", "returned": "acknowledged",
                            "released": "open"}.get(move, move)
            ticket.holder = values.label(d.get("holder")) if move in ("claimed", "released") else ticket.holder
            ticket.reason = values.text(d.get("reason"))
            ticket.closed = at if move in ("resolved", "cleared", "escalated") else None

    # -- the agent ---------------------------------------------------------------------------------------------------

    def _identify(self, at: float, d: dict[str, Any]) -> None:
        if at >= self.agent.identified:
            self.agent.identified = at
            self.agent.brain, self.agent.model = values.label(d["brain"]), values.label(d["model"])
            self.agent.mode = values.label(d["mode"])

    def _agent(self, at: float, e: Event) -> None:
        agent, d = self.agent, e.raw
        match e.type:
            case "delta":
                self._delta(d)
            case "agent_started":
                self._identify(at, d)
            case "session_started":
                self._identify(at, d)
                if agent.started is None or at >= agent.started:
                    agent.started, agent.session = at, values.label(e.session)
                    if agent.finished is None or agent.finished < at:
                        agent.status, agent.summary, agent.finished = "", "", None
                self.live = []
            case "session_finished":
                if agent.started is None or at >= agent.started:
                    agent.finished, agent.status = at, values.label(d["status"])
                    agent.summary = values.text(d["summary"])
                self.live = []
            case "usage":
                agent.steps += 1
                agent.tokens += sum(values.count(d[k]) for k in
                                    ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"))
                cost = values.number(d["cost_usd"])
                agent.cost = None if agent.cost is None or cost is None else agent.cost + cost
            case "reasoning":
                kind = values.label(d["kind"])
                self._forget_live(kind)
                self._enter(Entry(at, e.seq or 0, kind, values.text(d["text"])))
            case "tool_call":
                self._forget_live("command")
                agent.calls += 1
                entry = self._call(at, e)
                entry.at, entry.order = at, e.seq or 0
                entry.text = words.command(values.label(d["tool"]), d["input"])
                entry.why = words.why(d["input"])
                agent.entries.sort(key=_in_time)
            case "tool_result":
                self._forget_live("output")
                entry = self._call(at, e)
                entry.text = entry.text or values.label(d["tool"])
                entry.status = values.label(d["status"]) or "unknown"
                entry.exit_code, entry.duration = values.number(d.get("exit_code")), values.number(d.get("duration"))
                entry.output = values.text(d["output"])
            case "finding":
                who, cause = values.label(d["member"]), values.label(d["cause"])
                said = ": ".join(part for part in (who, cause.replace("_", " ")) if part)
                self._enter(Entry(at, e.seq or 0, "finding", "\n".join([said, words.finding_text(d)])))
            case "retry":
                self.live = []
                delay = words.seconds(values.number(d["delay"]))
                self._enter(Entry(at, e.seq or 0, "retry", f"{values.text(d['reason'])}; again in {delay}"))
            case "refusal" | "interrupt":
                self.live = []
                self._enter(Entry(at, e.seq or 0, e.type, values.text(d["reason"])))

    def _enter(self, entry: Entry) -> None:
        self.agent.entries.append(entry)
        self.agent.entries.sort(key=_in_time)
        del self.agent.entries[:-_MOST_ENTRIES]

    def _call(self, at: float, e: Event) -> Entry:
        """The entry of this call, a new one if it is not there yet."""
        call = values.label(e.raw["call"])
        for entry in reversed(self.agent.entries):
            if entry.kind == "call" and entry.call == call:
                return entry
        entry = Entry(at, e.seq or 0, "call", call=call)
        self._enter(entry)
        return entry

    def _delta(self, d: dict[str, Any]) -> None:
        kind, call = values.label(d["kind"]), values.label(d.get("call"))
        if not self.live or (self.live[-1].kind, self.live[-1].call) != (kind, call):
            self.live = [*self.live[-7:], Live(kind, call=call)]
        self.live[-1].text = (self.live[-1].text + values.text(d["text"]))[-_MOST_LIVE:]

    def _forget_live(self, kind: str) -> None:
        self.live = [part for part in self.live if part.kind != kind]


def _in_time(entry: Entry) -> tuple[float, int]:
    return entry.at, entry.order


def _member(name: str, m: dict[str, Any]) -> Member:
    def flag(key: str) -> bool | None:
        return m[key] if isinstance(m.get(key), bool) else None

    return Member(name, state=values.label(m.get("state")), reachable=flag("reachable"), healthy=flag("healthy"),
                  leader=flag("leader") is True, kind=values.label(m.get("kind")), error=values.label(m.get("error")),
                  index=values.number(m.get("index")), term=values.number(m.get("term")),
                  db_size=values.number(m.get("db_size")), latency=values.number(m.get("read_latency")),
                  alarms=", ".join(values.label(a) for a in values.sequence(m.get("alarms"))))


def _violation(value: Any) -> Violation:
    v = values.mapping(value)
    return Violation(values.label(v.get("key")), values.label(v.get("severity")), values.label(v.get("text")))
