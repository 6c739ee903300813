"""How things are said, the same on the screen, in plain lines and in the audit."""

from typing import Any

from operator_demo.screen import values
from operator_demo.screen.terminal_text import Symbols
from operator_demo.settings import CLAUDE, REHEARSAL


def brain_label(brain: str, model: str) -> str:
    """Who thinks. Only what is known to be Claude is ever called so."""
    if brain == CLAUDE:
        return f"Claude ({model})" if model else "Claude"
    if brain == REHEARSAL:
        return "REHEARSAL (rule-based, not Claude)"
    return "no agent" if brain in ("", "none") else f"unknown brain ({brain})"


def brain_source(brain: str) -> str:
    """The same in one word, for the column that says who speaks."""
    return brain if brain in (CLAUDE, REHEARSAL) else "agent"


def command(tool: str, arguments: Any) -> str:
    """A tool call as one would type it: `$ docker ps` for the shell, `logs member=etcd1` for others."""
    given = values.mapping(arguments)
    if tool == "shell":
        return "$ " + values.text(given.get("command"))
    said = [f"{values.label(k)}={_plain(v)}" for k, v in given.items() if k != "reasoning"]
    return "  ".join([values.label(tool), *said])


def _plain(value: Any) -> str:
    return "; ".join(map(values.label, value)) if isinstance(value, list) else values.label(value)


def why(arguments: Any) -> str:
    """The reasoning given with a tool call."""
    return values.text(values.mapping(arguments).get("reasoning"))


def finding_text(data: dict[str, Any]) -> str:
    """The diagnosis, with what an agent that may not act would do."""
    said, proposal = values.text(data.get("text")), values.text(data.get("proposal"))
    return f"{said}\nwould do: {proposal}" if proposal else said


def result(status: str, exit_code: float | None, duration: float | None, symbols: Symbols) -> tuple[str, str]:
    """How a tool call ended, with its tone."""
    took = f" in {seconds(duration)}" if duration is not None else ""
    ended = f"exit {exit_code:.0f}{took}" if exit_code is not None else f"{status}{took}"
    match status:
        case "ok":
            return f"{symbols.ok} {ended}", "good"
        case "error":
            return f"{symbols.bad} {ended}", "bad"
        case "timeout":
            return f"{symbols.bad} timed out{f' after {seconds(duration)}' if duration is not None else ''}", "bad"
        case "refused":
            return f"{symbols.refused} refused", "warn"
        case "interrupted":
            return f"{symbols.bad} interrupted{took}", "warn"
    return f"{symbols.unknown} outcome unknown", "warn"


def effect(data: dict[str, Any]) -> str:
    """`etcd1: die (status 137)`"""
    who = values.label(data.get("member")) or values.label(data.get("container"))
    code = values.number(data.get("exit_code"))
    return f"{who}: {values.label(data.get('action'))}" + (f" (status {code:.0f})" if code is not None else "")


def check_mark(status: str, symbols: Symbols) -> tuple[str, str]:
    """The mark and tone of one check of the oracle; what was not checked never looks like passed."""
    return {"passed": (symbols.ok, "good"), "failed": (symbols.bad, "bad"),
            "unknown": (symbols.unknown, "warn")}.get(status, (symbols.todo, "dim"))


def check_text(name: str, status: str, saw: str) -> str:
    return f"{name}: {saw}" if status in ("passed", "failed") and saw else \
        f"{name}: {status.replace('_', ' ')}{f' ({saw})' if saw else ''}"


def seconds(value: float | None) -> str:
    if value is None:
        return "—"
    if value < 9.95:
        return f"{max(value, 0):.1f} s"
    if value < 99.5:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def milliseconds(value: float | None) -> str:
    if value is None:
        return "—"
    ms = value * 1000
    return f"{ms:.1f} ms" if ms < 9.95 else f"{ms:.0f} ms"


def size(value: float | None) -> str:
    if value is None:
        return "—"
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def amount(value: float) -> str:
    """A number for a narrow column: 950, 12.3k, 1.2M."""
    if value < 1000:
        return f"{value:.0f}"
    return f"{value / 1000:.1f}k" if value < 999_950 else f"{value / 1e6:.1f}M"


def money(value: float | None) -> str:
    return "—" if value is None else f"${value:.2f}" if value >= 0.995 or value == 0 else f"${value:.4f}"


def plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
