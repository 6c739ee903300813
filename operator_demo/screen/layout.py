"""Which panels stand where, for the size of the terminal. No size is refused."""

from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.segment import Segment
from rich.text import Text

from operator_demo import phrases
from operator_demo.screen.overlays import overlay
from operator_demo.screen.panels.agent import agent, agent_use
from operator_demo.screen.panels.approval import approval
from operator_demo.screen.panels.cluster import cluster
from operator_demo.screen.panels.footer import footer, status_line
from operator_demo.screen.panels.load import load, load_line
from operator_demo.screen.panels.story import chapter, chapter_line
from operator_demo.screen.panels.ticket import monitor, ticket_line
from operator_demo.screen.panels.view import ALARM, CALM, WORK, Body, View
from operator_demo.screen.screen_state import ScreenState
from operator_demo.settings import CLAUDE

FULL, MEDIUM, SMALL = (120, 32), (80, 24), (40, 10)
"""The least (columns, lines) of each tier."""

Style = Callable[[ScreenState], str]
Words = Callable[[ScreenState, View], Text]


class Pane:
    """A frame around a body. What goes wrong in it is shown in its place; the others go on."""

    def __init__(self, state: ScreenState, view: View, body: Body, title: Words, color: Style,
                 subtitle: Words | None = None) -> None:
        self._state, self._view = state, view
        self._body, self._title, self._color, self._subtitle = body, title, color, subtitle

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or options.size.height
        try:
            panel = self._panel(width, height)
            lines = console.render_lines(panel, options.update(height=height))
        except Exception as e:
            panel = Panel(Text(f"this panel failed: {type(e).__name__}: {e}", "red"), height=height)
            lines = console.render_lines(panel, options.update(height=height))
        for row in lines:
            yield from row
            yield Segment.line()

    def _panel(self, width: int, height: int) -> Panel:
        view = self._view.sized(width - 4, height - 2)
        body = Text("\n", end="").join(self._body(self._state, view))
        body.no_wrap = True
        head, foot = self._title(self._state, view), self._subtitle(self._state, view) if self._subtitle else None
        for text in (head, foot):
            if text is not None:
                text.truncate(max(width - 6, 0))
        return Panel(body, title=head, title_align="left", subtitle=foot, subtitle_align="right", height=height,
                     border_style=self._color(self._state), padding=(0, 1))


class Bar:
    """One line without a frame."""

    def __init__(self, state: ScreenState, view: View, body: Words) -> None:
        self._state, self._view, self._body = state, view, body

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        try:
            row = self._body(self._state, self._view.sized(options.max_width, 1))
        except Exception as e:
            row = Text(f"this line failed: {type(e).__name__}: {e}", "red", no_wrap=True, end="")
        row.truncate(options.max_width)
        yield from console.render_lines(row, options.update(height=1))[0]


def arrange(state: ScreenState, view: View) -> Layout | Text:
    """The whole screen for the size in `view`."""
    size = (view.width, view.height)
    if not _holds(size, SMALL):
        return status_line(state, view)
    if view.steering.covered:
        return Text("\n", no_wrap=True, end="").join(overlay(state, view))
    tier = _full if _holds(size, FULL) else _medium if _holds(size, MEDIUM) else _small
    if not state.waiting:
        return tier(state, view)
    box = 7 if tier is not _small else 5
    root = Layout()
    root.split_column(tier(state, view.sized(view.width, view.height - box)), Layout(_approval(state, view), size=box))
    return root


def _holds(size: tuple[int, int], least: tuple[int, int]) -> bool:
    return size[0] >= least[0] and size[1] >= least[1]


def _full(state: ScreenState, view: View) -> Layout:
    root, middle, left = Layout(), Layout(), Layout()
    wanted = len(chapter(state, view.sized(view.width - 4, 6))) + 2
    most = 8 if state.ticket is None or view.height >= 36 else 6  # the oracle's checks need the room later
    members = max(len(state.members), 3) + 3
    left.split_column(Layout(_cluster(state, view), size=members), Layout(_monitor(state, view)),
                      Layout(_load(state, view), size=5))
    middle.split_row(Layout(left, ratio=46), Layout(_agent(state, view), ratio=54))
    root.split_column(Layout(_chapter(state, view), size=max(6, min(wanted, most))), middle,
                      Layout(Bar(state, view, footer), size=1))
    return root


def _medium(state: ScreenState, view: View) -> Layout:
    root = Layout()
    members = max(len(state.members), 3) + 3
    root.split_column(
        Layout(Bar(state, view, chapter_line), size=1),
        Layout(_cluster(state, view), size=min(members, 8)),
        Layout(_agent(state, view)),
        Layout(Bar(state, view, _labelled("ticket", ticket_line)), size=1),
        Layout(Bar(state, view, _labelled("load", load_line)), size=1),
        Layout(Bar(state, view, footer), size=1),
    )
    return root


def _small(state: ScreenState, view: View) -> Layout:
    """The one panel that matters now: the cluster, then the agent at work, then the oracle's verdict."""
    root = Layout()
    if state.ticket is not None and state.ticket.final is not None:
        pane = _monitor(state, view)
    elif state.agent.sessions and not state.outcome:
        pane = _agent(state, view)
    else:
        pane = _cluster(state, view)
    root.split_column(Layout(Bar(state, view, chapter_line), size=1), Layout(pane),
                      Layout(Bar(state, view, status_line), size=1))
    return root


def _labelled(name: str, body: Words) -> Words:
    def labelled(state: ScreenState, view: View) -> Text:
        return Text.assemble((f" {name:<7}", "dim"), body(state, view.sized(view.width - 9, 1)), no_wrap=True, end="")
    return labelled


# -- the panes -------------------------------------------------------------------------------------------------------


def _titled(text: str) -> Words:
    return lambda state, view: Text(text, "bold")


def _chapter(state: ScreenState, view: View) -> Pane:
    return Pane(state, view, chapter,
                lambda s, v: Text(f"operator-demo {v.symbols.dot} {s.run.subject or 'starting'}", "bold"),
                lambda s: ("green" if s.outcome.data.exit_status == 0 else ALARM) if s.outcome else CALM)


def _cluster(state: ScreenState, view: View) -> Pane:
    return Pane(state, view, cluster, _titled("Cluster" if state.members else "Preparing"),
                lambda s: ALARM if s.quorum is False else WORK if any(m.healthy is False for m in s.members.values())
                else CALM)


def _monitor(state: ScreenState, view: View) -> Pane:
    def color(s: ScreenState) -> str:
        ticket = s.ticket
        if ticket is None:
            return WORK if s.violated else CALM
        return {"resolved": "green", "cleared": WORK, "verifying": WORK}.get(ticket.state, ALARM)
    return Pane(state, view, monitor, _titled("Monitor and ticket"), color)


def _agent(state: ScreenState, view: View) -> Pane:
    def title(s: ScreenState, v: View) -> Text:
        if not s.agent.brain:
            return Text("Agent", "bold")
        label = phrases.brain_label(s.agent.brain, s.agent.model)
        name = label if v.width >= 50 else phrases.brain_source(s.agent.brain).upper()
        style = "bold white on blue" if s.agent.brain == CLAUDE else "bold black on yellow"
        return Text.assemble(("Agent  ", "bold"), (f" {name} ", style))
    return Pane(state, view, agent, title, lambda s: "magenta" if s.agent.sessions else CALM,
                lambda s, v: Text(agent_use(s, v)))


def _approval(state: ScreenState, view: View) -> Pane:
    def title(s: ScreenState, v: View) -> Text:
        more = f" (1 of {len(s.waiting)})" if len(s.waiting) > 1 else ""
        return Text(f"The agent asks for your approval{more}", "bold black on yellow")
    return Pane(state, view, approval, title, lambda s: ALARM if s.waiting[0].data.destructive else WORK)


def _load(state: ScreenState, view: View) -> Pane:
    return Pane(state, view, load, _titled("Load"),
                lambda s: WORK if s.load and s.load[-1].data.failed else CALM)
