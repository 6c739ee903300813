"""How far the run is: before the fault the chapters, after it what happened since, each with its time."""

from dataclasses import dataclass

from rich.text import Text

from operator_demo.chapters import NAMES
from operator_demo.run_state import number_of
from operator_demo.screen.panels.view import STYLES, Lines, View
from operator_demo.screen.quantities import seconds
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.terminal_text import Symbols

SHORT_FRAME = 100  # columns, below which names of chapters are left out


@dataclass(frozen=True)
class Step:
    """`at` is in seconds since the epoch, None as long as it has not happened."""

    name: str
    at: float | None


def timeline(state: ScreenState, view: View) -> Lines:
    steps = steps_of(state)
    return _passed(steps, state, view) if steps else [stepper(state, view), Text()]


def steps_of(state: ScreenState) -> list[Step]:
    """What happens after a fault, in order; empty before it."""
    ticket = state.fault_ticket or state.ticket
    began = state.fault_began
    if began is None:
        if ticket is None or ticket.opened is None:
            return []
        began = ticket.opened  # a false report: nothing was broken
    shown = ticket.showed(began) if ticket is not None else None
    repair = _first(state.repairs, began)
    well = state.well_since if repair is not None or (ticket is not None and ticket.closed is not None) else None
    return [Step("fault", began), Step("ticket", shown), Step("diagnosis", _first(state.findings, began)),
            Step("repair", repair), Step("well again", well if well is not None and well > began else None),
            Step("verified", ticket.verified if ticket is not None else None)]


def _first(moments: list[float], since: float) -> float | None:
    return min((at for at in moments if at >= since), default=None)


def _passed(steps: list[Step], state: ScreenState, view: View) -> Lines:
    """A line of marks and names, and the times below; the time of what is awaited grows."""
    s, began = view.symbols, steps[0].at or 0.0
    awaited = _awaited(steps, state)
    width = view.width // len(steps)
    names, times = Text(no_wrap=True, end=""), Text(no_wrap=True, end="")
    for n, step in enumerate(steps):
        mark, tone, style, time = s.todo, "dim", STYLES["dim"], ""
        if step.at is not None:
            mark, tone, style, time = s.healthy, "good", "", f"+{seconds(step.at - began)}"
        elif n == awaited:
            waited = max(view.now - began, 0.0)
            mark, tone, style, time = s.now, "warn", "bold reverse", f"+{seconds(waited)} {s.ellipsis}"
        names.append(f"{mark} ", STYLES[tone])
        names.append(step.name, style)
        if n < len(steps) - 1:
            names.append_text(_link(steps, n, awaited, width - len(mark) - len(step.name) - 1, s))
        times.append(f"  {time}".ljust(width), "bold" if n == awaited else "")
    return [names, times]


def _awaited(steps: list[Step], state: ScreenState) -> int | None:
    """Which step comes next; None when it is over."""
    if state.outcome is not None or (state.ticket is not None and state.ticket.closed is not None):
        return None
    last = max(n for n, step in enumerate(steps) if step.at is not None)
    return last + 1 if last + 1 < len(steps) else None


def _link(steps: list[Step], n: int, awaited: int | None, room: int, s: Symbols) -> Text:
    """From a step to the next one."""
    passed = steps[n + 1].at is not None or n + 1 == awaited
    rule, tone = (s.done_line, "good") if passed else (s.open_line, "dim")
    return Text(f" {rule * max(room - 2, 0)} ", STYLES[tone], no_wrap=True, end="")


def stepper(state: ScreenState, view: View) -> Text:
    """All chapters in a row: done, here, to come."""
    s, here = view.symbols, number_of(state.chapter.name)
    row = Text(no_wrap=True, end="")
    short = view.width < SHORT_FRAME
    for n, name in enumerate(NAMES, 1):
        if n > 1:
            row.append(" " if short else f" {s.open_line * 2} ", STYLES["dim"])
        over = state.outcome is not None
        mark, style = (s.healthy, STYLES["good"]) if n < here or over else (s.todo, STYLES["dim"])
        row.append(f"{s.now if n == here and not over else mark} ", STYLES["warn"] if n == here else style)
        row.append(name, "bold reverse" if n == here and not over else "" if n < here or over else STYLES["dim"])
    return row
