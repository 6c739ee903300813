"""Which display fits the terminal, and whether it may use colour."""

from collections.abc import Mapping
from typing import IO, Any

DISPLAYS = ("tui", "plain", "json", "quiet")


def choose_display(requested: str, stdin: IO[Any], stdout: IO[Any], env: Mapping[str, str]) -> str:
    """`requested` unless it is `auto`. `auto`: the full screen only where there is a person with a terminal.

    A `tui` that was asked for where it cannot work (no terminal, TERM=dumb) becomes `plain`: nothing is drawn into a
    file.
    """
    if requested not in ("auto", "tui"):
        return requested
    able = _is_terminal(stdin) and _is_terminal(stdout) and env.get("TERM", "") not in ("", "dumb")
    return "tui" if able else "plain"


def use_color(stream: IO[Any], env: Mapping[str, str]) -> bool:
    """NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, then CLICOLOR=0, then TERM=dumb, then whether it is a terminal."""
    if env.get("NO_COLOR"):
        return False
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        if env.get(name):
            return env[name] != "0"
    if env.get("CLICOLOR") == "0" or env.get("TERM") == "dumb":
        return False
    return _is_terminal(stream)


def _is_terminal(stream: IO[Any]) -> bool:
    try:
        return stream.isatty()
    except (ValueError, AttributeError):  # closed, or none at all
        return False
