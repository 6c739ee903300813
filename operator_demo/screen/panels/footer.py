"""The keys, the clock, and everything in one line for the smallest windows."""

from rich.text import Text

from operator_demo import phrases
from operator_demo.orders import PAUSE
from operator_demo.screen import steering
from operator_demo.screen.panels.keycaps import keycaps
from operator_demo.screen.panels.view import STYLES, View, fit
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.steering import Binding

_IN_REPLAY = (steering.PAUSE, steering.EVENT_LATER, steering.CHAPTER_LATER, steering.QUIT)
_NOTE_FOR = 20.0  # seconds that a warning stays in the footer


def footer(state: ScreenState, view: View) -> Text:
    """The keys that do something now on the left; run, mode and clock on the right; a fresh warning between them. A
    question to the presenter has the line to itself."""
    row = Text(no_wrap=True, end="")
    if state.prompt.question:
        row.append(f" {state.prompt.question} ", "reverse bold")
        return fit([row], view)[0]
    if view.mark:
        row.append(f" {view.mark} ", "bold reverse")
        row.append("  ")
    in_front = view.steering.in_front
    row.append_text(keycaps(in_front, view))
    for binding in () if in_front else view.steering.table:
        if does := _in_replay(binding) if view.mark else _does_now(binding, state):
            row.append(f" {binding.shown} ", "reverse")
            row.append(f" {does}  ")
    keys = row.cell_len
    note = state.notes[-1] if state.notes else None
    if note and note.data.level in ("warning", "error") and view.now - note.at < _NOTE_FOR:
        tone = "bad" if note.data.level == "error" else "warn"
        row.append(f"{view.symbols.warn} {' '.join(note.data.text.split())}", STYLES[tone])
    right = _right(state, view, view.width - keys - 1)
    row.truncate(max(view.width - len(right) - 1, 0))
    row.append(" " * max(view.width - row.cell_len - len(right), 0))
    row.append(right, "dim")
    return fit([row], view)[0]


def _right(state: ScreenState, view: View, room: int) -> str:
    """As much as there is room for beside the keys, at least the clock."""
    parts = [part for part in (state.run.id, state.run.about, clock(state, view)) if part]
    while len(parts) > 1 and len(f" {view.symbols.dot} ".join(parts)) > room:
        parts.pop(0)
    return f" {view.symbols.dot} ".join(parts)


def _in_replay(binding: Binding) -> str:
    return binding.does if binding.word in _IN_REPLAY else ""


def _does_now(binding: Binding, state: ScreenState) -> str:
    """What the key does now, "" where it does nothing, or is told in the help alone."""
    working = state.agent.working and not state.waiting
    match binding.word:
        case steering.NEXT:
            return state.prompt.space
        case steering.MENU:
            return state.prompt.menu
        case steering.PAUSE if working:
            return "go on" if state.agent.order == PAUSE else binding.does
        case steering.STOP if working:
            return binding.does
        case steering.QUIT | steering.HELP:
            return binding.does
    return ""


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
