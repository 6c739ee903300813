"""A subject of which nothing is known but its Compose file: what the engine tells of its containers is all.

A member is well where it runs, is on the network and passes its health check, if it has one.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from operator_demo.subject import Check, Invariant, Member, Observation, Violation, as_the_engine_sees, why_silent

UNHEALTHY, RESTARTING = "unhealthy", "restarting"
STARTING = "starting"

INVARIANTS: Sequence[Invariant] = (
    Invariant("member_down", "critical", None, "", 3.0,
              "Every member runs and is on the network. No grace where the engine says that it does not.",
              "Own choice. Grace: longer than a restart by the engine's policy takes."),
    Invariant(UNHEALTHY, "critical", None, "", 3.0,
              "Every member that has a health check passes it; one that was just started has not passed it yet.",
              "The health check of the Compose file, with its own interval and retries. Grace: own choice."),
    Invariant(RESTARTING, "critical", None, "", 5.0,
              "No member is restarted by the engine again and again.",
              "Own choice: the engine waits from 0.1 s, twice as long each time, before it restarts a container."),
)
_SEVERITY = {i.name: i.severity for i in INVARIANTS}
_REMEMBERED = 20.0  # seconds for which a restart by the engine counts


@dataclass(frozen=True)
class Description:
    """What makes a subject of a Compose file, as plain data: so it goes to where the folder is not.

    `members` are services in the order of the file; `declared` is the text of subject.yaml, "" without one.
    """

    name: str
    title: str
    members: tuple[str, ...]
    declared: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Description":
        """Raises `ValueError` for anything that `to_json` does not write."""
        try:
            fields = json.loads(text)
            return Description(str(fields["name"]), str(fields["title"]), tuple(map(str, fields["members"])),
                               str(fields["declared"]))
        except (KeyError, TypeError) as e:
            raise ValueError(f"not the description of a subject: {e!r}") from e


class PlainSubject:
    """Fulfils `subject.Subject`. One instance belongs to one run: it remembers restarts."""

    invariants: Sequence[Invariant] = INVARIANTS
    quorum: int | None = None
    members: Sequence[str]
    heal_time = 60.0  # seconds: a health check's usual interval is 30 s

    def __init__(self, description: Description) -> None:
        self.description = description
        self.name, self.title, self.members = description.name, description.title, description.members
        self.kinds: Mapping[str, str] = {}
        self._restarted: dict[str, float] = {}  # when a member was last seen waiting for a restart

    def observe(self, members: Sequence[Member], deadline: float) -> Observation:
        now = time.time()
        for m in members:
            if m.state == RESTARTING:
                self._restarted[m.name] = now
        seen = {m.name: self._look(m, now) for m in members}
        return Observation(now, seen, {}, duration=time.time() - now)

    def _look(self, m: Member, now: float) -> dict[str, Any]:
        look = as_the_engine_sees(m) | {"health": m.health, "kind": self.kinds.get(m.name, "service")}
        look["restarting"] = now - self._restarted.get(m.name, 0.0) < _REMEMBERED
        if m.state == "running" and m.address:
            sick = f"its health check says {m.health}" if m.health in (UNHEALTHY, STARTING) else None
            look |= {"reachable": True, "healthy": sick is None and not look["restarting"], "error": sick}
        return look

    def violations(self, observation: Observation) -> list[Violation]:
        violations = []
        for name, m in observation.members.items():
            if m.get("restarting"):
                text = f"{name} ends and is restarted by the engine again and again."
                violations.append(_violation(RESTARTING, name, text))
            elif not m["reachable"]:
                text, certain = why_silent(name, m)
                violations.append(_violation("member_down", name, text, certain))
            elif m.get("health") == UNHEALTHY:
                violations.append(_violation(UNHEALTHY, name, f"{name} runs, but its health check fails."))
            elif m.get("health") == STARTING:
                violations.append(_violation(UNHEALTHY, name, f"{name} runs, but has not passed its health check yet."))
        return violations

    def data_plane(self, members: Sequence[Member], deadline: float) -> Check:
        return Check("data_plane", "not_checked", "nothing is known of how to write and read")

    def agreement(self, members: Sequence[Member], keys: Sequence[str], deadline: float) -> Check:
        return Check("agreement", "not_checked", "nothing is known of the data")

    def redundancy(self, baseline: Observation, now: Observation) -> Check:
        lost = [name for name, m in baseline.members.items()
                if m["healthy"] and not now.members.get(name, {}).get("healthy")]
        if lost:
            return Check("redundancy", "failed", f"{', '.join(lost)} was healthy before the fault and is not now")
        healthy = sum(bool(m["healthy"]) for m in now.members.values())
        return Check("redundancy", "passed", f"{healthy} members are healthy, as before the fault")


def _violation(invariant: str, member: str, text: str, certain: bool = False) -> Violation:
    return Violation(invariant, member, _SEVERITY[invariant], text, certain)
