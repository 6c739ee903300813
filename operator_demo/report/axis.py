"""What lies on the time axis of a report: the clients' curve, a lane for each member, marks of agent and engine.

Times are seconds since the run began.
"""

from collections.abc import Sequence
from typing import Any

from operator_demo import events, phrases
from operator_demo.events import Event, MemberSeen
from operator_demo.run_state import RunState
from operator_demo.score.incident import payloads
from operator_demo.screen.scorecard import CLOCKS

Json = dict[str, Any]


def axis(record: Sequence[Event], run: RunState, start: float) -> Json:
    """All of it; `start` is when the run began, in seconds since the epoch."""
    return {
        "end": _after(run.latest, start),
        "fault": None if run.fault_began is None else _after(run.fault_began, start),
        "milestones": _milestones(run, start),
        "chapters": [{"at": _after(chapter.at, start), "title": chapter.data.title or chapter.data.name}
                     for chapter in payloads(record, events.Chapter)],
        "load": _load(record, start),
        "lanes": _lanes(record, start),
        "effects": _effects(record, start),
    }


def _after(at: float, start: float) -> float:
    return round(at - start, 3)


def _milestones(run: RunState, start: float) -> list[Json]:
    """The fault, and what followed it as far as the score tells."""
    began = run.fault_began
    if began is None:
        return []
    marks = [{"at": _after(began, start), "name": "fault", "tone": "bad"}]
    clocks = run.score.clocks if run.score is not None else events.Clocks(ticket=run.ttd, verified=run.ttm)
    for key, name in CLOCKS.items():
        seconds = getattr(clocks, key)
        if seconds is not None:
            tone = "good" if key in ("recovered", "verified") else "agent" if "repair" in name else "accent"
            marks.append({"at": _after(began + seconds, start), "name": name, "tone": tone})
    return sorted(marks, key=lambda mark: mark["at"])


def _load(record: Sequence[Event], start: float) -> Json:
    """Columns: seconds, operations a second, the 99th percentile in milliseconds, failed operations."""
    seconds = list(payloads(record, events.Load))
    return {
        "at": [_after(second.at, start) for second in seconds],
        "ops": [second.data.ops for second in seconds],
        "p99": [None if second.data.p99 is None else round(second.data.p99 * 1000, 2) for second in seconds],
        "errors": [second.data.failed for second in seconds],
    }


def _lanes(record: Sequence[Event], start: float) -> list[Json]:
    """For each member the spans of time in which it was seen in one state."""
    lanes: dict[str, list[Json]] = {}
    for look in payloads(record, events.Observation):
        at = _after(look.at, start)
        for name, member in look.data.members.items():
            spans = lanes.setdefault(name, [])
            state, tone = _state(member)
            if spans:
                spans[-1]["to"] = at
            if not spans or spans[-1]["state"] != state:
                spans.append({"from": at, "to": at, "state": state, "tone": tone})
    return [{"name": name, "spans": spans} for name, spans in lanes.items()]


def _state(member: MemberSeen) -> tuple[str, str]:
    if member.healthy:
        return ("leader", "leader") if member.leader else ("healthy", "good")
    state = phrases.member_state(member)
    return state, "warn" if member.state in ("running", "paused", "restarting") else "bad"


def _effects(record: Sequence[Event], start: float) -> list[Json]:
    marks = []
    for effect in payloads(record, events.Effect):
        by = effect.data.explained
        at = effect.at if effect.data.time is None else effect.data.time
        tone = {"fault": "bad", "tool_call": "agent", None: "warn"}.get(by, "dim")
        cause = "unexplained" if by is None else by.replace("_", " ")
        marks.append({"at": _after(at, start), "text": phrases.effect(effect.data), "by": cause, "tone": tone,
                      "call": effect.data.call})
    return marks
