"""The score of a run as lines for people, alone or beside another."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from operator_demo.events import Score
from operator_demo.screen.quantities import amount, money, seconds
from operator_demo.screen.terminal_text import Line, Symbols

MARKS = ("detected", "localised", "cause", "repaired")
CLOCKS = {"symptom": "first symptom", "ticket": "ticket", "diagnosis": "diagnosis", "repairing_call": "first repair",
           "recovered": "recovered", "verified": "verified"}
_KINDS = ("reading", "repairing", "destructive", "unknown")
_MEASURES = (
    ("outcome", "outcome", "text"), *((mark, f"marks.{mark}", "mark") for mark in MARKS),
    *((f"to {name}", f"clocks.{key}", "seconds") for key, name in CLOCKS.items()),
    ("waited for the presenter", "waited", "seconds"), ("steps", "work.steps", "count"),
    ("tokens", "work.tokens", "count"), ("cost", "work.cost_usd", "money"),
    *((f"commands {kind}", f"work.calls.{kind}", "count") for kind in _KINDS),
    ("changes before finding", "work.changes_before_finding", "count"),
    ("most repeated command", "work.most_repeated", "count"),
    ("client errors", "service.client_errors", "count"), ("seconds lost", "service.lost_seconds", "count"),
    ("writes lost", "service.writes_lost", "count"), ("touched besides", "collateral", "names"),
)
"""(name, where it stands in the score, how it is told)."""


def headline(score: Score) -> Line:
    if score.reached:
        return f"{score.outcome}, as it should be", "good"
    return f"{score.outcome}; right would have been: {score.expected}", "bad"


def scorecard(score: Score, symbols: Symbols) -> Iterator[tuple[str, str, str]]:
    """(name, text, tone): marks, clocks, work, what the clients felt, and what else was touched."""
    def told(path: str, kind: str = "count") -> str:
        return _tell(score, path, kind, symbols)

    yield "Marks", "  ".join(f"{told(f'marks.{mark}', 'mark')} {mark}" for mark in MARKS), ""
    dot = f" {symbols.dot} "
    yield "Clocks", dot.join(f"{name} {told(f'clocks.{key}', 'seconds')}" for key, name in CLOCKS.items()), ""
    if score.waited:
        yield "Waited", f"{told('waited', 'seconds')} for the presenter", ""
    yield "Work", f"{told('work.steps')} steps, {told('work.tokens')} tokens, cost {told('work.cost_usd', 'money')}", ""
    kinds = ", ".join(f"{told(f'work.calls.{kind}')} {kind}" for kind in _KINDS)
    yield "Commands", f"{kinds}; changes before a finding: {told('work.changes_before_finding')}; " \
                      f"most repeated: {told('work.most_repeated')} times", ""
    tone = "bad" if score.service.writes_lost else ""
    if score.service.client_errors is not None:
        yield "Clients", f"{told('service.client_errors')} errors, {told('service.lost_seconds')} s without service, " \
                         f"{told('service.writes_lost')} acknowledged writes lost", tone
    if score.collateral:
        yield "Touched", f"{told('collateral', 'names')}, which had nothing to do with it", "bad"


def comparison(score: Score, other: Score, symbols: Symbols) -> list[tuple[str, str, str]]:
    """(measure, of one, of the other)."""
    return [(name, _tell(score, path, kind, symbols), _tell(other, path, kind, symbols))
            for name, path, kind in _MEASURES]


def _tell(score: Score, path: str, kind: str, symbols: Symbols) -> str:
    value: Any = attrgetter(path)(score)
    match kind:
        case "mark":
            return symbols.none if value is None else symbols.ok if value else symbols.bad
        case "seconds":
            return seconds(value).replace("—", symbols.none)
        case "money":
            return money(value).replace("—", symbols.none)
        case "count":
            return symbols.none if value is None else amount(value)
        case "names":
            return ", ".join(value) or symbols.none
    return str(value)
