"""What the stage must know to go on: a small fold over the same events that the screen draws."""

from dataclasses import dataclass, field
from typing import Any

from operator_demo.events import Event, parse_ts

STEADY = 3  # observations or seconds of load in a row that must be good


@dataclass
class Situation:
    """Times are seconds since the epoch on the containers' clock; None until it happened."""

    chapter: str = ""
    roles: dict[str, str] = field(default_factory=dict)  # member -> leader | follower, of those that are healthy
    healthy_looks: int = 0
    loaded_seconds: int = 0
    rate: float = 0.0
    loadless: bool = False  # nothing makes load in this run
    armed: bool = False
    injected: bool = False
    fault_at: float | None = None
    ticket: str | None = None
    ticket_state: str = ""
    ticket_at: float | None = None
    ticket_invariants: set[str] = field(default_factory=set)
    reason: str = ""
    escalated_by: str = ""
    resolved_as: str = ""  # repaired or no_action, as it was claimed and verified
    strikes: int = 0  # of the fault, each seen to bite
    causes: set[str] = field(default_factory=set)  # that findings have named
    working: bool = False  # a session of the agent is under way
    verdict: dict[str, Any] | None = None
    verdict_at: float | None = None
    opening_failed: bool | None = None
    back: bool = False  # the fault has come back
    fault_seen: bool = False  # the engine's own event of the fault was read

    def apply(self, e: Event) -> None:
        handler = getattr(self, f"_on_{e.type}", None)
        if handler is not None:
            handler(e, e.raw)

    def loaded_for(self, seconds: int) -> bool:
        """Has the load been good for so long, or is there none to wait for?"""
        return self.loadless or self.loaded_seconds >= seconds

    @property
    def ttd(self) -> float | None:
        """Seconds from the fault to the ticket."""
        return self.ticket_at - self.fault_at if self.ticket_at and self.fault_at else None

    @property
    def ttm(self) -> float | None:
        """Seconds from the fault to the verified repair."""
        passed = self.verdict is not None and self.verdict["passed"]
        return self.verdict_at - self.fault_at if passed and self.verdict_at and self.fault_at else None

    @property
    def in_trouble(self) -> bool:
        """A ticket is open."""
        return self.ticket is not None and not self.closed

    @property
    def closed(self) -> bool:
        return self.ticket_state in ("resolved", "escalated", "cleared")

    def _on_chapter(self, e: Event, d: dict[str, Any]) -> None:
        self.chapter = d["name"]

    def _on_observation(self, e: Event, d: dict[str, Any]) -> None:
        members = d["members"]
        self.roles = {name: "leader" if m.get("leader") else "follower" for name, m in members.items()
                      if m.get("healthy")}
        good = bool(members) and not d["violations"] and len(self.roles) == len(members)
        self.healthy_looks = self.healthy_looks + 1 if good else 0

    def _on_workload_started(self, e: Event, d: dict[str, Any]) -> None:
        self.rate = float(d["rate"])
        self.loadless = self.rate == 0

    def _on_load(self, e: Event, d: dict[str, Any]) -> None:
        good = d["ops"] >= 0.8 * self.rate and not sum(d["errors"].values())
        self.loaded_seconds = self.loaded_seconds + 1 if good else 0

    def _on_armed(self, e: Event, d: dict[str, Any]) -> None:
        self.armed = True

    def _on_fault(self, e: Event, d: dict[str, Any]) -> None:
        if d["phase"] in ("injecting", "again"):
            if self.closed:  # what was before has nothing to do with this fault
                self.ticket, self.ticket_state, self.ticket_invariants = None, "", set()
                self.verdict = self.verdict_at = self.opening_failed = None
            if d["phase"] == "injecting":  # (one that comes back is the same incident: its clocks go on)
                self.fault_at, self.ticket_at = parse_ts(e.ts), None  # until the engine's own event says it better
            else:
                self.back = True
        self.injected = self.injected or d["phase"] == "injected"
        self.strikes += d["phase"] == "injected"

    def _on_effect(self, e: Event, d: dict[str, Any]) -> None:
        if d.get("explained") == "fault" and d.get("time") and not self.fault_seen:
            self.fault_at, self.fault_seen = float(d["time"]), True

    def _on_ticket_opened(self, e: Event, d: dict[str, Any]) -> None:
        if self.ticket is None or self.closed:
            self.ticket, self.ticket_state, self.ticket_invariants = e.ticket, "open", set()
        if e.ticket == self.ticket and not (self.back and self.ticket_at):
            self.ticket_at = parse_ts(e.ts)
        self._attach(d)

    def _on_ticket_updated(self, e: Event, d: dict[str, Any]) -> None:
        self._attach(d)

    def _attach(self, d: dict[str, Any]) -> None:
        self.ticket_invariants |= {v["invariant"] for v in d["violations"]}

    def _on_ticket_claimed(self, e: Event, d: dict[str, Any]) -> None:
        self._move(e, "acknowledged")

    def _on_ticket_verifying(self, e: Event, d: dict[str, Any]) -> None:
        self._move(e, "verifying")

    def _on_ticket_returned(self, e: Event, d: dict[str, Any]) -> None:
        self._move(e, "acknowledged")

    def _on_ticket_released(self, e: Event, d: dict[str, Any]) -> None:
        self._move(e, "open")

    def _on_finding(self, e: Event, d: dict[str, Any]) -> None:
        self.causes.add(d["cause"])

    def _on_ticket_resolved(self, e: Event, d: dict[str, Any]) -> None:
        self.resolved_as = d.get("outcome", "repaired")
        self._move(e, "resolved")

    def _on_ticket_cleared(self, e: Event, d: dict[str, Any]) -> None:
        self._move(e, "cleared")

    def _on_ticket_escalated(self, e: Event, d: dict[str, Any]) -> None:
        self._move(e, "escalated")
        self.reason, self.escalated_by = d["reason"], e.source

    def _move(self, e: Event, state: str) -> None:
        if self.ticket is None:  # the agent's log was read before the monitor's
            self.ticket = e.ticket
        if e.ticket == self.ticket and not self.closed:
            self.ticket_state = state

    def _on_session_started(self, e: Event, d: dict[str, Any]) -> None:
        self.working = True

    def _on_session_finished(self, e: Event, d: dict[str, Any]) -> None:
        self.working = False

    def _on_verdict(self, e: Event, d: dict[str, Any]) -> None:
        if d["phase"] == "opening":
            self.opening_failed = not d["passed"]
        elif e.ticket == self.ticket or self.ticket is None:
            self.verdict, self.verdict_at = d, parse_ts(e.ts)
