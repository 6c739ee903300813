"""Why the agent takes a step, in a line of its own words."""

import re

from operator_demo.fields import JsonObject
from operator_demo.phrases import as_text, one_line

_SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[\"'(*`]*[A-Z0-9])")
_MARKS = re.compile(r"^(?:#+\s+|[-*+]\s+|\d+[.)]\s+|>\s+)")
_PAIRS = re.compile(r"(\*\*|__|`)(.+?)\1")
_FENCE = "```"


def reason(tool: str, given: JsonObject, why: str, prose: str) -> str:
    """The reasoning given with the call, else the last sentence before it, else what the tool is for."""
    return plain(why) or last_sentence(prose) or default(tool, given)


def default(tool: str, given: JsonObject) -> str:
    member = one_line(as_text(given.get("member"))) or "a member"
    match tool:
        case "observe":
            return "looks at what the monitor sees"
        case "inspect":
            return f"asks the engine about {member}"
        case "logs":
            return f"reads the log of {member}"
        case "shell":
            return "runs a command"
    return tool


def last_sentence(prose: str) -> str:
    """What was said last is what comes next. Blocks of code are no sentences, and a list belongs to what introduces
    it."""
    outside = prose.split(_FENCE)[::2]
    lines = [line for part in outside for line in part.splitlines() if line.strip()]
    paragraphs = [line for line in lines if not _MARKS.match(line.strip())] or lines
    return _SENTENCE.split(plain(paragraphs[-1]))[-1].rstrip(":") if paragraphs else ""


def plain(text: str) -> str:
    """Markdown as one line without its marks."""
    return one_line(_PAIRS.sub(r"\2", " ".join(_MARKS.sub("", line.strip()) for line in text.splitlines())))


def repeats(prose: str, statement: str) -> bool:
    """Does the prose say nothing that the statement does not say?"""
    said = plain(prose)
    return bool(said) and said in plain(statement)
