"""What has the screen to itself: a zoomed panel, the whole output of a command, the help."""

import re
from collections.abc import Sequence

from rich.text import Text

from operator_demo import phrases
from operator_demo.screen.markdown import folded
from operator_demo.screen.panels.agent import whole_log
from operator_demo.screen.panels.approval import approval
from operator_demo.screen.panels.cluster import cluster
from operator_demo.screen.panels.footer import footer
from operator_demo.screen.panels.keycaps import keycap, keycaps
from operator_demo.screen.panels.load import load
from operator_demo.screen.panels.proof import verdict
from operator_demo.screen.panels.steps import output_lines
from operator_demo.screen.panels.view import STYLES, Body, Lines, View, fit, line
from operator_demo.screen.quantities import plural
from operator_demo.screen.screen_state import Entry, ScreenState
from operator_demo.screen.steering import AGENT, CLUSTER, LOAD, PROOF, SCROLLING, Binding

_ZOOMED: dict[str, Body] = {CLUSTER: cluster, LOAD: load, PROOF: verdict}
_TALL = 400  # lines that a panel may have which is scrolled
_ASKED = 5  # lines of a request that waits for a human
_OTHER_KEYS = (
    *SCROLLING,
    Binding("", (), "y n a", "answer", "while the agent asks for approval: yes, no, always for this on this member"),
)


def overlay(state: ScreenState, view: View) -> Lines:
    """As many rows as the screen is high. To be called while `steering.covered`."""
    asked = _asked(state, view)
    room = view.sized(view.width - 2, view.height - 2 - len(asked))
    title, body = _in_front(state, room)
    body = [*body, *(line("") for _ in range(room.height - len(body)))][:room.height]
    rows = [_title(state, view, title), *(Text.assemble(" ", row, no_wrap=True, end="") for row in body)]
    return [*rows, *asked, _last_row(state, view)][:view.height]


def _in_front(state: ScreenState, view: View) -> tuple[str, Lines]:
    """The title and what is shown of the lines. What goes wrong is shown in its place."""
    steering = view.steering
    try:
        if steering.help:
            return "Help", scrolled(_help(view), view)
        if steering.output:
            return _output(state, view)
        if steering.zoom == AGENT:
            return "Agent", _agent(state, view)
        if steering.zoom == LOAD:
            return "Load", load(state, view)
        body = _ZOOMED[steering.zoom]
        return steering.zoom.capitalize(), scrolled(body(state, view.sized(view.width, _TALL)), view)
    except Exception as e:
        return "Failed", fit([Text(f"this panel failed: {type(e).__name__}: {e}", STYLES["bad"])], view)


def scrolled(lines: Lines, view: View) -> Lines:
    """The lines in view, with the matches of a search marked."""
    scroll = view.steering.scroll
    top = scroll.window(_Plain(lines), view.height)
    shown = lines[top:top + view.height]
    if scroll.query:
        shown = [_marked(row, scroll.query) for row in shown]
    return fit(shown, view)


class _Plain(Sequence[str]):
    """The texts of lines, made when they are looked at: a frame is drawn ten times a second."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, at: int) -> str:  # type: ignore[override]
        return self._lines[at].plain


def _marked(row: Text, query: str) -> Text:
    marked = row.copy()
    marked.highlight_regex(re.compile(re.escape(query), re.IGNORECASE), style="reverse")
    return marked


def _agent(state: ScreenState, view: View) -> Lines:
    lines, begins = whole_log(state, view)
    shown = scrolled(lines, view)
    top = view.steering.scroll.shown
    after = [entry for at, entry in begins if at + 3 > top]
    view.steering.in_view = (after or [entry for _, entry in begins] or [Entry(0.0, "")])[0].call
    return shown


def _output(state: ScreenState, view: View) -> tuple[str, Lines]:
    steps = [entry for entry in state.entries if entry.number and entry.status]
    if view.steering.wants_last and steps:
        view.steering.settle(steps[-1].call)
    entry = next((entry for entry in steps if entry.call == view.steering.output), None)
    if entry is None:
        return "Output", [line(("No command has ended yet.", "dim"))]
    lines = output_lines(entry, view.width, view.console)
    return f"{entry.number} {entry.reason}", scrolled(lines, view)


def _help(view: View) -> Lines:
    rows = [row for row in view.steering.table if view.manual or not row.manual]
    keys = [*rows, *_OTHER_KEYS]
    caps = [keycap(row, view) for row in keys]
    wide = max(cap.cell_len for cap in caps) + 2
    gap = [line("")] if view.height > 2 * len(keys) else []
    lines = []
    for row, cap in zip(keys, caps, strict=True):
        cap.append(" " * (wide - cap.cell_len), "not reverse")
        room = max(view.width - wide, 8)
        first, *rest = folded("", row.about, view.console, room)
        lines += [Text.assemble(cap, first, no_wrap=True, end="")]
        lines += [Text.assemble(" " * wide, more, no_wrap=True, end="") for more in rest]
        lines += gap
    return lines


# -- around it --------------------------------------------------------------------------------------------------------


def _title(state: ScreenState, view: View, title: str) -> Text:
    """What it is, where in it, and who the agent is: that is said on every screen."""
    scroll, rule = view.steering.scroll, view.symbols.rule
    brain = state.agent.brain
    labels = [view.mark, phrases.brain_source(brain).upper() if brain not in ("", "none") else ""]
    label = "".join(f" {text} " for text in labels if text)
    hidden = scroll.lines - scroll.height
    where = f" {scroll.shown + 1}-{min(scroll.shown + scroll.height, scroll.lines)} of " \
            f"{plural(scroll.lines, 'line')} " if hidden > 0 else ""
    if scroll.missing:
        where = " not found "
    row = line((f"{rule} ", "dim"), (title, "strong"))
    _cut(row, view.width - len(where) - len(label) - 4, view)
    row.append(" ")
    row.append(rule * max(view.width - row.cell_len - len(where) - len(label) - 1, 0), STYLES["dim"])
    row.append(where, STYLES["warn"] if scroll.missing else STYLES["dim"])
    row.append(label, "reverse")
    row.append(rule, STYLES["dim"])
    return fit([row], view.sized(view.width, 1))[0]


def _cut(row: Text, width: int, view: View) -> None:
    if row.cell_len > width:
        row.truncate(max(width - len(view.symbols.ellipsis), 0))
        row.append(view.symbols.ellipsis)


def _asked(state: ScreenState, view: View) -> Lines:
    """A request that waits for a human stays in sight."""
    if not state.waiting or view.height < 12:
        return []
    lines = approval(state, view.sized(view.width - 2, _ASKED))
    return [line((view.symbols.rule * view.width, "warn")),
            *(Text.assemble(" ", row, no_wrap=True, end="") for row in lines)]


def _last_row(state: ScreenState, view: View) -> Text:
    typed = view.steering.typing
    if typed is None:
        return fit([footer(state, view.sized(view.width, 1))], view.sized(view.width, 1))[0]
    row = line((f" /{typed}{view.symbols.cursor}   ", "strong"))
    row.append_text(keycaps(view.steering.in_front, view))
    return fit([row], view.sized(view.width, 1))[0]
