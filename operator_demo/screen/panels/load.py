"""What the clients feel: operations, latency and errors of the last minute."""

import math

from rich.text import Text

from operator_demo import events
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line
from operator_demo.screen.quantities import milliseconds, plural
from operator_demo.screen.screen_state import ScreenState
from operator_demo.ticket_state import Moment

Points = list[Moment[events.Load]]


def load(state: ScreenState, view: View) -> Lines:
    """The last minute of operations, 99th percentile and errors, one column a second."""
    if not state.load:
        return fit([line(("No load yet.", "dim"))], view)
    now = state.load[-1].data
    kinds = ", ".join(f"{kind} {n}" for kind, n in now.errors.items() if n)
    room = max(min(view.width - 30, 60), 4)
    points = state.load[-room:]

    def chart(name: str, levels: list[float | None], text: str, tone: str) -> Text:
        row = line((f"{name:<5}", "dim"))
        row.append_text(spark(levels, points, view))
        row.append(" " * (room - len(points) + 1))
        row.append(text, STYLES[tone])
        return row

    return fit([
        chart("op/s", _ops_levels(state, points), f"{now.ops:.0f} op/s", "strong"),
        chart("p99", _p99_levels(points), f"{milliseconds(now.p99)}  (p50 {milliseconds(now.p50)})".replace(
            "—", view.symbols.none), ""),
        chart("err", _error_levels(points), f"{view.symbols.warn} {now.failed}/s {kinds}" if now.failed else
            f"{view.symbols.ok} no error", "bad" if now.failed else "good"),
    ], view)


def _ops_levels(state: ScreenState, points: Points) -> list[float | None]:
    top = 1.1 * max([state.rate or 0.0, *(p.data.ops for p in points), 1.0])
    return [p.data.ops / top for p in points]


def _p99_levels(points: Points) -> list[float | None]:
    """On a logarithmic scale from 1 ms: a usual second and a timeout differ by a factor of a thousand."""
    top = math.log10(1000 * max([0.1, *(p.data.p99 or 0.0 for p in points)]))
    return [None if p.data.p99 is None else math.log10(max(1000 * p.data.p99, 1.0)) / top for p in points]


def _error_levels(points: Points) -> list[float | None]:
    top = max([1, *(p.data.failed for p in points)])
    return [p.data.failed / top if p.data.failed else None for p in points]


def spark(levels: list[float | None], points: Points, view: View) -> Text:
    """A bar for each level from 0 to 1; red where that second had errors."""
    bars, row = view.symbols.bars, Text(no_wrap=True, end="")
    for level, point in zip(levels, points, strict=True):
        bar = " " if level is None else bars[max(0, min(int(level * len(bars)), len(bars) - 1))]
        row.append(bar, "red" if point.data.failed else "green")
    return row


def load_line(state: ScreenState, view: View) -> Text:
    if not state.load:
        return line(("no load yet", "dim"))
    now = state.load[-1].data
    row = line((f"{now.ops:>4.0f} op/s  ", "strong"),
                (f"p99 {milliseconds(now.p99)}  ".replace("—", view.symbols.none), ""),
                (f"{view.symbols.warn} {plural(now.failed, 'error')}/s  " if now.failed else "no error  ",
                 "bad" if now.failed else "good"))
    room = view.width - row.cell_len
    if room > 4:
        points = state.load[-room:]
        row.append_text(spark(_ops_levels(state, points), points, view))
    return row
