"""What a command's output is made of: JSON values, tables, lines of a log; and the little of it that matters."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from operator_demo.fields import JsonObject
from operator_demo.screen.quantities import plural

Row = dict[str, str]

_LONGEST = 200_000  # characters of JSON that are worth reading for one sentence
_NAMES = ("name", "Name", "member", "endpoint", "Endpoint", "id", "address")
_STATES = ("state_name", "state", "State", "status", "Status", "health", "healthy")
_THINGS = ("ENDPOINT", "MEMBER", "NAME")
_MATTER = ("error", "errors", "message", "reason", "alarm", "alarms", "health", "healthy", "state", "status", "leader",
           "name", "version", "count", "revision")
"""Fields of JSON by how much they say about a system that may be broken."""
_LEVEL = re.compile(r"\b(?:error|fatal|panic|crit(?:ical)?)\b", re.IGNORECASE)
_LEVELS = ("level", "severity", "lvl")
_TIME_HEAD = re.compile(r"^\S*\d{2}:\d{2}:\d{2}\S*\s+")


def json_values(text: str) -> list[Any]:
    """The JSON values that `text` is made of, one after the other; none where something else is in it."""
    decoder, values = json.JSONDecoder(), []
    rest = text[:_LONGEST].strip()
    if not rest.startswith(("{", "[")):
        return []
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            return []
        values.append(value)
        rest = rest[end:].lstrip()
    return values


def objects(values: list[Any]) -> list[JsonObject]:
    """The objects among `values`, and those in the lists among them."""
    inner = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in inner if isinstance(item, dict)]


def scalar(value: Any) -> str:
    """A single value in words; "" for one that says nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value) if isinstance(value, str | int) else ""


def about_json(values: list[Any]) -> str:
    """`health true`, `3 stores: 2 Up, 1 Down`; "" where nothing in it is known to matter."""
    told = [sentence for value in values if (sentence := _about_value(value))]
    if len(told) > 1 and len(set(told)) == 1:
        return f"{len(told)} times {told[0]}"
    return "; ".join(dict.fromkeys(told))


def _about_value(value: Any) -> str:
    if isinstance(value, list):
        return _about_list("items", value)
    if not isinstance(value, dict):
        return scalar(value)
    many = [(key, item) for key, item in value.items() if isinstance(item, list) and objects(item)]
    if many:
        return "; ".join(_about_list(key, item) for key, item in many[:2])
    return ", ".join(_matters(value))


def _matters(value: JsonObject) -> list[str]:
    told = []
    for key in _MATTER:
        found = value.get(key)
        if isinstance(found, dict):
            found = next((found[name] for name in _NAMES if found.get(name)), None)
        if isinstance(found, list):
            found = ", ".join(filter(None, map(scalar, found)))
        if text := scalar(found):
            told.append(f"{key} {text}")
    return told[:4]


def _about_list(name: str, items: list[Any]) -> str:
    """How many there are, and in which states."""
    states = Counter(state for item in items if (state := _state(item)))
    if not states:
        return f"{len(items)} {name}"
    return f"{len(items)} {name}: " + ", ".join(f"{count} {state}" for state, count in states.most_common(4))


def _state(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    for key in _STATES:
        if text := scalar(item.get(key)):
            return f"{key} {text}" if text in ("true", "false") else text
    inner = [value for value in item.values() if isinstance(value, dict)]
    return next((state for value in inner if (state := _state(value))), "")


def rows(text: str) -> list[Row]:
    """A table drawn with `|`, or one whose columns stand below their heads, as one dictionary for each row."""
    lines = [line for line in text.splitlines() if line.strip()]
    drawn = [line for line in lines if line.lstrip().startswith("|")]
    if len(drawn) > 1:
        heads, *body = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in drawn]
        return [dict(zip(heads, cells, strict=False)) for cells in body]
    return list(_aligned(lines))


def _aligned(lines: list[str]) -> Iterator[Row]:
    """As `docker ps` prints it: heads in capitals, at least two blanks between columns."""
    heads = list(re.finditer(r"[A-Z][A-Z /]*?(?=\s{2,}|\s*$)", lines[0])) if lines else []
    if len(heads) < 2 or lines[0].upper() != lines[0]:
        return
    ends = [head.start() for head in heads[1:]] + [None]
    for line in lines[1:]:
        yield {head.group(): line[head.start():end].strip() for head, end in zip(heads, ends, strict=True)}


def about_table(table: list[Row]) -> str:
    """`3 endpoints: 10.0.0.2 leads`; "" where it has nothing that is known to matter."""
    if not table:
        return ""
    heads, first = {head.upper(): head for head in table[0]}, next(iter(table[0]), "")
    told = []
    for head in ("STATUS", "HEALTH", "STATE"):
        if head in heads:
            states = Counter(row.get(heads[head], "") for row in table)
            told += [f"{count} {head.lower()} {state}" for state, count in states.most_common(4) if state]
    if "IS LEADER" in heads:
        told += [f"{row.get(first, '')} leads" for row in table if row.get(heads["IS LEADER"]) == "true"]
    for head in ("ERRORS", "ERROR"):
        if head in heads:
            told += [text for row in table if (text := row.get(heads[head], ""))]
    thing = first.lower() if first in _THINGS else "row"
    return f"{plural(len(table), thing)}: " + ", ".join(told) if told else ""


def about_statuses(lines: list[str]) -> str:
    """Of lines that each end in an exit status: `4 of 9 failed (28)`; "" where they do not."""
    ends = [line.split()[-1] for line in lines if line.split()]
    if len(ends) < 2 or not all(end.isdecimal() and int(end) < 256 for end in ends):
        return ""
    failed = [end for end in ends if end != "0"]
    return f"{len(failed)} of {len(ends)} failed ({', '.join(sorted(set(failed)))})" if failed else \
        f"all {len(ends)} went through"


def about_log(lines: list[str]) -> str:
    """`60 lines, 2 of them errors, last: "established connection"`"""
    if not lines:
        return "the log is empty"
    errors = [line for line in lines if _is_error(line)]
    of_them = f", {len(errors)} of them errors" if errors else ""
    count = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
    return f'{count} of log{of_them}, last: "{_said(lines[-1])}"'


def _is_error(line: str) -> bool:
    values = json_values(line)
    if values and isinstance(values[0], dict):
        return any(_LEVEL.search(str(values[0].get(key, ""))) for key in _LEVELS)
    return _LEVEL.search(line[:80]) is not None


def _said(line: str) -> str:
    """What a line of a log says, without its time and level."""
    values = json_values(line)
    if values and isinstance(values[0], dict):
        said = values[0].get("msg") or values[0].get("message")
        return said if isinstance(said, str) else line
    if line.startswith("[") and (bracketed := re.findall(r"\[\"(.*?)\"\](?= \[|$)", line)):
        return str(bracketed[0])  # TiKV: [time] [level] [place] ["what"] [more=...]
    return _TIME_HEAD.sub("", line)
