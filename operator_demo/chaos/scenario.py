"""Scenarios are data: the fault, its target, the expected outcome, and the texts of the chapters.

Every mistake in a file is reported with file, line and key. No scenario needs code.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path

from operator_demo import chapters
from operator_demo.agent.causes import CAUSES
from operator_demo.chaos import targets
from operator_demo.chaos.faults import FAULTS
from operator_demo.chaos.spec import FaultSpec, parse_parameters
from operator_demo.document import Document, Value, read
from operator_demo.errors import UsageError
from operator_demo.outcomes import ESCALATED, NO_ACTION, REPAIRED
from operator_demo.subject import Found, Subject

BY_HAND = "by-hand"  # nothing is injected: somebody breaks the subject
HARMLESS = ("none", "decoy", "restart")  # kinds of fault beside which a false ticket may stand
_OUTCOMES = (REPAIRED, ESCALATED, NO_ACTION)
OR = " or "  # between invariants of which one is enough
DIFFICULTIES = ("easy", "medium", "hard")
DEFAULT = "member-kill"
MOST_SECONDS = 86400.0

_HINT = "docs/scenarios.md lists the keys and what they take."
_KEYS = ("title", "difficulty", "fault", "ticket", "cause", "invariants", "outcome", "allow", "repair", "limits",
         "story")


@dataclass(frozen=True)
class FalseTicket:
    """A report of a violation that does not exist: the agent gets a ticket with it."""

    invariant: str
    text: str
    member: str | None = None


@dataclass(frozen=True)
class Telling:
    """The texts of a chapter, for the audience and for the presenter alone. Empty: the default text."""

    narration: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Scenario:
    """`invariants` must be among the ticket's violations ("a or b": one of them); `allow` is what a repair may change
    in the subject's fingerprint; `repair` are lines of bash that repair it; the limits are in seconds.
    """

    name: str
    title: str
    fault: FaultSpec
    cause: str
    difficulty: str = "medium"
    invariants: tuple[str, ...] = ()
    outcome: str = REPAIRED
    ticket: FalseTicket | None = None
    allow: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()
    detect_limit: float = 60.0
    repair_limit: float = 300.0
    story: Mapping[str, Telling] = field(default_factory=dict)  # by chapter

    def unseen(self, violated: Collection[str]) -> list[str]:
        """The entries of `invariants` that are not among these."""
        return [entry for entry in self.invariants if not set(entry.split(OR)) & set(violated)]

    def telling(self, chapter: str) -> Telling:
        return self.story.get(chapter, Telling())


def names(folder: Traversable) -> list[str]:
    scenarios = folder.joinpath("scenarios")
    return sorted(f.name.removesuffix(".yaml") for f in scenarios.iterdir() if f.name.endswith(".yaml")
                  ) if scenarios.is_dir() else []


def known(found: Found) -> list[str]:
    """The names of the subject's scenarios: those of its folder, and those that were made for it."""
    return sorted({*names(found.folder), *found.scenarios})


def default(found: Found) -> str:
    """The default scenario: the subject's own choice, else `member-kill`, else the first by name."""
    choice = known(found)
    chosen = str(getattr(found.subject, "default_scenario", DEFAULT))
    if not choice:
        raise UsageError(f"{found.subject.name} has no scenarios.", "docs/scenarios.md tells how to write one.")
    return chosen if chosen in choice else choice[0]


def is_file(text: str) -> bool:
    """Is this the path of a scenario file, and not the name of one of the subject's scenarios?"""
    return text.endswith((".yaml", ".yml"))


def load(found: Found, text: str) -> Scenario:
    """A scenario of the subject by its name, or a file of the user's by its path. Raises `UsageError`."""
    if is_file(text):
        path = Path(text)
        if not path.is_file():
            raise UsageError(f"There is no scenario file {text}.")
        try:
            content = path.read_text(encoding="utf-8", errors="replace")
        except OSError as e:
            raise UsageError(f"{text} cannot be read: {e.strerror}.") from e
        return parse(path.stem, content, found.subject, where=text)
    if text not in known(found):
        raise UsageError(f"There is no scenario {text!r}.", f"Known scenarios: {', '.join(known(found))}.")
    entry = found.folder.joinpath("scenarios", f"{text}.yaml")
    if not entry.is_file():
        return parse(text, found.scenarios[text], found.subject, where=f"{text}.yaml")
    return parse(text, entry.read_text(encoding="utf-8"), found.subject, where=f"{text}.yaml")


def parse(name: str, text: str, subject: Subject, where: str) -> Scenario:
    """Raises `UsageError` with file, line and key of the first mistake."""
    whole = read(text, Document(where, {}, plain=True, hint=_HINT))
    keys = whole.map(_KEYS)
    for needed in ("title", "fault", "cause"):
        if needed not in keys:
            whole.fail(f"the key {needed!r} is missing", _HINT)
    fault = _fault(keys["fault"], subject)
    limits = _section(keys, "limits", ("detect", "repair"))
    scenario = Scenario(
        name=name,
        title=keys["title"].text(),
        fault=fault,
        cause=keys["cause"].one_of(CAUSES),
        difficulty=keys["difficulty"].one_of(DIFFICULTIES) if "difficulty" in keys else "medium",
        invariants=_invariants(keys["invariants"], subject) if "invariants" in keys else (),
        outcome=keys["outcome"].one_of(_OUTCOMES) if "outcome" in keys else REPAIRED,
        ticket=_ticket(keys["ticket"], fault, subject) if "ticket" in keys else None,
        allow=tuple(keys["allow"].texts()) if "allow" in keys else (),
        repair=tuple(keys["repair"].texts()) if "repair" in keys else (),
        detect_limit=limits["detect"].parsed(_seconds) if "detect" in limits else 60.0,
        repair_limit=limits["repair"].parsed(_seconds) if "repair" in limits else 300.0,
        story={chapter: _telling(text) for chapter, text in _section(keys, "story", chapters.NAMES).items()},
    )
    if scenario.outcome == NO_ACTION and scenario.ticket is None:
        keys["outcome"].fail("no_action is the outcome of a false ticket only; the key 'ticket' is missing")
    if scenario.ticket is not None and scenario.outcome != NO_ACTION:
        keys["ticket"].fail("with a false ticket the outcome must be no_action")
    return scenario


def _fault(value: Value, subject: Subject) -> FaultSpec:
    keys = value.map(("kind", "target", "count", "parameters", "again"))
    if "kind" not in keys:
        value.fail("the key 'kind' is missing")
    kind = keys["kind"].one_of((*FAULTS, BY_HAND))
    useless = keys.keys() - {"kind"} if kind == BY_HAND else \
        keys.keys() & {"target", "count"} if not FAULTS[kind].targeted else set()
    for key in sorted(useless):
        keys[key].fail(f"{kind} takes no {key}")
    if kind == BY_HAND:
        return FaultSpec(kind)
    target = _target(keys["target"]) if "target" in keys else "random"
    count = keys["count"].integer(least=1) if "count" in keys else 1
    try:
        targets.check(target, count, subject, FAULTS[kind].aims_at(subject))
    except ValueError as e:
        keys["count" if str(e).startswith("count") else "target"].fail(str(e))
    return FaultSpec(kind, target, count, _parameters(kind, keys.get("parameters")),
                     keys["again"].parsed(_seconds) if "again" in keys else None)


def _target(value: Value) -> str | list[str]:
    return value.texts() if value.is_list else value.text()


def _parameters(kind: str, value: Value | None) -> dict[str, float]:
    """Each is checked alone first, so that the error names its line."""
    raw = {}
    for key, entry in value.map().items() if value else ():
        raw[key] = entry.text()
        try:
            parse_parameters(kind, {key: raw[key]})
        except ValueError as e:
            entry.fail(str(e))
    return parse_parameters(kind, raw)


def _ticket(value: Value, fault: FaultSpec, subject: Subject) -> FalseTicket:
    if fault.kind not in HARMLESS:
        value.fail(f"a false ticket stands beside {', '.join(HARMLESS)} only; {fault.kind} breaks something")
    keys = value.map(("invariant", "member", "text"))
    for needed in ("invariant", "text"):
        if needed not in keys:
            value.fail(f"the key {needed!r} is missing")
    return FalseTicket(keys["invariant"].one_of([i.name for i in subject.invariants]), keys["text"].text(),
                       keys["member"].one_of(subject.members) if "member" in keys else None)


def _telling(value: Value) -> Telling:
    if not value.is_map:
        return Telling(value.text().strip())
    keys = value.map(("narration", "notes"))
    return Telling(*(keys[key].text().strip() if key in keys else "" for key in ("narration", "notes")))


def _section(keys: Mapping[str, Value], name: str, known: Collection[str]) -> dict[str, Value]:
    return keys[name].map(known) if name in keys else {}


def _invariants(value: Value, subject: Subject) -> tuple[str, ...]:
    known = [i.name for i in subject.invariants]
    return tuple(OR.join(e.one_of(known) for e in entry.sequence()) if entry.is_list else entry.one_of(known)
                 for entry in value.sequence())


def _seconds(text: str) -> float:
    problem = f"a number of seconds is expected here, above 0 and at most {MOST_SECONDS:.0f}"
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(problem) from None
    if not 0 < seconds <= MOST_SECONDS:
        raise ValueError(problem)
    return seconds
