"""The phrases and quantities under the names that the panels' state uses."""

from typing import Any

from operator_demo import events, phrases
from operator_demo.phrases import brain_label, brain_source, check_mark, check_text, result
from operator_demo.screen.quantities import amount, milliseconds, money, plural, seconds, size
from operator_demo.text import clean

__all__ = ["amount", "brain_label", "brain_source", "check_mark", "check_text", "command", "effect", "finding_text",
           "milliseconds", "money", "plural", "result", "seconds", "size", "why"]


def command(tool: str, arguments: dict[str, Any]) -> str:
    return clean(phrases.command(tool, arguments))


def why(arguments: dict[str, Any]) -> str:
    return clean(phrases.why(arguments))


def finding_text(data: dict[str, Any]) -> str:
    """The diagnosis, with what an agent that may not act would do."""
    return phrases.finding(events.Finding.of(data)).split("\n", 1)[1]


def effect(data: dict[str, Any]) -> str:
    return phrases.effect(events.Effect.of(data))
