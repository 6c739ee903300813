"""One member as a box. How it is shows in the shape of the box and in a mark, not in colour alone."""

from dataclasses import dataclass

from rich.text import Text

from operator_demo import events
from operator_demo.screen.panels.view import GREY, STYLES, Lines, View, line, wrapped
from operator_demo.screen.quantities import milliseconds, size
from operator_demo.screen.terminal_text import Symbols

_GONE = ("exited", "dead", "missing", "created", "removing")
_ENDS = {137: "killed", 139: "crashed", 143: "told to end"}  # by exit status
_BAR = 4  # cells of a bar
_FRAME_AND_HEAD = 4  # lines: the frame, the name, the role


@dataclass(frozen=True)
class Condition:
    """`serves`: do the others and the clients reach it? `word` is what is wrong; "" where nothing is."""

    mark: str
    tone: str
    frame: str
    serves: bool
    word: str = ""


def condition_of(name: str, m: events.MemberSeen, violated: tuple[str, ...], s: Symbols) -> Condition:
    """healthy, leading, slow, frozen, cut off, gone, not well, or not seen yet."""
    if m.healthy is None and not m.state:
        return Condition(s.todo, "dim", s.gone_frame, False, "not seen yet")
    if m.state == "paused":
        return Condition(s.paused, "warn", s.frozen_frame, False, "frozen")
    if m.state in _GONE or (m.state and m.state not in ("running", "restarting")):
        code = f" ({m.exit_code})" if m.exit_code is not None else ""
        return Condition(s.bad, "bad", s.gone_frame, False, f"{m.state}{code}")
    if m.state == "restarting":
        return Condition(s.bad, "bad", s.gone_frame, False, "restarts")
    if m.state == "running" and not m.address and m.healthy is not True:
        return Condition(s.broken, "bad", s.frame, False, "cut off")
    if m.reachable is False:
        return Condition(s.broken, "bad", s.slow_frame, False, "silent")
    if m.healthy is not True:
        return Condition(s.warn, "bad", s.slow_frame, True, "not well")
    if f"high_latency:{name}" in violated:
        return Condition(s.warn, "warn", s.slow_frame, True, "slow")
    if any(key.endswith(f":{name}") for key in violated):
        return Condition(s.warn, "warn", s.frame, True, "not well")
    return Condition(s.leader if m.leader else s.healthy, "good", s.frame, True)


def box(name: str, m: events.MemberSeen, condition: Condition, width: int, view: View) -> Lines:
    """`view.height` lines, frame included, each `width` cells wide."""
    top_left, top_right, bottom_left, bottom_right, horizontal, vertical = tuple(condition.frame)
    style = STYLES[condition.tone] if condition.tone != "good" else ""
    inside = width - 2
    told = [line((f"{condition.mark} ", condition.tone), (name, "strong")),
            *_told(m, condition, view.sized(inside - 1, view.height))]
    rows = [Text(f"{top_left}{horizontal * inside}{top_right}", style, no_wrap=True, end="")]
    for n in range(view.height - 2):
        text = Text.assemble(" ", told[n] if n < len(told) else Text(), no_wrap=True, end="")
        text.truncate(inside, overflow="ellipsis" if view.symbols.ellipsis == "…" else "crop", pad=True)
        rows.append(Text.assemble((vertical, style), text, (vertical, style), no_wrap=True, end=""))
    rows.append(Text(f"{bottom_left}{horizontal * inside}{bottom_right}", style, no_wrap=True, end=""))
    return rows


def _told(m: events.MemberSeen, condition: Condition, view: View) -> Lines:
    """What stands below the name: what is wrong and why, or the role and the figures. Where there is little room the
    role gives way: the mark shows who leads."""
    tight = len(m.figures) > 0 and view.height < _FRAME_AND_HEAD + len(m.figures)
    role = [] if tight else [line(m.role)]
    lines = [line((condition.word, condition.tone))] if condition.word else role
    if m.alarms:
        lines.append(line((", ".join(m.alarms), "bad")))
    if condition.serves:
        return [*lines, *(figure(f, view) for f in figures_of(m, view.symbols))]
    if m.exit_code in _ENDS:
        return [*lines, line((_ENDS[m.exit_code], "dim"))]
    if m.error and m.error != condition.word:
        lines += wrapped(m.error, "dim", view)
    return lines


def figures_of(m: events.MemberSeen, s: Symbols) -> tuple[events.Figure, ...]:
    """What the subject shows of it; else what is measured of every member."""
    if m.figures:
        return m.figures
    shown = []
    if m.read_latency is not None:
        shown.append(events.Figure("read", milliseconds(m.read_latency)))
    if m.db_size is not None:
        shown.append(events.Figure("data", size(m.db_size)))
    return tuple(shown)


def figure(f: events.Figure, view: View) -> Text:
    """`leads 6 of 14`, with a bar where it is a share of something."""
    row = line((f"{f.name} " if f.name else "", "dim"), f.text)
    if f.share is not None and row.cell_len + _BAR + 1 <= view.width:
        filled = round(min(max(f.share, 0.0), 1.0) * _BAR)
        row.append(" ")
        row.append(view.symbols.done_line * filled, STYLES["accent"])
        row.append(view.symbols.open_line * (_BAR - filled), GREY)
    return row
