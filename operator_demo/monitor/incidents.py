"""Tickets from active violations: one open ticket at a time, with all violations that fire."""

import contextlib
import time
from datetime import UTC, datetime

from operator_demo import events, tickets
from operator_demo.events import TicketUpdated, timestamp
from operator_demo.monitor.announced import Announced
from operator_demo.monitor.violations import CRITICAL, ActiveViolation, State, holds
from operator_demo.store import Recorder
from operator_demo.subject import Violation

CLEAR_AFTER = 3.0  # seconds without a violation until a ticket that nobody holds is cleared


class Incidents:
    """Opens, updates and clears the run's ticket. Called after each observation, by one thread at a time."""

    def __init__(self, recorder: Recorder, subject: str, announced: Announced) -> None:
        self._recorder, self._subject, self._announced = recorder, subject, announced
        row = recorder.store.row("SELECT ticket FROM tickets WHERE run=? ORDER BY opened DESC LIMIT 1", recorder.run)
        self._last: str | None = row["ticket"] if row else None
        self._handed_over: set[str] = set()
        # Tickets that no observation opened, so none may clear them.
        self._reported = {row["ticket"] for row in recorder.store.rows(
            "SELECT ticket FROM events WHERE run=? AND type='ticket_opened' AND json_extract(data, '$.reported')",
            recorder.run)}
        self._quiet_since: float | None = None

    def follow(self, state: State, ts: float) -> str | None:
        """Updates the ticket from `state`; returns the id of a ticket that was opened."""
        self._handed_over &= state.keys()
        if not holds(state):
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = ts
        ticket = tickets.current(self._recorder.store, self._recorder.run)
        if ticket is None:
            return self._open(state)
        self._last = ticket["ticket"]
        firing = {key: s for key, s in state.items() if s.firing}
        with contextlib.suppress(tickets.TicketStateError):  # the agent or the oracle moved it meanwhile
            attached = _attached(firing)
            known = {(v["key"], v.get("since")) for v in ticket["violations"]}
            if attached and {(v.key, v.since) for v in attached} != known:
                self._recorder.say(TicketUpdated(violations=attached), ticket=ticket["ticket"])
            quiet = self._quiet_since is not None and ts - self._quiet_since >= CLEAR_AFTER
            if quiet and ticket["ticket"] not in self._reported:
                tickets.clear(self._recorder, ticket["ticket"])
        return None

    def report(self, violation: Violation, ts: float) -> str:
        """Opens a ticket for a reported violation. Raises `TicketStateError` if another ticket is open."""
        reported = {violation.key: ActiveViolation(violation, ts, True)}
        self._last = tickets.open_(self._recorder, subject=self._subject, title=_title(reported),
                                   violations=_attached(reported), severity=violation.severity, reported=True)
        self._reported.add(self._last)
        return self._last

    def _open(self, state: State) -> str | None:
        self._note_escalation(state)
        fresh = {key: s for key, s in state.items() if s.firing and key not in self._handed_over}
        if not fresh or time.time() < self._announced.held_until:
            return None
        with contextlib.suppress(tickets.TicketStateError):
            self._last = tickets.open_(
                self._recorder, subject=self._subject, title=_title(fresh), violations=_attached(fresh),
                severity=CRITICAL if any(s.violation.severity == CRITICAL for s in fresh.values()) else "warning")
            return self._last
        return None

    def _note_escalation(self, state: State) -> None:
        """The violations of an escalated ticket are a human's concern: they open no other ticket while they last."""
        if self._last is None:
            return
        row = tickets.get(self._recorder.store, self._last)
        if row["state"] == "escalated":
            self._handed_over = (set(state) | {v["key"] for v in row["violations"]}) & state.keys()
        self._last = None


def _title(firing: State) -> str:
    """The most severe violation, and how many more there are."""
    order = sorted(firing.values(), key=lambda s: (s.violation.severity != CRITICAL, not s.violation.certain))
    more = len(order) - 1
    return order[0].violation.text.rstrip(".") + (f", and {more} more" if more else "")


def _attached(firing: dict[str, ActiveViolation]) -> tuple[events.Violation, ...]:
    return tuple(_as_event(s.violation, s.since) for s in firing.values())


def _as_event(v: Violation, since: float) -> events.Violation:
    return events.Violation(v.key, v.invariant, v.member, v.severity, v.text,
                            timestamp(datetime.fromtimestamp(since, UTC)))
