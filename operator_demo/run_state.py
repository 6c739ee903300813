"""What is known of a run: the one fold over its events, and the one place of these rules. No I/O and no clock.

Times are seconds since the epoch on the containers' clock.

**The outcome** is the one that the stage told, or `unverified` where a contradiction came to light afterwards.

**The fault began** at the engine's own time of the first effect explained as `fault` that is not before the stage said
`injecting`, nor more than `EFFECT_WITHIN` seconds after it; without one, when the stage said so. (The engine knows
best, but it does not see some faults, and what it explains as the fault may be the undoing of an earlier one.) An
injection that had not taken effect when it was begun anew counts from the later beginning.

Where a fault comes back (`again`), each strike begins by the same rule.

**A fault by hand** is one of a run that is armed, and has neither a sealed truth nor a `fault` event. It began with the
first effect on a member that nobody accounts for (to look into a container is no such effect), else with the first
violation seen, else with the first ticket, each of them after the oracle was armed. Before that it was not asked for.

**The fault's ticket** is the first one opened when the fault had begun, or one still open then to which violations
attach afterwards. A false ticket from before is none of its. A strike that comes back has its own.

**TTD**: from the first strike until its ticket showed it (opened, or a violation attached).
**TTM**: from the first strike to the passed final verdict of the last strike's ticket. A fault that comes back is one
incident: the first repair did not last, so the time until the lasting one counts.

The result does not depend on how events of different sources interleave, as long as each source keeps its own order.
What several sources say about one thing (a ticket's state, the agent's name) is decided by the order of (ts, source,
seq), as in the store.

**Waited**: the seconds of the incident in which the agent stood still as the presenter wished: no session held the
ticket and it was told to claim none, or it was paused between two steps. The rest of the TTM is its own.
"""

import math
from dataclasses import dataclass, field, replace

from operator_demo import chapters, events, orders, outcomes
from operator_demo.approvals import GRACE
from operator_demo.errors import Exit
from operator_demo.events import Event
from operator_demo.fields import JsonObject
from operator_demo.spans import Span, common, total, within
from operator_demo.ticket_state import OPEN, Moment, Order, Ticket, order

EFFECT_WITHIN = 60.0  # seconds after `injecting` in which the engine's event may come; an injection takes less
LOAD_WINDOW = 180.0  # seconds of load that are kept
_LOOKING = "exec_start"
_EXEC = "docker exec"  # the guard's word for a command in a member, with which an agent mostly looks
NO_CHAPTER = events.Chapter(name="", title="", narration="")

@dataclass
class Strike:
    at: float  # when the stage began with it
    injected: bool = False  # it was seen to have taken effect


@dataclass
class Fault:
    phase: str = ""
    kind: str = ""
    targets: tuple[str, ...] = ()
    strikes: list[Strike] = field(default_factory=list)
    effects: list[float] = field(default_factory=list)  # of the fault, by the engine's clock
    first_unexplained: float | None = None  # effect on a member, once armed
    first_violation: float | None = None  # seen once armed

    def began(self, strike: Strike) -> float:
        seen = [t for t in self.effects if strike.at <= t <= strike.at + EFFECT_WITHIN]
        return min(seen, default=strike.at)


@dataclass
class Session:
    id: str = ""
    ticket: str | None = None
    started: float | None = None
    finished: float | None = None
    status: str = ""  # empty while it works
    summary: str = ""
    ended: Order = (0.0, "", 0)
    paused: list[float] = field(default_factory=list)
    resumed: list[float] = field(default_factory=list)

    @property
    def pauses(self) -> list[Span]:
        """Without an end where it stands still now."""
        over = math.inf if self.finished is None else self.finished
        ends = [*self.resumed, *[over] * (len(self.paused) - len(self.resumed))]
        return list(zip(self.paused, ends, strict=False))


@dataclass
class Agent:
    brain: str = ""
    model: str = ""
    mode: str = ""
    sessions: dict[str, Session] = field(default_factory=dict)
    steps: int = 0
    calls: int = 0
    tokens: int = 0
    cost: float | None = 0.0  # dollars; None when a price was unknown
    named: Order = (0.0, "", 0)
    orders: list[Moment[events.AgentOrder]] = field(default_factory=list)
    finding: Moment[events.Finding] | None = None  # the newest
    change: Moment[events.Guard] | None = None  # of a container, the newest that the guard let it make

    @property
    def order(self) -> str:
        """What the presenter wants of it now."""
        return self.orders[-1].data.order if self.orders else orders.GO

    @property
    def kept_waiting(self) -> list[Span]:
        """When it was to claim no ticket."""
        ends = [*(o.at for o in self.orders[1:]), math.inf]
        return [(o.at, end) for o, end in zip(self.orders, ends, strict=False) if o.data.order != orders.GO]

    @property
    def paused(self) -> bool:
        """Does it stand still between two steps?"""
        return self.working and len(self.session.paused) > len(self.session.resumed)

    @property
    def session(self) -> Session:
        """The newest; an empty one before the first."""
        return max(self.sessions.values(), key=lambda s: (s.started or 0.0, s.id), default=Session())

    @property
    def working(self) -> bool:
        return self.session.started is not None and self.session.finished is None


@dataclass
class Run:
    id: str = ""
    project: str = ""
    subject: str = ""
    title: str = ""  # of the subject, in words
    version: str = ""
    manual: bool | None = None  # do keys advance it? None: it was not said
    talk: float | None = None  # seconds that the presenter has planned
    began: float | None = None
    stand_ins: bool = False  # something answers in the place of the real system

    @property
    def about(self) -> str:
        return f"{self.subject} STAND-INS" if self.stand_ins else self.subject


@dataclass
class RunState:
    """`latest` is the time of the newest event."""

    run: Run = field(default_factory=Run)
    latest: float = 0.0
    chapter: events.Chapter = NO_CHAPTER
    chapter_at: float = 0.0
    members: dict[str, events.MemberSeen] = field(default_factory=dict)
    quorum: bool | None = None
    violated: tuple[str, ...] = ()
    observed: bool = False
    missing: tuple[str, ...] = ()  # what the system lacks, until it was well once
    armed: float | None = None
    tickets: dict[str, Ticket] = field(default_factory=dict)
    fault: Fault = field(default_factory=Fault)
    agent: Agent = field(default_factory=Agent)
    load: list[Moment[events.Load]] = field(default_factory=list)
    rate: float | None = None  # operations a second that the workload aims at
    writes: events.WriteCheck | None = None
    sealed: str = ""
    truth: JsonObject = field(default_factory=dict)
    score: events.Score | None = None
    outcome: Moment[events.RunFinished] | None = None
    record: events.RecordHead | None = None  # told at the very end
    contradictions: tuple[events.Contradiction, ...] = ()
    asked: dict[str, Moment[events.ApprovalRequested]] = field(default_factory=dict)  # not answered yet, by id

    # -- what follows ------------------------------------------------------------------------------------------------

    @property
    def ticket(self) -> Ticket | None:
        """The one that was opened last, whatever it is about."""
        return max(self.tickets.values(), key=lambda t: (t.opened or 0.0, t.id), default=None)

    @property
    def waiting(self) -> list[Moment[events.ApprovalRequested]]:
        """The requests that wait for a human, the oldest first. One whose end was never told is over in any case."""
        return [asked for asked in self.asked.values() if self.latest <= asked.at + asked.data.limit + GRACE]

    @property
    def by_hand(self) -> bool:
        """Is somebody expected to break it?"""
        return self.armed is not None and not self.sealed and not self.fault.strikes

    @property
    def strikes(self) -> list[float]:
        """When the fault struck, from the first time to the last."""
        if self.by_hand:
            began = self._began_by_hand()
            return [] if began is None else [began]
        return [self.fault.began(strike) for strike in self.fault.strikes]

    def _began_by_hand(self) -> float | None:
        if self.fault.first_unexplained is not None:
            return self.fault.first_unexplained
        if self.fault.first_violation is not None:
            return self.fault.first_violation
        opened = [t.opened for t in self.tickets.values() if t.opened is not None and t.opened >= (self.armed or 0.0)]
        return min(opened, default=None)

    @property
    def fault_began(self) -> float | None:
        strikes = self.strikes
        return strikes[0] if strikes else None

    @property
    def fault_tickets(self) -> list[Ticket]:
        """The ticket of each strike that was noticed, from the first to the last."""
        return [ticket for began in self.strikes if (ticket := self._ticket_of(began)) is not None]

    @property
    def fault_ticket(self) -> Ticket | None:
        """That of the last strike."""
        strikes = self.strikes
        return self._ticket_of(strikes[-1]) if strikes else None

    def _ticket_of(self, began: float) -> Ticket | None:
        shown = [(at, t.id) for t in self.tickets.values() if (at := t.showed(began)) is not None]
        return self.tickets[min(shown)[1]] if shown else None

    @property
    def ttd(self) -> float | None:
        """Seconds from the fault to its ticket."""
        began = self.fault_began
        ticket = self._ticket_of(began) if began is not None else None
        shown = ticket.showed(began) if ticket is not None and began is not None else None
        return shown - began if shown is not None and began is not None else None

    @property
    def ttm(self) -> float | None:
        """Seconds from the fault to its verified repair."""
        began, ticket = self.fault_began, self.fault_ticket
        if began is None or ticket is None or ticket.verified is None:
            return None
        return ticket.verified - began

    @property
    def held(self) -> bool:
        """Is there a ticket that the agent would claim, and may not?"""
        return self.ticket is not None and self.ticket.state == OPEN and self.agent.order != orders.GO

    @property
    def waited(self) -> float:
        """Seconds of the incident, until now, in which the agent stood still as the presenter wished."""
        began, ticket = self.fault_began, self.fault_ticket
        if began is None:
            return 0.0
        end = self.latest if ticket is None or ticket.closed is None else ticket.closed
        free = [span for ticket in self.tickets.values() for span in ticket.free]
        pauses = [span for session in self.agent.sessions.values() for span in session.pauses]
        return total(within([*common(free, self.agent.kept_waiting), *pauses], began, end))

    @property
    def own_ttm(self) -> float | None:
        """The TTM without the time that the agent waited for the presenter."""
        return None if self.ttm is None else max(0.0, self.ttm - self.waited)

    # -- the fold ----------------------------------------------------------------------------------------------------

    def apply(self, e: Event) -> None:
        """Takes one event in. A payload that this version does not know changes nothing."""
        at = e.at
        self.latest = max(self.latest, at)
        self.run.id = self.run.id or e.run
        if e.source == events.AGENT:
            self._hear_agent(at, e)
        if e.ticket is not None:
            self.tickets.setdefault(e.ticket, Ticket(e.ticket)).apply(e)
        match e.data:
            case events.RunStarted() as run:
                self.run.project, self.run.subject, self.run.version = run.project, run.subject, run.version
                self.run.manual, self.run.talk, self.run.began = run.manual, run.talk, at
                self.run.title = run.title
                self._name_agent(e, run)
            case events.Chapter() as chapter:
                self.chapter, self.chapter_at = chapter, at
            case events.Fault() as fault:
                self._hear_of_fault(at, fault)
            case events.TruthSealed(sha256=sha256):
                self.sealed = sha256
            case events.TruthOpened(truth=truth):
                self.truth = truth
            case events.Score() as score:
                self.score = score
            case events.Note(stand_ins=stand_ins):
                self.run.stand_ins = self.run.stand_ins or bool(stand_ins)
            case events.RunFinished() as finished:
                self.outcome = Moment(at, finished)
            case events.RecordHead() as head:
                self.record = head
            case events.Contradiction() as contradiction:
                self._contradict(e, contradiction)
            case events.MonitorStarted(members=names):
                for name in names:
                    self.members.setdefault(name, events.MemberSeen())
            case events.Observation() as look:
                self._look(at, look)
            case events.Readiness(missing=missing):
                self.missing = missing
            case events.Effect() as effect:
                self._hear_of_effect(at, effect)
            case events.Armed():
                self.armed = at if self.armed is None else self.armed
            case events.WorkloadStarted(rate=rate):
                self.rate = rate
            case events.Load() as load:
                self.load = [*(second for second in self.load if second.at > at - LOAD_WINDOW), Moment(at, load)]
            case events.WriteCheck() as check:
                self.writes = check
            case events.ApprovalRequested() as asked:
                self.asked[asked.id] = Moment(at, asked)
            case events.ApprovalAnswered(id=id):
                self.asked.pop(id, None)
            case events.AgentOrder() as order:
                self.agent.orders.append(Moment(at, order))
            case events.Guard(caller=events.AGENT, ruling="allow", rule=rule) as change if not rule.startswith(_EXEC):
                self.agent.change = Moment(at, change)
            case events.SessionFinished() as finished:
                self._finish_session(e, finished)

    def _contradict(self, e: Event, contradiction: events.Contradiction) -> None:
        """What the volume holds in the place of a forged event counts. Nothing is proved by it any more, but a stage
        must know that a ticket is closed."""
        self.contradictions = (*self.contradictions, contradiction)
        there = _recorded(contradiction, e.run)
        if there is not None:
            self.apply(there)
        if self.outcome is not None and self.outcome.data.outcome in outcomes.JUDGED:
            corrected = replace(self.outcome.data, outcome=outcomes.UNVERIFIED, exit_status=int(Exit.NOT_REACHED))
            self.outcome = Moment(self.outcome.at, corrected)

    def _look(self, at: float, look: events.Observation) -> None:
        """Members keep their places, so that the lines of the screen stand still."""
        known = [name for name in self.members if name in look.members]
        new = [name for name in look.members if name not in known]
        self.members = {name: look.members[name] for name in known + new}
        self.quorum, self.violated, self.observed = look.cluster.quorum, look.violations, True
        if look.violations and self.armed is not None and self.fault.first_violation is None:
            self.fault.first_violation = at

    def _hear_of_fault(self, at: float, fault: events.Fault) -> None:
        self.fault.phase, self.fault.kind, self.fault.targets = fault.phase, fault.kind, fault.targets
        strikes = self.fault.strikes
        match fault.phase:
            case "injecting" | "again" if strikes and not strikes[-1].injected:
                strikes[-1].at = at
            case "injecting" | "again":
                strikes.append(Strike(at))
            case "injected" if strikes:
                strikes[-1].injected = True

    def _hear_of_effect(self, at: float, effect: events.Effect) -> None:
        moment = at if effect.time is None else effect.time
        if effect.explained == "fault":
            self.fault.effects.append(moment)
        broke = effect.explained in (None, "fault") and effect.member is not None and effect.action != _LOOKING
        if broke and self.armed is not None and self.fault.first_unexplained is None:
            self.fault.first_unexplained = moment

    def _hear_agent(self, at: float, e: Event) -> None:
        agent = self.agent
        match e.data:
            case events.AgentStarted() as started:
                self._name_agent(e, started)
            case events.SessionStarted() as started:
                self._name_agent(e, started)
                session = self._session(e)
                session.ticket, session.started = e.ticket, at
            case events.AgentPaused():
                self._session(e).paused.append(at)
            case events.AgentResumed():
                self._session(e).resumed.append(at)
            case events.Finding() as finding:
                agent.finding = Moment(at, finding)
            case events.ToolCall():
                agent.calls += 1
            case events.Usage() as usage:
                agent.steps += 1
                agent.tokens += usage.tokens
                if agent.cost is not None:
                    agent.cost = None if usage.cost_usd is None else agent.cost + usage.cost_usd

    def _session(self, e: Event) -> Session:
        name = e.session or ""
        return self.agent.sessions.setdefault(name, Session(name))

    def _finish_session(self, e: Event, finished: events.SessionFinished) -> None:
        """The agent ends its session; where the agent is gone, the stage does."""
        session = self._session(e)
        if order(e) >= session.ended:
            session.ended, session.finished = order(e), e.at
            session.status, session.summary = finished.status, finished.summary

    def _name_agent(self, e: Event, who: events.RunStarted | events.AgentStarted | events.SessionStarted) -> None:
        if order(e) >= self.agent.named:
            self.agent.named = order(e)
            self.agent.brain, self.agent.model, self.agent.mode = who.brain, who.model, who.mode


def number_of(chapter: str) -> int:
    """From 1; 0 for one that is not in the usual order."""
    return chapters.NAMES.index(chapter) + 1 if chapter in chapters.NAMES else 0


def _recorded(c: events.Contradiction, run: str) -> Event | None:
    """What the volume holds, as an event; None where it has none, or what stands there is no event."""
    there = c.recorded or {}
    if not isinstance(there.get("data"), dict):
        return None
    try:
        event = Event(run, c.from_source, there["type"], there["data"], c.seq, there["ts"], there["ticket"],
                      there["session"])
        return event if event.at else None
    except (KeyError, TypeError, ValueError):
        return None
