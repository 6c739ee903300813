"""The members of the system: role, state, and what was measured."""

from rich.text import Text

from operator_demo import events
from operator_demo.screen.panels.progress import preparing
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line
from operator_demo.screen.quantities import milliseconds, size
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.terminal_text import Symbols


def cluster(state: ScreenState, view: View) -> Lines:
    """Each member with its role and state; what was measured where there is room."""
    if not state.members:
        return fit(preparing(state, view), view)
    width = max(len(name) for name in state.members)
    lines = [_member(name, m, width, view) for name, m in state.members.items()]
    return fit([*lines, cluster_line(state, view)], view)


def member_mark(m: events.MemberSeen, s: Symbols) -> tuple[str, str]:
    """Symbol and tone: healthy (or leading), paused, not healthy, unknown."""
    if m.state == "paused":
        return s.paused, "warn"
    if m.healthy is True:
        return (s.leader if m.leader else s.healthy), "good"
    if m.healthy is None and not m.state:
        return s.unknown, "dim"
    return s.bad, "bad"


def _member(name: str, m: events.MemberSeen, width: int, view: View) -> Text:
    mark, tone = member_mark(m, view.symbols)
    state = "healthy" if m.healthy else m.state if m.state not in ("", "running") else \
        "not seen" if m.healthy is None and not m.state else "unreachable" if m.reachable is False else "not healthy"
    row = line((f"{mark} ", tone), (f"{name:<{width}}  ", "strong"), (f"{m.role:<9}", "accent" if m.leader else ""),
                (f"{state:<12}", tone))
    if not m.healthy:
        row.append(m.error or "", STYLES["dim"])
        return row
    measured = [f"{milliseconds(m.read_latency):>7}", f"{size(m.db_size):>7}",
                f"#{m.index:.0f}" if m.index is not None else ""]
    for text in (part.replace("—", view.symbols.none) for part in measured):
        if row.cell_len + len(text) + 2 <= view.width:
            row.append(f"{text}  ", STYLES["dim"])
    if m.alarms:
        row.append(f"{view.symbols.warn} {', '.join(m.alarms)}", STYLES["bad"])
    return row


def cluster_line(state: ScreenState, view: View) -> Text:
    """`● 3 of 3 healthy, quorum`"""
    s, well = view.symbols, sum(m.healthy is True for m in state.members.values())
    total = len(state.members)
    whole = well == total and total > 0
    quorum = (" quorum ", "good") if state.quorum else (f" {s.bad} NO QUORUM ", "bad")
    parts: list[str | tuple[str, str]] = [(f"{s.healthy if whole else s.warn} {well} of {total} healthy",
                                           "good" if whole else "warn")]
    if state.quorum is not None:
        parts += [f" {s.dot}", quorum]
    leader = next((name for name, m in state.members.items() if m.leader), None)
    if leader and state.quorum is not False:  # (one that still believes it leads, leads nobody)
        parts += [f"{s.dot} ", (f"{s.leader} {leader} leads", "")]
    return line(*parts)
