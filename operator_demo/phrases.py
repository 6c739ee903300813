"""Phrases that the telling of events shares with panels and summaries: who acts, a tool call, its result, a check."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from operator_demo.events import (
    ApprovalRequested,
    Check,
    Effect,
    Finding,
    Guard,
    Limit,
    MemberSeen,
    TicketUpdated,
    ToolCall,
)
from operator_demo.fields import JsonObject
from operator_demo.redaction import redact, shown_command
from operator_demo.screen.quantities import plural, seconds
from operator_demo.screen.terminal_text import Line, Symbols
from operator_demo.settings import CLAUDE, REHEARSAL


def brain_label(brain: str, model: str) -> str:
    """The agent's name. Only what is known to be Claude is ever called so."""
    if brain == CLAUDE:
        return f"Claude ({model})" if model else "Claude"
    if brain == REHEARSAL:
        return "REHEARSAL (rule-based, not Claude)"
    return "no agent" if brain in ("", "none") else f"unknown brain ({brain})"


def brain_source(brain: str) -> str:
    """The same in one word, for the column that says who speaks."""
    return brain if brain in (CLAUDE, REHEARSAL) else "agent"


def command(tool: str, arguments: JsonObject) -> str:
    """A tool call as one would type it: `$ docker ps` for the shell, `logs  member=etcd1` for others. `arguments` have
    their control characters escaped (`events.ToolCall.input`)."""
    if tool == "shell":
        return "$ " + shown_command(as_text(arguments.get("command")))
    given = [f"{name}={redact(_items(value, '; '))}" for name, value in arguments.items() if name != "reasoning"]
    return "  ".join([tool, *given])


def what_ran(call: ToolCall) -> str:
    """The identity of the command that bash got, where it is shown otherwise than it ran; else empty."""
    shown = shown_command(as_text(call.input.get("command")))
    if not call.sha256 or hashlib.sha256(shown.encode()).hexdigest() == call.sha256:
        return ""
    return f"shown with escapes or redactions; what ran: {plural(call.length, 'byte')}, sha256 {call.sha256}"


def why(arguments: JsonObject) -> str:
    """The reasoning given with a tool call."""
    return redact(as_text(arguments.get("reasoning")))


def result(status: str, exit_code: float | None, duration: float | None, symbols: Symbols) -> Line:
    """How a tool call ended."""
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


def effect(data: Effect) -> str:
    """`etcd1: die (status 137)`"""
    status = "" if data.exit_code is None else f" (status {data.exit_code})"
    return f"{data.member or data.container}: {data.action}{status}"


def refused_request(data: Guard) -> str:
    """`DELETE /volumes/data (not offered): The agent may not do this.`"""
    reason = f": {one_line(data.reason)}" if data.reason else ""
    return f"{one_line(data.method)} {one_line(data.path)} ({one_line(data.rule)}){reason}"


def asked_for(data: ApprovalRequested) -> str:
    """`docker stop on etcd1, which is destructive`"""
    about = data.member or data.object
    on = f" on {one_line(about)}" if about else ""
    return f"{one_line(data.rule)}{on}{', which is destructive' if data.destructive else ''}"


def finding(data: Finding) -> str:
    """`etcd1: process killed`, then the diagnosis, then what an agent that may not act would do."""
    cause = data.cause.replace("_", " ")
    lines = [f"{data.member}: {cause}" if data.member and cause else data.member or cause, data.text]
    if data.proposal:
        lines.append(f"would do: {data.proposal}")
    return "\n".join(lines)


CHANGES, INSIDE = "changes the cluster", "runs inside a member"


def changes(ruling: Guard) -> str:
    """What a request that the guard let through does to the cluster."""
    return INSIDE if ruling.rule.startswith("docker exec") else CHANGES


def statement(tool: str, arguments: JsonObject) -> str:
    """What the agent says by `finding`, `resolve`, `no_action` or `escalate`."""
    match tool:
        case "finding":
            given = {name: redact(as_text(arguments.get(name))) for name in ("member", "cause", "text", "proposal")}
            return finding(Finding(member=given["member"] or None, cause=given["cause"], text=given["text"],
                                   proposal=given["proposal"]))
        case "resolve":
            return redact(as_text(arguments.get("summary")))
    return redact(as_text(arguments.get("reason")))


_FAULTS = {
    "kill": "the kill of {}", "stop": "a stop of {}", "pause": "a freeze of {}",
    "disconnect": "a cut of {} from the network", "restart": "a restart of {}, which is harmless",
    "crash-loop": "a wrong setting that keeps {} from starting",
    "wal-cut": "a cut in the write-ahead log of {}", "none": "nothing at all",
    "decoy": "a failed container beside the system, which is harmless", "load-surge": "more load from the clients",
    "lost-data": "the loss of all data of {}", "partition": "a partition between {} and the others",
    "loss": "a loss of packets to {}", "latency": "a delay of what {} sends", "bandwidth": "a throttled network of {}",
    "cpu": "too little processor for {}", "memory": "too little memory for {}", "slow-disk": "a slow disk of {}",
    "disk-full": "a full disk of {}", "evict-leaders": "an order that takes all leaders from {}",
}
"""What a fault was, by its kind."""


def listed(words: Sequence[str]) -> str:
    """`etcd0, etcd1 and etcd2`"""
    *others, last = words or [""]
    return f"{', '.join(others)} and {last}" if others else last


def opened(truth: JsonObject, sha256: str) -> str:
    """`It was the kill of etcd1, as sealed before: sha256 e7df…`"""
    kind = one_line(as_text(truth.get("fault")))
    targets = truth.get("targets")
    hit = listed([one_line(as_text(name)) for name in targets]) if isinstance(targets, list) else ""
    hit = hit or "the system"
    # (of an unknown kind the name comes from outside, and may hold braces)
    what = _FAULTS[kind].format(hit) if kind in _FAULTS else f"{kind.replace('-', ' ') or 'a fault'} of {hit}"
    return f"It was {what}, as sealed before: sha256 {sha256[:16]}"


def check_mark(status: str, symbols: Symbols) -> tuple[str, str]:
    """The mark and tone of one check of the oracle; what was not checked never looks like passed."""
    marks = {"passed": (symbols.ok, "good"), "failed": (symbols.bad, "bad"), "unknown": (symbols.unknown, "warn")}
    return marks.get(status, (symbols.todo, "dim"))


def check_text(name: str, status: str, saw: str) -> str:
    if status in ("passed", "failed") and saw:
        return f"{name}: {one_line(saw)}"
    return f"{name}: {status.replace('_', ' ')}{f' ({one_line(saw)})' if saw else ''}"


def check(data: Check, symbols: Symbols) -> Line:
    """`✔ data plane: a write through each of 3 members`"""
    mark, tone = check_mark(data.status, symbols)
    return f"{mark} {check_text(data.name, data.status, data.saw)}", tone


def limit(name: str, data: Limit) -> str:
    """`high_latency: limit 0.8 s, 4 times the usual 0.2 s`"""
    text = f"{name}: limit {data.limit:.3g} {data.unit}"
    if data.usual is None:
        return f"{text}, the least one; what is usual was not measured"
    usual = f"{data.times:g} times the usual {data.usual:.3g} {data.unit}"
    return f"{text}, {usual}" if data.limit > data.floor else f"{text}, the least one; {usual} is not more"


def violated(data: TicketUpdated) -> str:
    return ", ".join(v.key for v in data.violations) or "no violation left"


def to_repair(ttm: float | None, waited: float | None) -> str:
    """`from the fault to the verified repair; 10 s of it the agent waited for the presenter, 26 s are its own`"""
    if ttm is None or not waited:
        return "from the fault to the verified repair"
    own = seconds(max(0.0, ttm - waited))
    return (f"from the fault to the verified repair; {seconds(waited)} of it the agent waited for the presenter, "
            f"{own} are its own")


def member_state(data: MemberSeen) -> str:
    """`healthy`, `exited`, `running, not healthy`"""
    if data.healthy:
        return "healthy"
    state = data.state or "unknown"
    return f"{state}, not healthy" if state == "running" else state


# -- JSON values -----------------------------------------------------------------------------------------------------


def json_fields(value: JsonObject) -> str:
    """An object in a line, without its empty fields: `kind kill; targets etcd1, etcd2`."""
    return "; ".join(f"{name} {_items(item, ', ')}" for name, item in value.items() if item not in (None, "", [], {}))


def _items(value: Any, separator: str) -> str:
    if isinstance(value, list):
        return separator.join(one_line(as_text(item)) for item in value)
    return one_line(as_text(value))


def as_text(value: Any) -> str:
    """A text as it is, another JSON value as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def one_line(text: str) -> str:
    return " ".join(text.split())
