"""The score of a run.

Measured are separate clocks, the work, what the clients felt, and four marks as in AIOpsLab (detection, localisation,
root cause analysis, mitigation; arXiv 2501.06706) against the sealed truth of the fault.

`grade` gives a JSON object:
    {"outcome", "expected", "reached",
     "clocks": {"symptom", "ticket", "diagnosis", "repairing_call", "recovered", "verified"},
     "ttd", "ttm",
     "marks": {"detected", "localised", "cause", "repaired"},
     "work": {"steps", "tokens", "cost_usd", "calls": {"reading", "repairing", "destructive", "unknown"},
              "changes_before_finding", "most_repeated"},
     "service": {"client_errors", "lost_seconds", "writes_lost"},
     "oracle": {"passed", "words"},
     "collateral": [names]}
Clocks are seconds after the fault (without a fault: after the ticket); null is what did not happen or cannot be known.
A mark is null where the run has nothing to hold it against.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from operator_demo.events import Event, parse_ts
from operator_demo.score import calls as commands
from operator_demo.score.incident import Incident, first_symptom, service, well_since

Json = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """What the scenario says is right. `cause` and `targets` are the sealed truth; "" and () where there is none."""

    outcome: str
    invariants: Sequence[str] = ()
    cause: str = ""
    targets: Sequence[str] = ()


def grade(events: Sequence[Event], outcome: str, expected: Expected, reached: bool) -> Json:
    """`events` are all of one run in the order of time; `outcome` is how it ended, `reached` whether that is as it
    should be."""
    incident = Incident.of(events)
    calls, felt = commands.of(events), service(incident)
    final = _last(events, "verdict", phase="final")
    verified = parse_ts(final.ts) if final is not None and final.raw["passed"] else None
    recovered = _latest(well_since(incident), felt.good_since if felt else None, felt is not None)
    clocks = {
        "symptom": incident.since(first_symptom(incident)),
        "ticket": incident.since(incident.first("ticket_opened")),
        "diagnosis": incident.since(incident.first("finding")),
        "repairing_call": incident.since(next((parse_ts(c.ts) for c in calls if c.changes), None)),
        "recovered": incident.since(recovered),
        "verified": incident.since(verified),
    }
    return {
        "outcome": outcome, "expected": expected.outcome, "reached": reached,
        "clocks": clocks, "ttd": clocks["ticket"], "ttm": clocks["verified"],
        "marks": _marks(events, outcome, expected, reached),
        "work": _work(events, calls),
        "service": {
            "client_errors": felt.errors if felt else None, "lost_seconds": felt.lost if felt else None,
            "writes_lost": _writes_lost(events),
        },
        "oracle": _oracle(final),
        "collateral": commands.touched(calls, expected.targets),
    }


def _latest(well: float | None, good: float | None, loaded: bool) -> float | None:
    """Recovered is what is well to the monitor and, where there is a load, good for the clients."""
    if well is None or (loaded and good is None):
        return None
    return max(well, good or well)


def _marks(events: Sequence[Event], outcome: str, expected: Expected, reached: bool) -> Json:
    violated = {v["invariant"] for e in events if e.type in ("ticket_opened", "ticket_updated")
                for v in e.raw["violations"]}
    findings = [e.raw for e in events if e.type == "finding"]
    named = findings[-1]["cause"] if findings else None
    accused = {f["member"] for f in findings if f["cause"] == named and f["member"]}
    known = bool(expected.cause) and expected.cause != "unknown"
    return {
        "detected": bool(violated) and all(set(entry.split(" or ")) & violated for entry in expected.invariants),
        "localised": (bool(findings) and accused == set(expected.targets)) if known else None,
        "cause": named == expected.cause if known else None,
        "repaired": reached if expected.outcome != "escalated" else outcome == "repaired",
    }


def _work(events: Sequence[Event], calls: Sequence[commands.Call]) -> Json:
    usages = [e.raw for e in events if e.type == "usage"]
    costs = [u["cost_usd"] for u in usages]
    first_finding = next((e.ts for e in events if e.type == "finding"), None)
    return {
        "steps": len(usages),
        "tokens": sum(int(u[f"{kind}_tokens"]) for u in usages
                      for kind in ("input", "output", "cache_read", "cache_write")),
        "cost_usd": None if None in costs else round(sum(costs), 6),
        "calls": commands.by_kind(calls),
        "changes_before_finding": sum(c.changes and (first_finding is None or c.ts < first_finding) for c in calls),
        "most_repeated": commands.most_repeated(calls),
    }


def _writes_lost(events: Sequence[Event]) -> int | None:
    check = _last(events, "write_check")
    return int(check.raw["lost"]) if check is not None else None


def _oracle(final: Event | None) -> Json:
    if final is None:
        return {"passed": None, "words": ""}
    wrong = [c for c in final.raw["checks"] if c["status"] in ("failed", "unknown")]
    return {"passed": bool(final.raw["passed"]),
            "words": " ".join(f"{c['name']} {c['status']}: {c['saw'].rstrip('.')}." for c in wrong)}


def _last(events: Sequence[Event], kind: str, **data: Any) -> Event | None:
    return next((e for e in reversed(events) if e.type == kind
                 and all(e.raw.get(key) == value for key, value in data.items())), None)
