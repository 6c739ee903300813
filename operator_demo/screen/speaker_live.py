"""What the presenter sees and the audience does not: the chapter with its speaker notes, what comes next, the clocks.

Of the fault it shows only since when it is in: neither what it is nor whom it hit.
"""

from collections.abc import Mapping
from typing import IO, Any, TextIO

from rich.console import RenderableType
from rich.layout import Layout
from rich.text import Text

from operator_demo.orders import PAUSE
from operator_demo.screen.live import LiveScreen
from operator_demo.screen.pane import Bar, Pane
from operator_demo.screen.panels.footer import clock
from operator_demo.screen.panels.ticket import ticket_line
from operator_demo.screen.panels.view import ALARM, CALM, Lines, View, fit, line, wrapped
from operator_demo.screen.quantities import plural, seconds
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.speaker import Upcoming, ended, heading, told
from operator_demo.screen.terminal_text import Line, Symbols
from operator_demo.talk import timing

WAITING = "No run goes on. Start `operator-demo run` in the other terminal; this one follows it."
_FRAMED = (40, 14)  # the least (columns, lines) for frames
_LATE = 30.0  # seconds that a talk may be behind its plan before that is told
_STEPS = ("call", "finding", "refusal", "guard")
_UNTOLD = 5  # steps of the agent that are shown
_MARGIN = 4  # cells that a frame takes of the width


class SpeakerScreen(LiveScreen):
    """The full screen of the second terminal. See `presenter.View`."""

    def __init__(self, out: TextIO, env: Mapping[str, str], *, stdin: IO[Any] | None = None) -> None:
        super().__init__(out, env, stdin=stdin)
        self._upcoming: Upcoming | None = None

    def begin(self) -> None:
        """Another run: what was known of the one before is forgotten."""
        self._state, self._upcoming, self._dirty = ScreenState(), None, True

    def expect(self, upcoming: Upcoming | None) -> None:
        self._upcoming, self._dirty = upcoming, True

    def abandon(self) -> None:
        """As `stop`, without a word."""
        self._said = True
        self.stop()

    def arranged(self, view: View) -> RenderableType:
        return arrange(self._state, self._upcoming, view)

    def farewell(self, symbols: Symbols) -> list[Line]:
        return told(self._state, None, symbols) + ended(self._state)


# -- the full screen ---------------------------------------------------------------------------------------------------


def arrange(state: ScreenState, upcoming: Upcoming | None, view: View) -> Layout | Text:
    """The whole screen for the size in `view`."""
    if not state.run.id:
        return Text("\n").join(wrapped(WAITING, "", view.sized(view.width, view.height)))
    if view.width < _FRAMED[0] or view.height < _FRAMED[1]:
        return _narrow(state, view)
    root = Layout()
    head, foot = Layout(Bar(state, view, clocks), size=1), Layout(Bar(state, view, keys), size=1)
    about_ticket = Layout(Bar(state, view, ticket), size=1)
    now = Layout(Pane(state, view, here, _title_of_chapter, lambda s: ALARM if _is_broken(s) else CALM))
    if upcoming is None:
        root.split_column(head, now, about_ticket, foot)
        return root
    later = next_lines(upcoming, view.sized(view.width - _MARGIN, view.height))
    coming = Pane(state, view, lambda s, v: fit(later, v),
                  lambda s, v: Text(f"Next: {upcoming.heading}", "dim"), lambda s: "dim")
    root.split_column(head, now, Layout(coming, size=min(len(later) + 2, max(view.height // 3, 3))), about_ticket, foot)
    return root


def _narrow(state: ScreenState, view: View) -> Text:
    """The notes alone, for windows too small for anything else."""
    first = line((f"{state.chapter.title or state.chapter.name}  ", "strong"), (_clock(state, view), "dim"))
    return Text("\n").join(fit([first, *wrapped(state.chapter.notes or state.chapter.narration, "", view)],
                                      view))


def here(state: ScreenState, view: View) -> Lines:
    """The notes, for the speaker to read; below, small, what the audience reads, and what the agent did since then."""
    chapter = state.chapter
    notes = list(wrapped(chapter.notes, "strong", view)) if chapter.notes else [line(("no notes for this chapter",
                                                                                      "dim"))]
    lines = [*plan_line(state, view), *notes]
    if chapter.narration:
        quote = f"{view.symbols.quote} "
        lines += [line(""), line(("on their screen", "dim")), *wrapped(chapter.narration, "dim", view, quote, quote)]
    return fit([*lines, *untold(state, view)], view)


def plan_line(state: ScreenState, view: View) -> Lines:
    """`this chapter 42 s of 2 min 24 s   left of the talk 16 min 10 s   1 min 03 s late`"""
    times = timing(state, state.outcome.at if state.outcome else view.now)
    if times is None:
        return []
    over = times.spent > times.planned
    parts = [("this chapter ", "dim"), (f"{seconds(times.spent)} of {seconds(times.planned)}", "warn" if over else ""),
             ("   left of the talk ", "dim"), (seconds(times.left), "strong" if times.left > 0 else "bad")]
    if times.late >= _LATE:
        parts.append((f"   {seconds(times.late)} late", "warn"))
    return [line(*parts), line("")]


def untold(state: ScreenState, view: View) -> Lines:
    """The last things that the agent did since the chapter began: nobody has told the audience of them yet."""
    entries = [e for e in state.entries if e.at >= state.chapter_at and e.kind in _STEPS]
    if not entries:
        return []
    steps = plural(len(entries), "step")
    lines = [line(""), line((f"the agent since then, {steps}", "dim"))]
    for entry in entries[-_UNTOLD:]:
        lines.append(line((f"{view.symbols.dot} ", "dim"), (entry.why or entry.text, "")))
    return lines


def next_lines(upcoming: Upcoming, view: View) -> Lines:
    if upcoming.notes is None:
        return [line(("its notes are known when it comes", "dim"))]
    return list(wrapped(upcoming.notes, "", view)) if upcoming.notes else [line(("no notes", "dim"))]


def clocks(state: ScreenState, view: View) -> Text:
    """`etcd · run-…` on the left, the clocks on the right."""
    made = line((f" notes {view.symbols.dot} {state.run.about} ", "strong"), (state.run.id, "dim"))
    right = f"{_clock(state, view)} "
    made.truncate(max(view.width - len(right) - 1, 0))
    made.append(" " * max(view.width - made.cell_len - len(right), 0))
    made.append(right, "bold")
    return made


def _clock(state: ScreenState, view: View) -> str:
    """`01:23`, with the fault `01:23   fault + 12 s`; they stand still when the run is over."""
    now = state.outcome.at if state.outcome else view.now
    began = state.fault_began
    since = f"   fault + {seconds(now - began)}" if began is not None else ""
    return clock(state, View(view.console, view.symbols, now, view.manual)) + since


def ticket(state: ScreenState, view: View) -> Text:
    made = line((" ticket ", "dim"))
    made.append_text(ticket_line(state, view) if state.ticket else line(("none", "dim")))
    return made


def keys(state: ScreenState, view: View) -> Text:
    """What the keys do now, here as in the run's own terminal."""
    made = Text(no_wrap=True, end="")
    if state.prompt.space:
        made.append(" space ", "reverse")
        made.append(f" {state.prompt.space}   ")
    elif state.run.manual is False:
        made.append(" it goes on by itself   ", "dim")
    if state.agent.working and state.outcome is None:
        made.append(" p ", "reverse")
        made.append(" the agent goes on   " if state.agent.order == PAUSE else " pause the agent   ")
    made.append(" q ", "reverse")
    made.append(" close this view", "dim")
    return made


def _is_broken(state: ScreenState) -> bool:
    closed = state.outcome is not None or (state.ticket is not None and state.ticket.closed is not None)
    return state.fault_began is not None and not closed


def _title_of_chapter(state: ScreenState, view: View) -> Text:
    c = state.chapter
    return Text(heading(c.name, c.title) or "Starting", "bold")
