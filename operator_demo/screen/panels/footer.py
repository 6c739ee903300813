"""The lines at the top and at the bottom, and everything in one line for the smallest windows."""

from dataclasses import replace

from rich.text import Text

from operator_demo import phrases
from operator_demo.orders import PAUSE
from operator_demo.screen import steering
from operator_demo.screen.panels.keycaps import keycaps
from operator_demo.screen.panels.view import BLUE, RED, STYLES, View, fit, line
from operator_demo.screen.quantities import plural
from operator_demo.screen.screen_state import ScreenState
from operator_demo.screen.steering import Binding
from operator_demo.settings import CLAUDE, REHEARSAL

_IN_REPLAY = (steering.PAUSE, steering.EVENT_LATER, steering.CHAPTER_LATER, steering.QUIT)
_FIRST_TO_GO = (steering.STOP, steering.OUTPUT, steering.ZOOM, steering.MENU, steering.PAUSE, steering.HELP)
_NOTE_FOR = 20.0  # seconds that a warning stays in the footer
LABELS = {CLAUDE: f"bold #ffffff on {BLUE}", REHEARSAL: "bold #000000 on #d0a000"}
"""What the name of a brain looks like."""


def header(state: ScreenState, view: View) -> Text:
    """The system and what it is on the left; the agent's brain and the clock on the right."""
    row = line((f" {state.run.subject or 'operator-demo'}  ", "strong"), (what_it_is(state), "dim"))
    right = Text(no_wrap=True, end="")
    if state.run.stand_ins:
        right.append(" STAND-INS ", f"bold #ffffff on {RED}")
        right.append(" ")
    brain = state.agent.brain
    if brain not in ("", "none"):
        label = phrases.brain_label(brain, state.agent.model)
        short = phrases.brain_source(brain).upper()
        text = label if row.cell_len + len(label) + 14 <= view.width else short
        right.append(f" {text} ", LABELS.get(brain, "bold reverse"))
        right.append("  ")
    right.append(f"{clock(state, view)} ")
    row = fit([row], view.sized(view.width - right.cell_len - 1, 1))[0]
    row.append(" " * max(view.width - row.cell_len - right.cell_len, 0))
    row.append_text(right)
    return row


def what_it_is(state: ScreenState) -> str:
    """`etcd 3.5, three members, 200 operations a second`"""
    title = state.run.title or (plural(len(state.members), "member") if state.members else "")
    rate = f"{state.rate:.0f} operations a second" if state.rate else ""
    return ", ".join(part for part in (title, rate) if part)


def footer(state: ScreenState, view: View) -> Text:
    """The keys that do something now on the left, the run on the right; a fresh warning between them. A question to the
    presenter has the line to itself."""
    row = Text(no_wrap=True, end="")
    if state.prompt.question:
        row.append(f" {state.prompt.question} ", "reverse bold")
        return fit([row], view)[0]
    if view.mark:
        row.append(f" {view.mark} ", "bold reverse")
        row.append("  ")
    in_front = view.steering.in_front
    row.append_text(keycaps(in_front, view))
    only_answers = bool(state.waiting) and not view.mark  # the box of the request shows their keys
    if not in_front and not only_answers:
        now = [replace(b, does=does) for b in view.steering.table if (does := _does(b, state, view))]
        row.append_text(keycaps(_fitting(now, view.width - row.cell_len), view))
    keys = row.cell_len
    note = state.notes[-1] if state.notes else None
    if note and note.data.level in ("warning", "error") and view.now - note.at < _NOTE_FOR:
        tone = "bad" if note.data.level == "error" else "warn"
        row.append(f"{view.symbols.warn} {' '.join(note.data.text.split())}", STYLES[tone])
    right = f"{state.run.id} "
    if len(right) > view.width - keys:
        right = ""
    row.truncate(max(view.width - len(right) - 1, 0))
    row.append(" " * max(view.width - row.cell_len - len(right), 0))
    row.append(right, STYLES["dim"])
    return fit([row], view)[0]


def _does(binding: Binding, state: ScreenState, view: View) -> str:
    return _in_replay(binding) if view.mark else _does_now(binding, state)


def _fitting(now: list[Binding], room: int) -> list[Binding]:
    """Without what can best be missed, so that no key is cut off."""
    for word in _FIRST_TO_GO:
        if sum(len(b.shown) + len(b.does) + 5 for b in now) <= room:
            break
        now = [b for b in now if b.word != word]
    return now


def _in_replay(binding: Binding) -> str:
    return binding.does if binding.word in _IN_REPLAY else ""


def _does_now(binding: Binding, state: ScreenState) -> str:
    """What the key does now, "" where it does nothing, or is told in the help alone."""
    working = state.agent.working
    match binding.word:
        case steering.NEXT:
            return state.prompt.space
        case steering.MENU:
            return state.prompt.menu
        case steering.PAUSE if working:
            return "go on" if state.agent.order == PAUSE else binding.does
        case steering.STOP if working:
            return binding.does
        case steering.OUTPUT if any(entry.number and entry.status for entry in state.entries):
            return binding.does
        case steering.QUIT | steering.HELP | steering.ZOOM:
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
