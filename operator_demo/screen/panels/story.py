"""Where the run is, and what the presenter could say."""

from rich.text import Text

from operator_demo import phrases
from operator_demo.chapters import NAMES
from operator_demo.run_state import number_of
from operator_demo.screen.panels.progress import progress_line
from operator_demo.screen.panels.view import STYLES, Lines, View, fit, line, wrapped
from operator_demo.screen.screen_state import ScreenState


def chapter(state: ScreenState, view: View) -> Lines:
    """Where the run is, and what the presenter could say."""
    lines = [stepper(state, view), _headline(state, view)]
    room = view.height - len(lines)
    work = progress_line(state, view) or _sealed(state)
    narration = list(wrapped(state.narration(view.steering.again), "", view))[:max(room - (1 if work else 0), 0)]
    return fit([*lines, *narration, *([work] if work else [])], view)


def _sealed(state: ScreenState) -> Text | None:
    """The promise made before the fault, and what it was."""
    if state.truth:
        return line(("sealed before the fault  ", "dim"), (phrases.json_fields(state.truth), "accent"))
    return line((f"root cause sealed, sha256 {state.sealed[:16]}", "dim")) if state.sealed else None


def stepper(state: ScreenState, view: View) -> Text:
    """All chapters in a row: done, here, to come."""
    s, here = view.symbols, number_of(state.chapter.name)
    row = Text(no_wrap=True, end="")
    short = view.width < sum(len(name) + 5 for name in NAMES)
    for n, name in enumerate(NAMES, 1):
        if n > 1:
            row.append(f" {s.rule} " if not short else " ", "dim")
        over = state.outcome is not None
        mark, style = (s.ok, "green") if n < here or over else (s.todo, "dim")
        if n == here and not over:
            mark, style = s.here, "bold reverse"
        row.append(f"{mark} {name.capitalize()}" if not short or n == here else mark, style)
    return row


def _headline(state: ScreenState, view: View) -> Text:
    title = state.chapter.title or state.chapter.name or "Starting"
    if state.outcome:
        good = state.outcome.data.exit_status == 0
        mark = view.symbols.ok if good else view.symbols.bad
        return line((f"{mark} {state.outcome.data.outcome.upper()}  ", "good" if good else "bad"), (title, "strong"))
    countdown = state.progress.get(("fault", "fault"))
    return line((title, "strong"), (f"   {countdown.status}", "bad")) if countdown else line((title, "strong"))


def chapter_line(state: ScreenState, view: View) -> Text:
    here = number_of(state.chapter.name)
    number = f"{here}/{len(NAMES)} " if here else ""
    row = Text.assemble((f" {number}", STYLES["dim"]), _headline(state, view), no_wrap=True, end="")
    work = progress_line(state, view)
    row.append("  ")
    row.append_text(work if work else Text(" ".join(state.narration(view.steering.again).split()), "dim"))
    return fit([row], view)[0]
