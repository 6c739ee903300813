"""The incident of a run: when what happened, as seconds after the fault (without one: after the ticket)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import median
from typing import Any

from operator_demo.events import Event, parse_ts

BASELINE = 30  # newest seconds of load before the fault that are the measure of those after it
LOST = 0.5  # of the operations a second before the fault: a second with fewer counts as lost
FAILING = 0.01  # share of failed operations above which a second is not yet a good one


@dataclass(frozen=True)
class Incident:
    """`events` are the run's, in the order of time; `began` and `ended` are seconds since the epoch. It ends with the
    final verdict or the end of the ticket, whichever comes last, else with the last event."""

    events: Sequence[Event]
    began: float | None
    ended: float

    @classmethod
    def of(cls, events: Sequence[Event]) -> "Incident":
        last = parse_ts(events[-1].ts) if events else 0.0
        closed = [parse_ts(e.ts) for e in events if _closes(e)]
        return cls(events, _began(events), max(closed, default=last))

    def since(self, moment: float | None) -> float | None:
        """Seconds from the beginning to `moment`."""
        return None if moment is None or self.began is None else round(moment - self.began, 3)

    def within(self, kind: str) -> list[Event]:
        """The events of this type from the beginning to the end."""
        if self.began is None:
            return []
        return [e for e in self.events if e.type == kind and self.began <= parse_ts(e.ts) <= self.ended]

    def first(self, kind: str) -> float | None:
        """When the first event of this type was said."""
        return next((parse_ts(e.ts) for e in self.within(kind)), None)


def _closes(e: Event) -> bool:
    return e.type in ("ticket_resolved", "ticket_escalated", "ticket_cleared") or \
        (e.type == "verdict" and e.raw["phase"] == "final")


def _began(events: Iterable[Event]) -> float | None:
    """The engine tells best when the fault happened; some faults it does not see, and some runs have none."""
    injecting = next((parse_ts(e.ts) for e in events if e.type == "fault" and e.raw["phase"] == "injecting"), None)
    effect = next((float(e.raw["time"]) for e in events
                   if e.type == "effect" and e.raw["explained"] == "fault" and e.raw.get("time")), None)
    ticket = next((parse_ts(e.ts) for e in events if e.type == "ticket_opened"), None)
    if injecting is not None and effect is not None:
        return max(injecting, effect) if effect - injecting < 60 else injecting
    return next((t for t in (injecting, effect, ticket) if t is not None), None)


# -- what the clients felt -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Service:
    """`errors` counts failed operations; `lost` seconds in which less than half of the usual was done."""

    errors: int
    lost: int
    good_since: float | None  # seconds since the epoch; None when it was not good at the end


def service(incident: Incident) -> Service | None:
    """None without a load before the incident to compare with."""
    if incident.began is None:
        return None
    began = incident.began
    before = [e.raw for e in takewhile(lambda e: parse_ts(e.ts) < began, _of(incident.events, "load"))][-BASELINE:]
    if not before:
        return None
    usual = median(d["ops"] for d in before)
    during = incident.within("load")
    errors = sum(_errors(e.raw) for e in during)
    lost = sum(e.raw["ops"] < LOST * usual for e in during)
    good_since: float | None = began
    for e in during:
        if e.raw["ops"] < LOST * usual or _errors(e.raw) > FAILING * (e.raw["ops"] + _errors(e.raw)):
            good_since = None
        elif good_since is None:
            good_since = parse_ts(e.ts)
    return Service(errors, lost, good_since)


def well_since(incident: Incident) -> float | None:
    """Since when the monitor saw no violation any more, until the end."""
    since: float | None = None
    for e in incident.within("observation"):
        if e.raw["violations"]:
            since = None
        elif since is None:
            since = parse_ts(e.ts)
    return since


def first_symptom(incident: Incident) -> float | None:
    """When an invariant was first seen violated (before its grace was over)."""
    if incident.began is None:
        return None
    seen = [parse_ts(e.ts) for e in incident.within("observation") if e.raw["violations"]][:1]
    told = [parse_ts(v["since"]) for e in incident.within("ticket_opened") for v in e.raw["violations"]]
    return min((t for t in seen + told if t >= incident.began), default=None)


def _of(events: Iterable[Event], kind: str) -> Iterable[Event]:
    return (e for e in events if e.type == kind)


def _errors(load: dict[str, Any]) -> int:
    return int(sum(load["errors"].values()))
