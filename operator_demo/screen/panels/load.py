"""What the clients feel: operations, latency and errors, a point for each second, and what happened meanwhile."""

import math
from collections.abc import Mapping

from rich.text import Text

from operator_demo import events
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line
from operator_demo.screen.plot import Plot, columns, plotted
from operator_demo.screen.quantities import milliseconds, seconds
from operator_demo.screen.screen_state import ScreenState

_NAMES, _VALUES = 7, 10  # cells at the left for names and scales, at the right for what is true now
_LEAST = 4  # lines of the panel
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)

Seconds = Mapping[int, events.Load]


def load(state: ScreenState, view: View) -> Lines:
    """Rows of points for operations a second, the 99th percentile of their latency, and errors; above them marks where
    the fault struck and where the agent repaired."""
    if not state.load:
        return fit([line(("No load yet.", "dim"))], view)
    if view.height < _LEAST:
        return fit([load_line(state, view)], view)
    s, now, room = view.symbols, state.load[-1].data, max(view.width - _NAMES - _VALUES, 4)
    latest = int(state.load[-1].at)
    by_second = {int(second.at): second.data for second in state.load}
    shown = [by_second.get(second) for second in columns(latest, room)]
    rows = view.height - 2  # the marks, the errors
    top, slowest = _top_of_operations(state), _slowest(state)
    failing = [second is not None and second.failed > 0 for second in shown]
    operations = Plot([_share(second, top) for second in shown], failing, rows - rows // 2)
    latencies = Plot([_latency(second, slowest) for second in shown], failing, rows // 2)
    errors = Plot([_errors(second, state) for second in shown], failing, 1)
    failed = (f"{now.failed} err/s", "bad") if now.failed else ("0 err/s", "dim")
    return fit([
        _marks(state, latest, room, view),
        *_chart("op/s", f"{top:g}", operations, (f"{now.ops:.0f} op/s", "strong"), view),
        *_chart("p99", seconds_of_scale(slowest), latencies, (milliseconds(now.p99).replace("—", s.none), ""), view),
        *_chart("err", "", errors, failed, view),
    ], view)


def _chart(name: str, scale: str, plot: Plot, value: tuple[str, str], view: View) -> Lines:
    """The rows of a plot: the end of the scale at the top, the name and what is true now at the bottom."""
    lines = []
    rows = plotted(plot, view.symbols)
    for n, row in enumerate(rows):
        last = n == len(rows) - 1
        label = scale if n == 0 and not last else name if last else ""
        text = line((f"{label:>{_NAMES - 1}} ", "dim"))
        text.append_text(row)
        if last:
            text.append(f" {value[0]}", STYLES[value[1]])
        lines.append(text)
    return lines


# -- the scales ------------------------------------------------------------------------------------------------------


def _top_of_operations(state: ScreenState) -> float:
    """A round number that is a little above the rate and all that was measured."""
    most = 1.1 * max([state.rate or 0.0, *(second.data.ops for second in state.load), 1.0])
    unit = float(10 ** math.floor(math.log10(most)))
    return next(unit * step for step in _ROUND if unit * step >= most)


def _slowest(state: ScreenState) -> float:
    """The end of the scale of latencies in seconds: 10 ms, 100 ms, 1 s, ..."""
    most = max([0.01, *(second.data.p99 or 0.0 for second in state.load)])
    return float(10.0 ** math.ceil(round(math.log10(most), 6)))


def seconds_of_scale(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.0f} s" if value < 100 else seconds(value)


def _share(second: events.Load | None, top: float) -> float | None:
    return None if second is None else second.ops / top


def _latency(second: events.Load | None, slowest: float) -> float | None:
    """Logarithmic, from 1 ms: a usual second and a timeout differ by a factor of a thousand."""
    if second is None or second.p99 is None:
        return None
    return math.log10(max(1000 * second.p99, 1.0)) / math.log10(1000 * slowest)


def _errors(second: events.Load | None, state: ScreenState) -> float | None:
    most = max(1, *(moment.data.failed for moment in state.load), 1)
    return None if second is None or not second.failed else second.failed / most


# -- what happened meanwhile -----------------------------------------------------------------------------------------


def _marks(state: ScreenState, latest: int, room: int, view: View) -> Text:
    """`▼ fault   ▼ repair` over their seconds; where the next mark is near, a name stands before its own."""
    moments = [(at, "fault", "bad") for at in state.strikes]
    began = state.fault_began
    first = next((at for at in state.repairs if began is None or at >= began), None)
    if first is not None:
        moments.append((first, "repair", "warn"))
    if not moments:
        return line((f"{' ' * _NAMES}the last {2 * room} s", "dim"))
    row, mark = Text(" " * _NAMES, no_wrap=True, end=""), view.symbols.marker
    places = [_NAMES + room - 1 - (latest // 2 - int(at) // 2) for at, _, _ in moments] + [view.width]
    for (_, name, tone), place, next_place in zip(moments, places, places[1:], strict=False):
        start, words = place, f"{mark} {name}"
        if next_place - place < len(words) + 1:
            start, words = place - len(name) - 1, f"{name} {mark}"
        if start < row.cell_len:
            start, words = place, mark
        if row.cell_len <= start and place < _NAMES + room:
            row.append(" " * (start - row.cell_len))
            row.append(words, STYLES[tone])
    return row


def load_line(state: ScreenState, view: View) -> Text:
    """`198 op/s  p99 6.3 ms  no error`, and the operations as a row of points."""
    if not state.load:
        return line((" no load yet", "dim"))
    now, s = state.load[-1].data, view.symbols
    errors = f"{s.warn} {now.failed} errors/s" if now.failed else "no error"
    row = line((f" {now.ops:4.0f} op/s", "strong"), f"  p99 {milliseconds(now.p99):>7}  ".replace("—", s.none),
               (f"{errors:<15}", "bad" if now.failed else "dim"))
    room = min(view.width - row.cell_len - 1, 60)
    if room > 0:
        by_second = {int(second.at): second.data for second in state.load}
        shown = [by_second.get(second) for second in columns(int(state.load[-1].at), room)]
        top = _top_of_operations(state)
        plot = Plot([_share(second, top) for second in shown],
                    [second is not None and second.failed > 0 for second in shown], 1)
        row.append_text(plotted(plot, s)[0])
    return row
