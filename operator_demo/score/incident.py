"""The incident of a run: what happened from the fault to the end of its ticket. `run_state` says when that was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from operator_demo import events
from operator_demo.events import Event, Payload, parse_ts
from operator_demo.run_state import RunState
from operator_demo.ticket_state import Moment, Ticket

BASELINE = 30  # newest seconds of load before the fault, which count as normal
LOST = 0.5  # of the operations a second before the fault: a second with fewer counts as lost
FAILING = 0.01  # share of failed operations above which a second is not good

P = TypeVar("P", bound=Payload)


@dataclass(frozen=True)
class Incident:
    """`events` are the run's, in the order of time; `sessions` those that worked at the fault's tickets. `began` and
    `ended` are seconds since the epoch: it ends with the ticket (of the last strike) or its final verdict, whichever
    comes last, else with the last event."""

    events: Sequence[Event]
    run: RunState
    tickets: Sequence[Ticket]
    sessions: frozenset[str]
    began: float | None
    ended: float

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Incident":
        run = RunState()
        for e in events:
            run.apply(e)
        tickets = run.fault_tickets
        ids = {ticket.id for ticket in tickets}
        sessions = frozenset(s.id for s in run.agent.sessions.values() if s.ticket in ids)
        return cls(events, run, tickets, sessions, run.fault_began, _ended(run))

    def since(self, moment: float | None) -> float | None:
        """Seconds from the beginning to `moment`."""
        return None if moment is None or self.began is None else round(moment - self.began, 3)

    def within(self, kind: type[P]) -> list[Moment[P]]:
        """The payloads of this type from the beginning to the end."""
        began = self.began
        if began is None:
            return []
        return [moment for moment in payloads(self.events, kind) if began <= moment.at <= self.ended]

    def of_sessions(self, kind: type[P]) -> list[Moment[P]]:
        """The agent's payloads of this type while it worked on the fault's tickets."""
        return list(payloads([e for e in self.events if e.session in self.sessions], kind))


def payloads(events: Sequence[Event], kind: type[P]) -> Iterator[Moment[P]]:
    return (Moment(e.at, e.data) for e in events if isinstance(e.data, kind))


def _ended(run: RunState) -> float:
    ticket = run.fault_ticket
    if ticket is None:
        return run.latest
    ends = [ticket.closed, ticket.final.at if ticket.final is not None else None]
    return max((end for end in ends if end is not None), default=run.latest)


# -- what the clients felt -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Felt:
    """`errors` counts failed operations; `lost` seconds in which less than half of the usual was done."""

    errors: int
    lost: int
    good_since: float | None  # seconds since the epoch; None when it was not good at the end


def felt_by_clients(incident: Incident) -> Felt | None:
    """None without a load before the incident to compare with."""
    began = incident.began
    if began is None:
        return None
    before = [second.data.ops for second in payloads(incident.events, events.Load) if second.at < began][-BASELINE:]
    if not before:
        return None
    least = LOST * median(before)
    during = incident.within(events.Load)
    good_since: float | None = began
    for second in during:
        load = second.data
        if load.ops < least or load.failed > FAILING * (load.ops + load.failed):
            good_since = None
        elif good_since is None:
            good_since = second.at
    return Felt(errors=sum(second.data.failed for second in during),
                lost=sum(second.data.ops < least for second in during), good_since=good_since)


# -- what the monitor saw --------------------------------------------------------------------------------------------


def well_since(incident: Incident) -> float | None:
    """The time from which the monitor saw no violation until the end; None if there was one at the end."""
    since: float | None = None
    for look in incident.within(events.Observation):
        if look.data.violations:
            since = None
        elif since is None:
            since = look.at
    return since


def first_symptom(incident: Incident) -> float | None:
    """When an invariant was first seen violated (before its grace was over)."""
    began = incident.began
    if began is None:
        return None
    observed = [look.at for look in incident.within(events.Observation) if look.data.violations][:1]
    opened = incident.within(events.TicketOpened)
    reported = [_since(violation) for ticket in opened for violation in ticket.data.violations]
    return min((t for t in observed + reported if t is not None and t >= began), default=None)


def _since(violation: events.Violation) -> float | None:
    try:
        return parse_ts(violation.since)
    except ValueError:
        return None
