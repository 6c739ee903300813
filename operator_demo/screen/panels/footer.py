"""The keys, the clock, and everything in one line for the smallest windows."""

from rich.text import Text

from operator_demo import phrases
from operator_demo.screen.panels.keycaps import keycaps
from operator_demo.screen.panels.view import STYLES, View, fit
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.steering import CHAPTER_LATER, EVENT_LATER, NEXT, PAUSE, QUIT

_IN_FOOTER = (NEXT, QUIT)
_IN_FOOTER_OF_REPLAY = (PAUSE, EVENT_LATER, CHAPTER_LATER, QUIT)
_NOTE_FOR = 20.0  # seconds that a warning stays in the footer


def footer(state: ScreenState, view: View) -> Text:
    """Keys on the left; run, mode and clock on the right; a fresh warning between them."""
    row = Text(no_wrap=True, end="")
    if view.mark:
        row.append(f" {view.mark} ", "bold reverse")
        row.append("  ")
    in_front = view.steering.in_front
    row.append_text(keycaps(in_front, view))
    in_footer = _IN_FOOTER_OF_REPLAY if view.mark else _IN_FOOTER
    for binding in () if in_front else view.steering.table:
        if binding.word in in_footer and (view.manual or not binding.manual):
            row.append(f" {binding.shown} ", "reverse")
            row.append(f" {binding.does}  ")
    note = state.notes[-1] if state.notes else None
    if note and note.data.level in ("warning", "error") and view.now - note.at < _NOTE_FOR:
        tone = "bad" if note.data.level == "error" else "warn"
        row.append(f"{view.symbols.warn} {' '.join(note.data.text.split())}", STYLES[tone])
    right = f" {view.symbols.dot} ".join(part for part in (state.run.id, state.run.about, clock(state, view)) if part)
    row.truncate(max(view.width - len(right) - 1, 0))
    row.append(" " * max(view.width - row.cell_len - len(right), 0))
    row.append(right, "dim")
    return fit([row], view)[0]


def clock(state: ScreenState, view: View) -> str:
    """Since the run began, as 01:23."""
    if state.run.began is None:
        return "00:00"
    minutes, seconds = divmod(int(max(0.0, view.now - state.run.began)), 60)
    return f"{minutes:02d}:{seconds:02d}"


def status_line(state: ScreenState, view: View) -> Text:
    """Everything in a line, for windows too small for anything else."""
    s, well = view.symbols, sum(m.healthy is True for m in state.members.values())
    ticket = state.ticket
    whole = s.healthy if well == len(state.members) else s.warn
    parts = [view.mark, f"{well}/{len(state.members)} {whole}" if state.members else "",
             phrases.brain_source(state.agent.brain).upper() if state.agent.brain not in ("", "none") else "",
             "y, n or a?" if state.waiting else "",
             state.outcome.data.outcome if state.outcome else state.chapter.name,
             ticket.state if ticket else "", clock(state, view)]
    return Text(f" {s.dot} ".join(p for p in parts if p))
