"""The states of a ticket, and what is known of one: a fold over the events that carry its id."""

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from operator_demo import events
from operator_demo.events import Event, Payload
from operator_demo.outcomes import REPAIRED
from operator_demo.spans import Span

OPEN = "open"
OPEN_STATES = (OPEN, "acknowledged", "verifying")
CLOSED_STATES = ("resolved", "cleared", "escalated")
STATE_AFTER: dict[type[Payload], str] = {
    events.TicketOpened: OPEN, events.TicketClaimed: "acknowledged", events.TicketVerifying: "verifying",
    events.TicketReturned: "acknowledged", events.TicketReleased: OPEN, events.TicketResolved: "resolved",
    events.TicketCleared: "cleared", events.TicketEscalated: "escalated",
}
"""The state that a ticket is in after each of its moves."""

Said = TypeVar("Said", bound=Payload)
Order = tuple[float, str, int]
"""(ts, source, seq): which of two events counts as the later one, as in the store."""


def order(e: Event) -> Order:
    return e.at, e.source, e.seq or 0


@dataclass(frozen=True)
class Moment(Generic[Said]):
    """What was said, and when."""

    at: float
    data: Said


@dataclass
class Ticket:
    """`opened` is None as long as the agent alone has spoken of it; `closed` is None while it is open."""

    id: str
    state: str = OPEN
    severity: str = ""
    title: str = ""
    subject: str = ""
    holder: str = ""
    reason: str = ""  # why escalated or released
    claim: str = ""  # what the agent said last: repaired or no_action
    outcome: str = ""  # what was claimed and verified
    escalated_by: str = ""  # a source, or `presenter`
    reported: bool = False  # somebody says so, and nobody saw it
    returns: int = 0
    opened: float | None = None
    closed: float | None = None
    violations: tuple[events.Violation, ...] = ()  # attached now
    invariants: set[str] = field(default_factory=set)  # of all violations that were ever attached
    causes: set[str] = field(default_factory=set)  # that findings named
    verdicts: dict[str, Moment[events.Verdict]] = field(default_factory=dict)  # by phase
    attached: list[float] = field(default_factory=list)  # when the monitor told of violations
    moved: Order = (0.0, "", 0)
    moves: dict[Order, str] = field(default_factory=dict)  # the state after each move

    @property
    def free(self) -> list[Span]:
        """When nobody held it; without an end where nobody holds it now."""
        spans, begin = [], None
        for (at, _, _), state in sorted(self.moves.items()):
            if state == OPEN and begin is None:
                begin = at
            elif state != OPEN and begin is not None:
                spans.append((begin, at))
                begin = None
        return spans if begin is None else [*spans, (begin, math.inf)]

    @property
    def verdict(self) -> Moment[events.Verdict] | None:
        """The final one, else the opening one."""
        return self.final or self.verdicts.get("opening")

    @property
    def final(self) -> Moment[events.Verdict] | None:
        return self.verdicts.get("final")

    @property
    def verified(self) -> float | None:
        """When the final verdict passed."""
        return self.final.at if self.final is not None and self.final.data.passed else None

    def showed(self, began: float) -> float | None:
        """When this ticket showed a fault that began then; None where it is not the fault's."""
        if self.opened is None or self.opened >= began:
            return self.opened
        later = self.attached[bisect_left(self.attached, began):]
        return later[0] if later else None

    # -- the fold ----------------------------------------------------------------------------------------------------

    def apply(self, e: Event) -> None:
        """Takes in one event that carries this ticket's id."""
        match e.data:
            case events.TicketOpened() as opened:
                self.opened, self.title = e.at, opened.title
                self.subject, self.severity, self.reported = opened.subject, opened.severity, opened.reported
                self._attach(e.at, opened.violations)
            case events.TicketUpdated(violations=violations):
                self._attach(e.at, violations)
            case events.TicketClaimed(holder=holder):
                self.holder = holder
            case events.TicketReleased():
                self.holder = ""
            case events.TicketVerifying(claim=claim):
                self.claim = claim
            case events.TicketReturned():
                self.returns += 1
            case events.TicketResolved(outcome=outcome):
                self.outcome = outcome or REPAIRED
            case events.Finding(cause=cause):
                self.causes.add(cause)
            case events.Verdict() as verdict:
                self.verdicts[verdict.phase] = Moment(e.at, verdict)
        state = STATE_AFTER.get(type(e.data))
        if state is not None:
            self.moves[order(e)] = state
            if order(e) >= self.moved:
                self._move(e, state)

    def _attach(self, at: float, violations: tuple[events.Violation, ...]) -> None:
        self.violations = violations
        self.invariants |= {v.invariant or v.key.partition(":")[0] for v in violations}
        if violations:
            self.attached.append(at)

    def _move(self, e: Event, state: str) -> None:
        self.moved, self.state = order(e), state
        self.closed = e.at if state in CLOSED_STATES else None
        self.reason = self.escalated_by = ""
        match e.data:
            case events.TicketReleased(reason=reason):
                self.reason = reason
            case events.TicketEscalated(reason=reason, by=by):
                self.reason, self.escalated_by = reason, by or e.source
