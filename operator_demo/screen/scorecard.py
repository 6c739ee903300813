"""The score of a run as lines for people, alone or beside another."""

from collections.abc import Iterator
from typing import Any

from operator_demo.screen import values, words
from operator_demo.screen.terminal_text import Line, Symbols

Score = dict[str, Any]

MARKS = ("detected", "localised", "cause", "repaired")
_CLOCKS = {"symptom": "first symptom", "ticket": "ticket", "diagnosis": "diagnosis", "repairing_call": "first repair",
           "recovered": "recovered", "verified": "verified"}
_KINDS = ("reading", "repairing", "destructive", "unknown")
_MEASURES = (
    ("outcome", "outcome", "text"), *((mark, f"marks.{mark}", "mark") for mark in MARKS),
    *((f"to {name}", f"clocks.{key}", "seconds") for key, name in _CLOCKS.items()),
    ("steps", "work.steps", "count"), ("tokens", "work.tokens", "count"), ("cost", "work.cost_usd", "money"),
    *((f"commands {kind}", f"work.calls.{kind}", "count") for kind in _KINDS),
    ("changes before finding", "work.changes_before_finding", "count"),
    ("most repeated command", "work.most_repeated", "count"),
    ("client errors", "service.client_errors", "count"), ("seconds lost", "service.lost_seconds", "count"),
    ("writes lost", "service.writes_lost", "count"), ("touched besides", "collateral", "names"),
)


def headline(score: Score) -> Line:
    outcome, expected = values.label(score.get("outcome")), values.label(score.get("expected"))
    if score.get("reached") is True:
        return f"{outcome}, as it should be", "good"
    return f"{outcome}; right would have been: {expected}", "bad"


def scorecard(score: Score, symbols: Symbols) -> Iterator[tuple[str, str, str]]:
    """(name, text, tone): marks, clocks, work, what the clients felt, and what else was touched."""
    def told(path: str, kind: str = "count") -> str:
        return _tell(score, path, kind, symbols)

    yield "Marks", "  ".join(f"{told(f'marks.{mark}', 'mark')} {mark}" for mark in MARKS), ""
    dot = f" {symbols.dot} "
    yield "Clocks", dot.join(f"{name} {told(f'clocks.{key}', 'seconds')}" for key, name in _CLOCKS.items()), ""
    yield "Work", f"{told('work.steps')} steps, {told('work.tokens')} tokens, cost {told('work.cost_usd', 'money')}", ""
    kinds = ", ".join(f"{told(f'work.calls.{kind}')} {kind}" for kind in _KINDS)
    yield "Commands", f"{kinds}; changes before a finding: {told('work.changes_before_finding')}; " \
                      f"most repeated: {told('work.most_repeated')} times", ""
    lost = values.number(_at(score, "service.writes_lost"))
    yield "Clients", f"{told('service.client_errors')} errors, {told('service.lost_seconds')} s without service, " \
                     f"{told('service.writes_lost')} acknowledged writes lost", "bad" if lost else ""
    if values.sequence(score.get("collateral")):
        yield "Touched", f"{told('collateral', 'names')}, which had nothing to do with it", "bad"


def comparison(score: Score, other: Score, symbols: Symbols) -> list[tuple[str, str, str]]:
    """(measure, of one, of the other)."""
    return [(name, _tell(score, path, kind, symbols), _tell(other, path, kind, symbols))
            for name, path, kind in _MEASURES]


def _tell(score: Score, path: str, kind: str, symbols: Symbols) -> str:
    value = _at(score, path)
    match kind:
        case "mark":
            return symbols.none if value is None else symbols.ok if value is True else symbols.bad
        case "seconds":
            return words.seconds(values.number(value)).replace("—", symbols.none)
        case "money":
            return words.money(values.number(value)).replace("—", symbols.none)
        case "count":
            number = values.number(value)
            return symbols.none if number is None else words.amount(number)
        case "names":
            return ", ".join(map(values.label, values.sequence(value))) or symbols.none
    return values.label(value)


def _at(score: Score, path: str) -> Any:
    value: Any = score
    for key in path.split("."):
        value = values.mapping(value).get(key)
    return value
