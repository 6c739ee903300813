"""Which tools exist in which mode. Nothing here guesses about the text of a command."""

from operator_demo import settings

_ACT = ("shell", "observe", "finding", "resolve", "no_action", "escalate")
TOOLS = {
    settings.EXECUTE: _ACT,
    settings.APPROVE: _ACT,
    settings.OBSERVE: ("observe", "inspect", "logs", "finding", "no_action", "escalate"),
}


def refusal(mode: str, tool: str) -> str | None:
    """Why the tool may not run in this mode; None when it may."""
    if tool in TOOLS[mode]:
        return None
    if mode == settings.OBSERVE:
        return f"In observe mode there is no tool {tool}: look, state a finding, and escalate to a human."
    return f"There is no tool {tool}. Those that exist: {', '.join(TOOLS[mode])}."
